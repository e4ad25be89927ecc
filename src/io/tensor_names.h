// Names of tensors as training tools leave them: wrapped, prefixed, or cut short.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace unmask {

std::vector<std::string> split_tensor_name(std::string_view name);
std::string join_tensor_name(std::span<const std::string> parts);

/// `name` without the parts that compiling, distributing or adapting a model puts into its names:
/// "_orig_mod", "module", "base_model", "_fsdp_wrapped_module", "_checkpoint_wrapped_module".
std::string without_wrappers(std::string_view name);

/// `name` without the leading parts "model": what a model and the model around it call a tensor.
std::string_view without_model_prefix(std::string_view name);

/// For each expected name the stored one that means it: the same, else the one that ends with it
/// when wrappers and "model." do not count, where all of them begin alike. None where a name is not
/// found, or two fit.
std::optional<std::map<std::string, std::string>> match_tensor_names(
    std::span<const std::string> expected, std::span<const std::string_view> stored);

}  // namespace unmask
