#include "troupe/runtime/module/device_copies.h"

#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <torch/torch.h>

#include <algorithm>

namespace troupe {
namespace {

using c10::impl::VirtualGuardImpl;

/// What `later` is given from here on begins when `earlier` has done what it was given up to here.
void order(const c10::Stream& earlier, const c10::Stream& later) {
  c10::Event event(earlier.device_type());
  event.record(earlier);
  event.block(later);
}

}  // namespace

DeviceCopies::~DeviceCopies() {
  try {
    wait();
  } catch (const c10::Error&) {  // NOLINT(bugprone-empty-catch): a device that failed writes no more.
  }
}

void DeviceCopies::add(const at::Tensor& source, at::Tensor& target) {
  const c10::StreamGuard on_side(side_stream(source.device()));
  target.copy_(source, /*non_blocking=*/true);
}

void DeviceCopies::fence() {
  for (auto& lane : lanes_) {
    if (lane.open) {
      order(lane.side, VirtualGuardImpl(lane.side.device_type()).getStream(lane.side.device()));
      lane.open = false;
    }
  }
}

void DeviceCopies::wait() const {
  for (const auto& lane : lanes_) {
    VirtualGuardImpl(lane.side.device_type()).synchronizeStream(lane.side);
  }
}

const c10::Stream& DeviceCopies::side_stream(at::Device device) {
  const VirtualGuardImpl impl(device.type());
  auto lane =
      std::find_if(lanes_.begin(), lanes_.end(), [&](const Lane& each) { return each.side.device() == device; });
  if (lane == lanes_.end()) {
    lane = lanes_.insert(lanes_.end(), Lane{impl.getStreamFromGlobalPool(device)});
  }
  if (!lane->open) {
    order(impl.getStream(device), lane->side);
    lane->open = true;
  }
  return lane->side;
}

at::Tensor empty_pinned(const at::Tensor& source) {
  return torch::empty(source.sizes(), torch::dtype(source.scalar_type()).pinned_memory(true));
}

}  // namespace troupe
