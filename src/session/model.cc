#include "session/model.h"

#include "core/platform/processor.h"

namespace unmask {

namespace {

std::unique_ptr<Backend> create_backend(DeviceKind device, int threads, WeightType weights,
                                        StopToken stop) {
  if (device == DeviceKind::cuda) return create_cuda_backend({.threads = threads});
  return create_cpu_backend({.threads = threads, .weights = weights, .stop = stop});
}

Weights adapt_and_load(const ModelFiles& files, std::span<const LoraAdapter> adapters,
                       Backend& backend, int threads, const LoadOptions& options) {
  std::vector<ScaledAdapter> scaled;
  for (size_t i = 0; i < adapters.size(); ++i) {
    scaled.push_back({&adapters[i], options.adapters[i].scale});
  }
  Weights weights =
      load_weights(files.checkpoint(), files.config(), backend,
                   {.adapters = scaled, .threads = threads, .progress = options.progress});
  for (const LoraAdapter& adapter : adapters) adapter.release();
  return weights;
}

}  // namespace

Model::Model(const ModelFiles& files, const LoadOptions& options)
    : files_(files),
      device_(options.device),
      weight_type_(
          resolve_weight_type(options.weights, device_, files_.checkpoint(), files_.config())),
      sizes_(element_sizes(device_, weight_type_, files_.checkpoint(), files_.config())),
      threads_(options.threads > 0 ? options.threads : available_threads()),
      adapters_(open_adapters(options.adapters)),
      backend_(create_backend(device_, threads_, weight_type_, options.stop)),
      weights_(adapt_and_load(files_, adapters_, *backend_, threads_, options)),
      transformer_(files_.config(), weights_, *backend_),
      prefixes_(options.prefix_bytes) {}

}  // namespace unmask
