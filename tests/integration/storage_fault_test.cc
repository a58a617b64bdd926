// What was acknowledged as durable survives whatever the disk does, and nothing that is damaged is taken for sound.
#include <doctest/doctest.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "tests/integration/faulty_fork.h"
#include "tests/integration/faulty_run.h"
#include "tests/support/captured_stderr.h"
#include "tests/support/files.h"
#include "troupe/actors/storage/checkpoint_finder.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/checkpoint/checkpoint_file.h"
#include "troupe/runtime/log/event_log_reader.h"
#include "troupe/runtime/log/event_log_verify.h"
#include "troupe/runtime/log/run_directory.h"

using namespace troupe;
using namespace troupe::testing;
namespace fs = std::filesystem;

namespace {

constexpr uint64_t kFixedSeed = 1;
constexpr const char* kSeedVariable = "TROUPE_FAULT_SEED";
// A sanitizer makes all of this ten times slower and finds the same in a part of it.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kPart = 4;
#else
constexpr uint64_t kPart = 1;
#endif
constexpr uint64_t kRunsCallByCall = 4 / kPart;
constexpr uint64_t kForksCallByCall = 4 / kPart;
constexpr uint64_t kFaultsMin = 8000 / kPart;
constexpr uint64_t kFlippedRuns = 40 / kPart;
constexpr uint64_t kFlipsPerRun = 50;

/// The seed that a variable of the environment has as its text, which is null where it is not set.
uint64_t seed_of(const char* text) {
  constexpr uint64_t kSeedMax = UINT32_MAX;  // The seeds after it are used too.
  if (text == nullptr) {
    return kFixedSeed;
  }
  const std::string_view digits = text;
  uint64_t seed = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), seed);
  if (error != std::errc() || end != digits.data() + digits.size() || seed > kSeedMax) {
    throw ConfigError(std::string(kSeedVariable) + ": must be an integer from 0 to " + std::to_string(kSeedMax) +
                      ", got '" + text + "'");
  }
  return seed;
}

/// The first of a test's seeds.
uint64_t first_seed() {
  static const uint64_t seed = seed_of(std::getenv(kSeedVariable));
  return seed;
}

/// What a run was, so that it can be repeated.
void report_faults(uint64_t faults, const std::string& what = "faults") {
  const std::string text =
      std::to_string(faults) + " " + what + ", " + kSeedVariable + "=" + std::to_string(first_seed());
  MESSAGE(text);
}

DiskFault random_fault(Random& random) {
  constexpr std::array kKinds{DiskFault::Kind::kNone, DiskFault::Kind::kError, DiskFault::Kind::kShortWrite,
                              DiskFault::Kind::kFull, DiskFault::Kind::kDeath, DiskFault::Kind::kDeath};
  constexpr uint64_t kOperationsMax = 220;
  return {kKinds[below(kKinds.size(), random)], 1 + below(kOperationsMax, random), 1 + below(20, random)};
}

/// Every file whose bytes have checksums.
std::vector<fs::path> checked_files(const fs::path& run_dir) {
  std::vector<fs::path> files;
  for (const auto& folder : {RunPaths{run_dir}.events(), RunPaths{run_dir}.checkpoints()}) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (fs::file_size(entry.path()) > 0) {
        files.push_back(entry.path());
      }
    }
  }
  return files;
}

void check_flipped_log(const fs::path& run_dir, const fs::path& segment, uint64_t at) {
  const auto report = verify_event_log(run_dir / "events");
  REQUIRE_FALSE(report.sound());
  const Damage& damage = report.damages.front();
  CHECK(damage.file == segment);
  CHECK(damage.offset <= at);
  CHECK(at < damage.offset + damage.bytes);
  EventLogReader reader(run_dir / "events");
  CHECK_THROWS_AS(for (Event event; reader.next(event);){}, DamageError);
  try {  // A resume refuses it, or says what it will cut off.
    const auto found = find_checkpoint(run_dir.string(), TrainerOptions(), CheckpointUse::kResume);
    CHECK(found.log_damage_after.has_value());
  } catch (const CorruptionError& error) {
    CHECK(std::string(error.what()).find(segment.filename().string()) != std::string::npos);
  }
}

void check_flipped_checkpoint(const fs::path& file, uint64_t at) {
  const auto report = verify_checkpoint(file);
  REQUIRE_FALSE(report.sound());
  CHECK(report.damage->file == file);
  CHECK(report.damage->offset <= at);
  CHECK_THROWS_AS(read_checkpoint(file), CorruptionError);
}

/// Flips one bit, and flips it back.
void check_flip(const fs::path& run_dir, const fs::path& file, Random& random) {
  const std::string before = read_file(file);
  std::string flipped = before;
  const uint64_t at = below(before.size(), random);
  flipped[at] = static_cast<char>(flipped[at] ^ (1 << below(8, random)));
  overwrite_file(file, flipped);
  CAPTURE(file);
  CAPTURE(at);
  if (file.extension() == ".ckpt") {
    check_flipped_checkpoint(file, at);
  } else {
    check_flipped_log(run_dir, file, at);
  }
  overwrite_file(file, before);
}

/// Several processes and power failures, as the seed has them; how many faults.
uint64_t run_with_faults(uint64_t seed) {
  Random random(seed);
  FaultyRun run(seed);
  for (uint64_t processes = 1 + below(4, random); processes > 0; --processes) {
    run.suffer(random_fault(random));
    if (below(2, random) == 0) {
      run.fail_power();
    }
  }
  run.end();
  return run.faults();
}

/// A first process that the fault strikes, a second, and a power failure; no faults where none is left to strike.
uint64_t run_with_fault_at(uint64_t seed, const DiskFault& fault) {
  FaultyRun run(seed);
  if (!run.suffer(fault)) {
    return 0;
  }
  run.suffer({});
  run.fail_power();
  run.end();
  return run.faults();
}

}  // namespace

TEST_CASE("the seed is that of the environment, or the fixed one; another text is an error") {
  CHECK(seed_of(nullptr) == kFixedSeed);
  CHECK(seed_of("0") == 0);
  CHECK(seed_of("4294967295") == 4294967295);
  for (const char* wrong : {"", "x", "-1", "1 ", "0x1", "4294967296", "99999999999999999999"}) {
    CHECK_THROWS_AS(seed_of(wrong), ConfigError);
  }
  CHECK_THROWS_WITH_AS(seed_of("1.5"), "TROUPE_FAULT_SEED: must be an integer from 0 to 4294967295, got '1.5'",
                       ConfigError);
}

TEST_CASE("what is durable survives an error or a death at every call, and a power failure later") {
  const CapturedStderr quiet;
  uint64_t faults = 0;
  for (uint64_t seed = first_seed(); seed < first_seed() + kRunsCallByCall; ++seed) {
    CAPTURE(seed);
    for (const auto kind : {DiskFault::Kind::kError, DiskFault::Kind::kDeath}) {
      uint64_t struck = 1;
      for (uint64_t call = 1; struck > 0; ++call) {
        CAPTURE(call);
        struck = run_with_fault_at(seed, {kind, call});
        faults += struck;
      }
    }
  }
  report_faults(faults);
}

TEST_CASE("what is durable survives errors, full disks, deaths and power failures, and every run goes on") {
  const CapturedStderr quiet;
  uint64_t faults = 0;
  for (uint64_t seed = first_seed(); faults < kFaultsMin; ++seed) {
    CAPTURE(seed);
    faults += run_with_faults(seed);
  }
  report_faults(faults);
}

TEST_CASE("a fork is there whole or not at all, whatever goes wrong at any call, and durable once it has its name") {
  uint64_t faults = 0;
  for (uint64_t seed = first_seed(); seed < first_seed() + kForksCallByCall; ++seed) {
    CAPTURE(seed);
    for (const auto kind :
         {DiskFault::Kind::kError, DiskFault::Kind::kShortWrite, DiskFault::Kind::kFull, DiskFault::Kind::kDeath}) {
      bool struck = true;
      for (uint64_t call = 1; struck; ++call) {
        CAPTURE(call);
        FaultyFork fork(seed);
        struck = fork.suffer({kind, call});
        fork.end();
        faults += 2;
      }
    }
  }
  report_faults(faults);
}

TEST_CASE("every bit that flips in a log or a checkpoint is found, at its place") {
  const CapturedStderr quiet;
  for (uint64_t seed = first_seed(); seed < first_seed() + kFlippedRuns; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    FaultyRun run(seed);
    run.suffer({});
    run.end();
    run.release();
    const auto files = checked_files(run.run_dir());
    for (uint64_t flip = 0; flip < kFlipsPerRun; ++flip) {
      check_flip(run.run_dir(), files[below(files.size(), random)], random);
    }
  }
  report_faults(kFlippedRuns * kFlipsPerRun, "flipped bits");
}
