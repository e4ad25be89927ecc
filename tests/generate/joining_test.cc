// Requests join and leave the engine at random steps; each ends as if it had been alone.
#include <algorithm>
#include <array>
#include <gtest/gtest.h>
#include <random>
#include <set>
#include <tuple>

#include "generate/engine.h"
#include "support/method_requests.h"

namespace unmask {
namespace {

using testing::LoadedModel;

/// What must not depend on the neighbours of a request.
struct Outcome {
  std::vector<TokenId> tokens;
  int steps, forward_passes, masks_left;
  int64_t rows;
  bool stopped_early;
  bool operator==(const Outcome&) const = default;

  explicit Outcome(const Result& r)
      : tokens(r.tokens),
        steps(r.steps),
        forward_passes(r.forward_passes),
        masks_left(r.masks_left),
        rows(r.rows),
        stopped_early(r.stopped_early) {}
};

struct Known {
  Request request;
  Outcome alone;
};

/// Samplers worth mixing, by the number of the request.
SamplerOptions sampler_of(size_t i, SamplerOptions usual) {
  switch (i % 5) {
    case 1:
      usual.temperature = 0.8;
      usual.seed = i;
      return usual;
    case 2: return {.threshold = 0.4};
    case 3: return {.algorithm = Algorithm::topk_margin, .top_k = 20};
    default: return usual;
  }
}

/// One request for every method, of lengths, blocks, samplers and steps that differ; every third is
/// guided, every fourth ends at a token that its text has.
std::vector<Known> pool_of(LoadedModel& model, const std::string& name) {
  std::vector<std::string> methods = testing::methods_of(name);
  methods.insert(methods.end(), {"full", "full", "sparsed:skip=0.3,select=0.4,block=8",
                                 "sliding-window:window=16,block=8"});
  std::vector<Known> pool;
  for (size_t i = 0; i < methods.size(); ++i) {
    const int n = static_cast<int>(i);
    const int gen = 8 * (1 + n % 2);
    Request r = testing::method_request(model, methods[i], 3 + (n * 7) % 23, gen,
                                        n % 2 == 0 ? 8 : gen, gen / 2 + gen / 2 * (n % 2));
    if (r.sampler.algorithm != Algorithm::random) r.sampler = sampler_of(i, r.sampler);
    if (i % 3 == 0) r.cfg_scale = 0.5;
    if (i % 4 == 0) {
      r.eos_ids = {generate(model.transformer, {&r, 1})[0].tokens.end()[-3]};
      r.early_stop = true;
    }
    pool.push_back({r, Outcome(generate(model.transformer, {&r, 1})[0])});
  }
  return pool;
}

class Schedule {
 public:
  Schedule(LoadedModel& model, const std::vector<Known>& pool, uint32_t seed)
      : pool_(pool), random_(seed), engine_(model.transformer, options()) {}

  /// Four requests, of which some are cancelled, until all have ended.
  void run() {
    while (submitted_.size() < 4 || in_flight()) {
      if (submitted_.size() < 4 && draw(3) == 0) submit();
      if (draw(25) == 0 && !submitted_.empty()) cancel();
      draw(4) == 0 ? step_some() : static_cast<void>(engine_.step());
    }
    for (const auto& [id, known] : submitted_) {
      const Result result = engine_.take(id);
      if (result.cancelled) {
        EXPECT_TRUE(cancelled_.contains(id));
      } else {
        EXPECT_EQ(Outcome(result), known->alone) << known->request.method;
      }
    }
    EXPECT_EQ(engine_.state_bytes(), 0U);
  }

 private:
  int draw(int below) { return static_cast<int>(random_() % static_cast<uint32_t>(below)); }
  EngineOptions options() {
    EngineOptions o;
    if (draw(2) == 0) o.max_running = 1 + draw(4);
    if (draw(2) == 0) o.max_rows = 1 + draw(80);
    return o;
  }
  bool in_flight() const { return !engine_.running().empty() || engine_.waiting() > 0; }
  void submit() {
    const Known& known = pool_[static_cast<size_t>(draw(static_cast<int>(pool_.size())))];
    submitted_.emplace_back(engine_.submit(known.request), &known);
  }
  void cancel() {
    const RequestId id =
        submitted_[static_cast<size_t>(draw(static_cast<int>(submitted_.size())))].first;
    engine_.cancel(id);
    cancelled_.insert(id);
  }
  void step_some() {
    std::vector<RequestId> chosen = engine_.running();
    std::erase_if(chosen, [this](RequestId) { return draw(2) == 0; });
    std::shuffle(chosen.begin(), chosen.end(), random_);
    engine_.step(chosen);
  }

  const std::vector<Known>& pool_;
  std::mt19937 random_;
  Engine engine_;
  std::vector<std::pair<RequestId, const Known*>> submitted_;
  std::set<RequestId> cancelled_;
};

TEST(Joining, TwoHundredRandomSchedulesChangeNoToken) {
  for (const char* name : {"llada-tiny", "dream-tiny"}) {
    LoadedModel model(std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/" + name,
                      testing::make_backend("cpu"));
    const std::vector<Known> pool = pool_of(model, name);
    for (uint32_t seed = 0; seed < 100; ++seed) {
      SCOPED_TRACE(fmt::format("{}, schedule {}", name, seed));
      Schedule(model, pool, seed).run();
      if (HasFailure()) return;
    }
  }
}

TEST(Joining, AStrangerInTheBatchChangesNoEvent) {
  LoadedModel model(std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/llada-tiny",
                    testing::make_backend("cpu"));
  const Request r = testing::method_request(model, "sparse-dllm", 12, 16, 8, 16);
  using Events =
      std::vector<std::tuple<int, int, int, Range, std::vector<int>, std::vector<TokenId>>>;
  const auto watch = [](Events& events) {
    return [&events](const StepEvent& e) {
      std::vector<int> decided;
      for (const Decision& d : e.decided) decided.push_back(d.position);
      events.emplace_back(e.step, e.rows, e.masks_left, e.block, decided,
                          std::vector<TokenId>(e.tokens.begin(), e.tokens.end()));
      return true;
    };
  };
  Events alone;
  generate(model.transformer, {&r, 1}, watch(alone));
  Events beside;
  Engine engine(model.transformer);
  engine.submit(testing::method_request(model, "full", 30, 16, 16, 16));
  engine.step();
  engine.submit(r, watch(beside));
  while (engine.step()) {
  }
  EXPECT_EQ(beside, alone);
}

TEST(Joining, ALongRequestDelaysAShortOneByAStepAtMost) {
  LoadedModel model(std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/llada-tiny",
                    testing::make_backend("cpu"));
  const Request large = testing::method_request(model, "full", 400, 64, 64, 64);
  const Request small = testing::method_request(model, "full", 4, 8, 8, 8);
  Engine engine(model.transformer, {.max_rows = 100});
  int others = 0;  // steps of the long one between two of the short one
  engine.submit(large, [&](const StepEvent&) {
    ++others;
    return true;
  });
  for (int i = 0; i < 10; ++i) engine.step();
  int most = 0;
  others = 0;
  const RequestId id = engine.submit(small, [&](const StepEvent&) {
    most = std::max(most, std::exchange(others, 0));
    return true;
  });
  while (!engine.ended(id)) engine.step();
  EXPECT_LE(most, 1);
}

TEST(Joining, RowsAreSharedOutEvenly) {
  LoadedModel model(std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/llada-tiny",
                    testing::make_backend("cpu"));
  Engine engine(model.transformer, {.max_rows = 40});
  std::array<int64_t, 3> rows{};
  for (size_t i = 0; i < 3; ++i) {
    engine.submit(testing::method_request(model, "full", 8 << i, 16, 16, 16),
                  [&rows, i](const StepEvent& e) {
                    rows[i] += e.rows;
                    return true;
                  });
  }
  for (int i = 0; i < 12; ++i) engine.step();
  const auto [least, most] = std::minmax_element(rows.begin(), rows.end());
  EXPECT_LE(*most - *least, 48);  // one pass of the longest
}

TEST(Joining, AStepComputesNoMoreRowsThanAllowed) {
  LoadedModel model(std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/llada-tiny",
                    testing::make_backend("cpu"));
  Engine engine(model.transformer, {.max_rows = 50});
  int rows = 0;
  int together = 0;
  int most_together = 0;
  for (int i = 0; i < 5; ++i) {
    Request r = testing::method_request(model, "full", 2 + 3 * i, 8, 8, 8);
    if (i == 1) r.cfg_scale = 0.5;
    engine.submit(r, [&](const StepEvent& e) {
      rows += e.rows;
      most_together = std::max(most_together, ++together);
      return true;
    });
  }
  do {
    rows = together = 0;
    for (const RequestId id : engine.running()) EXPECT_GT(engine.next_rows(id), 0);
    engine.step();
    EXPECT_LE(rows, 50);
  } while (!engine.running().empty());
  EXPECT_GE(most_together, 3);
}

}  // namespace
}  // namespace unmask
