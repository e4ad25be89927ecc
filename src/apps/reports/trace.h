// The order in which a generation came about: one record for each decided token.
#pragma once

#include <filesystem>
#include <ostream>
#include <string>

#include "generate/engine.h"
#include "io/text/tokenizer.h"

namespace unmask {

enum class TraceFormat { json_lines, csv };

/// By the suffix of the file: ".csv", anything else is JSON lines.
TraceFormat trace_format(const std::filesystem::path& file);

/// Records to a stream.
class TraceWriter {
 public:
  TraceWriter(std::ostream& out, TraceFormat format, const Tokenizer& tokenizer);
  /// `first_block`: the first block of the generation, from which blocks are numbered.
  void add(const StepEvent& event, Range first_block);

 private:
  std::ostream& out_;
  TraceFormat format_;
  const Tokenizer& tokenizer_;
};

}  // namespace unmask
