#include "serve/metrics.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sstream>

namespace unmask {
namespace {

using ::testing::HasSubstr;

TEST(Metrics, CountsWhatItIsTold) {
  Metrics metrics({"1.2", "demo", "cpu"});
  metrics.count_reply("/chat/completions", 200, 0.5);
  metrics.count_reply("/chat/completions", 200, 0.5);
  metrics.count_reply("other", 404, 0);
  metrics.count_refusal("queue_full");
  metrics.count_cancel("disconnect");
  metrics.count_start(0.2);
  metrics.count_engine_step(0.003, 3);
  Result result;
  result.forward_passes = 5;
  result.rows = 70;
  result.reused = 9;
  result.stopped_early = true;
  metrics.count_result(result);
  metrics.count_tokens(10, 20, 64, 5, "fast-dllm");
  metrics.count_first_text(0.04);
  metrics.set_state(2, 7, 4096, 512);
  metrics.set_connections(3);
  metrics.set_memory_budget(1 << 20);
  const std::string text = metrics.text();
  for (const char* line : {"unmask_requests_total{code=\"200\",endpoint=\"/chat/completions\"} 2",
                           "unmask_requests_total{code=\"404\",endpoint=\"other\"} 1",
                           "unmask_refused_total{reason=\"queue_full\"} 1",
                           "unmask_cancelled_total{reason=\"disconnect\"} 1",
                           "unmask_forward_passes_total 5",
                           "unmask_rows_total 70",
                           "unmask_early_stops_total 1",
                           "unmask_prompt_tokens_total 10",
                           "unmask_generation_tokens_total 20",
                           "unmask_canvas_tokens_total 64",
                           "unmask_tokens_committed_total{method=\"fast-dllm\"} 20",
                           "unmask_requests_running 2",
                           "unmask_requests_waiting 7",
                           "unmask_kv_bytes 4096",
                           "unmask_prefix_bytes 512",
                           "unmask_cached_tokens_total 9",
                           "unmask_connections 3",
                           "unmask_memory_budget_bytes 1048576",
                           "unmask_tokens_per_forward_sum 4",
                           "unmask_queue_seconds_count 1",
                           "unmask_time_to_first_text_seconds_bucket{le=\"0.05\"} 1",
                           "unmask_build_info{device=\"cpu\",model=\"demo\",version=\"1.2\"} 1"}) {
    EXPECT_THAT(text, HasSubstr(std::string("\n") + line + "\n"));
  }
}

TEST(Metrics, EveryNameIsOursAndExplained) {
  Metrics metrics({"1", "a\"b\\c\nd", "cpu"});
  StepEvent event{};
  event.rows = 5;
  metrics.count_step(event);
  std::istringstream lines(metrics.text());
  std::string help;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# HELP ")) help = line.substr(7, line.find(' ', 7) - 7);
    EXPECT_TRUE(line.starts_with("# ") || line.starts_with("unmask_")) << line;
    EXPECT_THAT(line, HasSubstr(help));
  }
  EXPECT_THAT(metrics.text(), HasSubstr(R"(model="a\"b\\c\nd")"));
  EXPECT_THAT(metrics.text(), HasSubstr("unmask_rows_per_step_sum 5"));
}

}  // namespace
}  // namespace unmask
