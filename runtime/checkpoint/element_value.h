#pragma once

#include <troupe/v1/checkpoint.pb.h>

#include <cstddef>

namespace troupe {

/// The element that starts at `at`, at any alignment. Exact for every type but int64, which is rounded where a double
/// cannot hold it. Throws CorruptionError for a type that the format does not have.
double element_value(v1::DType dtype, const std::byte* at);

}  // namespace troupe
