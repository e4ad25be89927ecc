#include "serve/routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace unmask {
namespace {

using ::testing::HasSubstr;

TEST(Routes, AnswerWithAndWithoutVersion) {
  for (const Route& route : routes()) {
    const std::string path(route.path);
    for (const std::string& full : {path, "/v1" + path}) {
      EXPECT_FALSE(misrouted(route.method, full)) << full;
      EXPECT_EQ(plain_path(full), path);
      EXPECT_EQ(endpoint_label(full), path);
    }
    EXPECT_EQ(misrouted("HEAD", path).has_value(), route.method != "GET") << path;
  }
}

TEST(Routes, TheWrongMethodHearsTheRightOne) {
  const auto put = misrouted("PUT", "/v1/models");
  ASSERT_TRUE(put);
  EXPECT_EQ(put->error.status, 405);
  EXPECT_EQ(put->allow, "GET, HEAD, OPTIONS");
  EXPECT_EQ(misrouted("GET", "/v1/chat/completions")->allow, "POST, OPTIONS");
  EXPECT_EQ(misrouted("POST", "/health")->error.code, "method_not_allowed");
  EXPECT_EQ(misrouted("POST", "/")->error.status, 405);
}

TEST(Routes, OthersPathsNameWhatToUse) {
  const std::pair<const char*, const char*> others[] = {
      {"/v1/responses", "/v1/chat/completions"}, {"/v1/messages", "/v1/chat/completions"},
      {"/api/chat", "/v1/chat/completions"},     {"/api/generate", "/v1/completions"},
      {"/v1/embeddings", "no such output"},      {"/nothing", "there is no such path"}};
  for (const auto& [path, words] : others) {
    const auto found = misrouted("POST", path);
    ASSERT_TRUE(found) << path;
    EXPECT_EQ(found->error.status, 404);
    EXPECT_THAT(found->error.message, HasSubstr(words));
  }
}

TEST(Routes, NothingOfAClientBecomesALabel) {
  for (const char* path : {"/x", "/v1", "", "/models/secret", "/v1/v1/models"}) {
    EXPECT_EQ(endpoint_label(path), "other") << path;
  }
  EXPECT_EQ(endpoint_label("/app.js"), "page");
  EXPECT_EQ(endpoint_label("/metrics"), "/metrics");
}

}  // namespace
}  // namespace unmask
