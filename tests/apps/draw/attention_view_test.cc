// Agreement, colours, and files that are what their suffix says.
#include "apps/draw/attention_view.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>

#include "core/error.h"

namespace unmask {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

AttentionGrid grid(std::vector<float> values) {
  const int cells = static_cast<int>(std::lround(std::sqrt(static_cast<double>(values.size()))));
  return {4, cells, std::move(values)};
}

TEST(Agreement, IsTheShareOfCommonBestBlocks) {
  const AttentionGrid a = grid({.5F, .3F, .2F, .2F, .5F, .3F, .1F, .1F, .8F});
  const AttentionGrid b = grid({.5F, .2F, .3F, .1F, .8F, .1F, kNan, kNan, kNan});
  EXPECT_DOUBLE_EQ(agreement(a, a, 2), 1);
  EXPECT_DOUBLE_EQ(agreement(a, b, 1), 1);
  // Row 0: {0, 1} and {0, 2}; row 1: {1, 2} and, ties to the lower, {0, 1}; row 2 is missing.
  EXPECT_DOUBLE_EQ(agreement(a, b, 2), 0.5);
  const AttentionGrid none = grid({kNan, kNan, kNan, kNan, kNan, kNan, kNan, kNan, kNan});
  EXPECT_TRUE(std::isnan(agreement(a, none, 1)));
}

TEST(Heat, GrowsEvenlyLighter) {
  const auto luminance = [](const Colour& c) {
    return 0.2126 * c.red + 0.7152 * c.green + 0.0722 * c.blue;
  };
  for (int i = 0; i < 32; ++i) {
    EXPECT_LT(luminance(heat(i / 32.0)), luminance(heat((i + 1) / 32.0))) << i;
  }
  EXPECT_EQ(heat(-1).red, heat(0).red);
  EXPECT_EQ(heat(2).blue, heat(1).blue);
}

HeadObservation head_of(int head, int cells, int blocks) {
  HeadObservation h{.head = head, .map = {1, cells, {}}, .blocks = {8, blocks, {}}};
  for (int i = 0; i < cells * cells; ++i) {
    h.map.values.push_back(i < cells ? kNan : static_cast<float>(i % 7) / 7);
  }
  for (int i = 0; i < blocks * blocks; ++i)
    h.blocks.values.push_back(1.0F / static_cast<float>(blocks));
  h.chosen = ChosenBlocks{16, 16, {{0}, {0, 1}}};
  h.kept = std::vector<int>{0, 5, cells - 1};
  return h;
}

/// Two heads; a step with everything to show, and one without a pass.
AttentionRecord record() {
  AttentionRecord r{.model = "a <model> & more",
                    .method = "full",
                    .length = 29,
                    .prompt_length = 13,
                    .block_length = 8,
                    .total_steps = 6,
                    .score_block = 8,
                    .heads = {1, 3}};
  r.steps.push_back({.step = 0, .block = {13, 21}, .rows = 28});
  for (const int head : r.heads) r.steps[0].heads.push_back(head_of(head, 29, 4));
  r.steps.push_back({.step = 5});
  return r;
}

TEST(AttentionView, WritesPngSvgAndHtml) {
  const std::string png = attention_picture(record(), PictureFormat::png);
  EXPECT_THAT(png, StartsWith("\x89PNG\r\n\x1a\n"));
  EXPECT_THAT(png, HasSubstr("IEND"));
  const std::string svg = attention_picture(record(), PictureFormat::svg);
  EXPECT_THAT(svg, StartsWith("<?xml"));
  EXPECT_THAT(svg, HasSubstr("</svg>"));
  const std::string html = attention_page(record());
  EXPECT_THAT(html, StartsWith("<!DOCTYPE html>"));
  EXPECT_THAT(html, HasSubstr("a &lt;model&gt; &amp; more"));
  EXPECT_THAT(html, Not(HasSubstr("<?xml")));
}

TEST(AttentionView, RefusesMoreThanAPictureHolds) {
  AttentionRecord r = record();
  for (int i = 0; i < 2000; ++i) r.steps.push_back({.step = i});
  EXPECT_THROW(attention_picture(r, PictureFormat::png), Error);
}

TEST(AttentionView, JsonHasNullForWhatIsNotThere) {
  const auto json = to_json(record());
  EXPECT_EQ(json["steps"].size(), 2U);
  EXPECT_FALSE(json["steps"][1]["computed"]);
  EXPECT_EQ(json["steps"][0]["heads"][1]["kept_positions"], (std::vector<int>{0, 5, 28}));
  EXPECT_EQ(json["agreement"]["heads"][0]["between_steps"].size(), 4U);
  const std::string text = json["agreement"].dump();
  EXPECT_THAT(text, HasSubstr("[1.0,null,null,null]"));
}

}  // namespace
}  // namespace unmask
