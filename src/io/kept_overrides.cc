#include "io/kept_overrides.h"

#include <nlohmann/json.hpp>

#include "io/config_reader.h"
#include "io/containers/packed_file.h"
#include "io/json_file.h"
#include "io/model_folder.h"

namespace unmask {

std::string overrides_text(const ModelOverrides& overrides) {
  nlohmann::ordered_json text = nlohmann::ordered_json::object();
  const auto keep = [&](const char* key, const auto& value) {
    if (value) text[key] = *value;
  };
  keep("family", overrides.family);
  keep("mask_id", overrides.mask_id);
  keep("eos_id", overrides.eos_id);
  keep("block", overrides.block);
  keep("shift_logits", overrides.shift_logits);
  return text.empty() ? "" : json_line(text);
}

ModelOverrides with_kept_overrides(const std::filesystem::path& model,
                                   const ModelOverrides& given) {
  if (!is_packed_file(model) || !has_file(model / kOverridesFile)) return given;
  const ConfigReader kept(model / kOverridesFile);
  ModelOverrides all = given;
  if (!all.family) all.family = kept.optional_string("family");
  if (!all.mask_id) all.mask_id = kept.optional_int("mask_id");
  if (!all.eos_id) all.eos_id = kept.optional_int("eos_id");
  if (!all.block) all.block = kept.optional_int("block");
  if (!all.shift_logits) all.shift_logits = kept.optional_flag("shift_logits");
  return all;
}

}  // namespace unmask
