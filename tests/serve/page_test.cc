#include "serve/page.h"

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>
#include <set>

namespace unmask {
namespace {

std::string content(const std::string& name) {
  std::ifstream file(std::string(UNMASK_DEMO_DIRECTORY) + "/../../web/dist/" + name,
                     std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Page, HoldsTheFilesOfTheBuild) {
  const std::pair<const char*, const char*> files[] = {
      {"/", "index.html"}, {"/app.js", "app.js"}, {"/app.css", "app.css"}};
  for (const auto& [path, name] : files) {
    const PageFile* file = find_page_file(path);
    ASSERT_NE(file, nullptr) << path;
    EXPECT_EQ(file->bytes, content(name));
    EXPECT_FALSE(file->bytes.empty());
  }
}

TEST(Page, TagsTellFilesApart) {
  std::set<std::string> tags;
  for (const char* path : {"/", "/app.js", "/app.css"}) {
    EXPECT_THAT(find_page_file(path)->etag, ::testing::MatchesRegex("\"[0-9a-f]+\""));
    tags.insert(find_page_file(path)->etag);
  }
  EXPECT_EQ(tags.size(), 3U);
}

TEST(Page, KnowsNoOtherPaths) {
  for (const char* path :
       {"", "/index.htm", "/../etc/passwd", "/%2e%2e/", "/app.js/", "app.js", "//"}) {
    EXPECT_EQ(find_page_file(path), nullptr) << path;
  }
}

TEST(Page, LoadsNothingFromElsewhereAndHasNoInlineScript) {
  const std::string_view html = find_page_file("/")->bytes;
  for (const char* forbidden : {"https://", "<style", " style=", " onclick=", "<script>"}) {
    EXPECT_EQ(html.find(forbidden), std::string_view::npos) << forbidden;
  }
  EXPECT_EQ(find_page_file("/app.css")->bytes.find("url("), std::string_view::npos);
}

}  // namespace
}  // namespace unmask
