#include "kernels/cuda/index_lists.h"

#include <algorithm>
#include <bit>

namespace unmask::cuda {

const int* IndexLists::on_device(std::span<const int> list) {
  const auto same = [&](const Entry& entry) {
    return entry.memory.data() != nullptr &&
           std::equal(list.begin(), list.end(), entry.list.begin(), entry.list.end());
  };
  auto found = std::find_if(entries_.begin(), entries_.end(), same);
  if (found == entries_.end()) {
    found = std::min_element(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
      return a.last_use < b.last_use;
    });
    found->list.clear();  // nothing is known of it until the upload has succeeded
    const size_t bytes = list.size_bytes();
    // Rounded up, so that lists which grow from step to step find room.
    if (found->memory.data() == nullptr || found->memory.bytes() < bytes) {
      found->memory = {};
      found->memory = device_.allocate(std::bit_ceil(std::max<size_t>(bytes, 1024)));
    }
    device_.upload(list.data(), {found->memory.data(), bytes, bytes, 1});
    found->list.assign(list.begin(), list.end());
  }
  found->last_use = ++uses_;
  return static_cast<const int*>(found->memory.data());
}

}  // namespace unmask::cuda
