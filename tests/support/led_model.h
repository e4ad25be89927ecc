// A model that several ranks, as threads, load and rank 0 uses; what it generates, with the bits of
// the confidences, so that it can be compared with that of one rank.
#pragma once

#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "kernels/ranks/follower.h"
#include "kernels/ranks/leader.h"
#include "kernels/ranks/row_split.h"
#include "session/joint_loading.h"
#include "support/method_requests.h"
#include "support/thread_ranks.h"

namespace unmask::testing {

inline std::string checkpoint(const std::string& name) {
  return std::string(UNMASK_GOLDEN_CHECKPOINTS) + "/" + name;
}

/// Every decision with the bits of its confidence, and the text.
struct Generated {
  std::vector<std::tuple<int, TokenId, float>> decisions;
  std::vector<TokenId> tokens;
  bool operator==(const Generated&) const = default;
};

inline std::vector<Generated> generated(LoadedModel& model, const std::vector<Request>& requests) {
  std::vector<Generated> all(requests.size());
  const auto results = generate(model.transformer, requests, [&](const StepEvent& event) {
    for (const Decision& d : event.decided) {
      all[static_cast<size_t>(event.request)].decisions.emplace_back(d.position, d.token,
                                                                     d.confidence);
    }
    return true;
  });
  for (size_t i = 0; i < all.size(); ++i) all[i].tokens = results[i].tokens;
  return all;
}

/// What the files of a checkpoint leave open.
inline ModelOverrides overrides_of(const std::string& name) {
  ModelOverrides overrides;
  if (name != "llada-tiny" && name != "dream-tiny") overrides.mask_id = 501;
  if (name.starts_with("sdar") || name.starts_with("llada2")) overrides.block = 8;
  return overrides;
}

using Wrap = std::function<std::unique_ptr<Backend>(std::unique_ptr<Backend>, int rank)>;
using Create = std::function<std::unique_ptr<Backend>(Communicator&)>;
using Use = std::function<void(LoadedModel&)>;

/// Loads a checkpoint on `n` ranks and lets rank 0 use it.
struct Led {
  std::string name;
  WeightType weights = WeightType::f32;
  JointOptions joint{};
  StopToken stop{};
  int fewest_rows = 1;                                                // RowSplitOptions
  Wrap wrap = [](std::unique_ptr<Backend> own, int) { return own; };  // around each rank's own
  Create create{};  // of each rank's own; none: of the CPU

  void on(int n, const Use& use) const {
    ThreadRanks ranks(n);
    ranks.each([&](Communicator& own) { run(own, use); });
  }

 private:
  void run(Communicator& own, const Use& use) const {
    const bool by_rows = joint.split == RankSplit::rows;
    const CpuOptions cpu{.threads = 1, .weights = weights, .ranks = by_rows ? nullptr : &own};
    auto backend = wrap(create ? create(own) : create_cpu_backend(cpu), own.rank());
    if (by_rows) {
      backend = create_row_split(
          std::move(backend), own,
          {.fewest_rows = fewest_rows, .keys = keys_of_attention(weights, cpu.kernels)});
    }
    if (own.leads()) {
      auto leading = create_leading_backend(std::move(backend), own,
                                            {.stop = stop, .verifies = joint.verifies});
      LeadingBackend& leader = *leading;
      LoadedModel model(checkpoint(name), std::move(leading), overrides_of(name));
      leader.lead();
      use(model);
    } else {
      auto following =
          create_following_backend(std::move(backend), own, {.verifies = joint.verifies});
      FollowingBackend& follower = *following;
      const LoadedModel model(checkpoint(name), std::move(following), overrides_of(name));
      follower.follow(model.weights.embedding);
    }
  }
};

/// Compares what `requests` asks for on so many ranks with one.
inline void expect_same(const Led& led, const std::vector<int>& counts,
                        const std::function<std::vector<Request>(const LoadedModel&)>& requests) {
  LoadedModel alone(checkpoint(led.name),
                    create_cpu_backend({.threads = 2, .weights = led.weights}),
                    overrides_of(led.name));
  const std::vector<Generated> expected = generated(alone, requests(alone));
  for (const int n : counts) {
    led.on(n, [&](LoadedModel& model) {
      EXPECT_EQ(generated(model, requests(model)), expected)
          << led.name << ", " << weight_type_name(led.weights) << ", " << n << " ranks, "
          << rank_split_name(led.joint.split);
    });
  }
}

}  // namespace unmask::testing
