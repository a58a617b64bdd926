#include "troupe/deploy/replay_command.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "troupe/deploy/find_run.h"
#include "troupe/deploy/muted_output.h"
#include "troupe/deploy/replay_report.h"
#include "troupe/deploy/scratch_folder.h"
#include "troupe/runtime/base/strict_json.h"
#include "troupe/runtime/file/file.h"

namespace troupe {
namespace {

using nlohmann::json;

struct ReplayArguments {
  std::string run;
  std::string callbacks;
  std::string from;
  std::string until;
  bool json = false;
  bool verbose = false;
};

ReplayOptions replay_options(const ReplayArguments& arguments, const ScratchFolder& scratch) {
  const auto folder = scratch.path() / "run";  // What climbs out of it by one stays in the scratch folder.
  std::filesystem::create_directory(folder);
  return {find_run(arguments.run).root, folder, arguments.from, arguments.until};
}

/// What exceptions say need not be UTF-8.
std::string json_line(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

void report_problems(const std::vector<std::string>& problems) {
  std::cout.flush();
  for (const auto& problem : problems) {
    std::cerr << "troupe: " << problem << '\n';
  }
}

int replay_own(const CallbackRegistry& registry, const ReplayArguments& arguments) {
  const ScratchFolder scratch;
  const auto options = replay_options(arguments, scratch);
  ReplayReport report;
  {
    const MutedOutput muted(arguments.verbose);
    report = replay_run(registry, options);
  }
  if (arguments.json) {
    std::cout << json_line(to_json(report)) << '\n';
  } else {
    print_text(std::cout, report);
  }
  auto problems = report.unreadable;
  if (!report.problem.empty()) {
    problems.push_back(arguments.run + ": " + report.problem);
  }
  report_problems(problems);
  return report.equal() && problems.empty() ? 0 : 1;
}

/// Prints decisions as they come: as lines, or as the array of one object that is open.
class DecisionPrinter {
 public:
  DecisionPrinter(std::streambuf* out, bool json) : out_(out), json_(json) {}

  void print(const WhatIfDecision& decision) {
    if (!json_) {
      print_text(out_, decision);
      return;
    }
    out_ << (first_ ? "{\"decisions\":[" : ",") << json_line(to_json(decision));
    first_ = false;
  }
  void end(const WhatIfReport& report) {
    if (!json_) {
      print_text(out_, report);
      return;
    }
    out_ << (first_ ? "{\"decisions\":[" : "") << "]," << json_line(to_json(report)).substr(1) << '\n';
  }

 private:
  std::ostream out_;
  bool json_;
  bool first_ = true;
};

int replay_others(const CallbackRegistry& registry, const ReplayArguments& arguments) {
  const json callbacks = parse_json(read_file(arguments.callbacks), arguments.callbacks);
  const ScratchFolder scratch;
  const auto options = replay_options(arguments, scratch);
  WhatIfReport report;
  {
    const MutedOutput muted(arguments.verbose);
    DecisionPrinter printer(muted.out(), arguments.json);
    report = replay_what_if(registry, callbacks, arguments.callbacks, options,
                            [&](const WhatIfDecision& decision) { printer.print(decision); });
    printer.end(report);
  }
  if (!report.problem.empty()) {
    report_problems({arguments.run + ": " + report.problem});
  }
  return report.problem.empty() ? 0 : 1;
}

}  // namespace

void add_replay_command(CLI::App& app, const CallbackRegistry& registry, std::function<int()>& action) {
  auto arguments = std::make_shared<ReplayArguments>();
  auto* replay = app.add_subcommand("replay", "Feed the log of a run to its callbacks and compare what they decide");
  replay->add_option("RUN", arguments->run, "Run directory")->required();
  replay
      ->add_option("--callbacks", arguments->callbacks,
                   "JSON file with an array of other callbacks: print what those would have decided")
      ->option_text("FILE");
  replay->add_option("--from", arguments->from, "Compare from here on: a sequence number, step=N or epoch=N")
      ->option_text("PLACE");
  replay->add_option("--until", arguments->until, "Up to here: the same, a step's batch or an epoch's end included")
      ->option_text("PLACE");
  replay->add_flag("--json", arguments->json, "Print one JSON object");
  replay->add_flag("--verbose", arguments->verbose, "Let what the callbacks print through, to standard error");
  replay->footer(
      "The run's own callbacks are made anew from the configuration in its log and fed its events; what they decide "
      "is\n"
      "compared with what was recorded, and their states with those in its checkpoints. The model is not needed, and\n"
      "nothing in RUN is written. Exit status: 0 all as recorded, 1 a divergence or damage, 2 wrong usage.\n"
      "Examples:\n  " +
      app.get_name() + " replay RUN\n  " + app.get_name() + " replay RUN --callbacks patience_2.json\n  " +
      app.get_name() + " replay RUN --until epoch=3 --json | jq .first_divergence");
  replay->callback([arguments, &registry, &action] {
    action = [arguments, &registry] {
      return arguments->callbacks.empty() ? replay_own(registry, *arguments) : replay_others(registry, *arguments);
    };
  });
}

}  // namespace troupe
