#include "session/model.h"

#include "core/platform/processor.h"

namespace unmask {

namespace {

std::unique_ptr<Backend> create_backend(DeviceKind device, int threads, WeightType weights) {
  if (device == DeviceKind::cuda) return create_cuda_backend({.threads = threads});
  return create_cpu_backend({.threads = threads, .weights = weights});
}

}  // namespace

Model::Model(const ModelFiles& files, const LoadOptions& options)
    : files_(files),
      device_(options.device),
      weight_type_(
          resolve_weight_type(options.weights, device_, files_.checkpoint(), files_.config())),
      threads_(options.threads > 0 ? options.threads : available_threads()),
      backend_(create_backend(device_, threads_, weight_type_)),
      weights_(load_weights(files_.checkpoint(), files_.config(), *backend_, options.progress)),
      transformer_(files_.config(), weights_, *backend_) {}

}  // namespace unmask
