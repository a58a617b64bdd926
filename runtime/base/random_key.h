#pragma once

#include <concepts>
#include <cstdint>

namespace troupe {

/// A bijection of 64-bit words in which every output bit depends on every input bit: the finalizer of SplitMix64
/// (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014), which is variant 13 of
/// Stafford's.
constexpr uint64_t mix_bits(uint64_t word) {
  word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9;
  word = (word ^ (word >> 27)) * 0x94d049bb133111eb;
  return word ^ (word >> 31);
}

/// A key for a random stream, as a pure function of a seed and of what the stream is for: random_key(seed, epoch,
/// index). The order and the number of the parts count; nearby values give unrelated keys.
constexpr uint64_t random_key(uint64_t seed, std::convertible_to<uint64_t> auto... parts) {
  constexpr uint64_t kGoldenGamma = 0x9e3779b97f4a7c15;
  uint64_t key = mix_bits(seed + kGoldenGamma);
  ((key = mix_bits((key ^ static_cast<uint64_t>(parts)) + kGoldenGamma)), ...);
  return key;
}

}  // namespace troupe
