#include <sys/ioctl.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <thread>

#include "troupe/deploy/commands.h"
#include "troupe/deploy/event_text.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/utf8.h"
#include "troupe/runtime/log/event_history.h"
#include "troupe/runtime/log/event_log_verify.h"

namespace troupe {
namespace {

constexpr std::chrono::milliseconds kFollowInterval{100};
constexpr size_t kDefaultWidth = 80;

struct ShowOptions {
  std::string run;
  bool json = false;
  bool all = false;
  bool follow = false;
  bool wide = false;
  uint64_t from_seq = 0;
  std::vector<std::string> types;
};

struct VerifyOptions {
  std::string run;
};

/// Reads the events of a run, effective or all.
class LogSource {
 public:
  LogSource(const std::filesystem::path& events_dir, bool all) {
    if (all) {
      log_.emplace(events_dir);
    } else {
      history_.emplace(events_dir);
    }
  }
  bool next(Event& event) { return log_ ? log_->next(event) : history_->next(event); }
  const std::optional<Damage>& torn_tail() const { return log_ ? log_->torn_tail() : history_->reader().torn_tail(); }

 private:
  std::optional<EventLogReader> log_;
  std::optional<EventHistory> history_;
};

EventTypeSet selected_types(const std::vector<std::string>& names) {
  EventTypeSet types;
  for (const auto& name : names) {
    const auto* info = find_event_info(name);
    if (info == nullptr) {
      std::string known;
      for (const auto& each : all_event_infos()) {
        known.append(known.empty() ? "" : ", ").append(each.name);
      }
      throw ConfigError(std::string("no event type '").append(name).append("'; there are ").append(known));
    }
    types.set(static_cast<size_t>(info->type));
  }
  return names.empty() ? types.set() : types;
}

/// How wide a line may be: as wide as the terminal that standard output is, or any.
std::optional<size_t> columns_of_output() {
  if (isatty(STDOUT_FILENO) == 0) {
    return std::nullopt;
  }
  if (const char* given = std::getenv("COLUMNS")) {
    const std::string_view text = given;
    size_t columns = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), columns);
    if (error == std::errc() && end == text.data() + text.size() && columns > 0) {
      return columns;
    }
  }
  winsize size{};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kDefaultWidth;
}

std::string shown_event(const Event& event, const ShowOptions& options, std::optional<size_t> columns) {
  if (options.json) {
    return to_json_line(event);
  }
  const std::string line = to_text_line(event);
  return columns && !options.wide ? shortened_utf8(line, *columns) : line;
}

int show(const ShowOptions& options) {
  const EventTypeSet types = selected_types(options.types);
  const auto columns = columns_of_output();
  LogSource source(find_run(options.run).events(), options.all);
  Event event;
  bool ended = false;
  do {
    while (std::cout && source.next(event)) {
      ended = event.has_run_ended();
      if (event.seq() >= options.from_seq && types.test(static_cast<size_t>(event.body_case()))) {
        std::cout << shown_event(event, options, columns) << '\n';
      }
    }
    if (options.follow && !ended) {
      std::cout.flush();
      std::this_thread::sleep_for(kFollowInterval);
    }
  } while (std::cout && options.follow && !ended);
  if (source.torn_tail()) {
    std::cout.flush();
    std::cerr << "troupe: left out: " << source.torn_tail()->text() << '\n';
  }
  return 0;
}

std::string counted(uint64_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

int verify(const VerifyOptions& options) {
  const auto report = verify_event_log(find_run(options.run).events());
  for (const auto& damage : report.damages) {
    std::cout << damage.text() << '\n';
  }
  std::cout << options.run << ": " << counted(report.events, "event") << " (" << report.superseded << " superseded) in "
            << counted(report.segments, "segment") << ", " << counted(report.incarnations, "incarnation") << ", "
            << counted(report.bytes, "byte") << ", last seq " << report.last_seq << ": "
            << (report.sound() ? "sound" : counted(report.damages.size(), "damage")) << ", "
            << (report.ended ? "ended" : "not ended") << '\n';
  return report.sound() ? 0 : 1;
}

}  // namespace

void add_log_command(CLI::App& tool, Action& action) {
  auto* log = tool.add_subcommand("log", "Look into the event log of a run");
  log->require_subcommand(1);
  log->footer(
      "Examples:\n  troupe log show runs/digits/20260131-235959-3fa9 | head\n"
      "  troupe log verify runs/digits/20260131-235959-3fa9");

  auto shown = std::make_shared<ShowOptions>();
  auto* show_command = log->add_subcommand("show", "Print the events of a run, one a line");
  show_command->add_option("RUN", shown->run, "Run directory")->required();
  show_command->add_flag("--json", shown->json, "Print protobuf's JSON mapping, one event a line");
  show_command->add_option("--from", shown->from_seq, "Leave out events before this sequence number")
      ->check(CLI::NonNegativeNumber)
      ->option_text("SEQ");
  show_command->add_option("--type", shown->types, "Print only these types, as in TrainBatchEnded,RunEnded")
      ->delimiter(',')
      ->option_text("T,...");
  show_command->add_flag("--all", shown->all, "Print superseded events too, in the order in which they were written");
  show_command->add_flag("--follow", shown->follow, "Go on printing until the run ends");
  show_command->add_flag("--wide", shown->wide, "Print whole lines on a terminal too, however wide it is");
  show_command->footer(
      "Columns: seq, elapsed seconds, position, type, body. What a resume superseded is left out unless --all is "
      "given.\n"
      "On a terminal a line ends where the terminal does, which COLUMNS may tell; elsewhere, with --wide and with "
      "--json it is printed whole.\n"
      "Examples:\n  troupe log show RUN --type ValidationEnded,CheckpointSaved\n"
      "  troupe log show RUN --json --from 1000 | jq .train_batch_ended.metrics\n  troupe log show RUN --follow");
  show_command->callback([shown, &action] { action = [shown] { return show(*shown); }; });

  auto verified = std::make_shared<VerifyOptions>();
  auto* verify_command = log->add_subcommand("verify", "Check every checksum and sequence number");
  verify_command->add_option("RUN", verified->run, "Run directory")->required();
  verify_command->footer(
      "Prints each damage with file and byte offset. Never writes. Exit status: 0 sound, 1 damaged.\n"
      "A log that ends between two records but without RunEnded is sound and \"not ended\".\n"
      "Example:\n  troupe log verify RUN && echo sound");
  verify_command->callback([verified, &action] { action = [verified] { return verify(*verified); }; });
  add_log_diff_command(*log, action);
}

}  // namespace troupe
