// The page that the server shows: its files by path, from a fixed list, so that no path of a
// request reaches a file system.
#pragma once

#include <string>
#include <string_view>

namespace unmask {

struct PageFile {
  std::string_view path;  // of the request, "/app.js"
  std::string_view content_type;
  std::string_view bytes;
  std::string etag;  // FNV-1a of the bytes, quoted as the header wants it
};

/// What the browser may load and run for the page: its own files and nothing else.
inline constexpr std::string_view kPagePolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Null where the page has no such file. `path` is compared byte by byte, without its query.
const PageFile* find_page_file(std::string_view path);

}  // namespace unmask
