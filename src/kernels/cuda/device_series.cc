#include "kernels/cuda/device_series.h"

#include <algorithm>

#include "kernels/cuda/choices.h"
#include "kernels/cuda/reveal_work.h"

namespace unmask::cuda {

namespace {

// Steps before the recorded one: they bring lists to the device, make room and tune products. The
// second finds what the first has left, as all later ones do.
constexpr int kFirstSteps = 2;

template <typename T>
T* as(const Buffer& buffer) {
  return static_cast<T*>(buffer.data());
}

}  // namespace

DeviceSeries::DeviceSeries(Device& device, IndexLists& lists, DeviceTable& table,
                           const SeriesPlan& plan, bool records)
    : device_(device),
      lists_(lists),
      table_(table),
      query_(plan.query),
      surety_(plan.surety),
      steps_(static_cast<int>(plan.counts.size())),
      open_(static_cast<int>(plan.open.size())),
      records_(records),
      canvas_(copied(device, plan.tokens)),
      places_(copied(device, plan.open)),
      counts_(copied(device, plan.counts)),
      step_(device.allocate(sizeof(int))),
      choices_(device.allocate(plan.open.size() * sizeof(Choice))),
      revealed_(copied(device, std::vector<Revealed>(plan.open.size(), {steps_, 0, 0}))) {
  UNMASK_CHECK(is_plain(query_), "a series draws nothing");
}

std::vector<Revealed> DeviceSeries::run(const std::function<void()>& step) {
  const int first = records_ ? std::min(kFirstSteps, steps_) : steps_;
  for (int i = 0; i < first; ++i) take(step);
  if (first < steps_) {
    // The device is still busy with the first steps while the host records.
    const auto recording = device_.record([&] { take(step); });
    for (int i = first; i < steps_; ++i) recording->queue();
  }
  std::vector<Revealed> revealed(static_cast<size_t>(open_));
  device_.download(dense(as<Revealed>(revealed_), revealed.size()), revealed.data());
  for (const Revealed& r : revealed) {
    if (r.step < steps_) check_token(r.token);
  }
  return revealed;
}

void DeviceSeries::take(const std::function<void()>& step) {
  step();
  launch(Reveal{.rows = open_,
                .cols = 1,
                .choices = as<Choice>(choices_),
                .surety = surety_,
                .step = as<int>(step_),
                .counts = as<int>(counts_),
                .places = as<int>(places_),
                .canvas = as<int>(canvas_),
                .revealed = as<Revealed>(revealed_)},
         device_.stream());
  launch(NextStep{1, 1, as<int>(step_)}, device_.stream());
}

void DeviceSeries::embed(const HostMatrix& table, Tensor out) {
  launch(Gather{out.rows, out.cols, table_.rows(table), as<int>(canvas_), view(out)},
         device_.stream());
}

void DeviceSeries::choose(Tensor logits, int first) {
  launch(choose_work(lists_, logits, query_, as<Choice>(choices_) + first), device_.stream());
}

}  // namespace unmask::cuda
