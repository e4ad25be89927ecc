#include "api/turns.h"

#include "api/access.h"

namespace unmask_v0 {

void Turns::begin() {
  std::unique_lock lock(mutex_);
  if (owner_ == std::this_thread::get_id()) {
    throw Error(ErrorCode::misuse,
                "[model] a callback asked the model that was calling it, expected it to return");
  }
  const uint64_t ticket = next_++;
  changed_.wait(lock, [&] { return serving_ == ticket; });
  owner_ = std::this_thread::get_id();
}

void Turns::end() {
  const std::lock_guard lock(mutex_);
  owner_ = {};
  ++serving_;
  changed_.notify_all();
}

Turn::Turn(Model::Data& model) : turns_(model.turns) { turns_.begin(); }
Turn::~Turn() { turns_.end(); }

Interruptible::Interruptible(Model::Data& model, const Cancellation& cancellation)
    : stop_(model.stop), cancellation_(cancellation) {
  Cancellation::Data& c = *Access::of(cancellation_);
  const std::lock_guard lock(c.mutex);
  c.working = &stop_;
  stop_ = c.raised.load();
}

Interruptible::~Interruptible() {
  Cancellation::Data& c = *Access::of(cancellation_);
  const std::lock_guard lock(c.mutex);
  c.working = nullptr;
  stop_ = false;
}

Cancellation::Cancellation() : data_(std::make_shared<Data>()) {}

void Cancellation::cancel() const noexcept {
  const std::lock_guard lock(data_->mutex);
  data_->raised = true;
  if (data_->working != nullptr) *data_->working = true;
}

bool Cancellation::cancelled() const noexcept { return data_->raised; }

}  // namespace unmask_v0
