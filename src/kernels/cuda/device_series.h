// A series of steps on the device: the tokens, what is known of them and the count of steps lie in
// its memory, and a recorded step is queued again and again.
#pragma once

#include "kernels/cuda/device.h"
#include "kernels/cuda/index_lists.h"
#include "kernels/cuda/weights.h"
#include "kernels/step_series.h"

namespace unmask::cuda {

class DeviceSeries final : public StepSeries {
 public:
  /// All but the plan must outlive it. `records`: a step is recorded and queued again as a whole,
  /// instead of queueing its parts each time.
  DeviceSeries(Device& device, IndexLists& lists, DeviceTable& table, const SeriesPlan& plan,
               bool records);

  std::vector<Revealed> run(const std::function<void()>& step) override;
  void embed(const HostMatrix& table, Tensor out) override;
  void choose(Tensor logits, int first) override;

 private:
  void take(const std::function<void()>& step);

  Device& device_;
  IndexLists& lists_;
  DeviceTable& table_;
  TokenQuery query_;
  Surety surety_;
  int steps_;
  int open_;
  bool records_;
  Buffer canvas_;    // [rows], tokens
  Buffer places_;    // [open], rows of the canvas
  Buffer counts_;    // [steps]
  Buffer step_;      // [1]
  Buffer choices_;   // [open]
  Buffer revealed_;  // [open]
};

}  // namespace unmask::cuda
