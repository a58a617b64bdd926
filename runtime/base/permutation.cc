#include "troupe/runtime/base/permutation.h"

#include <algorithm>
#include <bit>
#include <cassert>

#include "troupe/runtime/base/random_key.h"

namespace troupe {

Permutation::Permutation(int64_t size, uint64_t key) : size_(static_cast<uint64_t>(size)) {
  assert(size >= 1);
  const int bits = std::max(static_cast<int>(std::bit_width(size_ - 1)), kBitsMin);
  low_bits_ = bits - bits / 2;
  low_mask_ = (uint64_t{1} << low_bits_) - 1;
  high_mask_ = (uint64_t{1} << (bits / 2)) - 1;
  for (int round = 0; round < kRounds; ++round) {
    round_keys_[round] = random_key(key, round);
  }
}

uint64_t Permutation::apply_network(uint64_t word) const {
  uint64_t low = word & low_mask_;
  uint64_t high = word >> low_bits_;
  for (int round = 0; round < kRounds; round += 2) {
    low ^= mix_bits(high ^ round_keys_[round]) & low_mask_;
    high ^= mix_bits(low ^ round_keys_[round + 1]) & high_mask_;
  }
  return (high << low_bits_) | low;
}

int64_t Permutation::operator()(int64_t index) const {
  assert(index >= 0 && index < size());
  auto word = static_cast<uint64_t>(index);
  do {
    word = apply_network(word);
  } while (word >= size_);
  return static_cast<int64_t>(word);
}

}  // namespace troupe
