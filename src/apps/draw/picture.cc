#include "apps/draw/picture.h"

#include <algorithm>
#include <cairo-svg.h>
#include <cairo.h>
#include <cmath>
#include <numbers>

#include "core/error.h"

namespace unmask {

namespace {

using Surface = std::unique_ptr<cairo_surface_t, decltype(&cairo_surface_destroy)>;
using Context = std::unique_ptr<cairo_t, decltype(&cairo_destroy)>;

cairo_status_t append(void* bytes, const unsigned char* data, unsigned int length) {
  static_cast<std::string*>(bytes)->append(reinterpret_cast<const char*>(data), length);
  return CAIRO_STATUS_SUCCESS;
}

cairo_surface_t* create_surface(PictureFormat format, int width, int height, std::string& bytes) {
  if (format == PictureFormat::png) {
    return cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
  }
  cairo_surface_t* surface = cairo_svg_surface_create_for_stream(append, &bytes, width, height);
  cairo_svg_surface_set_document_unit(surface, CAIRO_SVG_UNIT_PX);
  return surface;
}

uint32_t pixel(const Colour& c) {
  const auto channel = [](double x) { return static_cast<uint32_t>(std::lround(255 * x)); };
  return channel(c.red) << 16 | channel(c.green) << 8 | channel(c.blue);
}

}  // namespace

struct Picture::Canvas {
  Canvas(PictureFormat as, int width, int height)
      : format(as),
        surface(create_surface(as, width, height, bytes), cairo_surface_destroy),
        context(cairo_create(surface.get()), cairo_destroy) {}

  void pen(const Colour& c) const { cairo_set_source_rgb(context.get(), c.red, c.green, c.blue); }
  void rectangle(const Box& b) const {
    cairo_rectangle(context.get(), b.x, b.y, b.width, b.height);
  }
  void stroke(const LineStyle& style) const {
    pen(style.colour);
    cairo_set_line_width(context.get(), style.width);
    cairo_set_dash(context.get(), &style.dash, style.dash > 0 ? 1 : 0, 0);
    cairo_stroke(context.get());
  }

  PictureFormat format;
  std::string bytes;
  Surface surface;
  Context context;
};

Picture::Picture(PictureFormat format, int width, int height)
    : canvas_(std::make_unique<Canvas>(format, width, height)) {
  fill({0, 0, static_cast<double>(width), static_cast<double>(height)}, {1, 1, 1});
}

Picture::~Picture() = default;

void Picture::fill(const Box& box, const Colour& colour) {
  canvas_->pen(colour);
  canvas_->rectangle(box);
  cairo_fill(canvas_->context.get());
}

void Picture::outline(const Box& box, const LineStyle& style) {
  canvas_->rectangle(box);
  canvas_->stroke(style);
}

void Picture::line(Point from, Point to, const LineStyle& style) {
  cairo_move_to(canvas_->context.get(), from.x, from.y);
  cairo_line_to(canvas_->context.get(), to.x, to.y);
  canvas_->stroke(style);
}

void Picture::hatch(const Box& box, const Colour& colour) {
  constexpr double kGap = 7;
  cairo_t* context = canvas_->context.get();
  cairo_save(context);
  canvas_->rectangle(box);
  cairo_clip(context);
  // The lines keep to a grid of the whole picture, so neighbouring boxes join without a seam.
  const double below = box.y + box.height;
  const auto first = static_cast<int>(std::floor((box.x + box.y) / kGap));
  const auto last = static_cast<int>((box.x + box.width + below) / kGap);
  for (int i = first; i <= last; ++i) {
    const double sum = i * kGap;  // of the coordinates of all points on the line
    line({sum - below, below}, {sum - box.y, box.y}, {colour, 1, 0});
  }
  cairo_restore(context);
}

void Picture::text(Point at, std::string_view text, const TextStyle& style) {
  cairo_t* context = canvas_->context.get();
  const std::string terminated(text);
  cairo_save(context);
  cairo_select_font_face(context, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                         style.bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
  cairo_set_font_size(context, style.size);
  cairo_text_extents_t extents;
  cairo_text_extents(context, terminated.c_str(), &extents);
  const double share = style.align == Align::left ? 0 : style.align == Align::centre ? 0.5 : 1;
  cairo_translate(context, at.x, at.y);
  if (style.upwards) cairo_rotate(context, -std::numbers::pi / 2);
  cairo_move_to(context, -share * extents.x_advance, 0);
  canvas_->pen(style.colour);
  cairo_show_text(context, terminated.c_str());
  cairo_restore(context);
}

void Picture::table(const Box& box, int columns, int rows,
                    const std::function<Colour(int column, int row)>& colour) {
  // Viewers smooth images when they enlarge them, so it is done here.
  const auto times = [](double size, int cells) {
    return std::max(1, static_cast<int>(std::lround(size / cells)));
  };
  const int across = times(box.width, columns);
  const int down = times(box.height, rows);
  const Surface image(cairo_image_surface_create(CAIRO_FORMAT_RGB24, columns * across, rows * down),
                      cairo_surface_destroy);
  if (const auto status = cairo_surface_status(image.get()); status != CAIRO_STATUS_SUCCESS) {
    fail("[picture] cannot be drawn: {}", cairo_status_to_string(status));
  }
  const int stride =
      cairo_image_surface_get_stride(image.get()) / static_cast<int>(sizeof(uint32_t));
  auto* pixels = reinterpret_cast<uint32_t*>(cairo_image_surface_get_data(image.get()));
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < columns; ++c) {
      const uint32_t value = pixel(colour(c, r));
      for (int y = r * down; y < (r + 1) * down; ++y) {
        std::fill_n(pixels + std::ptrdiff_t{y} * stride + std::ptrdiff_t{c} * across, across,
                    value);
      }
    }
  }
  cairo_surface_mark_dirty(image.get());
  cairo_t* context = canvas_->context.get();
  cairo_save(context);
  cairo_translate(context, box.x, box.y);
  cairo_scale(context, box.width / (columns * across), box.height / (rows * down));
  cairo_set_source_surface(context, image.get(), 0, 0);
  // Without it the edges would fade into the background.
  cairo_pattern_set_extend(cairo_get_source(context), CAIRO_EXTEND_PAD);
  cairo_rectangle(context, 0, 0, columns * across, rows * down);
  cairo_fill(context);
  cairo_restore(context);
}

std::string Picture::finish() {
  Canvas& c = *canvas_;
  cairo_status_t status = cairo_status(c.context.get());
  if (c.format == PictureFormat::png && status == CAIRO_STATUS_SUCCESS) {
    status = cairo_surface_write_to_png_stream(c.surface.get(), append, &c.bytes);
  }
  cairo_surface_finish(c.surface.get());
  if (status == CAIRO_STATUS_SUCCESS) status = cairo_surface_status(c.surface.get());
  if (status != CAIRO_STATUS_SUCCESS) {
    fail("[picture] cannot be drawn: {}", cairo_status_to_string(status));
  }
  return std::move(c.bytes);
}

}  // namespace unmask
