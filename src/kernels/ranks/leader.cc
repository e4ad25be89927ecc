#include "kernels/ranks/leader.h"

#include <exception>
#include <map>
#include <utility>

#include "kernels/ranks/message.h"
#include "kernels/ranks/numbers.h"
#include "kernels/ranks/state_hash.h"

namespace unmask {

namespace {

class Leader final : public LeadingBackend {
 public:
  Leader(std::unique_ptr<Backend> own, Communicator& ranks, const LeadOptions& options)
      : LeadingBackend(std::move(own)),
        ranks_(ranks),
        options_(options),
        numbers_(std::make_shared<Numbers>(ranks)),
        hash_(options.verifies, inner()) {}
  ~Leader() override {
    numbers_->tell(MessageWriter(Call::end));
    numbers_->leads = false;
  }

  void lead() override { numbers_->leads = true; }

  Buffer allocate(size_t bytes) override;
  void upload(const float* host, Tensor out) override;
  void complete(Tensor t) override { read({t}); }
  std::unique_ptr<PackedMatrix> pack(const HostMatrix& weights) override {
    auto packed = inner().pack(weights);
    numbers_->add_matrix(packed.get());
    return packed;
  }
  std::vector<std::unique_ptr<PackedMatrix>> pack_together(
      std::span<const HostMatrix> weights) override {
    auto packed = inner().pack_together(weights);
    for (const auto& matrix : packed) numbers_->add_matrix(matrix.get());
    return packed;
  }

  void embed(std::span<const TokenId> tokens, const HostMatrix& table, Tensor out) override;
  using Backend::linear;
  void linear(Tensor x, std::span<const LinearMap> maps) override;
  void experts(Tensor x, const Experts& experts, Tensor out, Into into) override;
  void rms_norm(Tensor x, Tensor weight, float eps, Tensor out) override;
  void rope(Tensor x, std::span<const int> positions, const Rotation& rotation) override;
  void attention(std::span<const AttentionTask> tasks, const HeadShape& shape) override;
  void add(Tensor x, Tensor y) override;
  void extrapolate(Tensor x, Tensor y, float scale) override;
  void gather(Tensor from, const Rows& rows, Tensor out) override;
  void scatter(Tensor from, const Rows& rows, Tensor out) override;

 private:
  using Mirrors = std::map<PackedKv*, std::shared_ptr<PackedKeys>>;

  TensorPlace place(Tensor t) const { return numbers_->place(t); }
  MessageWriter message(Call call) const {
    if (options_.stop.raised()) throw Stopped{};
    return MessageWriter(call);
  }
  /// Tells the others of a call and does it here; `out` is what it writes.
  template <typename Work>
  void together(const MessageWriter& message, std::initializer_list<Tensor> out, const Work& work);
  /// Rank 0 gets the parts of others, and ranks are compared.
  void read(std::initializer_list<Tensor> tensors) override;
  void compare();

  /// What a cache has packed, as the inner backend left it, until take_back().
  std::shared_ptr<PackedKeys> hand_over(PackedKv& packed);
  void take_back(PackedKv& packed, const std::shared_ptr<PackedKeys>& keys);
  void put_task(const AttentionTask& task, const Mirrors& mirrors, MessageWriter& to) const;

  Communicator& ranks_;
  LeadOptions options_;
  std::shared_ptr<Numbers> numbers_;
  StateHash hash_;
  int32_t next_packed_ = 0;
  std::map<const void*, std::weak_ptr<PackedKeys>> packed_;  // by the address of their keys
};

template <typename Work>
void Leader::together(const MessageWriter& message, std::initializer_list<Tensor> out,
                      const Work& work) {
  if (!numbers_->leads) return work();
  numbers_->tell(message);
  try {
    work();
  } catch (const std::exception& error) {
    ranks_.give_up(fmt::format("[ranks] rank 0 of {}: {}", ranks_.size(), error.what()));
  }
  for (const Tensor& t : out) hash_.add(t);
}

void Leader::read(std::initializer_list<Tensor> tensors) {
  for (const Tensor& t : tensors) {
    MessageWriter m = message(Call::complete);
    m.put(place(t));
    together(m, {t}, [&] { inner().complete(t); });
  }
  compare();
}

void Leader::compare() {
  const MessageWriter compare = message(Call::compare);
  if (!options_.verifies || !numbers_->leads) return;
  numbers_->tell(compare);
  const std::vector<uint64_t> hashes = hash_.gather(ranks_);
  for (size_t r = 1; r < hashes.size(); ++r) {
    if (hashes[r] == hashes[0]) continue;
    fail("[ranks] rank {} of {} has computed something else: found hash {:016x}, expected {:016x}",
         r, hashes.size(), hashes[r], hashes[0]);
  }
}

Buffer Leader::allocate(size_t bytes) {
  auto memory = std::make_shared<Buffer>(inner().allocate(bytes));
  void* data = memory->data();
  const int number = numbers_->add_buffer(data, bytes);
  MessageWriter allocated(Call::allocate);
  allocated.put(bytes);
  numbers_->tell(allocated);
  return {data, bytes, [numbers = numbers_, memory, number](void* p) {
            numbers->remove_buffer(p, number);
            *memory = {};
          }};
}

void Leader::upload(const float* host, Tensor out) {
  MessageWriter m = message(Call::upload);
  m.put(place(out));
  m.put_list(std::span(host, static_cast<size_t>(out.rows) * static_cast<size_t>(out.cols)));
  together(m, {out}, [&] { inner().upload(host, out); });
}

void Leader::embed(std::span<const TokenId> tokens, const HostMatrix& table, Tensor out) {
  MessageWriter m = message(Call::embed);
  inner().embed(tokens, table, out);  // first: ids may be wrong, of which the others need not hear
  m.put_list(tokens);
  m.put(place(out));
  together(m, {out}, [] {});
}

void Leader::linear(Tensor x, std::span<const LinearMap> maps) {
  MessageWriter m = message(Call::linear);
  m.put(place(x));
  m.put(maps.size());
  for (const LinearMap& map : maps) {
    m.put(numbers_->number_of(map.weights));
    m.put(place(map.out));
    m.put(place(map.bias));
    m.put(map.into);
  }
  together(m, {}, [&] { inner().linear(x, maps); });
  for (const LinearMap& map : maps) hash_.add(map.out);
}

void Leader::experts(Tensor x, const Experts& experts, Tensor out, Into into) {
  MessageWriter m = message(Call::experts);
  m.put(place(x));
  m.put(place(experts.router));
  m.put(place(experts.router_bias));
  m.put(experts.routing);
  m.put(place(out));
  m.put(into);
  std::vector<int32_t> matrices;
  const auto add = [&](const GatedMaps& maps) {
    for (const PackedMatrix* matrix : {maps.gate, maps.up, maps.down}) {
      matrices.push_back(numbers_->number_of(matrix));
    }
  };
  for (const GatedMaps& maps : experts.maps) add(maps);
  if (experts.shared != nullptr) add(*experts.shared);
  m.put(experts.shared != nullptr);
  m.put_list(std::span<const int32_t>(matrices));
  together(m, {out}, [&] { inner().experts(x, experts, out, into); });
}

void Leader::rms_norm(Tensor x, Tensor weight, float eps, Tensor out) {
  MessageWriter m = message(Call::rms_norm);
  m.put(place(x));
  m.put(place(weight));
  m.put(eps);
  m.put(place(out));
  together(m, {out}, [&] { inner().rms_norm(x, weight, eps, out); });
}

void Leader::rope(Tensor x, std::span<const int> positions, const Rotation& rotation) {
  MessageWriter m = message(Call::rope);
  m.put(place(x));
  m.put_list(positions);
  m.put_list(std::span(rotation.frequencies));
  m.put(rotation.scale);
  together(m, {x}, [&] { inner().rope(x, positions, rotation); });
}

std::shared_ptr<PackedKeys> Leader::hand_over(PackedKv& packed) {
  const auto known = packed_.find(packed.keys.data());
  if (packed.keys.data() == nullptr || known == packed_.end() || known->second.expired()) {
    return std::make_shared<PackedKeys>(numbers_, next_packed_++);
  }
  auto keys = known->second.lock();
  packed_.erase(known);
  packed.keys = std::move(keys->keys);
  return keys;
}

void Leader::take_back(PackedKv& packed, const std::shared_ptr<PackedKeys>& keys) {
  if (packed.keys.data() == nullptr) return;
  keys->keys = std::move(packed.keys);
  packed.keys = Buffer(keys->keys.data(), keys->keys.bytes(), [keys](void*) {});
  packed_[keys->keys.data()] = keys;
}

void Leader::put_task(const AttentionTask& task, const Mirrors& mirrors, MessageWriter& to) const {
  for (const Tensor& t : {task.q, task.kv.k, task.kv.v, task.out}) to.put(place(t));
  PackedKv* const packed = task.kv.packed;
  to.put(packed == nullptr ? -1 : mirrors.at(packed)->number());
  if (packed != nullptr) {
    const std::vector<uint8_t> fresh(packed->fresh.begin(), packed->fresh.end());
    to.put_list(std::span<const uint8_t>(fresh));
  }
  to.put_list(task.positions);
  to.put_list(task.key_ends);
  to.put(task.lse != nullptr);
  to.put(task.importance != nullptr);
  if (const BlockImportance* i = task.importance) {
    to.put(i->block_size);
    to.put(i->scale);
    to.put(i->first_generation_block);
  }
  to.put(task.pattern != nullptr);
  if (const BlockPattern* p = task.pattern) {
    to.put(p->block_size());
    to.put(p->key_size());
    to.put(p->n_heads());
    to.put(p->n_blocks());
    for (int head = 0; head < p->n_heads(); ++head) {
      for (int block = 0; block < p->n_blocks(); ++block) to.put_list(p->list(head, block));
    }
  }
}

void Leader::attention(std::span<const AttentionTask> tasks, const HeadShape& shape) {
  MessageWriter m = message(Call::attention);
  Mirrors mirrors;
  for (const AttentionTask& task : tasks) {
    PackedKv* const packed = task.kv.packed;
    if (packed != nullptr && !mirrors.contains(packed)) mirrors[packed] = hand_over(*packed);
  }
  m.put(shape);
  m.put(tasks.size());
  for (const AttentionTask& task : tasks) put_task(task, mirrors, m);
  together(m, {}, [&] { inner().attention(tasks, shape); });
  for (const auto& [packed, keys] : mirrors) take_back(*packed, keys);
  for (const AttentionTask& task : tasks) hash_.add(task.out);
}

void Leader::add(Tensor x, Tensor y) {
  MessageWriter m = message(Call::add);
  m.put(place(x));
  m.put(place(y));
  together(m, {x}, [&] { inner().add(x, y); });
}

void Leader::extrapolate(Tensor x, Tensor y, float scale) {
  MessageWriter m = message(Call::extrapolate);
  m.put(place(x));
  m.put(place(y));
  m.put(scale);
  together(m, {x}, [&] { inner().extrapolate(x, y, scale); });
}

void Leader::gather(Tensor from, const Rows& rows, Tensor out) {
  MessageWriter m = message(Call::gather);
  m.put(place(from));
  m.put_list(rows);
  m.put(place(out));
  together(m, {out}, [&] { inner().gather(from, rows, out); });
}

void Leader::scatter(Tensor from, const Rows& rows, Tensor out) {
  MessageWriter m = message(Call::scatter);
  m.put(place(from));
  m.put_list(rows);
  m.put(place(out));
  together(m, {out}, [&] { inner().scatter(from, rows, out); });
}

}  // namespace

std::unique_ptr<LeadingBackend> create_leading_backend(std::unique_ptr<Backend> own,
                                                       Communicator& ranks,
                                                       const LeadOptions& options) {
  return std::make_unique<Leader>(std::move(own), ranks, options);
}

}  // namespace unmask
