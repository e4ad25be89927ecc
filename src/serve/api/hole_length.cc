#include "serve/api/hole_length.h"

#include <algorithm>

#include "core/error.h"
#include "generate/probe.h"
#include "serve/metrics.h"
#include "serve/schedule/scheduler.h"

namespace unmask {

namespace {

constexpr int kLengths[] = {4, 8, 16, 32, 64};
constexpr int kLongestHole = 4096;

/// The mean log-probability of the best token over all masks of a request.
double sureness(Transformer& model, const Request& request) {
  const TokenId mask_id = model.config().mask_id;
  ProbeCanvas canvas{.tokens = request.tokens, .points = {}};
  for (size_t i = 0; i < request.tokens.size(); ++i) {
    if (request.tokens[i] == mask_id) canvas.points.push_back({static_cast<int>(i), {mask_id}});
  }
  double sum = 0;
  const auto found = Probe(model).alternatives({&canvas, 1}, 1);
  for (const Alternatives& a : found) sum += a.top[0].log_probability;
  return sum / static_cast<double>(found.size());
}

/// Filled on the engine's thread, read on the server's when it is done.
struct Search {
  std::vector<Request> requests;
  std::vector<double> scores{};

  bool step(Transformer& model) {
    scores.push_back(sureness(model, requests[scores.size()]));
    return scores.size() < requests.size();
  }
};

class SearchPlan final : public Plan {
 public:
  explicit SearchPlan(std::vector<std::unique_ptr<GenerationPlan>> candidates)
      : candidates_(std::make_shared<Candidates>(std::move(candidates))) {}

  void begin(std::shared_ptr<http::Exchange> exchange, const Desk& desk) override {
    auto search = std::make_shared<Search>();
    for (const auto& plan : *candidates_) search->requests.push_back(plan->requests.front());
    auto gone = std::make_shared<bool>(false);
    const WorkId work = desk.submit(
        Errand{[search](Transformer& model) { return search->step(model); },
               [search, plans = candidates_, exchange, gone, &desk] {
                 if (!*gone) carry_out(search->scores, *plans, exchange, desk);
               },
               [exchange](const ApiError& error) { exchange->reply(error_reply(error)); }});
    exchange->on_gone([work, gone, &desk](http::Gone) {
      *gone = true;
      desk.scheduler.cancel(work);
      desk.metrics.count_cancel("disconnect");
    });
  }

 private:
  using Candidates = std::vector<std::unique_ptr<GenerationPlan>>;

  static void carry_out(const std::vector<double>& scores, Candidates& plans,
                        const std::shared_ptr<http::Exchange>& exchange, const Desk& desk) {
    const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
    GenerationPlan& plan = *plans[static_cast<size_t>(best)];
    if (plan.time_limit) {
      const auto taken = std::chrono::steady_clock::now() - plan.arrived;
      *plan.time_limit -= std::chrono::duration_cast<std::chrono::milliseconds>(taken);
    }
    try {
      plan.begin(exchange, desk);
    } catch (const ApiError& error) {
      exchange->reply(error_reply(error));
    }
  }

  std::shared_ptr<Candidates> candidates_;
};

}  // namespace

std::optional<int> read_infill_length(Fields& diffusion) {
  const nlohmann::json* value = diffusion.find("infill_length");
  if (value == nullptr || *value == "search") return std::nullopt;
  if (value->is_string()) {
    diffusion.refuse("infill_length",
                     fmt::format("found {}, expected a number or \"search\"", shown(*value)));
  }
  return diffusion.count("infill_length", 1, kLongestHole);
}

std::vector<int> hole_lengths(int most) {
  std::vector<int> lengths;
  for (const int length : kLengths) {
    if (length <= most) lengths.push_back(length);
  }
  if (lengths.empty()) lengths.push_back(most);
  return lengths;
}

std::unique_ptr<Plan> plan_search(std::vector<std::unique_ptr<GenerationPlan>> candidates) {
  if (candidates.size() == 1) return std::move(candidates.front());
  return std::make_unique<SearchPlan>(std::move(candidates));
}

}  // namespace unmask
