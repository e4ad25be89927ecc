// Runs of the reference implementations of caching methods: the generation as a user starts it, and
// a replay that shows a method the reference's own tokens step by step.
#pragma once

#include <functional>
#include <vector>

#include "generate/engine.h"
#include "support/golden.h"
#include "support/model_fixture.h"
#include "support/tensors.h"

namespace unmask::testing {

class CacheCase {
 public:
  explicit CacheCase(const golden::Case& c);

  const nlohmann::json& params() const { return json_["params"]; }
  bool dream() const { return json_["family"] == "dream"; }
  bool has(const std::string& tensor) const { return file_.tensors().contains(tensor); }
  template <typename T>
  std::vector<T> tensor(const std::string& name) const {
    return values<T>(file_.at(name));
  }
  LoadedModel& model() { return model_; }
  int n_steps() const { return json_["expect"]["model_calls"]; }
  int prompt_length() const { return static_cast<int>(prompt_.size()); }
  int length() const { return prompt_length() + gen_length_; }

  /// Generates with `method` and compares tokens, rows and, where the case has them, confidences
  /// after every model call.
  void check_generation(const std::string& method);
  /// The same with drafts, which compute other rows; skipped where they are refused.
  void check_drafts(const std::string& method);

  /// One model call of a replay.
  struct Call {
    int index = 0;
    Step step;
    StepPlan plan;
    std::vector<std::vector<int>> layer_rows;  // positions that each layer computed
    std::vector<float> logits;                 // [plan.rows, vocab]
  };
  /// Makes every call with the tokens that the reference had before it.
  void replay(std::unique_ptr<Method> method, const std::function<void(const Call&)>& on_call);

  /// Compares the logits of some positions with [positions, vocab] expected values.
  void expect_logits(const Call& call, const std::vector<int>& positions,
                     std::span<const float> expected) const;

 private:
  Request request(const std::string& method) const;
  std::vector<TokenId> tokens_before(int call) const;
  /// Rows of every call, as a result counts them; empty where the case does not say.
  std::vector<int> step_rows() const;
  void expect_confidences(const StepEvent& event) const;

  nlohmann::json json_;
  SafetensorsFile file_;
  LoadedModel model_;
  std::vector<TokenId> prompt_;
  int gen_length_;
  int block_length_;
  std::vector<TokenId> trajectory_;  // [n_steps + 1, gen_length]
};

}  // namespace unmask::testing
