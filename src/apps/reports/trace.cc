#include "apps/reports/trace.h"

#include <nlohmann/json.hpp>

#include "io/json_file.h"

namespace unmask {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kCsvHeader = "step,position,token,text,confidence,block,seconds\n";

/// RFC 4180: in quotes, quotes doubled.
std::string csv_field(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) out.append(c == '"' ? 2 : 1, c);
  return out + '"';
}

}  // namespace

TraceFormat trace_format(const fs::path& file) {
  return file.extension() == ".csv" ? TraceFormat::csv : TraceFormat::json_lines;
}

TraceWriter::TraceWriter(std::ostream& out, TraceFormat format, const Tokenizer& tokenizer)
    : out_(out), format_(format), tokenizer_(tokenizer) {
  if (format_ == TraceFormat::csv) out_ << kCsvHeader;
}

void TraceWriter::add(const StepEvent& event, Range first_block) {
  const int block = (event.block.begin - first_block.begin) / first_block.size();
  for (const Decision& d : event.decided) {
    const std::string text = sanitize_utf8(tokenizer_.token_bytes(d.token));
    if (format_ == TraceFormat::csv) {
      out_ << fmt::format("{},{},{},{},{},{},{:.6f}\n", event.step, d.position, d.token,
                          csv_field(text), d.confidence, block, event.seconds);
      continue;
    }
    const nlohmann::ordered_json record{{"step", event.step},         {"position", d.position},
                                        {"token", d.token},           {"text", text},
                                        {"confidence", d.confidence}, {"block", block},
                                        {"seconds", event.seconds}};
    out_ << json_line(record);
  }
}

}  // namespace unmask
