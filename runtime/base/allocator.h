#pragma once

namespace troupe {

/// Tells glibc's allocator to keep the memory that a training step frees for the next step. Left as it is, it gives the
/// top of the heap back to the system at nearly every step and takes it again, each time as fresh pages, and maps
/// larger tensors anew each time: a model of ordinary size then spends as long on page faults as on arithmetic.
///
/// For the whole process, from here on; a second call changes nothing. Does nothing, and returns false, where the
/// environment has settings of its own for this (MALLOC_MMAP_THRESHOLD_, MALLOC_TRIM_THRESHOLD_, MALLOC_TOP_PAD_,
/// MALLOC_MMAP_MAX_, or glibc.malloc.* in GLIBC_TUNABLES), and with another C library. An allocator that has taken
/// glibc's place (jemalloc, mimalloc, preloaded) is not concerned. Any thread.
bool tune_allocator();

}  // namespace troupe
