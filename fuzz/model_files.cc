// The texts beside the weights: configuration, tokenizer, chat template.
#include "io/model_config.h"
#include "io/text/chat_template.h"
#include "io/text/tokenizer.h"
#include "io/text/utf8.h"
#include "session/cached_models.h"
#include "support.h"
#include "support/byte_model.h"
#include "support/temp_dir.h"
#include "targets.h"
#include "text_properties.h"

namespace unmask::fuzz {

void config(std::string_view input) {
  const std::string config(take_part(input));
  refused([&] {
    const ModelConfig model = parse_model_config(config, input.empty() ? "{}" : std::string(input));
    require(model.n_layers > 0 && model.dim > 0 && model.vocab_size > 0, "sizes are positive");
    require(model.n_heads % model.n_kv_heads == 0, "query heads share key heads evenly");
    require(model.mask_id >= 0 && model.mask_id < model.vocab_size, "the mask is a token");
    for (const TokenId id : model.stop_ids) {
      require(id >= 0 && id < model.vocab_size, "end tokens are tokens");
    }
    require(count_parameters(model) > 0, "a model has parameters");
  });
}

void tokenizer(std::string_view input) {
  static const testing::TempDir folder;
  folder.write("tokenizer.json", take_part(input));
  folder.write("tokenizer_config.json", input.empty() ? "{}" : input);
  refused([&] {
    const Tokenizer tokenizer = Tokenizer::load(folder.path());
    for (const char* text : {"Hello there 123\n\n  x\t<|eot_id|>", "\xff\xc3 caf\xc3\xa9 e\xcc\x81",
                             "'s'S aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}) {
      check_encoding(tokenizer, text);
    }
  });
}

void chat_template(std::string_view input) {
  static const ModelFiles files = testing::files_of(Family::llada, {}, {"<|end|>"});
  const std::string_view source = take_part(input);
  std::vector<ChatMessage> messages;
  while (!input.empty()) {
    const std::string role(take_part(input));
    messages.push_back({role, std::string(take_part(input))});
  }
  refused([&] {
    const ChatTemplate format = ChatTemplate::parse(source, files.tokenizer());
    const ChatOptions options{.now = 0};
    const PromptText first = format.render(messages, options);
    require(format.render(messages, options).text() == first.text(), "a template has one result");
    require(sanitize_utf8(first.text()) == first.text(), "a prompt is UTF-8");
    size_t end = 0;
    for (const PromptText::Stretch& stretch : first.open()) {
      require(
          stretch.begin >= end && stretch.end > stretch.begin && stretch.end <= first.text().size(),
          "stretches ascend inside the text");
      require(!first.is_quoted(stretch.begin, stretch.end), "an open stretch is not quoted");
      end = stretch.end;
    }
  });
}

}  // namespace unmask::fuzz
