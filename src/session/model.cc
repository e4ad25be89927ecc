#include "session/model.h"

#include "core/platform/processor.h"
#include "kernels/ranks/follower.h"
#include "kernels/ranks/leader.h"
#include "kernels/ranks/row_split.h"

namespace unmask {

namespace {

/// What must be the same on every rank, so that each computes what any other would.
RankFacts facts_of(const ModelFiles& files, WeightType weights, const std::string& kernels,
                   std::span<const LoraAdapter> adapters) {
  RankFacts facts{
      {"kernels", kernels.empty() ? cpu_kernel_names().front() : kernels},
      {"weights", std::string(weight_type_name(weights))},
      {"fingerprint of the weights", fmt::format("{:016x}", files.checkpoint().fingerprint())}};
  for (const LoraAdapter& adapter : adapters) {
    facts.emplace_back(fmt::format("fingerprint of adapter {}", facts.size() - 2),
                       fmt::format("{:016x}", adapter.fingerprint()));
  }
  return facts;
}

/// Whose ranks keep a part of each matrix; null: none do.
Communicator* weight_ranks(const JointLoading* joint) {
  const bool split = joint != nullptr && joint->options().split == RankSplit::columns;
  return split ? &joint->ranks() : nullptr;
}

/// Why a device could not take part; before ranks agree, so that all hear of it.
void require_device(const CudaOptions& cuda, const ModelConfig& config, RankSplit split) {
  if (split == RankSplit::rows) {
    fail("[ranks] split: found rows, expected columns: CUDA devices share the weights");
  }
  if (config.moe.experts > 0) {
    fail(
        "[ranks] model: found experts, expected dense feed-forwards: with --ranks CUDA devices "
        "have no others yet; compute it with --device cpu, or in one process");
  }
  if (const std::string missing = missing_cuda_device(cuda); !missing.empty()) {
    throw Error(missing, ErrorCode::device);
  }
}

/// A backend that shares its work: rank 0's leads the others.
std::unique_ptr<Backend> create_shared_backend(const ModelFiles& files, const CpuOptions& one,
                                               std::span<const LoraAdapter> adapters,
                                               const LoadOptions& options) {
  Communicator& ranks = options.joint->ranks();
  const JointOptions& joint = options.joint->options();
  const bool on_device = options.device == DeviceKind::cuda;
  const CudaOptions cuda{.threads = one.threads, .ranks = &ranks};
  if (on_device) require_device(cuda, files.config(), joint.split);
  options.joint->agree(facts_of(files, one.weights, on_device ? "cuda" : one.kernels, adapters));
  CpuOptions cpu = one;
  cpu.ranks = weight_ranks(options.joint);
  auto own = on_device ? create_cuda_backend(cuda) : create_cpu_backend(cpu);
  if (joint.split == RankSplit::rows) {
    own = create_row_split(
        std::move(own), ranks,
        {.keys = keys_of_attention(one.weights, one.kernels), .threads = one.threads});
  }
  if (!ranks.leads()) {
    return create_following_backend(std::move(own), ranks, {.verifies = joint.verifies});
  }
  return create_leading_backend(std::move(own), ranks,
                                {.stop = options.stop, .verifies = joint.verifies});
}

std::unique_ptr<Backend> create_backend(const ModelFiles& files, int threads, WeightType weights,
                                        std::span<const LoraAdapter> adapters,
                                        const LoadOptions& options) {
  CpuOptions cpu{.threads = threads, .weights = weights};
  if (options.joint != nullptr) return create_shared_backend(files, cpu, adapters, options);
  if (options.device == DeviceKind::cuda) return create_cuda_backend({.threads = threads});
  cpu.stop = options.stop;
  return create_cpu_backend(cpu);
}

Weights adapt_and_load(const ModelFiles& files, std::span<const LoraAdapter> adapters,
                       Backend& backend, int threads, const LoadOptions& options) {
  std::vector<ScaledAdapter> scaled;
  for (size_t i = 0; i < adapters.size(); ++i) {
    scaled.push_back({&adapters[i], options.adapters[i].scale});
  }
  Weights weights = load_weights(files.checkpoint(), files.config(), backend,
                                 {.adapters = scaled,
                                  .threads = threads,
                                  .progress = options.progress,
                                  .ranks = weight_ranks(options.joint)});
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
      weight_ranks_(weight_ranks(options.joint) == nullptr ? 1 : options.joint->ranks().size()),
      adapters_(open_adapters(options.adapters)),
      backend_(create_backend(files_, threads_, weight_type_, adapters_, options)),
      weights_(adapt_and_load(files_, adapters_, *backend_, threads_, options)),
      transformer_(files_.config(), weights_, *backend_),
      prefixes_(options.prefix_bytes) {
  if (options.joint == nullptr) return;
  options.joint->finish();
  if (auto* leader = dynamic_cast<LeadingBackend*>(backend_.get())) leader->lead();
}

void Model::follow() {
  auto* follower = dynamic_cast<FollowingBackend*>(backend_.get());
  UNMASK_CHECK(follower != nullptr, "a model of another rank than 0");
  follower->follow(weights_.embedding);
}

}  // namespace unmask
