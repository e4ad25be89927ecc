// The files of a model, read once, be it a folder or a GGUF file: configuration, tokenizer, chat
// template, checkpoint.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "io/containers/tensor_directory.h"
#include "io/model_config.h"
#include "io/text/chat_template.h"
#include "io/text/tokenizer.h"

namespace unmask {

/// Everything of a model but its weights in memory, so that mistakes in a request show before those
/// are loaded. A handle: copies share what was read. May be used from several threads.
class ModelFiles {
 public:
  /// Reads configuration and tokenizer of what find_model() makes of `model`. Throws Error when
  /// that is no supported model.
  static ModelFiles open(const std::filesystem::path& model, const ModelOverrides& overrides = {});
  /// Of parts that came from elsewhere; there is neither a checkpoint nor a chat template.
  ModelFiles(ModelConfig config, Tokenizer tokenizer);

  /// A directory, or a GGUF file.
  const std::filesystem::path& path() const;
  /// The name of the directory or file, or ORG/NAME[/FILE.gguf] in a cache of the hub, safe to
  /// print.
  std::string name() const;
  const ModelConfig& config() const;
  const Tokenizer& tokenizer() const;
  /// Tokens that end an answer: those of the configuration and the ends of a turn of the known chat
  /// templates.
  const std::vector<TokenId>& stop_ids() const;
  /// Opened at the first call. Throws Error when it is missing or malformed.
  const TensorDirectory& checkpoint() const;
  /// Whether a LoRA adapter lies beside the model; it changes nothing by itself.
  bool has_adapter() const;
  /// Read at the first call. Throws Error (chat_format) when there is none or it cannot be run.
  const ChatTemplate& chat_template() const;

 private:
  struct Data;
  explicit ModelFiles(std::shared_ptr<Data> data);
  std::shared_ptr<Data> data_;
};

}  // namespace unmask
