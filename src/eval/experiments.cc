#include "eval/experiments.h"

#include <algorithm>
#include <fmt/ranges.h>

#include "core/error.h"
#include "session/preset.h"

namespace unmask {

namespace {

// Tasks whose losses show; a question about one person is the easiest of them.
const std::vector<std::string> kComparedTasks{"multivalue", "multiquery", "qa1", "vt"};
// Those of them with several facts to find.
const std::vector<std::string> kHardTasks{"multivalue", "multiquery"};
constexpr int kLength = 512;
/// Two tokens a step: an experiment takes half the time, and the methods still have their steps.
constexpr int kTokensPerStep = 2;

/// Everything side by side, each at the settings of its paper and at harder ones; the windows as
/// wide as SparseD's default share of the keys.
Experiment compare() {
  return {"compare",
          "all methods side by side",
          kComparedTasks,
          {kLength},
          {"full", "sparsed:block=16,select=0.5", "sparsed:block=16,select=0.3",
           "sparse-dllm:keep=0.5", "sparse-dllm:keep=0.3", "sparse-dllm:keep=0.1",
           "maskkv:keep=0.3", "fast-dllm:cache=prefix", "fast-dllm:cache=dual", "streaming-dllm",
           "dkv-cache", "dllm-cache", "sparse-dllm:keep=0.5+sparsed:block=16,skip=0",
           "sliding-window:share=0.3,block=16", "streaming-llm:share=0.3,block=16,sinks=16"},
          kTokensPerStep};
}

/// The ablations of SparseD (arXiv 2509.24014): early steps, reuse, isolated selection, the share
/// and the size of blocks; and the scale in which the released code ranks them.
Experiment sparsed_ablation() {
  return {"sparsed-ablation",
          "SparseD: skipping, reusing, isolated selection, select, block, scale",
          kHardTasks,
          {kLength},
          {"full", "sparsed:block=16,select=0.5", "sparsed:block=16,select=0.3",
           "sparsed:block=16,select=0.1", "sparsed:block=16,select=0.3,skip=0",
           "sparsed:block=16,select=0.3,reuse=false", "sparsed:block=16,select=0.3,isolated=false",
           "sparsed:block=16,select=0.3,scale=paper", "sparsed:block=16,select=0.1,skip=0",
           "sparsed:block=16,select=0.1,isolated=false", "sparsed:block=16,select=0.1,scale=paper",
           "sparsed:block=32,select=0.3", "sparsed:block=64,select=0.3"},
          kTokensPerStep};
}

/// The ablations of Sparse-dLLM (arXiv 2508.02558): the step that builds the cache (table 3), the
/// side that is evicted (table 4), the share that stays by the width of the pooling (table 7); and
/// eviction by lot as a control.
Experiment sparse_dllm_ablation() {
  Experiment p{"sparse-dllm-ablation",
               "Sparse-dLLM: delay, keep x pooling kernel, prefix-only, random eviction",
               kHardTasks,
               {kLength},
               {"full"},
               kTokensPerStep};
  for (const int delay : {0, 2, 4}) p.methods.push_back(fmt::format("sparse-dllm:delay={}", delay));
  p.methods.emplace_back("sparse-dllm:prefix_only=true");
  for (const char* keep : {"0.5", "0.3", "0.1", "0.05"}) {
    for (const int kernel : {1, 3, 5}) {
      p.methods.push_back(fmt::format("sparse-dllm:keep={},kernel={}", keep, kernel));
    }
  }
  p.methods.emplace_back("sparse-dllm:keep=0.5,score=random");
  return p;
}

/// What the presets cost in points and save in work. The published sampler decides a token a step.
Experiment preset_experiment() {
  return {"presets",
          "exact, balanced and fast side by side",
          kComparedTasks,
          {kLength},
          preset_names()};
}

/// Every method at one commit rule, and every commit rule with one method: what a token costs, and
/// what is lost. The block caches compute little when a block begins, as in the presets.
Experiment frontier() {
  const std::string cache = "fast-dllm:cache=dual,refresh=window";
  Experiment f{"frontier",
               "every method and every commit rule: rows and passes per token, accuracy",
               kComparedTasks,
               {kLength},
               {"exact"}};
  for (const char* method :
       {"full", "sparsed:block=16,select=0.3", "fast-dllm:cache=prefix", "fast-dllm:cache=dual",
        "sparse-dllm:keep=0.5,refresh=window", "maskkv:keep=0.5,refresh=window", "streaming-dllm",
        "dkv-cache", "dllm-cache", "dsb", "es-dllm", "flash-cache"}) {
    f.methods.push_back(fmt::format("{}@threshold=0.95", method));
  }
  for (const char* rule : {"tokens_per_step=2", "factor=1", "threshold=0.995", "threshold=0.95",
                           "threshold=0.9", "threshold=0.95,leap=0.75",
                           "threshold=0.95,credit=true", "threshold=0.95,attach_eos=true"}) {
    f.methods.push_back(fmt::format("{}@{}", cache, rule));
  }
  return f;
}

}  // namespace

std::span<const Experiment> experiments() {
  static const std::vector<Experiment> list{compare(), sparsed_ablation(), sparse_dllm_ablation(),
                                            preset_experiment(), frontier()};
  return list;
}

std::vector<std::string> experiment_names() {
  std::vector<std::string> names;
  for (const Experiment& e : experiments()) names.emplace_back(e.name);
  return names;
}

const Experiment& experiment(std::string_view name) {
  const auto all = experiments();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Experiment& e) { return e.name == name; });
  if (found == all.end()) {
    fail("[eval] unknown experiment '{}'; there is {}", printable(name),
         fmt::join(experiment_names(), ", "));
  }
  return *found;
}

}  // namespace unmask
