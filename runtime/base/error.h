#pragma once

#include <stdexcept>
#include <string>

namespace troupe {

/// Root of everything that Troupe throws. what() is one line: what was attempted, on what, and what is allowed.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Wrong usage or configuration: an option, a file of callbacks, a combination that makes no sense. Exit status 2.
class ConfigError : public Error {
 public:
  using Error::Error;
};

/// The operating system refused a read, a write or a lock.
class IoError : public Error {
 public:
  using Error::Error;
};

/// A file is not what it should be: a checksum, a sequence number, a record out of place, an unknown version.
class CorruptionError : public Error {
 public:
  using Error::Error;
};

/// A checkpoint that is sound does not fit the model, the optimizers or the callbacks that are to take it.
class MismatchError : public Error {
 public:
  using Error::Error;
};

/// A dataset failed to give a sample or a batch. The text names it and keeps what the dataset said; the dataset's own
/// exception is nested inside (std::rethrow_if_nested).
class DataError : public Error {
 public:
  using Error::Error;
};

/// A callback's hook failed or missed its deadline, and its policy lets that end the run.
class CallbackError : public Error {
 public:
  using Error::Error;
};

}  // namespace troupe
