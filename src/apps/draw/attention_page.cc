#include <fmt/format.h>

#include "apps/draw/attention_view.h"
#include "apps/draw/html.h"

namespace unmask {

namespace {

// The picture keeps its light ground on a dark page: its greys carry meaning.
constexpr std::string_view kStyle = R"(
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
figure { margin: 0; overflow-x: auto; background: #fff; border-radius: 8px; padding: 8px; }
svg { display: block; max-width: 100%; height: auto; }
image { image-rendering: pixelated; }
dt { font-weight: 600; }
dd { margin: 0 0 .5rem; }
)";

constexpr std::string_view kCaption = R"(<dl>
<dt>Maps</dt><dd>One column a head, one row a denoising step. Each map has the queries from top to
bottom and the keys from left to right; a brighter cell gets more attention, on a logarithmic scale
that all maps share. The white cross separates prompt and generated text, dashed lines the blocks
that are denoised together; the bar on the left marks the block in work. Grey was not looked at,
hatched rows were not computed in that step.</dd>
<dt>Strips</dt><dd>With a method that keeps keys and values between steps: the positions that this
layer has in its cache.</dd>
<dt>Small tables</dt><dd>The attention that a block of queries pays to a block of keys, as if nothing
were left out. Outlines are the blocks that the method chose.</dd>
<dt>Agreement</dt><dd>How many of their best key blocks two steps have in common. Where steps agree
and heads differ, one pattern for each head, measured once, serves all later steps.</dd>
</dl>)";

}  // namespace

std::string attention_page(const AttentionRecord& record) {
  std::string picture = attention_picture(record, PictureFormat::svg);
  picture.erase(0, picture.find("<svg"));  // the declaration belongs to files of their own
  const std::string title = html_text(
      fmt::format("Attention in layer {} of {}, {}", record.layer, record.model, record.method));
  return fmt::format(
      "<!DOCTYPE html>\n"
      "<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width\"/>\n"
      "<title>{0}</title>\n<style>{1}</style>\n</head>\n<body>\n<h1>{0}</h1>\n"
      "<figure>\n{2}</figure>\n{3}\n</body>\n</html>\n",
      title, kStyle, picture, kCaption);
}

}  // namespace unmask
