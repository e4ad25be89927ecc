// What the post_processor of tokenizer.json puts around a text. Pairs of texts are not our
// business.
#include <nlohmann/json.hpp>
#include <string>

#include "core/error.h"
#include "io/text/vocab_json.h"

namespace unmask {

using nlohmann::json;

namespace {

const json& member(const json& object, const char* key, const std::string& where) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  if (found == object.end()) fail("{}: key '{}' of the post_processor is missing", where, key);
  return *found;
}

/// Ids of a piece {"SpecialToken": {"id": NAME}}.
std::vector<TokenId> ids_of_piece(const json& piece, const json& table, const std::string& where) {
  const json& name = member(member(piece, "SpecialToken", where), "id", where);
  if (!name.is_string()) fail("{}: a SpecialToken of the post_processor has no name", where);
  const auto entry = table.find(name.get_ref<const std::string&>());
  if (entry == table.end()) {
    fail("{}: the post_processor does not say what its token '{}' is", where,
         printable(name.get_ref<const std::string&>()));
  }
  const json& list = member(*entry, "ids", where);
  if (!list.is_array()) fail("{}: key 'ids' of the post_processor must be a list", where);
  std::vector<TokenId> ids;
  for (const json& id : list) ids.push_back(read_token_id(id, where));
  return ids;
}

/// Puts ids around what earlier steps have put there.
void put_around(const std::vector<TokenId>& before, const std::vector<TokenId>& after,
                TokenizerSpec& spec) {
  spec.before.insert(spec.before.begin(), before.begin(), before.end());
  spec.after.insert(spec.after.end(), after.begin(), after.end());
}

void read_template(const json& step, const std::string& where, TokenizerSpec& spec) {
  const json& pieces = member(step, "single", where);
  const json& table = member(step, "special_tokens", where);
  if (!pieces.is_array() || !table.is_object()) {
    fail(
        "{}: keys 'single' and 'special_tokens' of the post_processor must be a list and an object",
        where);
  }
  std::vector<TokenId> before;
  std::vector<TokenId> after;
  bool past_text = false;
  for (const json& piece : pieces) {
    if (piece.is_object() && piece.contains("Sequence")) {
      if (past_text) fail("{}: the post_processor repeats the text", where);
      past_text = true;
      continue;
    }
    const std::vector<TokenId> ids = ids_of_piece(piece, table, where);
    auto& side = past_text ? after : before;
    side.insert(side.end(), ids.begin(), ids.end());
  }
  if (!past_text) fail("{}: the post_processor leaves the text out", where);
  put_around(before, after, spec);
}

/// BertProcessing and RobertaProcessing: "cls" before, "sep" behind, each [TEXT, ID].
void read_pair(const json& step, const std::string& where, TokenizerSpec& spec) {
  const auto id_of = [&](const char* key) {
    const json& pair = member(step, key, where);
    if (!pair.is_array() || pair.size() != 2) {
      fail("{}: key '{}' of the post_processor must be a text and an id", where, key);
    }
    return read_token_id(pair[1], where);
  };
  put_around({id_of("cls")}, {id_of("sep")}, spec);
}

}  // namespace

void read_post_processor(const json& step, const std::string& where, TokenizerSpec& spec) {
  if (step.is_null()) return;
  const json& named = member(step, "type", where);
  const std::string type = named.is_string() ? named.get<std::string>() : named.dump();
  if (type == "ByteLevel") return;  // it moves offsets only
  if (type == "TemplateProcessing") return read_template(step, where, spec);
  if (type == "BertProcessing" || type == "RobertaProcessing") return read_pair(step, where, spec);
  if (type != "Sequence") {
    fail(
        "{}: post_processor '{}' is not supported, only TemplateProcessing, BertProcessing, "
        "RobertaProcessing, ByteLevel and a Sequence of them are",
        where, printable(type));
  }
  const json& parts = member(step, "processors", where);
  if (!parts.is_array()) fail("{}: key 'processors' of the post_processor must be a list", where);
  for (const json& part : parts) read_post_processor(part, where, spec);
}

}  // namespace unmask
