#include "apps/reports/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sstream>

#include "io/text/byte_alphabet.h"
#include "io/text/tokenizer_spec.h"

namespace unmask {
namespace {

Tokenizer byte_tokenizer() {
  TokenizerSpec spec{.origin = "test", .patterns = {R"([\s\S]+)"}};
  for (int byte = 0; byte < 256; ++byte) {
    spec.vocab.emplace_back(byte_to_alphabet(static_cast<uint8_t>(byte)), byte);
  }
  return Tokenizer::build(spec);
}

std::string trace_of(TraceFormat format) {
  const Tokenizer tokenizer = byte_tokenizer();
  std::ostringstream out;
  TraceWriter writer(out, format, tokenizer);
  const std::vector<Decision> decided{{.position = 13, .token = '"', .confidence = 0.5F},
                                      {.position = 14, .token = 0xE6, .confidence = 1}};
  StepEvent event{};
  event.step = 7;
  event.block = {12, 16};
  event.decided = decided;
  event.seconds = 1.25;
  writer.add(event, {8, 12});
  return out.str();
}

TEST(Trace, WritesCsvWithQuotedText) {
  EXPECT_EQ(trace_of(TraceFormat::csv),
            "step,position,token,text,confidence,block,seconds\n"
            "7,13,34,\"\"\"\",0.5,1,1.250000\n"
            "7,14,230,\"\ufffd\",1,1,1.250000\n");
}

TEST(Trace, WritesOneJsonObjectALine) {
  EXPECT_EQ(trace_of(TraceFormat::json_lines),
            "{\"step\":7,\"position\":13,\"token\":34,\"text\":\"\\\"\",\"confidence\":0.5,"
            "\"block\":1,\"seconds\":1.25}\n"
            "{\"step\":7,\"position\":14,\"token\":230,\"text\":\"\ufffd\",\"confidence\":1.0,"
            "\"block\":1,\"seconds\":1.25}\n");
}

TEST(Trace, TheSuffixChoosesTheFormat) {
  EXPECT_EQ(trace_format("a/b.csv"), TraceFormat::csv);
  EXPECT_EQ(trace_format("b.jsonl"), TraceFormat::json_lines);
  EXPECT_EQ(trace_format("-"), TraceFormat::json_lines);
}

}  // namespace
}  // namespace unmask
