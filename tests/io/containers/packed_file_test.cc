#include "io/containers/packed_file.h"

#include <cstring>
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/checksum.h"
#include "core/error.h"
#include "io/containers/packed_writer.h"
#include "support/temp_dir.h"

namespace unmask {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr size_t kFooter = 56;

/// Two tensors and a file.
std::string packed_example() {
  std::ostringstream out;
  PackedWriter writer("int8", "a model", out);
  writer.add_file("config.json", "{}");
  const std::vector<float> values{1, 2, 3, 4, 5, 6};
  writer.add_tensor("vector",
                    {.dtype = "F32", .shape = {6}, .bytes = std::as_bytes(std::span(values))});
  const std::vector<std::byte> panels(3 << 20, std::byte{7});
  writer.add_tensor("matrix",
                    {.dtype = "int8", .shape = {1024, 3056}, .bytes = panels, .in_panels = true});
  const int64_t bytes = writer.finish();
  EXPECT_EQ(bytes, out.tellp());
  return std::move(out).str();
}

uint64_t number_in(const std::string& file, size_t at) {
  uint64_t value;
  std::memcpy(&value, file.data() + at, sizeof value);
  return value;
}

json json_at(const std::string& file, size_t footer_entry) {
  return json::parse(file.substr(number_in(file, footer_entry), number_in(file, footer_entry + 8)));
}

/// The same file with another description and directory, whose checksums are right.
std::string with_json(std::string file, const std::function<void(json& d, json& tensors)>& change) {
  const size_t footer = file.size() - kFooter;
  json description = json_at(file, footer);
  json tensors = json_at(file, footer + 24);
  change(description, tensors);
  file.resize(number_in(file, footer));
  std::vector<uint64_t> numbers;
  for (const json* part : {&description, &tensors}) {
    const std::string text = part->dump();
    numbers.insert(numbers.end(),
                   {file.size(), text.size(), checksum(std::as_bytes(std::span(text)))});
    file += text;
  }
  file.append(reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(uint64_t));
  file += kPackedMagic;
  return file;
}

class Packed : public ::testing::Test {
 protected:
  std::string reason(const std::string& file) const {
    try {
      PackedFile(dir_.write("model.unmask", file)).verify();
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  }
  testing::TempDir dir_;
};

TEST_F(Packed, HoldsWhatWasWritten) {
  const auto path = dir_.write("model.unmask", packed_example());
  EXPECT_TRUE(is_packed_file(path));
  const PackedFile file(path);
  EXPECT_EQ(file.packed_type(), "int8");
  const PackedDescription& description = file.description();
  EXPECT_EQ(description.type(), "int8");
  EXPECT_EQ(description.source(), "a model");
  ASSERT_EQ(description.files().size(), 1U);
  EXPECT_EQ(description.files().at("config.json"), "{}");
  const StoredTensor& vector = file.at("vector");
  EXPECT_EQ(vector.element_type(), DType::f32);
  EXPECT_FALSE(vector.in_panels);
  float last;
  std::memcpy(&last, vector.bytes.data() + 20, 4);
  EXPECT_EQ(last, 6);
  const StoredTensor& matrix = file.at("matrix");
  EXPECT_TRUE(matrix.in_panels);
  EXPECT_THAT(matrix.shape, ::testing::ElementsAre(1024, 3056));
  EXPECT_EQ(matrix.bytes.size(), 3U << 20);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(matrix.bytes.data()) % 4096, 0U);
  EXPECT_NO_THROW(file.verify());
}

TEST_F(Packed, OtherFilesAreNotPacked) {
  EXPECT_FALSE(is_packed_file(dir_.path()));
  EXPECT_FALSE(is_packed_file(dir_.path() / "none"));
  EXPECT_FALSE(is_packed_file(dir_.write("short", "UNMASK")));
}

TEST_F(Packed, WhatWasCutOffIsRefused) {
  const std::string whole = packed_example();
  for (const size_t left : {size_t{8}, size_t{20}, size_t{100}, whole.size() / 2,
                            whole.size() - kFooter, whole.size() - 1}) {
    EXPECT_THAT(reason(whole.substr(0, left)),
                ::testing::AnyOf(HasSubstr("cut off"), HasSubstr("no packed model")))
        << left;
  }
}

TEST_F(Packed, DamageShows) {
  const std::string whole = packed_example();
  const auto flipped = [&](size_t at) {
    std::string file = whole;
    file[at] ^= 1;
    return file;
  };
  const size_t footer = whole.size() - kFooter;
  EXPECT_THAT(reason(flipped(number_in(whole, footer) + 5)),
              HasSubstr("its description is damaged"));
  EXPECT_THAT(reason(flipped(footer - 5)), HasSubstr("its directory is damaged"));
  EXPECT_THAT(reason(flipped(size_t{3} << 20)), HasSubstr("'matrix' is damaged"));
}

TEST_F(Packed, TheDescriptionIsReadAlone) {
  std::string damaged = packed_example();
  damaged[damaged.size() - kFooter - 5] ^= 1;  // the directory
  const PackedDescription description(dir_.write("model.unmask", damaged));
  EXPECT_EQ(description.files().size(), 1U);
}

TEST_F(Packed, OtherVersionsSayHowToGoOn) {
  std::string version = packed_example();
  version[8] = 9;
  EXPECT_THAT(reason(version), HasSubstr("version 9 of the format, expected 1; make it anew"));
  const std::string layout =
      with_json(packed_example(), [](json& d, json& /*t*/) { d["layout"] = 2; });
  EXPECT_THAT(reason(layout), HasSubstr("unmask convert -m a model --dtype int8"));
}

TEST_F(Packed, ImpossibleDirectoriesAreRefused) {
  const std::multimap<std::string, std::function<void(json&, json&)>> changes{
      {"'type' expected a text", [](json& d, json&) { d.erase("type"); }},
      {"'layout' expected a number", [](json& d, json&) { d["layout"] = "1"; }},
      {"'files' expected an object", [](json& d, json&) { d["files"] = 3; }},
      {"its directory is no object", [](json&, json& t) { t = json::array(); }},
      {"'vector' expected an object", [](json&, json& t) { t["vector"] = 1; }},
      {"lies outside the file", [](json&, json& t) { t["matrix"]["offset"] = 1U << 30; }},
      {"'vector' lies outside", [](json&, json& t) { t["vector"]["bytes"] = UINT64_MAX; }},
      {"is not aligned", [](json&, json& t) { t["vector"]["offset"] = 4097; }},
      {"has no whole number 'bytes'",
       [](json& d, json&) { d["files"]["config.json"]["bytes"] = -1; }},
      {"has no checksum", [](json&, json& t) { t["vector"]["checksum"] = "12"; }},
      {"an impossible shape", [](json&, json& t) { t["vector"]["shape"] = {0}; }},
      {"an impossible shape", [](json&, json& t) { t["vector"]["shape"] = {1LL << 40}; }},
      {"has no dtype, panels and shape",
       [](json&, json& t) {
         t["vector"]["shape"] = {1, 2, 3};
       }},
      {"has no dtype, panels and shape", [](json&, json& t) { t["vector"].erase("panels"); }},
      {"are not those of its shape", [](json&, json& t) { t["vector"]["shape"] = {7}; }},
      {"no whole blocks", [](json&, json& t) { t["vector"]["dtype"] = "Q8_0"; }},
      {"dtype X9 is not supported", [](json&, json& t) { t["vector"]["dtype"] = "X9"; }},
  };
  for (const auto& [why, change] : changes) {
    EXPECT_THAT(reason(with_json(packed_example(), change)), HasSubstr(why));
  }
}

TEST(Checksum, DependsOnEveryByteAndTheLength) {
  std::vector<std::byte> bytes(200);
  const uint64_t zeros = checksum(bytes);
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = std::byte{1};
    EXPECT_NE(checksum(bytes), zeros) << i;
    bytes[i] = std::byte{0};
  }
  bytes.pop_back();
  EXPECT_NE(checksum(bytes), zeros);
  Checksum parts;
  parts.add(std::span(bytes).first(128));
  parts.add(std::span(bytes).subspan(128));
  EXPECT_EQ(parts.value(), checksum(bytes));
}

}  // namespace
}  // namespace unmask
