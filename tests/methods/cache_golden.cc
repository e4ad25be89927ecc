#include "methods/cache_golden.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "methods/method_wrapper.h"
#include "support/drafted.h"

namespace unmask::testing {

namespace {

/// Notes which rows the layers compute.
class Spy final : public MethodWrapper {
 public:
  using MethodWrapper::MethodWrapper;

  StepPlan plan_step(const Step& step) override {
    layer_rows.clear();
    rows_ = inner().plan_step(step);
    return rows_;
  }
  LayerPlan plan_layer(LayerScope& scope) override {
    LayerPlan plan = inner().plan_layer(scope);
    std::vector<int> positions(rows_.rows.begin(), rows_.rows.end());
    if (plan.attn_out) {
      positions.clear();
      for (const int r : plan.rows) positions.push_back(rows_.rows[r]);
    }
    layer_rows.push_back(positions);
    return plan;
  }

  std::vector<std::vector<int>> layer_rows;

 private:
  StepPlan rows_;
};

template <typename T>
std::optional<T> optional(const nlohmann::json& params, const char* name) {
  const auto found = params.find(name);
  if (found == params.end() || found->is_null()) return std::nullopt;
  return found->get<T>();
}

}  // namespace

CacheCase::CacheCase(const golden::Case& c)
    : json_(c.json),
      file_(c.directory() / "tensors.safetensors"),
      model_(golden::find_folder(json_["model"], "config.json"), make_backend("cpu")),
      prompt_(tensor<TokenId>("prompt_ids")),
      gen_length_(json_["gen_length"]),
      block_length_(optional<int>(params(), "block_length").value_or(gen_length_)),
      trajectory_(tensor<TokenId>("trajectory")) {}

Request CacheCase::request(const std::string& method) const {
  Request r = append_masks(prompt_, gen_length_, json_["mask_token_id"]);
  r.method = method;
  r.block_length = block_length_;
  r.steps = params()["steps"];
  r.sampler.threshold = optional<double>(params(), "threshold");
  r.sampler.factor = optional<double>(params(), "factor");
  if (params().value("credit", false)) r.sampler.credit = CreditRule{};
  if (const auto count = optional<int>(params(), "tokens_per_step")) {
    r.sampler.counts = Counts::fixed;
    r.sampler.per_step = *count;
  }
  if (const auto end = optional<int>(params(), "attached_eos_id")) {
    r.eos_ids = {*end};
    r.sampler.attach_eos = true;
  }
  if (has("denoise_order")) {
    r.sampler.algorithm = Algorithm::random;
    r.sampler.order = tensor<int>("denoise_order");
  }
  if (!dream()) return r;
  const std::string algorithm = params()["alg"];
  const bool by_threshold = algorithm == "confidence_threshold";
  r.sampler.algorithm = parse_algorithm(by_threshold ? "maskgit_plus" : algorithm);
  r.sampler.paced = by_threshold && params()["block_length"].is_null();
  r.sampler.top_p = optional<double>(params(), "top_p");
  r.sampler.top_k = optional<int>(params(), "top_k");
  r.sampler.eps = params()["eps"];
  return r;
}

std::vector<TokenId> CacheCase::tokens_before(int call) const {
  std::vector<TokenId> tokens = prompt_;
  const auto row = trajectory_.begin() + static_cast<std::ptrdiff_t>(call) * gen_length_;
  tokens.insert(tokens.end(), row, row + gen_length_);
  return tokens;
}

std::vector<int> CacheCase::step_rows() const {
  if (!has("layer_rows")) return has("step_rows") ? tensor<int>("step_rows") : std::vector<int>{};
  const int layers = model_.config.n_layers;
  const auto computed = tensor<int>("layer_rows");
  std::vector<int> rows;  // ours are a pass's mean over its layers, rounded up
  for (auto step = computed.begin(); step != computed.end(); step += layers) {
    rows.push_back((std::accumulate(step, step + layers, 0) + layers - 1) / layers);
  }
  return rows;
}

void CacheCase::expect_confidences(const StepEvent& event) const {
  if (!has("decided_confidence")) return;
  const auto expected = tensor<float>("decided_confidence");
  for (const Decision& d : event.decided) {
    const float confidence = expected[static_cast<size_t>(d.position - prompt_length())];
    if (std::isnan(confidence)) continue;  // one that hangs on ties
    EXPECT_NEAR(d.confidence, confidence, 1e-4) << "position " << d.position;
  }
}

void CacheCase::check_generation(const std::string& method) {
  const Request r = request(method);
  const std::vector<int> rows = step_rows();
  int call = 0;
  int spared = 0;  // passes of steps that decide nothing, which ours does without
  int64_t spared_rows = 0;
  const auto check = [&](const StepEvent& event) {
    ++call;
    const std::vector<TokenId> expected = tokens_before(std::min(call, n_steps()));
    EXPECT_TRUE(std::equal(event.tokens.begin(), event.tokens.end(), expected.begin()))
        << "after call " << call;
    expect_confidences(event);
    if (call <= static_cast<int>(rows.size())) {
      const int of_reference = rows[static_cast<size_t>(call) - 1];
      if (event.rows == 0 && event.decided.empty()) {
        ++spared;
        spared_rows += of_reference;
      } else {
        EXPECT_EQ(event.rows, of_reference) << "call " << call;
      }
    }
    return call < n_steps() + 10;
  };
  const Result result = generate(model_.transformer, std::span(&r, 1), check)[0];
  const auto& expect = json_["expect"];
  EXPECT_EQ(result.forward_passes + spared, n_steps());
  if (expect["rows_processed"].is_number()) {
    EXPECT_EQ(result.rows + spared_rows, expect["rows_processed"].get<int64_t>());
  }
  EXPECT_EQ(result.masks_left, expect["remaining_masks"].get<int>());
  EXPECT_EQ(std::vector<TokenId>(result.tokens.begin() + prompt_length(), result.tokens.end()),
            expect["final_gen"].get<std::vector<TokenId>>());
}

void CacheCase::check_drafts(const std::string& method) {
  for (const int drafts : {2, 3, 5}) {
    std::string why;
    const auto r = drafted(request(method), drafts, model_.config, why);
    if (!r) GTEST_SKIP() << why;
    int call = 0;
    const auto check = [&](const StepEvent& event) {
      const std::vector<TokenId> expected = tokens_before(std::min(++call, n_steps()));
      EXPECT_TRUE(std::equal(event.tokens.begin(), event.tokens.end(), expected.begin()))
          << "after call " << call << " with " << drafts << " drafts";
      return call < n_steps() + 10;
    };
    const Result result = generate(model_.transformer, std::span(&*r, 1), check)[0];
    EXPECT_LE(result.forward_passes, n_steps());
    EXPECT_EQ(std::vector<TokenId>(result.tokens.begin() + prompt_length(), result.tokens.end()),
              json_["expect"]["final_gen"].get<std::vector<TokenId>>());
  }
}

void CacheCase::replay(std::unique_ptr<Method> method,
                       const std::function<void(const Call&)>& on_call) {
  const ModelConfig& config = model_.config;
  const auto blocks = tensor<int>("step_block");
  const auto order = has("denoise_order") ? tensor<int>("denoise_order") : std::vector<int>{};
  Spy spy(std::move(method));
  std::vector<KvStore> stores(static_cast<size_t>(config.n_layers));
  std::vector<int> last_decided;
  int block_start = 0;
  for (int t = 0; t < n_steps(); ++t) {
    const int block = blocks[static_cast<size_t>(t)];
    if (t > 0 && blocks[static_cast<size_t>(t) - 1] != block) block_start = t;
    const std::vector<TokenId> tokens = tokens_before(t);
    const std::vector<TokenId> after = tokens_before(t + 1);
    std::vector<int> scheduled;
    for (const int p : order) {
      const auto i = static_cast<size_t>(p);
      if (tokens[i] != after[i]) scheduled.push_back(p);
    }
    const int begin = prompt_length() + block * block_length_;
    Call call;
    call.index = t;
    call.step = {.index = t,
                 .total = n_steps(),
                 .in_block = t - block_start,
                 .due = {},
                 .block = {begin, begin + block_length_},
                 .prompt_length = prompt_length(),
                 .tokens = tokens,
                 .mask_id = config.mask_id,
                 .last_decided = last_decided,
                 .scheduled = scheduled,
                 .confidence = {}};
    call.plan = spy.plan_step(call.step);
    const Rows all(Range{0, call.plan.rows.size()});
    std::vector<SequencePass> batch{{call.step, call.plan, &spy, &stores, all}};
    const Tensor hidden = model_.transformer.forward(batch);
    call.layer_rows = spy.layer_rows;
    call.logits.resize(static_cast<size_t>(all.size()) * static_cast<size_t>(config.vocab_size));
    model_.transformer.logits(
        hidden, {call.logits.data(), DType::f32, all.size(), config.vocab_size, config.vocab_size});
    on_call(call);
    last_decided.clear();
    for (size_t i = 0; i < tokens.size(); ++i) {
      if (tokens[i] != after[i]) last_decided.push_back(static_cast<int>(i));
    }
  }
}

void CacheCase::expect_logits(const Call& call, const std::vector<int>& positions,
                              std::span<const float> expected) const {
  const auto vocab = static_cast<size_t>(model_.config.vocab_size);
  ASSERT_LE(positions.size() * vocab, expected.size());
  float worst = 0;
  for (size_t i = 0; i < positions.size(); ++i) {
    const auto& rows = call.plan.rows;
    const auto found = std::lower_bound(rows.begin(), rows.end(), positions[i]);
    ASSERT_TRUE(found != rows.end() && *found == positions[i]) << positions[i] << " not computed";
    const auto row = static_cast<size_t>(found - rows.begin());
    for (size_t c = 0; c < vocab; ++c) {
      const float difference = call.logits[row * vocab + c] - expected[i * vocab + c];
      worst = std::max(worst, std::abs(difference));
    }
  }
  EXPECT_LT(worst, 1e-3) << "call " << call.index;
}

}  // namespace unmask::testing
