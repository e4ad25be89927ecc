#include "io/text/pretokenizer.h"

#include <algorithm>
#include <cstdint>
#include <ctime>

#include "core/error.h"
#include "io/text/pcre.h"

namespace unmask {

namespace {

constexpr size_t kMaxPatternBytes = size_t{64} << 10;
/// MULTILINE because in Oniguruma's syntax ^ and $ are about lines. NO_AUTO_CAPTURE because nobody
/// asks what a group has matched, and the library would clear the bounds of all groups for each
/// piece.
constexpr uint32_t kCompileOptions =
    PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_AUTO_CAPTURE;
constexpr uint32_t kMostGroups = 64;                  // with names, which capture nevertheless
constexpr uint32_t kMostInterpreterHeap = 64U << 10;  // KiB, of the interpreter
constexpr double kSeconds = 2;                        // of the processor, for a text of any length
constexpr double kSecondsPerByte = 2e-6;              // published patterns take 2e-8 to 1e-7
constexpr int kPiecesPerLook = 16;  // at the clock, which costs as much as a piece

template <auto kFree>
struct Freer {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using CompileContext = std::unique_ptr<pcre2_compile_context, Freer<pcre2_compile_context_free>>;
using MatchContext = std::unique_ptr<pcre2_match_context, Freer<pcre2_match_context_free>>;
using MatchData = std::unique_ptr<pcre2_match_data, Freer<pcre2_match_data_free>>;

/// Room for a few backtracks a byte, which is what a linear pattern needs.
MatchContext make_match_context(size_t text_bytes) {
  MatchContext context(pcre2_match_context_create(nullptr));
  if (!context) throw std::bad_alloc();
  const size_t steps = std::clamp<size_t>(text_bytes * 16, 10'000'000, 250'000'000);
  pcre2_set_match_limit(context.get(), static_cast<uint32_t>(steps));
  pcre2_set_heap_limit(context.get(), kMostInterpreterHeap);
  return context;
}

/// The time that a text may take as a whole: each match alone may be short enough.
class TimeLimit {
 public:
  explicit TimeLimit(size_t text_bytes)
      : seconds_(kSeconds + kSecondsPerByte * static_cast<double>(text_bytes)) {}

  /// Throws Error where it is over.
  void check() {
    if (++pieces_ % kPiecesPerLook != 0 || processor_seconds() - start_ < seconds_) return;
    fail("splitting text by the tokenizer's pattern takes more than {:.1f} s of processor time",
         seconds_);
  }

 private:
  static double processor_seconds() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  }

  double seconds_;
  double start_ = processor_seconds();
  int pieces_ = 0;
};

}  // namespace

void SplitPattern::CodeDeleter::operator()(pcre2_real_code_8* code) const { pcre2_code_free(code); }

SplitPattern::SplitPattern(std::string_view pattern) {
  if (pattern.size() > kMaxPatternBytes) {
    fail("pattern of {} bytes, at most {} are read", pattern.size(), kMaxPatternBytes);
  }
  const std::string adapted = adapt_pattern(pattern);
  CompileContext context(pcre2_compile_context_create(nullptr));
  if (!context) throw std::bad_alloc();
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  int error = 0;
  size_t place = 0;
  code_.reset(pcre2_compile(code_units(adapted), adapted.size(), kCompileOptions, &error, &place,
                            context.get()));
  if (!code_) fail("pattern '{}': {}", printable(pattern), pcre_message(error));
  uint32_t groups = 0;
  pcre2_pattern_info(code_.get(), PCRE2_INFO_CAPTURECOUNT, &groups);
  if (groups > kMostGroups) {
    fail("pattern '{}': {} named groups, at most {} are read", printable(pattern), groups,
         kMostGroups);
  }
  // Without a just-in-time compiler the interpreter gives the same answers.
  pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE);
}

void SplitPattern::split(std::string_view text, std::vector<std::string_view>& pieces) const {
  if (text.empty()) return;
  const MatchContext context = make_match_context(text.size());
  const MatchData match(pcre2_match_data_create_from_pattern(code_.get(), nullptr));
  if (!match) throw std::bad_alloc();
  const auto find = [&](size_t from, uint32_t extra_options) {
    return pcre2_match(code_.get(), code_units(text), text.size(), from,
                       PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY | extra_options, match.get(),
                       context.get());
  };
  const size_t* bounds = pcre2_get_ovector_pointer(match.get());
  size_t done = 0;
  TimeLimit limit(text.size());
  while (done < text.size()) {
    limit.check();
    int found = find(done, 0);
    // The compiled code has a small fixed stack, the interpreter a large one on the heap.
    if (found == PCRE2_ERROR_JIT_STACKLIMIT) found = find(done, PCRE2_NO_JIT);
    if (found == PCRE2_ERROR_NOMATCH) break;
    if (found < 0) fail("splitting text by the tokenizer's pattern: {}", pcre_message(found));
    const size_t begin = bounds[0];
    const size_t end = bounds[1];
    // \K could move the start behind the end or in front of the last piece.
    if (begin < done || end <= begin) fail("the tokenizer's pattern moves the match start");
    if (begin > done) pieces.push_back(text.substr(done, begin - done));
    pieces.push_back(text.substr(begin, end - begin));
    done = end;
  }
  if (done < text.size()) pieces.push_back(text.substr(done));
}

}  // namespace unmask
