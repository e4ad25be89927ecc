#include "session/model_files.h"

#include <algorithm>
#include <mutex>

#include "core/error.h"
#include "io/lora.h"
#include "model/families.h"
#include "session/find_model.h"

namespace unmask {

struct ModelFiles::Data {
  Data(std::filesystem::path where, ModelConfig read_config, Tokenizer read_tokenizer)
      : path(std::move(where)),
        config(std::move(read_config)),
        tokenizer(std::move(read_tokenizer)),
        stop_ids(config.stop_ids) {
    for (const std::string_view end_of_turn : {"<|eot_id|>", "<|im_end|>", "<|role_end|>"}) {
      const auto id = tokenizer.added_token(end_of_turn);
      if (id && std::count(stop_ids.begin(), stop_ids.end(), *id) == 0) stop_ids.push_back(*id);
    }
  }

  std::filesystem::path path;
  ModelConfig config;
  Tokenizer tokenizer;
  std::vector<TokenId> stop_ids;
  std::once_flag opened;
  std::unique_ptr<TensorDirectory> checkpoint;
  std::once_flag template_read;
  std::optional<ChatTemplate> chat_template;
};

ModelFiles::ModelFiles(std::shared_ptr<Data> data) : data_(std::move(data)) {}

ModelFiles::ModelFiles(ModelConfig config, Tokenizer tokenizer)
    : ModelFiles(std::make_shared<Data>("", std::move(config), std::move(tokenizer))) {}

ModelFiles ModelFiles::open(const std::filesystem::path& model, const ModelOverrides& overrides) {
  const std::filesystem::path found = find_model(model.string(), model_caches());
  ModelConfig config = load_model_config(found, overrides);
  return ModelFiles(std::make_shared<Data>(found, std::move(config), Tokenizer::load(found)));
}

const std::filesystem::path& ModelFiles::path() const { return data_->path; }

std::string ModelFiles::name() const { return printable(model_name(data_->path)); }

const ModelConfig& ModelFiles::config() const { return data_->config; }
const Tokenizer& ModelFiles::tokenizer() const { return data_->tokenizer; }
const std::vector<TokenId>& ModelFiles::stop_ids() const { return data_->stop_ids; }

const TensorDirectory& ModelFiles::checkpoint() const {
  std::call_once(data_->opened,
                 [&] { data_->checkpoint = open_checkpoint(data_->path, data_->config); });
  return *data_->checkpoint;
}

bool ModelFiles::has_adapter() const {
  std::error_code none;
  return std::filesystem::exists(data_->path / LoraAdapter::kConfigName, none);
}

const ChatTemplate& ModelFiles::chat_template() const {
  std::call_once(data_->template_read,
                 [&] { data_->chat_template = ChatTemplate::load(data_->path, data_->tokenizer); });
  return *data_->chat_template;
}

}  // namespace unmask
