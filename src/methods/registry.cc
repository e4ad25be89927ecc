#include "methods/registry.h"

#include <map>

#include "methods/dkv_cache.h"
#include "methods/dllm_cache.h"
#include "methods/fast_dllm.h"
#include "methods/full.h"
#include "methods/options.h"
#include "methods/sparse_dllm.h"
#include "methods/sparsed.h"
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

const std::map<std::string, Factory, std::less<>>& factories() {
  static const std::map<std::string, Factory, std::less<>> list{
      {"dkv-cache", create_dkv_cache},
      {"dllm-cache", create_dllm_cache},
      {"fast-dllm", create_fast_dllm},
      {"full", create_full},
      {"sliding-window", create_sliding_window},
      {"sparse-dllm", create_sparse_dllm},
      {"sparsed", create_sparsed},
      {"streaming-llm", create_streaming_llm},
  };
  return list;
}

}  // namespace

std::unique_ptr<Method> create_method(std::string_view spec, const MethodContext& context) {
  const std::string_view name = spec.substr(0, spec.find(':'));
  const auto found = factories().find(name);
  if (found == factories().end()) {
    fail("[method] unknown method '{}'; there is {}", printable(name),
         fmt::join(method_names(), ", "));
  }
  Options options(name, name.size() < spec.size() ? spec.substr(name.size() + 1) : "");
  auto method = found->second(options, context);
  options.check_all_read();
  return method;
}

std::vector<std::string> method_names() {
  std::vector<std::string> names;
  for (const auto& [name, factory] : factories()) names.push_back(name);
  return names;
}

}  // namespace unmask
