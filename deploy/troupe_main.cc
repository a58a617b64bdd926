// The tool `troupe`: looks into runs and checkpoints. Links no LibTorch, so that it starts at once.
#include <csignal>
#include <iostream>

#include "troupe/callbacks/builtin_callbacks.h"
#include "troupe/deploy/commands.h"
#include "troupe/deploy/replay_command.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/file/file_size_signal.h"

namespace troupe {

namespace {

constexpr int kFailed = 1;
constexpr int kWrongUsage = 2;

int fail(const char* message, int status) {
  std::cout.flush();
  std::cerr << "troupe: " << message << '\n';
  return status;
}

int run(const Action& action) {
  const int status = action();
  if (!std::cout.flush()) {
    throw IoError("cannot write to standard output");
  }
  return status;
}

int run_tool(int argc, char** argv) {
  CLI::App tool("Look into the runs of Troupe: event logs, states, checkpoints", "troupe");
  tool.set_version_flag("--version", "troupe " TROUPE_VERSION);
  tool.require_subcommand(1);
  Action action;
  add_log_command(tool, action);
  add_state_command(tool, action);
  add_checkpoint_command(tool, action);
  CallbackRegistry registry;
  register_builtin_callbacks(registry);
  add_replay_command(tool, registry, action);
  tool.footer(
      "RUN is a run directory: it holds events/, checkpoints/ and config.json.\n"
      "Exit status: 0 done; 1 damage or a difference found, or not there; 2 wrong usage.\n"
      "Examples:\n  troupe log show RUN\n  troupe state RUN --at step=100\n  troupe checkpoint verify FILE");
  try {
    tool.parse(argc, argv);
  } catch (const CLI::Success& asked) {
    return tool.exit(asked);
  } catch (const CLI::ParseError& error) {
    return fail((std::string(error.what()) + " (--help says more)").c_str(), kWrongUsage);
  }
  return run(action);
}

}  // namespace
}  // namespace troupe

int main(int argc, char** argv) {
  std::signal(SIGPIPE,
              SIG_DFL);  // The reader of a pipe that leaves ends this program quietly, whatever the parent ignored.
  const troupe::FileSizeSignalGuard no_signal;
  std::ios::sync_with_stdio(false);
  try {
    return troupe::run_tool(argc, argv);
  } catch (const troupe::ConfigError& error) {
    return troupe::fail(error.what(), troupe::kWrongUsage);
  } catch (const std::exception& error) {
    return troupe::fail(error.what(), troupe::kFailed);
  }
}
