#include "apps/terminal/live_view.h"

#include <algorithm>
#include <thread>

#include "apps/terminal/canvas.h"

namespace unmask {

namespace {

// 30 drawings a second are enough for the eye, also where steps take less.
constexpr std::chrono::milliseconds kFrame{33};
// Sleep in short pieces: Ctrl-C should not have to wait.
constexpr std::chrono::milliseconds kNap{20};

constexpr int kEcho = 2;

void sleep_unless_interrupted(std::chrono::milliseconds time) {
  for (; time.count() > 0 && !interrupted(); time -= kNap) {
    std::this_thread::sleep_for(std::min(time, kNap));
  }
}

}  // namespace

LiveView::LiveView(std::ostream& terminal, const Tokenizer& tokenizer, const Request& request,
                   const Options& options)
    : terminal_(terminal),
      tokenizer_(tokenizer),
      options_(options),
      cursor_(terminal),
      fresh_(static_cast<size_t>(request.most_tokens()), false) {
  const int begin = request.prompt_length;
  draw(request.tokens, {begin, begin + request.block_length});
}

LiveView::~LiveView() { terminal_ << erase_code() << std::flush; }

void LiveView::show(const StepEvent& event) {
  meter_.add(event, idle_.count());
  for (const Decision& d : event.decided) fresh_[static_cast<size_t>(d.position)] = true;
  const bool last = event.masks_left == 0;
  const auto start = Clock::now();
  if (options_.step_delay.count() > 0 || last || start - drawn_ >= kFrame) {
    draw(event.tokens, event.block);
    fresh_.assign(fresh_.size(), false);
    sleep_unless_interrupted(options_.step_delay);
    idle_ += Clock::now() - start;
  }
}

std::string LiveView::erase_code() const {
  if (line_widths_.empty()) return "";
  // A window made narrower since has broken the lines anew.
  const int columns = std::max(1, window_size().columns);
  int rows = 0;
  for (const int width : line_widths_) rows += std::max(1, (width + columns - 1) / columns);
  std::string code = "\r";
  if (rows > 1) code += fmt::format("\x1b[{}A", rows - 1);
  return code + "\x1b[J";
}

void LiveView::draw(std::span<const TokenId> tokens, Range block) {
  const WindowSize window = window_size();
  // Neither the last column nor the last row is used: writing there makes terminals scroll.
  const int width = std::max(1, window.columns - 1);
  const int height = std::max(1, window.rows - 2);
  // The canvas may still grow.
  const Range shown{options_.shown.begin,
                    std::min(options_.shown.end, static_cast<int>(tokens.size()))};
  const auto pieces = canvas_pieces(tokenizer_, tokens, shown, options_.mask_id, fresh_);
  const std::vector<CellLine> lines = wrap_cells(to_cells(pieces), width);
  const Range visible = visible_lines(lines, block, height);

  std::string frame = erase_code();
  line_widths_.clear();
  for (int l = visible.begin; l < visible.end; ++l) {
    const CellLine& line = lines[static_cast<size_t>(l)];
    frame += paint(line) + "\r\n";
    line_widths_.push_back(line_width(line));
  }
  // Ctrl-C echoes two characters behind the status, which must not start a new line.
  const std::string status =
      meter_.status().substr(0, static_cast<size_t>(std::max(1, width - kEcho)));
  frame += "\x1b[2m" + status + "\x1b[0m";
  line_widths_.push_back(static_cast<int>(status.size()));
  terminal_ << frame << std::flush;
  drawn_ = Clock::now();
}

}  // namespace unmask
