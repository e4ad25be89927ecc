#include "session/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>

#include "core/error.h"
#include "support/temp_dir.h"

namespace unmask {
namespace {

using ::testing::HasSubstr;

class ProfileTest : public ::testing::Test {
 protected:
  Profile read(const std::string& content) const {
    return read_profile(dir_.write("profile.json", content));
  }
  std::string refusal(const std::string& content) const {
    try {
      read(content);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  testing::TempDir dir_;
};

TEST_F(ProfileTest, ComesBackAsItWasWritten) {
  for (const Profile& p :
       {Profile{}, Profile{.preset = Preset::fast, .threshold = 0.9, .leap = 0.75},
        Profile{.preset = Preset::balanced, .method = "sparse-dllm:delay=0", .block_length = 8}}) {
    EXPECT_EQ(read(to_json(p).dump()), p) << profile_name(p);
  }
}

TEST_F(ProfileTest, SaysWhereItComesFromWithoutMeaningIt) {
  const Profile p = read(R"({"unmask_profile": 1, "preset": "fast", "model": "a",
                             "measured": {"loss": 0.4}})");
  EXPECT_EQ(p, Profile{.preset = Preset::fast});
}

TEST_F(ProfileTest, RefusesWhatItDoesNotKnow) {
  EXPECT_THAT(refusal("[]"), HasSubstr("unmask tune"));
  EXPECT_THAT(refusal(R"({"preset": "fast"})"), HasSubstr("unmask_profile"));
  EXPECT_THAT(refusal(R"({"unmask_profile": 2, "preset": "fast"})"), HasSubstr("unmask_profile"));
  EXPECT_THAT(refusal(R"({"unmask_profile": 1})"), HasSubstr("preset"));
  EXPECT_THAT(refusal(R"({"unmask_profile": 1, "preset": "quick"})"), HasSubstr("quick"));
  EXPECT_THAT(refusal(R"({"unmask_profile": 1, "preset": "fast", "treshold": 0.9})"),
              HasSubstr("treshold"));
  for (const char* value : {"0", "1.5", "\"a\"", "null"}) {
    EXPECT_THAT(
        refusal(fmt::format(R"({{"unmask_profile": 1, "preset": "fast", "leap": {}}})", value)),
        HasSubstr("leap"))
        << value;
  }
  for (const char* value : {"0", "-8", "8.0", "5e9", "18446744073709551615", "\"8\""}) {
    EXPECT_THAT(refusal(fmt::format(
                    R"({{"unmask_profile": 1, "preset": "fast", "block_length": {}}})", value)),
                HasSubstr("block_length"))
        << value;
  }
}

TEST_F(ProfileTest, StandsInThePlaceOfSettingsAlone) {
  const RequestOptions before{.gen_length = 40, .threshold = 0.5, .seed = 3, .method = "full"};
  const RequestOptions after = with_profile(before, {.preset = Preset::fast, .leap = 0.75});
  EXPECT_EQ(after.preset, Preset::fast);
  EXPECT_EQ(after.leap, 0.75);
  EXPECT_EQ(after.threshold, std::nullopt);
  EXPECT_EQ(after.method, std::nullopt);
  EXPECT_EQ(after.gen_length, 40);
  EXPECT_EQ(after.seed, 3U);
  EXPECT_EQ(with_profile({.block_length = 64}, {}).block_length, 64);
  EXPECT_EQ(with_profile({.block_length = 64}, {.block_length = 8}).block_length, 8);
}

}  // namespace
}  // namespace unmask
