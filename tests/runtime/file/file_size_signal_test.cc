#include "troupe/runtime/file/file_size_signal.h"

#include <doctest/doctest.h>

#include <csignal>
#include <optional>

#include "tests/support/file_size_limit.h"
#include "tests/support/temporary_folder.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/file/file.h"

using namespace troupe;

namespace {

using SignalHandler = void (*)(int);

/// What SIGXFSZ does, which stays as it is.
SignalHandler disposition() {
  struct sigaction found {};
  sigaction(SIGXFSZ, nullptr, &found);
  return found.sa_handler;
}

void own_handler(int /*signal*/) {}

/// Sets what SIGXFSZ does, for as long as it lives.
class Disposition {
 public:
  explicit Disposition(SignalHandler handler) : before_(std::signal(SIGXFSZ, handler)) {}
  ~Disposition() { std::signal(SIGXFSZ, before_); }
  Disposition(const Disposition&) = delete;
  Disposition& operator=(const Disposition&) = delete;

 private:
  SignalHandler before_;
};

}  // namespace

TEST_CASE("a write beyond the limit of file sizes is an error that names the file, and ends no program") {
  const Disposition usual(SIG_DFL);
  const TemporaryFolder folder;
  const FileSizeSignalGuard guard;
  const FileSizeLimit limit(100);
  const auto path = folder.path() / "file";
  CHECK_THROWS_WITH_AS(write_file_atomically(path, std::string(200, 'x')), doctest::Contains("File too large"),
                       IoError);
}

TEST_CASE("the last guard to go puts the signal back as it was") {
  const Disposition usual(SIG_DFL);
  std::optional<FileSizeSignalGuard> first(std::in_place);
  CHECK((disposition() == SIG_IGN));
  std::optional<FileSizeSignalGuard> second(std::in_place);
  first.reset();
  CHECK((disposition() == SIG_IGN));
  second.reset();
  CHECK((disposition() == SIG_DFL));
}

TEST_CASE("a program's own way with the signal stays, also one that it sets meanwhile") {
  for (const SignalHandler own : {SignalHandler(own_handler), SignalHandler(SIG_IGN)}) {
    const Disposition theirs(own);
    {
      const FileSizeSignalGuard guard;
      CHECK((disposition() == own));
    }
    CHECK((disposition() == own));
  }
  const Disposition usual(SIG_DFL);
  {
    const FileSizeSignalGuard guard;
    std::signal(SIGXFSZ, own_handler);
  }
  CHECK((disposition() == own_handler));
}
