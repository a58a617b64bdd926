#include "troupe/runtime/module/shadow_memory.h"

#include <doctest/doctest.h>
#include <torch/torch.h>

#include <array>
#include <cstdint>
#include <cstring>

#include "troupe/runtime/module/snapshot_pool.h"

using namespace troupe;

TEST_CASE("pieces of the shadows' memory are aligned, lie apart, and can be written before their pages have come") {
  constexpr size_t kBytes = 48U << 20;  // More than is filled at once.
  ShadowMemory memory(ShadowMemory::rounded(100) + kBytes);
  std::byte* const small = memory.take(100);
  std::byte* const large = memory.take(kBytes);
  memory.fill();
  CHECK(reinterpret_cast<uintptr_t>(small) % 64 == 0);
  CHECK(reinterpret_cast<uintptr_t>(large) % 64 == 0);
  CHECK(large - small >= 100);
  std::memset(large, 7, kBytes);
  CHECK(small[99] == std::byte{0});
  memory.wait();
  CHECK(large[0] == std::byte{7});  // Filling pages changes nothing in them.
  CHECK(large[kBytes - 1] == std::byte{7});
}

TEST_CASE("the shadows' memory may go while its pages are being made") {
  ShadowMemory memory(uint64_t{8} << 30);
  memory.fill();
}

TEST_CASE("reserved tensors have the names, shapes and types of the state, and keep their memory alive") {
  const std::vector<NamedTensor> like{{"module.weight", torch::ones({3, 5})},
                                      {"module.count", torch::zeros({}, torch::kLong)},
                                      {"module.none", torch::empty({0, 4})}};
  std::array<std::shared_ptr<Snapshot>, 2> shadows{std::make_shared<Snapshot>(), std::make_shared<Snapshot>()};
  reserve_shadows(shadows, like);
  for (const auto& shadow : shadows) {
    REQUIRE(shadow->spare.size() == like.size());
    for (size_t i = 0; i < like.size(); ++i) {
      CHECK(shadow->spare[i].name == like[i].name);
      CHECK((shadow->spare[i].tensor.sizes() == like[i].tensor.sizes()));
      CHECK((shadow->spare[i].tensor.scalar_type() == like[i].tensor.scalar_type()));
      CHECK(shadow->spare[i].tensor.is_contiguous());
    }
    shadow->spare[0].tensor.fill_(2.0);
  }
  CHECK(shadows[0]->spare[0].tensor.data_ptr() != shadows[1]->spare[0].tensor.data_ptr());
  CHECK(shadows[0]->spare[0].tensor.sum().item<double>() == 30.0);
  CHECK(shadows[0]->spare[1].tensor.item<int64_t>() == 0);
}
