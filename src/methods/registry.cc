#include "methods/registry.h"

#include <cctype>
#include <map>

#include "methods/dkv_cache.h"
#include "methods/dllm_cache.h"
#include "methods/dsb.h"
#include "methods/es_dllm.h"
#include "methods/fast_dllm.h"
#include "methods/flash_cache.h"
#include "methods/full.h"
#include "methods/maskkv.h"
#include "methods/options.h"
#include "methods/prefix_cache.h"
#include "methods/prefix_selection.h"
#include "methods/refresh_pattern.h"
#include "methods/sparse_dllm.h"
#include "methods/sparsed.h"
#include "methods/streaming_dllm.h"
#include "methods/window.h"

namespace unmask {

namespace {

using Factory = std::unique_ptr<Method> (*)(Options& options, const MethodContext& context);

std::unique_ptr<Method> create_full(Options&, const MethodContext&) {
  return std::make_unique<Full>();
}

std::unique_ptr<Method> create_sparsed(Options& options, const MethodContext& context) {
  return std::make_unique<SparseD>(SparseD::read(options, context.config), context.config.n_layers);
}

std::unique_ptr<Method> create_sliding_window(Options& options, const MethodContext& context) {
  return std::make_unique<Window>("sliding-window", Window::read(options, false),
                                  context.config.n_heads);
}

std::unique_ptr<Method> create_streaming_llm(Options& options, const MethodContext& context) {
  return std::make_unique<Window>("streaming-llm", Window::read(options, true),
                                  context.config.n_heads);
}

/// What a method can be combined with: a cache takes a pattern for its refresh passes.
enum class Kind : uint8_t { alone, cache, pattern };

struct Entry {
  Factory create;
  Kind kind;
  Factory create_block_causal = nullptr;  // where the method means something else there
};

const std::map<std::string, Entry, std::less<>>& entries() {
  static const std::map<std::string, Entry, std::less<>> list{
      {"block-cache", {create_prefix_cache, Kind::alone}},
      {"dkv-cache", {create_dkv_cache, Kind::cache}},
      {"dllm-cache", {create_dllm_cache, Kind::alone}},
      {"dsb", {create_dsb, Kind::alone}},
      {"es-dllm", {create_es_dllm, Kind::alone}},
      {"fast-dllm", {create_fast_dllm, Kind::cache}},
      {"flash-cache", {create_flash_cache, Kind::alone}},
      {"full", {create_full, Kind::alone}},
      {"maskkv", {create_maskkv, Kind::cache}},
      {"sliding-window", {create_sliding_window, Kind::pattern, create_prefix_window}},
      {"sparse-dllm", {create_sparse_dllm, Kind::cache, create_prefix_sparse_dllm}},
      {"sparsed", {create_sparsed, Kind::pattern, create_prefix_sparsed}},
      {"streaming-dllm", {create_streaming_dllm, Kind::alone}},
      {"streaming-llm", {create_streaming_llm, Kind::pattern, create_prefix_streaming}},
  };
  return list;
}

const Entry& entry_of(std::string_view name) {
  const auto found = entries().find(name);
  if (found == entries().end()) {
    fail("[method] unknown method '{}'; there is {}", printable(name),
         fmt::join(method_names(), ", "));
  }
  return found->second;
}

std::string_view name_of(std::string_view spec) { return spec.substr(0, spec.find(':')); }

/// Position of the '+' between two methods; npos without. Methods begin with a letter, so the '+'
/// of a number like 1e+3 is none.
size_t find_plus(std::string_view spec) {
  for (size_t i = spec.find('+'); i != std::string_view::npos; i = spec.find('+', i + 1)) {
    if (i + 1 == spec.size() || std::isalpha(static_cast<unsigned char>(spec[i + 1])) != 0)
      return i;
  }
  return std::string_view::npos;
}

std::vector<std::string> names_of(Kind kind) {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries()) {
    if (entry.kind == kind) names.push_back(name);
  }
  return names;
}

std::unique_ptr<Method> create_one(std::string_view spec, const MethodContext& context) {
  const std::string_view name = name_of(spec);
  const Entry& entry = entry_of(name);
  Options options(name, name.size() < spec.size() ? spec.substr(name.size() + 1) : "");
  const bool own = context.config.visibility.is_block_causal() && entry.create_block_causal;
  auto method = (own ? entry.create_block_causal : entry.create)(options, context);
  options.check_all_read();
  return method;
}

/// Names of the methods that work on the model and are `able`.
template <typename Able>
std::vector<std::string> names_where(const MethodContext& context, const Able& able) {
  std::vector<std::string> names;
  for (const std::string& name : method_names()) {
    const auto method = create_one(name, context);
    if (method->supports(context.config.visibility) && able(*method)) names.push_back(name);
  }
  return names;
}

[[noreturn]] void refuse_visibility(std::string_view spec, const MethodContext& context) {
  const Visibility& visibility = context.config.visibility;
  const auto able = names_where(context, [](const Method&) { return true; });
  fail("[method] '{}' does not fit this model, whose positions see {}; what fits is {}",
       printable(spec), visibility.is_block_causal() ? "only their block and those before" : "all",
       fmt::join(able, ", "));
}

std::unique_ptr<Method> create(std::string_view spec, const MethodContext& context) {
  const size_t plus = find_plus(spec);
  if (plus == std::string_view::npos) return create_one(spec, context);
  // No pass of a block-causal model is a refresh.
  if (context.config.visibility.is_block_causal()) refuse_visibility(spec, context);
  const std::string_view cache = spec.substr(0, plus);
  const std::string_view pattern = spec.substr(plus + 1);
  if (find_plus(pattern) != std::string_view::npos ||
      entry_of(name_of(cache)).kind != Kind::cache ||
      entry_of(name_of(pattern)).kind != Kind::pattern) {
    fail(
        "[method] '{}' cannot be combined; what can is CACHE+PATTERN, a cache being one of {} and "
        "a pattern one of {}",
        printable(spec), fmt::join(names_of(Kind::cache), ", "),
        fmt::join(names_of(Kind::pattern), ", "));
  }
  return std::make_unique<RefreshPattern>(create_one(cache, context), create_one(pattern, context));
}

}  // namespace

std::unique_ptr<Method> create_method(std::string_view spec, const MethodContext& context) {
  auto method = create(spec, context);
  if (!method->supports(context.config.visibility)) refuse_visibility(spec, context);
  return method;
}

std::vector<std::string> method_names() {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries()) names.push_back(name);
  return names;
}

std::vector<std::string> drafting_methods(const ModelConfig& config) {
  return names_where({config, 0}, [](const Method& method) { return method.takes_drafts(); });
}

std::vector<std::string> method_options(std::string_view name) {
  ModelConfig config;
  config.n_layers = config.n_heads = config.n_kv_heads = 1;
  Options options(name, "");
  entry_of(name).create(options, {config, 0});
  return options.known();
}

}  // namespace unmask
