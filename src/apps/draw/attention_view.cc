#include "apps/draw/attention_view.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace unmask {

namespace {

constexpr Colour kInk{0.13, 0.14, 0.17};
constexpr Colour kMuted{0.42, 0.44, 0.49};
constexpr Colour kUnseen{0.87, 0.88, 0.90};  // what a query may not look at
constexpr Colour kUncomputed{0.80, 0.81, 0.84};
constexpr Colour kBorder{1, 1, 1};           // between prompt and generation, on the maps
constexpr Colour kAccent{0.84, 0.22, 0.42};  // the block being denoised, chosen blocks
constexpr Colour kKept{0.20, 0.46, 0.52};

// Sides of a map and of the small table beside it, or what comes nearest with cells of whole
// pixels.
constexpr int kMap = 240;
constexpr int kSide = 92;
constexpr double kMargin = 24;
constexpr double kMapGap = 10;
constexpr double kLeftSpace = 118;
constexpr double kTopSpace = 146;
constexpr double kBottomSpace = 176;  // the tables of agreement
constexpr double kLegend = 200;       // length of the colour scale
constexpr int kShades = 64;           // few, which keeps files small
constexpr int kDecades = 3;           // that the colour scale spans below the largest value
constexpr int kMaxPixels = 32767;     // what cairo can draw on

/// Where the panels lie.
struct Layout {
  explicit Layout(const AttentionRecord& record)
      : heads(static_cast<int>(record.heads.size())), steps(static_cast<int>(record.steps.size())) {
    map = whole_cells((record.length + record.cell - 1) / record.cell, kMap);
    side = whole_cells(record.score_blocks(), kSide);
  }
  /// What is scaled unevenly shows stripes that are not there.
  static int whole_cells(int cells, int wanted) {
    const int below = std::max(1, wanted / cells);
    const bool larger = (below + 1) * cells - wanted < wanted - below * cells;
    return (larger ? below + 1 : below) * cells;
  }
  double column(size_t head) const {
    return kLeftSpace + (map + kMapGap + side + 32) * static_cast<double>(head);
  }
  double row(size_t step) const { return kTopSpace + (map + 48) * static_cast<double>(step); }
  /// The legend and the notes need the width of two heads.
  int width() const { return static_cast<int>(column(static_cast<size_t>(std::max(heads, 2)))); }
  int height() const { return static_cast<int>(row(static_cast<size_t>(steps)) + kBottomSpace); }

  int heads;
  int steps;
  double map;   // sides of a map
  double side;  // and of the table beside it
};

std::string percent(double share) {
  return std::isnan(share) ? "-" : fmt::format("{:.0f} %", 100 * share);
}

class AttentionView {
 public:
  AttentionView(const AttentionRecord& record, PictureFormat format)
      : record_(record),
        layout_(record),
        picture_(format, layout_.width(), layout_.height()),
        largest_(largest_value(record)) {}

  std::string draw() {
    header();
    legend();
    for (size_t h = 0; h < record_.heads.size(); ++h) {
      picture_.text({layout_.column(h) + layout_.map / 2, kTopSpace - 12},
                    fmt::format("head {}", record_.heads[h]),
                    {.size = 14, .colour = kInk, .align = Align::centre, .bold = true});
    }
    for (size_t s = 0; s < record_.steps.size(); ++s) {
      step_label(s);
      for (size_t h = 0; h < record_.heads.size(); ++h) panel(s, h);
    }
    for (size_t h = 0; h < record_.heads.size(); ++h) agreement_table(h);
    footer();
    return picture_.finish();
  }

 private:
  static double largest_value(const AttentionRecord& record);
  /// Pixels on a map.
  double extent(int positions) const { return layout_.map * positions / record_.length; }

  void note(Point at, std::string_view text, Align align = Align::left) {
    picture_.text(at, text, {.size = 11, .colour = kMuted, .align = align});
  }
  Colour shade(double value, double largest) const;

  void header();
  void legend();
  void swatches(double y);
  void step_label(size_t step);
  void panel(size_t step, size_t head);
  void blank(const Box& box, std::string_view why);
  void grid(const Box& box, const AttentionGrid& grid, double largest);
  void borders(const Box& box);
  void axes(const Box& box, bool first_column);
  void strip(const Box& map, const HeadObservation& head);
  void chosen(const Box& box, const ChosenBlocks& blocks);
  void agreement_table(size_t head);
  void footer();

  const AttentionRecord& record_;
  Layout layout_;
  Picture picture_;
  double largest_;  // of all maps
};

double AttentionView::largest_value(const AttentionRecord& record) {
  float largest = 0;
  for (const StepObservation& step : record.steps) {
    for (const HeadObservation& head : step.heads) {
      for (const float value : head.map.values) largest = std::max(largest, value);  // NaN: no
    }
  }
  return largest > 0 ? static_cast<double>(largest) : 1;
}

Colour AttentionView::shade(double value, double largest) const {
  if (value == 0) return kUnseen;
  const double t = std::clamp(1 + std::log10(value / largest) / kDecades, 0.0, 1.0);
  return heat(std::round(t * (kShades - 1)) / (kShades - 1));
}

void AttentionView::header() {
  picture_.text({kMargin, 34},
                fmt::format("Attention in layer {} of {}", record_.layer, record_.model),
                {.size = 19, .colour = kInk, .bold = true});
  picture_.text({kMargin, 56},
                fmt::format("method {}; {} positions, {} of them prompt", record_.method,
                            record_.length, record_.prompt_length),
                {.size = 12, .colour = kMuted});
}

void AttentionView::legend() {
  constexpr double kHeight = 10;
  const Box bar{kMargin, 76, kLegend, kHeight};
  picture_.table(bar, static_cast<int>(kLegend), 1,
                 [](int c, int) { return heat((c + 0.5) / kLegend); });
  for (int d = 0; d <= kDecades; ++d) {
    const double x = bar.x + bar.width * d / kDecades;
    const Align align = d == 0 ? Align::left : d == kDecades ? Align::right : Align::centre;
    note({x, bar.y + kHeight + 14}, fmt::format("{:.1g}", largest_ * std::pow(10.0, d - kDecades)),
         align);
  }
  swatches(bar.y);
}

void AttentionView::swatches(double y) {
  const double side = 10;
  constexpr double kItem = 104;
  const double first = kMargin + kLegend + 92;
  double x = first;
  const auto next = [&](std::string_view text) {
    note({x + side + 6, y + side - 1}, text);
    x += kItem;
  };
  note({first - 78, y + side - 1}, "probability");
  note({first - 78, y + side + 16}, "tables: to 1");
  picture_.fill({x, y, side, side}, kUnseen);
  next("not looked at");
  picture_.hatch({x, y, side, side}, kUncomputed);
  picture_.outline({x, y, side, side}, {kUncomputed});
  next("not computed");
  picture_.fill({x, y, side, side}, kAccent);
  next("block in work");
  x = first;
  y += 17;
  picture_.outline({x + 1, y + 1, side - 2, side - 2}, {kAccent, 1.5});
  next("chosen block");
  picture_.fill({x, y + 2, side, 6}, kKept);
  next("in the cache");
  picture_.fill({x, y, side, side}, heat(0.3));
  picture_.line({x + side / 2, y}, {x + side / 2, y + side}, {kBorder, 1.5});
  next("prompt | text");
}

void AttentionView::step_label(size_t s) {
  const StepObservation& step = record_.steps[s];
  const double x = kMargin;
  const double y = layout_.row(s) + 16;
  picture_.text({x, y}, fmt::format("step {}", step.step),
                {.size = 14, .colour = kInk, .bold = true});
  note({x, y + 17}, fmt::format("of {}", record_.total_steps));
  if (step.heads.empty()) return;
  note({x, y + 41}, fmt::format("{} of {}", step.rows, record_.length));
  note({x, y + 55}, "computed");
}

void AttentionView::panel(size_t s, size_t h) {
  const Box map{layout_.column(h), layout_.row(s), layout_.map, layout_.map};
  const StepObservation& step = record_.steps[s];
  if (step.heads.empty()) {
    blank(map, "no pass in this step");
    return;
  }
  const HeadObservation& head = step.heads[h];
  grid(map, head.map, largest_);
  borders(map);
  axes(map, h == 0);
  picture_.fill({map.x - 4, map.y + extent(step.block.begin), 3, extent(step.block.size())},
                kAccent);
  strip(map, head);

  const Box side{map.x + map.width + kMapGap, map.y, layout_.side, layout_.side};
  grid(side, head.blocks, 1);
  note({side.x, side.y + layout_.side + 14}, "blocks of");
  note({side.x, side.y + layout_.side + 28}, fmt::format("{} positions", record_.score_block));
  if (head.chosen) chosen(side, *head.chosen);
}

void AttentionView::blank(const Box& box, std::string_view why) {
  picture_.hatch(box, kUncomputed);
  picture_.outline(box, {kUncomputed});
  const double y = box.y + box.height / 2;
  picture_.fill({box.x + 6, y - 14, box.width - 12, 22}, {1, 1, 1});
  note({box.x + box.width / 2, y}, why, Align::centre);
}

void AttentionView::grid(const Box& box, const AttentionGrid& grid, double largest) {
  picture_.table(box, grid.cells, grid.cells, [&](int key, int query) {
    if (!grid.computed(query)) return Colour{1, 1, 1};
    return shade(static_cast<double>(grid.at(query, key)), largest);
  });
  const double side = box.height / grid.cells;
  for (int begin = 0; begin < grid.cells;) {
    int end = begin;
    while (end < grid.cells && !grid.computed(end)) ++end;
    if (end > begin) {
      picture_.hatch({box.x, box.y + begin * side, box.width, (end - begin) * side}, kUncomputed);
    }
    begin = std::max(end, begin + 1);
  }
  picture_.outline(box, {kUncomputed});
}

void AttentionView::borders(const Box& box) {
  const auto cross = [&](int position, const LineStyle& style) {
    const double at = extent(position);
    picture_.line({box.x + at, box.y}, {box.x + at, box.y + box.height}, style);
    picture_.line({box.x, box.y + at}, {box.x + box.width, box.y + at}, style);
  };
  cross(record_.prompt_length, {kBorder, 1.5});
  for (int p = record_.prompt_length + record_.block_length; p < record_.length;
       p += record_.block_length) {
    cross(p, {kBorder, 0.75, 2});
  }
}

void AttentionView::axes(const Box& box, bool first_column) {
  const double y = box.y + box.height + 28;
  const std::string cells = record_.cell > 1 ? fmt::format(", {} a cell", record_.cell) : "";
  note({box.x, y}, "0");
  // Narrow maps have no room for more between the two numbers.
  note({box.x + box.width / 2, y}, "key position", Align::centre);
  note({box.x + box.width, y}, fmt::format("{}", record_.length), Align::right);
  if (!first_column) return;
  picture_.text({box.x - 9, box.y + box.height / 2}, "query position" + cells,
                {.size = 11, .colour = kMuted, .align = Align::centre, .upwards = true});
}

void AttentionView::strip(const Box& map, const HeadObservation& head) {
  if (!head.kept) return;
  const Box box{map.x, map.y + map.height + 5, map.width, 8};
  picture_.fill(box, kUnseen);
  const std::vector<int>& kept = *head.kept;
  for (size_t i = 0; i < kept.size();) {
    // Neighbours in one box, for the edges of boxes are blurred.
    size_t end = i + 1;
    while (end < kept.size() && kept[end] == kept[end - 1] + 1) ++end;
    const double width = extent(static_cast<int>(end - i));
    picture_.fill({box.x + extent(kept[i]), box.y, width, box.height}, kKept);
    i = end;
  }
  const double x = map.x + map.width + kMapGap;
  note({x, box.y + 8}, fmt::format("{} in the cache", kept.size()));
}

void AttentionView::chosen(const Box& box, const ChosenBlocks& blocks) {
  const auto n = static_cast<int>(blocks.lists.size());
  const int keys = (record_.length + blocks.key_size - 1) / blocks.key_size;
  const auto in = [&](int q, int k) {
    if (q < 0 || k < 0 || q >= n || k >= keys) return false;
    const std::vector<int>& list = blocks.lists[static_cast<size_t>(q)];
    return std::binary_search(list.begin(), list.end(), k);
  };
  const auto edge = [&](int number, int size) {
    return layout_.side * std::min(number * size, record_.length) / record_.length;
  };
  const auto left = [&](int k) { return box.x + edge(k, blocks.key_size); };
  const auto top = [&](int q) { return box.y + edge(q, blocks.block_size); };
  const LineStyle style{kAccent, 1};
  int count = 0;
  // Only the borders of the chosen area: outlines of all blocks would hide what is in them.
  for (int q = 0; q <= n; ++q) {
    for (int k = 0; k <= keys; ++k) {
      const Point corner{left(k), top(q)};
      if (in(q, k) != in(q - 1, k)) picture_.line(corner, {left(k + 1), corner.y}, style);
      if (in(q, k) != in(q, k - 1)) picture_.line(corner, {corner.x, top(q + 1)}, style);
      count += static_cast<int>(in(q, k));
    }
  }
  note({box.x, box.y + layout_.side + 52},
       fmt::format("{} of the", percent(static_cast<double>(count) / n / keys)));
  note({box.x, box.y + layout_.side + 66},
       blocks.key_size == blocks.block_size ? "blocks chosen" : "keys chosen");
}

void AttentionView::agreement_table(size_t h) {
  const auto steps = static_cast<int>(record_.steps.size());
  const std::vector<double> table = step_agreement(record_, h);
  const auto value = [&](int c, int r) {
    return table[static_cast<size_t>(r) * static_cast<size_t>(steps) + static_cast<size_t>(c)];
  };
  const Box box{layout_.column(h), layout_.row(record_.steps.size()) + 24, layout_.map, 92};
  picture_.table(box, steps, steps, [&](int c, int r) {
    const double share = value(c, r);
    return std::isnan(share) ? Colour{1, 1, 1} : heat(share);
  });
  picture_.outline(box, {kUncomputed});
  const double width = box.width / steps;
  const double height = box.height / steps;
  constexpr int kMostNumbers = 6;
  if (steps > kMostNumbers) return;
  for (int r = 0; r < steps; ++r) {
    const double y = box.y + (r + 0.5) * height + 4;
    note({box.x + box.width + 6, y}, fmt::format("{}", record_.steps[static_cast<size_t>(r)].step));
    for (int c = 0; c < steps; ++c) {
      const Colour ink = value(c, r) < 0.6 ? kBorder : kInk;
      picture_.text({box.x + (c + 0.5) * width, y}, percent(value(c, r)),
                    {.size = 11, .colour = ink, .align = Align::centre});
    }
  }
  for (int c = 0; c < steps; ++c) {
    note({box.x + (c + 0.5) * width, box.y - 6},
         fmt::format("{}", record_.steps[static_cast<size_t>(c)].step), Align::centre);
  }
}

void AttentionView::footer() {
  const double y = layout_.row(record_.steps.size());
  picture_.text({kMargin, y + 40}, "agreement", {.size = 12, .colour = kInk, .bold = true});
  note({kMargin, y + 56}, "of steps");
  const MeanAgreement mean = mean_agreement(record_);
  const int blocks = record_.score_blocks();
  const double chance = static_cast<double>(record_.top_blocks()) / blocks;
  note({kMargin, y + 142},
       fmt::format("Agreement: how many of the best {} of {} key blocks of a query block two steps "
                   "have in common; {} by chance.",
                   record_.top_blocks(), blocks, percent(chance)));
  if (std::isnan(mean.steps) || std::isnan(mean.heads)) return;
  note({kMargin, y + 158},
       fmt::format("On average two steps of a head agree on {}, two heads of a step on {}.",
                   percent(mean.steps), percent(mean.heads)));
}

}  // namespace

void check_picture_size(const AttentionRecord& record) {
  if (const Layout layout(record); layout.width() > kMaxPixels || layout.height() > kMaxPixels) {
    fail("[inspect-attention] {} heads and {} steps do not fit into one picture; show fewer",
         record.heads.size(), record.steps.size());
  }
}

std::string attention_picture(const AttentionRecord& record, PictureFormat format) {
  check_picture_size(record);
  return AttentionView(record, format).draw();
}

}  // namespace unmask
