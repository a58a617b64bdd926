#include "troupe/deploy/run.h"

#include <torch/torch.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "troupe/callbacks/builtin_callbacks.h"
#include "troupe/callbacks/live_callbacks.h"
#include "troupe/deploy/callbacks_command.h"
#include "troupe/deploy/flags.h"
#include "troupe/deploy/replay_command.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/version.h"
#include "troupe/runtime/callback/exception_text.h"
#include "troupe/runtime/file/file_size_signal.h"
#include "troupe/runtime/log/run_directory.h"
#include "troupe/runtime/log/run_lookup.h"
#include "troupe/runtime/module/seed.h"

namespace troupe {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr char kTrainerPrefix[] = "trainer";

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) {
    throw ConfigError("cannot read " + path + ": " + std::strerror(errno));
  }
  return text.str();
}

json read_json(const std::string& path) {
  return parse_json(read_text(path), path);
}

/// One command of the program, and the flags that it was given.
class Command {
 public:
  Command(CLI::App& app, Experiment& experiment, const std::string& name, const std::string& help)
      : experiment_(experiment), name_(name), app_(*app.add_subcommand(name, help)) {
    app_.add_option("--config", config_file_, "JSON file with the sections that `config` prints; flags win over it")
        ->type_name("FILE");
    app_.add_option("--callbacks", callbacks_file_,
                    "JSON file with an array of callbacks, instead of the program's own")
        ->type_name("FILE");
    app_.add_option("--run-dir", run_dir_, "run directory; default: <default_root_dir>/<name>/<run id>")
        ->type_name("DIR");
    if (name != "config") {
      auto* resume = app_.add_option("--resume", resume_, resume_help())->type_name("RUN|FILE|last|best");
      if (name == "fit") {
        app_.add_flag("--fork", fork_, "Go on in a new run, that of --run-dir, and leave the resumed one as it is")
            ->needs(resume);
      }
    }
    trainer_flags_ =
        std::make_unique<OptionFlags>(app_, kTrainerPrefix, field_infos(option_fields(experiment.trainer)));
    for (const auto& group : experiment.option_groups()) {
      group_flags_.push_back(std::make_unique<OptionFlags>(app_, group.prefix, group.infos));
    }
  }

  bool chosen() const { return app_.parsed(); }
  const std::string& name() const { return name_; }
  const std::string& resume() const { return resume_; }
  bool fork() const { return fork_; }

  /// Settles every option: the program's defaults, then the resumed run's, then the configuration file, then the flags.
  void settle() {
    callbacks_ = experiment_.callbacks();
    auto& trainer = experiment_.trainer;
    trainer.name = trainer.name == TrainerOptions().name ? experiment_.name() : trainer.name;
    apply_flags();  // Where to look for the run.
    if (!resume_.empty()) {
      read_resumed_run();
    }
    if (!config_file_.empty()) {
      read_sections(read_json(config_file_), config_file_);
    }
    if (!callbacks_file_.empty()) {
      callbacks_ = read_json(callbacks_file_);
      experiment_.registry.make_callbacks(callbacks_, callbacks_file_);  // Wrong ones are named with their file.
    }
    apply_flags();
    check_options(kTrainerPrefix, trainer);
    for (const auto& group : experiment_.option_groups()) {
      group.check();
    }
  }

  /// The configuration in force.
  json config() const {
    json config = {{kTrainerPrefix, options_to_json(experiment_.trainer)},
                   {"callbacks", experiment_.registry.effective(callbacks_)}};
    for (const auto& group : experiment_.option_groups()) {
      config[group.prefix] = group.to_json();
    }
    return config;
  }

  void add_callbacks(Trainer& trainer) const {
    for (auto& callback : experiment_.registry.make_callbacks(callbacks_)) {
      trainer.add_callback(std::move(callback));
    }
  }

 private:
  std::string resume_help() const {
    return name_ == "fit"
               ? "go on with a run, from its newest checkpoint, a given one or its best; its options are kept but for "
                 "flags"
               : "take the weights of a checkpoint; best and last are those of --run-dir or of the newest run";
  }

  void apply_flags() {
    trainer_flags_->apply(experiment_.trainer);
    for (size_t i = 0; i < group_flags_.size(); ++i) {
      const auto& group = experiment_.option_groups()[i];
      for (const auto& [option, text] : group_flags_[i]->given()) {
        group.set("--" + group.prefix, option, text);
      }
    }
    if (!run_dir_.empty()) {
      experiment_.trainer.run_dir = run_dir_;
    }
  }

  void read_resumed_run() {
    TrainerOptions lookup = experiment_.trainer;
    if (fork_) {
      lookup.run_dir.clear();  // That of the new run.
    }
    const fs::path run = run_to_resume(resume_, lookup);
    const fs::path config = RunPaths{run}.config();
    if (!run.empty() && fs::exists(config)) {
      const std::string where = experiment_.trainer.run_dir;
      read_sections(read_json(config.string()), config.string());
      experiment_.trainer.run_dir = where;  // A run may have been moved.
    }
  }

  void read_sections(const json& sections, const std::string& file) {
    if (!sections.is_object()) {
      throw ConfigError(file + ": must be an object of sections");
    }
    for (const auto& [section, options] : sections.items()) {
      const auto& groups = experiment_.option_groups();
      const auto group =
          std::find_if(groups.begin(), groups.end(), [&name = section](const auto& g) { return g.prefix == name; });
      if (section == kTrainerPrefix) {
        read_options(file + ": " + kTrainerPrefix, experiment_.trainer, options);
      } else if (section == "callbacks") {
        experiment_.registry.make_callbacks(options, file + ": callbacks");
        callbacks_ = options;
      } else if (group != groups.end()) {
        group->read(options);
      } else {
        std::vector<std::string> known = {kTrainerPrefix, "callbacks"};
        for (const auto& each : groups) {
          known.push_back(each.prefix);
        }
        throw ConfigError(file + ": no section '" + section + "'" + suggest(section, known));
      }
    }
  }

  Experiment& experiment_;
  std::string name_;
  CLI::App& app_;
  std::string config_file_;
  std::string callbacks_file_;
  std::string run_dir_;
  std::string resume_;
  bool fork_ = false;
  std::unique_ptr<OptionFlags> trainer_flags_;
  std::vector<std::unique_ptr<OptionFlags>> group_flags_;
  json callbacks_;
};

void print_metrics(const MetricMap& metrics) {
  for (const auto& [name, value] : metrics) {
    std::cout << name << ' ' << value << '\n';
  }
}

void print_predictions(const std::vector<at::Tensor>& batches) {
  for (const auto& batch : batches) {
    const auto rows = batch.to(at::kCPU, at::kDouble).reshape({batch.dim() == 0 ? 1 : batch.size(0), -1}).contiguous();
    for (int64_t row = 0; row < rows.size(0); ++row) {
      const auto* first = rows.data_ptr<double>() + row * rows.size(1);
      std::cout << json(std::vector<double>(first, first + rows.size(1))).dump() << '\n';
    }
  }
}

std::string on_one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

/// The exit status, and on standard error how the run ended.
int report_end(const RunResult& result) {
  std::string line = (result.signal != 0    ? "interrupted: "
                      : result.lost.empty() ? "done: "
                                            : "done, but not all was kept: ") +
                     result.reason;
  for (const auto& loss : result.lost) {
    line += "; " + loss;
  }
  std::cerr << on_one_line(std::move(line)) + "\n";
  return result.signal != 0 ? 128 + result.signal : result.lost.empty() ? 0 : 1;
}

int report(const RunResult& result) {
  print_metrics(result.metrics.empty() ? result.state.metrics() : result.metrics);
  std::cout << "run_dir " << result.run_dir << '\n';
  return report_end(result);
}

int carry_out(Command& command, Experiment& experiment) {
  command.settle();
  if (command.name() == "config") {
    std::cout << command.config().dump(2) << '\n';
    return 0;
  }
  seed_everything(experiment.trainer.seed);
  Trainer trainer(experiment.trainer);
  command.add_callbacks(trainer);
  trainer.set_config(command.config().dump());
  const auto data = experiment.data();
  const auto module = experiment.module();
  if (command.name() == "fit") {
    return report(command.fork() ? trainer.fork(*module, *data, command.resume())
                                 : trainer.fit(*module, *data, command.resume()));
  }
  if (command.name() == "validate") {
    return report(trainer.validate(*module, *data, command.resume()));
  }
  if (command.name() == "test") {
    return report(trainer.test(*module, *data, command.resume()));
  }
  const RunResult predicted = trainer.predict(*module, *data, command.resume());
  print_predictions(predicted.predictions);
  return predicted.signal == 0 && predicted.lost.empty() ? 0 : report_end(predicted);
}

/// Runs it; what it has printed has reached standard output then.
int with_output(const std::function<int()>& action) {
  const int status = action();
  if (!std::cout.flush()) {
    throw IoError("cannot write to standard output");
  }
  return status;
}

/// The text of the exception being handled, on one line.
std::string one_line_error() {
  return on_one_line(current_exception_text());
}

}  // namespace

Experiment::Experiment(std::string name, std::string description)
    : name_(std::move(name)), description_(std::move(description)) {
  register_builtin_callbacks(registry);
  register_live_callbacks(registry);
}

int run(int argc, char** argv, Experiment& experiment) {
  const FileSizeSignalGuard no_signal;
  std::string doing = experiment.name();
  try {
    CLI::App app(experiment.description(), experiment.name());
    app.set_version_flag("--version", std::string(kVersion));
    app.require_subcommand(1);
    app.footer("Examples:\n  " + experiment.name() + " fit --trainer.max_epochs 3 --run-dir runs/first\n  " +
               experiment.name() + " fit --resume runs/first\n  " + experiment.name() +
               " test --run-dir runs/first --resume best\n  " + experiment.name() + " config > config.json\n\n" +
               experiment.name() + " COMMAND --help lists every option.");
    std::vector<std::unique_ptr<Command>> commands;
    const auto add = [&](const char* name, const char* help) {
      commands.push_back(std::make_unique<Command>(app, experiment, name, help));
    };
    add("fit", "train, or go on training");
    add("validate", "run the validation data through the model");
    add("test", "run the test data through the model");
    add("predict", "print the model's predictions, one JSON array a sample");
    add("config", "print the configuration in force, as --config takes it");
    std::function<int()> list_callbacks;
    add_callbacks_command(app, experiment.registry, list_callbacks);
    std::function<int()> replay;
    add_replay_command(app, experiment.registry, replay);
    if (const auto status = parse_arguments(app, {argv + 1, argv + argc})) {
      return *status;
    }
    if (list_callbacks) {
      doing += " callbacks";
      return with_output(list_callbacks);
    }
    if (replay) {
      doing += " replay";
      return with_output(replay);
    }
    for (const auto& command : commands) {
      if (command->chosen()) {
        doing += " " + command->name();
        return with_output([&] { return carry_out(*command, experiment); });
      }
    }
    return 2;
  } catch (const ConfigError&) {
    std::cerr << doing + ": " + one_line_error() + "\n";
    return 2;
  } catch (const MismatchError&) {
    std::cerr << doing + ": " + one_line_error() + "\n";
    return 2;
  } catch (...) {
    std::cerr << doing + " failed: " + one_line_error() + "\n";
    return 1;
  }
}

}  // namespace troupe
