#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Stream.h>

#include <vector>

namespace troupe {

/// Copies from devices to host memory that go on while the thread that asked for them does other things. For each
/// device there is a side stream: it begins when the device's current stream has done what it was given before the
/// first copy, and after fence() the current stream goes on only when the copies are there. So they are of one instant,
/// whatever is computed next, and no thread waits for it.
class DeviceCopies {
 public:
  DeviceCopies() = default;
  /// Waits, so that the memory can go.
  ~DeviceCopies();
  DeviceCopies(DeviceCopies&&) = default;
  DeviceCopies& operator=(DeviceCopies&&) = delete;

  /// Copies `source`, which is on a device, to `target` in host memory, of the same shape and dtype. Pinned memory
  /// (empty_pinned) lets it go on behind; with other memory the thread waits.
  void add(const at::Tensor& source, at::Tensor& target);
  /// Lets the current streams of the devices wait for what has been added. Throws c10::Error when the device fails.
  void fence();
  /// Returns when everything that was added is in host memory. Any thread. Throws c10::Error when the device fails.
  void wait() const;

 private:
  const c10::Stream& side_stream(at::Device device);

  struct Lane {
    c10::Stream side;
    bool open = false;  // Has been given copies since the last fence.
  };
  std::vector<Lane> lanes_;  // One for each device.
};

/// Host memory that the device of `source` copies to by itself, for a tensor of its shape and dtype.
at::Tensor empty_pinned(const at::Tensor& source);

}  // namespace troupe
