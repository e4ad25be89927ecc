#include "unmask/model.h"

#include <exception>

#include "api/access.h"
#include "api/options.h"
#include "api/translate.h"
#include "core/stop.h"
#include "io/text/chat_template.h"
#include "session/cached_models.h"
#include "session/find_model.h"

namespace unmask_v0 {

namespace {

ModelInfo describe(const unmask::Model& model) {
  const unmask::ModelConfig& config = model.config();
  ModelInfo info;
  info.name = model.files().name();
  info.path = model.files().path().string();
  info.family = unmask::family_name(config.family);
  info.dtype = unmask::weight_type_name(model.weight_type());
  info.device = unmask::device_kind_name(model.device());
  info.note = config.note;
  info.vocab_size = config.vocab_size;
  info.layers = config.n_layers;
  info.dim = config.dim;
  info.heads = config.n_heads;
  info.kv_heads = config.n_kv_heads;
  info.head_dim = config.head_dim;
  info.max_positions = config.max_positions;
  info.threads = model.threads();
  info.mask_id = config.mask_id;
  info.stop_ids = model.files().stop_ids();
  info.parameters = unmask::count_parameters(config);
  info.weight_bytes = model.costs().weight_bytes();
  return info;
}

}  // namespace

Model::Data::Data(const unmask::ModelFiles& files, unmask::LoadOptions options)
    : model(files, (options.stop = unmask::StopToken(stop), options)),
      info(describe(model)),
      constraints(files) {}

Model::Model(const std::string& path, const LoadOptions& options) {
  std::exception_ptr raised;  // by the callback, which is not ours to translate
  const auto load = [&] {
    const auto files = unmask::ModelFiles::open(path, overrides_of(options));
    unmask::LoadOptions wanted = load_options(options);
    wanted.prefix_bytes = prefix_bytes(options, files.config());
    if (options.progress) {
      wanted.progress = [&](int64_t done, int64_t total) {
        bool goes_on = false;
        try {
          goes_on = options.progress(
              total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 1);
        } catch (...) {
          raised = std::current_exception();
        }
        if (!goes_on) throw unmask::Stopped{};
      };
    }
    data_ = std::make_shared<Data>(files, wanted);
  };
  try {
    load();
  } catch (...) {
    if (raised) std::rethrow_exception(raised);
    throw_translated();
  }
}

const ModelInfo& Model::info() const noexcept { return data_->info; }

std::vector<Token> Model::encode(std::string_view text) const {
  return translated([&] { return data_->model.tokenizer().encode(text); });
}

std::string Model::decode(std::span<const Token> tokens, bool skip_special) const {
  return translated(
      [&] { return data_->model.tokenizer().decode(tokens, {.skip_special = skip_special}); });
}

std::string Model::chat_text(std::span<const Message> messages,
                             const RequestOptions& options) const {
  return translated([&] {
    const unmask::PromptOptions prompt = prompt_options(options);
    std::vector<unmask::ChatMessage> all;
    if (prompt.system) all.push_back({"system", *prompt.system});
    for (const Message& m : messages) all.push_back({m.role, m.content});
    const auto format = unmask::choose_chat_template(data_->model.files(), prompt.format);
    return format.render(all, {.variables = prompt.variables}).text();
  });
}

Plan Model::explain(const Request& request) const {
  return translated([&] {
    const unmask::Explanation found =
        data_->model.costs().explain(Access::request_for(*this, request).request);
    Plan plan{.rows = found.rows,
              .weight_bytes = static_cast<int64_t>(found.weight_bytes),
              .request_bytes = static_cast<int64_t>(found.request_bytes)};
    for (const unmask::PlannedStep& step : found.steps) {
      plan.steps.push_back({.rows = step.rows,
                            .product_operations = step.work.product_operations,
                            .attention_operations = step.work.attention_operations,
                            .weight_bytes = step.work.weight_bytes,
                            .kv_bytes = step.work.kv_bytes,
                            .density = step.density()});
    }
    return plan;
  });
}

std::vector<std::string> cached_models() {
  return translated([] {
    std::vector<std::string> names;
    for (const unmask::CachedModel& m : unmask::list_cached_models(unmask::model_caches())) {
      if (!m.folder.empty()) names.push_back(m.name);
    }
    return names;
  });
}

}  // namespace unmask_v0
