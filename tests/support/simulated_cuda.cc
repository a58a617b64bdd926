#include "tests/support/simulated_cuda.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/EmptyTensor.h>
#include <ATen/TensorUtils.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/native/CPUFallback.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/library.h>
#include <torch/torch.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <utility>

namespace troupe::simulated_cuda {
namespace {

using c10::DeviceIndex;
using c10::Stream;
using c10::StreamId;
using Optional = c10::optional<int64_t>;

constexpr int kDevices = 2;
constexpr int kStreams = 5;  // Of a device; the first is the default one.
constexpr c10::DispatchKeySet kKeys(c10::DispatchKey::CUDA);

/// Work that is done in order, on a thread of its own that lasts as long as the process.
class Queue {
 public:
  void push(std::function<void()> work) {
    const std::lock_guard lock(mutex_);
    if (!started_) {
      started_ = true;
      std::thread([this] { run(); }).detach();
    }
    work_.push_back(std::move(work));
    changed_.notify_all();
  }
  /// As push, unless there is nothing to do.
  bool push_if_busy(std::function<void()> work) {
    const std::lock_guard lock(mutex_);
    if (work_.empty()) {
      return false;
    }
    work_.push_back(std::move(work));
    return true;
  }
  bool idle() {
    const std::lock_guard lock(mutex_);
    return work_.empty();
  }
  void drain() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return work_.empty(); });
  }

 private:
  [[noreturn]] void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return !work_.empty(); });
      const auto work = std::move(work_.front());
      lock.unlock();
      work();
      lock.lock();
      work_.pop_front();  // Only now: what is being done counts.
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> work_;
  bool started_ = false;
};

/// All streams; never destroyed, since their threads are not.
Queue& queue(DeviceIndex device, StreamId stream) {
  static auto* const queues = new std::array<std::array<Queue, kStreams>, kDevices>;
  return queues->at(static_cast<size_t>(device)).at(static_cast<size_t>(stream));
}

thread_local DeviceIndex current_device = 0;
thread_local std::array<StreamId, kDevices> current_streams{};

Queue& current_queue(DeviceIndex device) {
  return queue(device, current_streams.at(static_cast<size_t>(device)));
}

/// What a kernel does before it runs on the thread that launches it.
void await_streams() {
  for (DeviceIndex device = 0; device < kDevices; ++device) {
    current_queue(device).drain();
  }
}

/// One recording of an event.
class Recording {
 public:
  void happen() {
    const std::lock_guard lock(mutex_);
    happened_ = true;
    changed_.notify_all();
  }
  bool has_happened() {
    const std::lock_guard lock(mutex_);
    return happened_;
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return happened_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool happened_ = false;
};
using Event = std::shared_ptr<Recording>;

class GuardImpl final : public c10::impl::DeviceGuardImplInterface {
 public:
  c10::DeviceType type() const override { return at::kCUDA; }
  c10::Device exchangeDevice(c10::Device device) const override {
    return {at::kCUDA, std::exchange(current_device, device.index())};
  }
  c10::Device getDevice() const override { return {at::kCUDA, current_device}; }
  void setDevice(c10::Device device) const override { current_device = device.index(); }
  void uncheckedSetDevice(c10::Device device) const noexcept override { current_device = device.index(); }
  Stream getStream(c10::Device device) const noexcept override {
    return Stream(Stream::UNSAFE, device, current_streams[static_cast<size_t>(device.index())]);
  }
  Stream getDefaultStream(c10::Device device) const override { return Stream(Stream::DEFAULT, device); }
  Stream getStreamFromGlobalPool(c10::Device device, bool /*isHighPriority*/) const override {
    static std::atomic<StreamId> next{0};
    return Stream(Stream::UNSAFE, device, 1 + next++ % (kStreams - 1));
  }
  Stream exchangeStream(Stream stream) const noexcept override {
    auto& current = current_streams[static_cast<size_t>(stream.device_index())];
    return Stream(Stream::UNSAFE, stream.device(), std::exchange(current, stream.id()));
  }
  DeviceIndex deviceCount() const noexcept override { return kDevices; }

  void record(void** event, const Stream& stream, DeviceIndex /*device*/, c10::EventFlag /*flag*/) const override {
    auto recording = std::make_shared<Recording>();
    queue(stream.device_index(), stream.id()).push([recording] { recording->happen(); });
    if (*event == nullptr) {
      *event = new Event;
    }
    *static_cast<Event*>(*event) = std::move(recording);
  }
  void block(void* event, const Stream& stream) const override {
    if (event != nullptr) {
      queue(stream.device_index(), stream.id()).push([recording = *static_cast<Event*>(event)] { recording->wait(); });
    }
  }
  bool queryEvent(void* event) const override {
    return event == nullptr || (*static_cast<Event*>(event))->has_happened();
  }
  void destroyEvent(void* event, DeviceIndex /*device*/) const noexcept override { delete static_cast<Event*>(event); }
  bool queryStream(const Stream& stream) const override { return queue(stream.device_index(), stream.id()).idle(); }
  void synchronizeStream(const Stream& stream) const override { queue(stream.device_index(), stream.id()).drain(); }
};
C10_REGISTER_GUARD_IMPL(CUDA, GuardImpl);

class Generator final : public c10::GeneratorImpl {
 public:
  explicit Generator(DeviceIndex device)
      : c10::GeneratorImpl({at::kCUDA, device}, kKeys), draws_(at::make_generator<at::CPUGeneratorImpl>()) {}

  static c10::DeviceType device_type() { return at::kCUDA; }
  void set_current_seed(uint64_t seed) override { draws_.set_current_seed(seed); }
  uint64_t current_seed() const override { return draws_.current_seed(); }
  uint64_t seed() override { return draws_.seed(); }
  void set_state(const c10::TensorImpl& state) override { draws_.unsafeGetGeneratorImpl()->set_state(state); }
  c10::intrusive_ptr<c10::TensorImpl> get_state() const override {
    return draws_.unsafeGetGeneratorImpl()->get_state();
  }
  at::Generator& draws() { return draws_; }

 private:
  Generator* clone_impl() const override {
    auto* copy = new Generator(device().index());
    copy->draws_ = draws_.clone();
    return copy;
  }

  at::Generator draws_;
};

const at::Generator& default_generator(DeviceIndex device) {
  static const std::array<at::Generator, kDevices> generators{at::make_generator<Generator>(DeviceIndex{0}),
                                                              at::make_generator<Generator>(DeviceIndex{1})};
  return generators.at(static_cast<size_t>(device < 0 ? current_device : device));
}

std::mutex pinned_mutex;
std::set<const void*> pinned;

bool is_pinned(const void* memory) {
  const std::lock_guard lock(pinned_mutex);
  return pinned.contains(memory);
}

class PinnedAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) const override {
    void* memory = std::malloc(std::max<size_t>(bytes, 1));
    const std::lock_guard lock(pinned_mutex);
    pinned.insert(memory);
    return {memory, memory, &release, at::kCPU};
  }

 private:
  static void release(void* memory) {
    {
      const std::lock_guard lock(pinned_mutex);
      pinned.erase(memory);
    }
    std::free(memory);
  }
};

template <DeviceIndex device>
class DeviceAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) const override {
    void* memory = std::malloc(std::max<size_t>(bytes, 1));
    return {memory, memory, &release, {at::kCUDA, device}};
  }

 private:
  static void release(void* memory) {
    if (!queue(device, 0).push_if_busy([memory] { std::free(memory); })) {
      std::free(memory);
    }
  }
};

c10::Allocator* device_allocator(DeviceIndex device) {
  static DeviceAllocator<0> first;
  static DeviceAllocator<1> second;
  return device == 0 ? static_cast<c10::Allocator*>(&first) : &second;
}

// The name is what LibTorch looks for.
class CUDAHooks final : public at::CUDAHooksInterface {
 public:
  explicit CUDAHooks(at::CUDAHooksArgs /*arguments*/) {}
  void initCUDA() const override {}
  const at::Generator& getDefaultCUDAGenerator(DeviceIndex device) const override { return default_generator(device); }
  c10::Device getDeviceFromPtr(void* /*data*/) const override { return {at::kCUDA, simulated_cuda::current_device}; }
  bool isPinnedPtr(void* data) const override { return is_pinned(data); }
  bool hasCUDA() const override { return true; }
  std::string showConfig() const override { return {}; }
  bool hasPrimaryContext(int64_t /*device*/) const override { return true; }
  int64_t current_device() const override { return simulated_cuda::current_device; }
  c10::Allocator* getPinnedMemoryAllocator() const override {
    static PinnedAllocator allocator;
    return &allocator;
  }
  int getNumGPUs() const override { return kDevices; }
};
using at::CUDAHooksRegistry;
using at::RegistererCUDAHooksRegistry;
REGISTER_CUDA_HOOKS(CUDAHooks);

/// The same elements, as a tensor of the CPU, which does not keep the memory.
at::Tensor on_host(const at::Tensor& tensor) {
  return tensor.is_cpu() ? tensor
                         : at::from_blob(tensor.data_ptr(), tensor.sizes(), tensor.strides(),
                                         at::TensorOptions().dtype(tensor.scalar_type()));
}

std::atomic<int64_t> copy_time_us{0};
std::atomic<int64_t> copies{0};

DeviceIndex index_of(const c10::optional<at::Device>& device) {
  return device && device->has_index() ? device->index() : current_device;
}

at::Tensor empty(at::IntArrayRef size, c10::optional<at::ScalarType> dtype, c10::optional<at::Layout> /*layout*/,
                 c10::optional<at::Device> device, c10::optional<bool> /*pin_memory*/,
                 c10::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(size, device_allocator(index_of(device)), kKeys, c10::dtype_or_default(dtype),
                                   format);
}

at::Tensor empty_strided(at::IntArrayRef size, at::IntArrayRef stride, c10::optional<at::ScalarType> dtype,
                         c10::optional<at::Layout> /*layout*/, c10::optional<at::Device> device,
                         c10::optional<bool> /*pin_memory*/) {
  return at::detail::empty_strided_generic(size, stride, device_allocator(index_of(device)), kKeys,
                                           c10::dtype_or_default(dtype));
}

at::Tensor& copy(at::Tensor& target, const at::Tensor& source, bool non_blocking) {
  if (non_blocking && source.is_cuda() && target.is_cpu() && is_pinned(target.data_ptr())) {
    ++copies;
    current_queue(source.device().index()).push([to = on_host(target), from = on_host(source)]() mutable {
      std::this_thread::sleep_for(std::chrono::microseconds(copy_time_us));
      const torch::NoGradGuard no_grad;
      to.copy_(from);
    });
    return target;
  }
  await_streams();
  const torch::NoGradGuard no_grad;
  on_host(target).copy_(on_host(source));
  return target;
}

at::Tensor copy_from(const at::Tensor& source, const at::Tensor& target, bool non_blocking) {
  at::Tensor to = target;
  copy(to, source, non_blocking);
  return target;
}

const at::Tensor& resize(const at::Tensor& tensor, at::IntArrayRef size, c10::optional<at::MemoryFormat> /*format*/) {
  await_streams();
  const size_t bytes = static_cast<size_t>(c10::multiply_integers(size)) * tensor.dtype().itemsize();
  if (tensor.storage().nbytes() < bytes) {
    auto* storage = tensor.storage().unsafeGetStorageImpl();
    storage->set_data_ptr(device_allocator(tensor.device().index())->allocate(bytes));
    storage->set_nbytes(bytes);
  }
  tensor.unsafeGetTensorImpl()->set_sizes_contiguous(size);
  return tensor;
}

at::Tensor copy_from_and_resize(const at::Tensor& source, const at::Tensor& target) {
  if (target.sizes() != source.sizes()) {
    simulated_cuda::resize(target, source.sizes(), c10::nullopt);
  }
  return copy_from(source, target, false);
}

at::Tensor as_strided(const at::Tensor& tensor, at::IntArrayRef size, at::IntArrayRef stride, Optional offset) {
  auto result = at::detail::make_tensor<c10::TensorImpl>(c10::TensorImpl::VIEW, c10::Storage(tensor.storage()),
                                                         tensor.key_set(), tensor.dtype());
  result.unsafeGetTensorImpl()->set_storage_offset(offset.value_or(tensor.storage_offset()));
  result.unsafeGetTensorImpl()->set_sizes_and_strides(size, stride);
  return result;
}

at::Tensor view(const at::Tensor& tensor, at::IntArrayRef size) {
  auto wanted = size.vec();
  const auto inferred = std::find(wanted.begin(), wanted.end(), -1);
  if (inferred != wanted.end()) {
    *inferred = 1;
    *inferred = tensor.numel() / std::max<int64_t>(c10::multiply_integers(wanted), 1);
  }
  const auto stride = at::detail::computeStride(tensor.sizes(), tensor.strides(), wanted);
  TORCH_CHECK(stride.has_value(), "view: the strides do not allow it");
  return simulated_cuda::as_strided(tensor, wanted, *stride, c10::nullopt);
}

at::Tensor reshape_alias(const at::Tensor& tensor, at::IntArrayRef size, at::IntArrayRef stride) {
  return simulated_cuda::as_strided(tensor, size, stride, c10::nullopt);
}

at::Tensor& set_storage(at::Tensor& tensor, at::Storage storage, int64_t offset, at::IntArrayRef size,
                        at::IntArrayRef stride) {
  tensor.unsafeGetTensorImpl()->set_storage_keep_dtype(std::move(storage));
  tensor.unsafeGetTensorImpl()->set_storage_offset(offset);
  tensor.unsafeGetTensorImpl()->set_sizes_and_strides(size, stride);
  return tensor;
}

at::Tensor& fill(at::Tensor& tensor, const at::Scalar& value) {
  await_streams();
  on_host(tensor).fill_(value);
  return tensor;
}

at::Scalar local_scalar(const at::Tensor& tensor) {
  await_streams();
  return on_host(tensor).item();
}

std::tuple<at::Tensor, at::Tensor> native_dropout(const at::Tensor& input, double p, c10::optional<bool> train) {
  await_streams();
  auto output = at::empty_like(input);
  auto mask = at::empty(input.sizes(), input.options().dtype(at::kBool));
  if (!train.value_or(true)) {
    on_host(mask).fill_(true);
    copy(output, input, false);
    return {output, mask};
  }
  at::Generator generator = default_generator(input.device().index());
  const std::lock_guard lock(generator.mutex());
  auto& draws = at::check_generator<Generator>(generator)->draws();
  on_host(mask).bernoulli_(1 - p, draws);
  on_host(output).copy_(on_host(input).mul(on_host(mask)).div(1 - p));
  return {output, mask};
}

void fall_back(const c10::OperatorHandle& operation, c10::DispatchKeySet /*keys*/, torch::jit::Stack* stack) {
  await_streams();
  at::native::cpu_fallback(operation, stack);
}

TORCH_LIBRARY_IMPL(_, CUDA, m) {
  m.fallback(torch::CppFunction::makeFromBoxedFunction<&fall_back>());
}
TORCH_LIBRARY_IMPL(aten, CUDA, m) {
  m.impl("empty.memory_format", empty);
  m.impl("empty_strided", simulated_cuda::empty_strided);
  m.impl("copy_", copy);
  m.impl("_copy_from", copy_from);
  m.impl("_copy_from_and_resize", copy_from_and_resize);
  m.impl("resize_", resize);
  m.impl("as_strided", simulated_cuda::as_strided);
  m.impl("view", view);
  m.impl("_reshape_alias", reshape_alias);
  m.impl("set_.source_Storage_storage_offset", set_storage);
  m.impl("fill_.Scalar", fill);
  m.impl("_local_scalar_dense", local_scalar);
  m.impl("native_dropout", simulated_cuda::native_dropout);
}

}  // namespace

void set_copy_time(std::chrono::microseconds time) {
  copy_time_us = time.count();
}

int64_t copies_behind() {
  return copies;
}

void fill_slowly(const at::Tensor& tensor, double value, std::chrono::microseconds time) {
  current_queue(tensor.device().index()).push([to = on_host(tensor), value, time]() mutable {
    std::this_thread::sleep_for(time);
    const torch::NoGradGuard no_grad;
    to.fill_(value);
  });
}

}  // namespace troupe::simulated_cuda
