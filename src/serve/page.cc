#include "serve/page.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "core/error.h"
#include "io/fnv1a.h"
#include "serve/embedded_file.h"

namespace unmask {

namespace {

PageFile page_file(std::string_view path, std::string_view name, std::string_view content_type) {
  for (const EmbeddedFile& file : embedded_files()) {
    if (file.name != name) continue;
    return {path, content_type, file.bytes, fmt::format("\"{:016x}\"", fnv1a(file.bytes))};
  }
  fail("[page] {}: not embedded, expected every file of the page", name);
}

}  // namespace

const PageFile* find_page_file(std::string_view path) {
  static const std::array files{
      page_file("/", "index.html", "text/html; charset=utf-8"),
      page_file("/app.css", "app.css", "text/css; charset=utf-8"),
      page_file("/app.js", "app.js", "text/javascript; charset=utf-8"),
  };
  const auto found = std::find_if(files.begin(), files.end(),
                                  [&](const PageFile& file) { return file.path == path; });
  return found == files.end() ? nullptr : &*found;
}

}  // namespace unmask
