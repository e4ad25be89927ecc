#include "kernels/ranks/follower.h"

#include <exception>
#include <map>
#include <utility>
#include <vector>

#include "kernels/ranks/message.h"
#include "kernels/ranks/state_hash.h"

namespace unmask {

namespace {

/// A task of attention and what it refers to.
struct ReceivedTask {
  AttentionTask task;
  std::vector<int> positions{};
  std::vector<int> key_ends{};
  std::vector<float> lse{};
  BlockImportance importance{};
  BlockPattern pattern{};
};

class Follower final : public FollowingBackend {
 public:
  Follower(std::unique_ptr<Backend> own, Communicator& ranks, const FollowOptions& options)
      : FollowingBackend(std::move(own)), ranks_(ranks), hash_(options.verifies, inner()) {}

  Buffer allocate(size_t bytes) override {
    Buffer memory = inner().allocate(bytes);
    buffers_.push_back(static_cast<std::byte*>(memory.data()));
    return memory;
  }
  std::unique_ptr<PackedMatrix> pack(const HostMatrix& weights) override {
    auto packed = inner().pack(weights);
    matrices_.push_back(packed.get());
    return packed;
  }
  std::vector<std::unique_ptr<PackedMatrix>> pack_together(
      std::span<const HostMatrix> weights) override {
    auto packed = inner().pack_together(weights);
    for (const auto& matrix : packed) matrices_.push_back(matrix.get());
    return packed;
  }

  void follow(const HostMatrix& embedding) override;

 private:
  /// False at the end.
  bool repeat(Call call, MessageReader& m, const HostMatrix& embedding);
  void repeat_upload(MessageReader& m);
  void repeat_linear(MessageReader& m);
  void repeat_experts(MessageReader& m);
  void repeat_rms_norm(MessageReader& m);
  void repeat_rope(MessageReader& m);
  void repeat_attention(MessageReader& m);
  void repeat_gather(Call call, MessageReader& m);
  ReceivedTask task(MessageReader& m, const HeadShape& shape);

  Tensor tensor(MessageReader& m) const;
  const PackedMatrix* matrix(int32_t number) const {
    return matrices_[static_cast<size_t>(number)];
  }

  Communicator& ranks_;
  StateHash hash_;
  std::vector<std::byte*> buffers_;  // by number
  std::map<int32_t, Buffer> own_;    // those that nobody here asked for
  std::vector<const PackedMatrix*> matrices_;
  std::map<int32_t, PackedKv> packed_;  // of the caches of rank 0
};

void Follower::follow(const HostMatrix& embedding) try {
  for (bool goes_on = true; goes_on;) {
    MessageReader m(ranks_.receive());
    const auto call = m.get<Call>();
    goes_on = repeat(call, m, embedding);
  }
} catch (const std::exception& error) {
  ranks_.give_up(
      fmt::format("[ranks] rank {} of {}: {}", ranks_.rank(), ranks_.size(), error.what()));
}

bool Follower::repeat(Call call, MessageReader& m, const HostMatrix& embedding) {
  switch (call) {
    case Call::allocate: {
      const auto number = static_cast<int32_t>(buffers_.size());
      own_[number] = allocate(m.get<size_t>());
      return true;
    }
    case Call::free: own_.erase(m.get<int32_t>()); return true;
    case Call::forget_packed: packed_.erase(m.get<int32_t>()); return true;
    case Call::upload: repeat_upload(m); return true;
    case Call::embed: {
      const auto tokens = m.get_list<TokenId>();
      const Tensor out = tensor(m);
      inner().embed(tokens, embedding, out);
      hash_.add(out);
      return true;
    }
    case Call::linear: repeat_linear(m); return true;
    case Call::experts: repeat_experts(m); return true;
    case Call::rms_norm: repeat_rms_norm(m); return true;
    case Call::rope: repeat_rope(m); return true;
    case Call::attention: repeat_attention(m); return true;
    case Call::add:
    case Call::extrapolate: {
      const Tensor x = tensor(m);
      const Tensor y = tensor(m);
      if (call == Call::add) {
        inner().add(x, y);
      } else {
        inner().extrapolate(x, y, m.get<float>());
      }
      hash_.add(x);
      return true;
    }
    case Call::gather:
    case Call::scatter: repeat_gather(call, m); return true;
    case Call::complete: {
      const Tensor t = tensor(m);
      inner().complete(t);
      hash_.add(t);
      return true;
    }
    case Call::compare: hash_.gather(ranks_); return true;
    case Call::end: break;
  }
  return false;
}

Tensor Follower::tensor(MessageReader& m) const {
  const auto place = m.get<TensorPlace>();
  if (place.buffer < 0) return {};
  return {buffers_[static_cast<size_t>(place.buffer)] + place.offset, place.dtype, place.rows,
          place.cols, place.stride};
}

void Follower::repeat_upload(MessageReader& m) {
  const Tensor out = tensor(m);
  inner().upload(m.get_list<float>().data(), out);
  hash_.add(out);
}

void Follower::repeat_linear(MessageReader& m) {
  const Tensor x = tensor(m);
  std::vector<LinearMap> maps(m.get<size_t>());
  for (LinearMap& map : maps) {
    map.weights = matrix(m.get<int32_t>());
    map.out = tensor(m);
    map.bias = tensor(m);
    map.into = m.get<Into>();
  }
  inner().linear(x, maps);
  for (const LinearMap& map : maps) hash_.add(map.out);
}

void Follower::repeat_experts(MessageReader& m) {
  const Tensor x = tensor(m);
  Experts experts{.router = tensor(m), .router_bias = tensor(m), .maps = {}};
  experts.routing = m.get<Routing>();
  const Tensor out = tensor(m);
  const auto into = m.get<Into>();
  const bool has_shared = m.get<bool>();
  const auto numbers = m.get_list<int32_t>();
  std::vector<GatedMaps> maps;
  for (size_t i = 0; i < numbers.size(); i += 3) {
    maps.push_back({matrix(numbers[i]), matrix(numbers[i + 1]), matrix(numbers[i + 2])});
  }
  experts.maps = std::span(maps).first(maps.size() - (has_shared ? 1 : 0));
  if (has_shared) experts.shared = &maps.back();
  inner().experts(x, experts, out, into);
  hash_.add(out);
}

void Follower::repeat_rms_norm(MessageReader& m) {
  const Tensor x = tensor(m);
  const Tensor weight = tensor(m);
  const auto eps = m.get<float>();
  const Tensor out = tensor(m);
  inner().rms_norm(x, weight, eps, out);
  hash_.add(out);
}

void Follower::repeat_rope(MessageReader& m) {
  const Tensor x = tensor(m);
  const auto positions = m.get_list<int>();
  Rotation rotation;
  rotation.frequencies = m.get_list<float>();
  rotation.scale = m.get<float>();
  inner().rope(x, positions, rotation);
  hash_.add(x);
}

ReceivedTask Follower::task(MessageReader& m, const HeadShape& shape) {
  ReceivedTask received;
  AttentionTask& task = received.task;
  for (Tensor* t : {&task.q, &task.kv.k, &task.kv.v, &task.out}) *t = tensor(m);
  if (const auto number = m.get<int32_t>(); number >= 0) {
    task.kv.packed = &packed_[number];
    const auto fresh = m.get_list<uint8_t>();
    task.kv.packed->fresh.assign(fresh.begin(), fresh.end());
  }
  received.positions = m.get_list<int>();
  received.key_ends = m.get_list<int>();
  if (m.get<bool>()) {
    received.lse.resize(static_cast<size_t>(task.q.rows) * static_cast<size_t>(shape.n_heads));
  }
  if (m.get<bool>()) {
    received.importance.block_size = m.get<int>();
    received.importance.scale = m.get<float>();
    received.importance.first_generation_block = m.get<int>();
  }
  if (m.get<bool>()) {
    const auto block_size = m.get<int>();
    const auto key_size = m.get<int>();
    const auto heads = m.get<int>();
    const auto blocks = m.get<int>();
    received.pattern = key_size == block_size ? BlockPattern(block_size, heads, blocks)
                                              : BlockPattern::of_columns(block_size, heads, blocks);
    for (int i = 0; i < heads * blocks; ++i) received.pattern.append(m.get_list<uint16_t>());
  }
  return received;
}

void Follower::repeat_attention(MessageReader& m) {
  const auto shape = m.get<HeadShape>();
  std::vector<ReceivedTask> received;
  const auto n = m.get<size_t>();
  for (size_t i = 0; i < n; ++i) received.push_back(task(m, shape));
  std::vector<AttentionTask> tasks;
  for (ReceivedTask& r : received) {
    r.task.positions = r.positions;
    r.task.key_ends = r.key_ends;
    if (!r.lse.empty()) r.task.lse = r.lse.data();
    if (r.importance.block_size > 0) r.task.importance = &r.importance;
    if (r.pattern.n_blocks() > 0) r.task.pattern = &r.pattern;
    tasks.push_back(r.task);
  }
  inner().attention(tasks, shape);
  for (const AttentionTask& task : tasks) hash_.add(task.out);
}

void Follower::repeat_gather(Call call, MessageReader& m) {
  const Tensor from = tensor(m);
  const Rows rows(m.get_list<int>());
  const Tensor out = tensor(m);
  if (call == Call::gather) {
    inner().gather(from, rows, out);
  } else {
    inner().scatter(from, rows, out);
  }
  hash_.add(out);
}

}  // namespace

std::unique_ptr<FollowingBackend> create_following_backend(std::unique_ptr<Backend> own,
                                                           Communicator& ranks,
                                                           const FollowOptions& options) {
  return std::make_unique<Follower>(std::move(own), ranks, options);
}

}  // namespace unmask
