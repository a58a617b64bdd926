// Kills a run with SIGKILL, or stops it with SIGTERM, at random instants and takes it up again until it ends; then
// holds it to a run that was never broken, bit for bit.
//
//   kill_matrix [--kills 60] [--seed S] [--threads 1] [--device cuda] [--keep]
//
// Instants: any moment of the process's life, and visits of the fault points in the code. Prints the seed, every run
// that ends differently with what was done to it, and last "N kills, N equal".
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <chrono>
#include <csignal>
#include <fstream>
#include <iostream>
#include <random>
#include <thread>

#include "tests/integration/killed_run.h"
#include "tests/support/files.h"
#include "tests/support/run_fingerprint.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tensorboard_events.h"
#include "troupe/runtime/log/event_history.h"
#include "troupe/runtime/log/event_log_verify.h"

using namespace troupe;

namespace {

constexpr int kReportEvery = 50;  // Kills.
constexpr int kSegmentsMin = 4;   // Of an unbroken run's log: its rotation is among the instants.

/// How one process is ended.
struct Blow {
  int signal = SIGKILL;
  Fault fault;  ///< Without a point: after `after`.
  std::chrono::microseconds after{0};

  std::string text() const {
    const std::string name = signal == SIGKILL ? "SIGKILL" : "SIGTERM";
    return fault.point.empty() ? name + " after " + std::to_string(after.count()) + " us"
                               : name + " at " + fault.point + " " + std::to_string(fault.visit);
  }
};

/// The training process, with its output in a file.
class Process {
 public:
  Process(const KilledRun& run, const std::filesystem::path& output) {
    std::vector<std::string> words{"kill_matrix", "--train", run.run_dir.string(), "--threads",
                                   std::to_string(run.num_threads)};
    const auto add_option = [&](const char* name, const std::string& value) {
      if (!value.empty()) {
        words.insert(words.end(), {name, value});
      }
    };
    add_option("--device", run.device);
    add_option("--fault", run.fault.point);
    add_option("--visit", std::to_string(run.fault.visit));
    add_option("--visits", run.visits_file);
    std::vector<char*> arguments;
    for (auto& word : words) {
      arguments.push_back(word.data());
    }
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    const int error = posix_spawn(&pid_, "/proc/self/exe", &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
      throw std::system_error(error, std::generic_category(), "posix_spawn");
    }
  }
  void send(int signal) const { ::kill(pid_, signal); }
  /// Its exit status, or 128 + the signal that ended it.
  int wait() const {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_ = 0;
};

/// Everything that two equal runs have in common at their end, item by item.
Fingerprint fingerprint(const std::filesystem::path& run_dir) {
  Fingerprint items = checkpoint_items(run_dir / "checkpoints" / "final.ckpt");
  items["run_state"] = fold_event_log(run_dir / "events").deterministic_bytes();
  items["events"] = shared_events(run_dir);
  items["metrics.csv"] = read_file(run_dir / "metrics.csv");
  items["metrics.jsonl"] = read_file(run_dir / "metrics.jsonl");
  items["tensorboard"] = testing::tensorboard_text(run_dir);
  return items;
}

class KillMatrix {
 public:
  /// `how`: what every process trains with.
  KillMatrix(uint32_t seed, KilledRun how) : random_(seed), how_(std::move(how)) {}

  /// The unbroken run: what the others are held to, how long it takes, and how often it visits each fault point.
  void run_unbroken() {
    const std::filesystem::path run_dir = folder_.path() / "unbroken";
    const std::filesystem::path visits = folder_.path() / "visits";
    const auto started = std::chrono::steady_clock::now();
    KilledRun run = how_;
    run.run_dir = run_dir;
    run.visits_file = visits;
    const int status = Process(run, folder_.path() / "output").wait();
    if (status != 0) {
      throw std::runtime_error("the unbroken run ended with status " + std::to_string(status) + ":\n" +
                               read_file(folder_.path() / "output"));
    }
    duration_ = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - started);
    std::ifstream file(visits);
    for (Fault fault; file >> fault.point >> fault.visit;) {
      points_.push_back(fault);
    }
    unbroken_ = fingerprint(run_dir);
    const auto segments = verify_event_log(run_dir / "events").segments;
    if (segments < kSegmentsMin || points_.size() < 10) {
      throw std::runtime_error("the unbroken run has " + std::to_string(segments) + " log segments and visits " +
                               std::to_string(points_.size()) + " fault points: too few to be a test");
    }
  }

  /// One run that is broken off up to three times, `kills_left` at most. Returns how often it was.
  int run_broken(int kills_left, bool keep) {
    const std::filesystem::path run_dir = folder_.path() / "run";
    const std::filesystem::path output = folder_.path() / "output";
    std::filesystem::remove_all(run_dir);
    std::filesystem::remove(output);
    const int wanted = std::min(kills_left, std::uniform_int_distribution<int>(1, 3)(random_));
    std::vector<std::string> blows;
    int status = 0;
    do {
      const Blow blow = static_cast<int>(blows.size()) < wanted ? any_blow() : Blow{0, {}, {}};
      status = strike(run_dir, output, blow);
      if (status == 128 + SIGKILL || status == 128 + SIGTERM) {
        blows.push_back(blow.text());
      }
    } while (status == 128 + SIGKILL || status == 128 + SIGTERM);
    std::string problem =
        status == 0 ? "" : "it ended with status " + std::to_string(status) + ":\n" + read_file(output);
    if (status == 0) {
      for (const auto& name : differences(unbroken_, fingerprint(run_dir))) {
        problem += (problem.empty() ? "another " : ", ") + name;
      }
    }
    if (problem.empty()) {
      equal_ += static_cast<int>(blows.size());
    } else {
      std::cout << "DIFFERENT: " << problem << "\n  after";
      for (const auto& blow : blows) {
        std::cout << " [" << blow << "]";
      }
      std::cout << std::endl;
      if (keep) {
        const std::filesystem::path kept =
            std::filesystem::current_path() / ("kill_matrix_run" + std::to_string(kept_++));
        std::filesystem::copy(run_dir, kept, std::filesystem::copy_options::recursive);
        std::cout << "  kept as " << kept.string() << std::endl;
      }
    }
    return static_cast<int>(blows.size());
  }

  int equal() const { return equal_; }

 private:
  Blow any_blow() {
    Blow blow;
    const auto choice = std::uniform_int_distribution<size_t>(0, points_.size() + 1)(random_);
    if (choice < points_.size()) {
      blow.fault = points_[choice];
      blow.fault.visit = std::uniform_int_distribution<int>(1, points_[choice].visit)(random_);
      return blow;
    }
    blow.signal = choice == points_.size() ? SIGKILL : SIGTERM;
    blow.after = std::chrono::microseconds(std::uniform_int_distribution<int64_t>(0, duration_.count())(random_));
    return blow;
  }

  int strike(const std::filesystem::path& run_dir, const std::filesystem::path& output, const Blow& blow) const {
    KilledRun run = how_;
    run.run_dir = run_dir;
    run.fault = blow.fault;
    const Process process(run, output);
    if (blow.signal != 0 && blow.fault.point.empty()) {
      std::this_thread::sleep_for(blow.after);
      process.send(blow.signal);
    }
    return process.wait();
  }

  std::mt19937 random_;
  KilledRun how_;
  TemporaryFolder folder_;
  Fingerprint unbroken_;
  std::chrono::microseconds duration_{0};
  std::vector<Fault> points_;  // With how often they are visited.
  int equal_ = 0;
  int kept_ = 0;
};

int run_matrix(int kills, uint32_t seed, const KilledRun& how, bool keep) {
  std::cout << "seed " << seed << ", " << how.num_threads << " thread(s)"
            << (how.device.empty() ? "" : ", device " + how.device) << std::endl;
  KillMatrix matrix(seed, how);
  matrix.run_unbroken();
  int done = 0;
  while (done < kills) {
    const int before = done;
    done += matrix.run_broken(kills - done, keep);
    if (done / kReportEvery != before / kReportEvery && done < kills) {
      std::cerr << done << " kills so far, " << matrix.equal() << " equal" << std::endl;
    }
  }
  std::cout << done << " kills, " << matrix.equal() << " equal" << std::endl;
  return matrix.equal() == done ? 0 : 1;
}

int run_command_line(int argc, char** argv) {
  CLI::App app("Kills a training run at random instants, resumes it, and compares it with an unbroken one.");
  int kills = 60;
  uint32_t seed = std::random_device()();
  bool keep = false;
  KilledRun run;
  std::string train;
  std::string visits;
  app.add_option("--kills", kills, "How often")->check(CLI::PositiveNumber);
  app.add_option("--seed", seed, "What the instants are drawn from; printed");
  app.add_option("--threads", run.num_threads, "LibTorch's intra-op threads")->check(CLI::PositiveNumber);
  app.add_option("--device", run.device, "Where to train: cpu, cuda, cuda:1; not given: the CPU");
  app.add_flag("--keep", keep, "Keep runs that end differently, in the current folder");
  app.add_option("--train", train, "")->group("");  // The process that is killed.
  app.add_option("--fault", run.fault.point, "")->group("");
  app.add_option("--visit", run.fault.visit, "")->group("");
  app.add_option("--visits", visits, "")->group("");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (train.empty()) {
    return run_matrix(kills, seed, run, keep);
  }
  run.run_dir = train;
  run.visits_file = visits;
  return train_until_killed(run);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run_command_line(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "kill_matrix: " << error.what() << std::endl;
    return 3;
  }
}
