#include "tests/integration/stored_run.h"

#include <algorithm>
#include <optional>
#include <stdexcept>

#include "tests/integration/stored_checkpoint.h"
#include "tests/support/log_events.h"
#include "troupe/actors/storage/checkpoint_finder.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/log/event_log_reader.h"
#include "troupe/runtime/log/event_log_tail.h"
#include "troupe/runtime/log/run_directory.h"

namespace troupe::testing {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConfig = "{\"trainer\": {}}\n";

std::string to_text(LogPlace place) {
  return std::to_string(place.incarnation) + ":" + std::to_string(place.seq);
}

}  // namespace

void StoredRun::run_process(const fs::path& run_dir) {
  passed_over_ = false;
  const RunDirectory directory(run_dir);
  folders_ = true;
  remove_stale_temporaries(directory.checkpoints());
  directory.write_config(kConfig);
  config_ = true;
  EventLogWriter log = open_log(run_dir);
  const int batches = std::uniform_int_distribution<int>(1, 16)(random_);
  for (int batch = 0; batch < batches; ++batch) {
    append(log, batch_event(0, log.last_seq()));
    if (chance(4)) {
      log.write();
    }
    if (chance(6)) {
      sync(log);
    }
    if (chance(4)) {
      save(log, run_dir, "step=" + std::to_string(log.last_seq()) + ".ckpt");
      remove_oldest(log, run_dir);
    }
    if (chance(6)) {
      save(log, run_dir, "last.ckpt");
    }
  }
  append(log, run_ended_event(0));
  sync(log);
}

EventLogWriter StoredRun::open_log(const fs::path& run_dir) {
  FoundCheckpoint found;
  if (has_run(run_dir)) {
    found = find_checkpoint(run_dir.string(), TrainerOptions(), CheckpointUse::kResume);
  }
  const LogPlace from{found.data.header.incarnation(), found.data.header.seq()};
  passed_over_ = !found.passed_over.empty();
  if (passed_over_) {
    go_back_to(from);
  }
  if (from < newest_promised()) {
    throw std::logic_error("the run is taken up from " + to_text(from) + " though a later checkpoint was saved, " +
                           to_text(newest_promised()));
  }
  EventLogWriter log(run_dir / "events",
                     {.segment_bytes_max = std::uniform_int_distribution<uint64_t>(100, 2000)(random_),
                      .cut_damage_after = found.log_damage_after});
  take_over_events(run_dir / "events");
  if (log.last_seq() == 0) {
    append(log, run_started_event());
  } else if (from.seq > log.last_seq()) {
    throw std::logic_error("the log ends before the checkpoint");
  } else {
    append(log, run_resumed_event(log.incarnation() + 1, from.seq, log.last_seq() - from.seq));
  }
  return log;
}

LogPlace StoredRun::newest_promised() const {
  LogPlace newest;
  for (const auto& [name, promise] : checkpoints_) {
    if (promise.must_be && !promise.superseded) {
      newest = std::max(newest, *promise.may_be.begin());
    }
  }
  return newest;
}

/// A later checkpoint that was saved may not be there to go on from any more.
void StoredRun::go_back_to(LogPlace from) {
  for (auto& [name, promise] : checkpoints_) {
    promise.superseded = promise.superseded || (promise.must_be && *promise.may_be.begin() > from);
  }
}

/// What the process before this one had not handed to the system is not there.
void StoredRun::take_over_events(const fs::path& events_dir) {
  EventLogReader reader(events_dir);
  size_t found = 0;
  for (Event event; reader.next(event); ++found) {
    if (found >= events_.size() || event.SerializeAsString() != events_[found]) {
      throw std::logic_error("event " + std::to_string(found) + " of the log was never appended");
    }
  }
  if (found < durable_events_) {
    throw std::logic_error("the log was taken up with fewer events than were durable");
  }
  events_.resize(found);
}

void StoredRun::append(EventLogWriter& log, Event event) {
  if (event.seq() == 0) {
    event.set_seq(log.last_seq() + 1);
  }
  event.set_elapsed_us(random_() % 1000000);  // Tells this event from one that another process wrote at its place.
  events_.push_back(event.SerializeAsString());
  log.append(event);
}

void StoredRun::sync(EventLogWriter& log) {
  log.sync();
  durable_events_ = events_.size();
}

/// As CheckpointActor: a failure is an event, and the run goes on.
void StoredRun::save(EventLogWriter& log, const fs::path& run_dir, const std::string& name) {
  const std::string path = "checkpoints/" + name;
  Event taken;
  taken.mutable_checkpoint_taken()->set_path(path);
  append(log, taken);
  const LogPlace place{log.incarnation(), log.last_seq()};
  auto& promise = checkpoints_[name];
  promise.may_be.insert(place);
  Event outcome;
  try {
    write_checkpoint_at(place, run_dir / path, [&] { sync(log); });
    promise = {{place}, true, false};
    outcome.mutable_checkpoint_saved()->set_path(path);
    outcome.mutable_checkpoint_saved()->set_taken_seq(place.seq);
  } catch (const IoError& error) {
    outcome.mutable_checkpoint_failed()->set_path(path);
    outcome.mutable_checkpoint_failed()->set_taken_seq(place.seq);
    outcome.mutable_checkpoint_failed()->set_message(error.what());
    if (std::string(error.what()).find(run_dir.string()) == std::string::npos) {
      throw std::logic_error(std::string("an error without its file: ") + error.what());
    }
  }
  append(log, outcome);
}

/// Of those by step, when there are three: the newer ones are durable.
void StoredRun::remove_oldest(EventLogWriter& log, const fs::path& run_dir) {
  std::map<LogPlace, std::string> by_age;
  for (const auto& [name, promise] : checkpoints_) {
    if (promise.must_be && !promise.superseded && name != "last.ckpt") {
      by_age[*promise.may_be.begin()] = name;
    }
  }
  if (by_age.size() < 3) {
    return;
  }
  const std::string& name = by_age.begin()->second;
  checkpoints_[name].must_be = false;
  std::error_code error;
  if (fs::remove(run_dir / "checkpoints" / name, error)) {
    Event removed;
    removed.mutable_checkpoint_removed()->set_path("checkpoints/" + name);
    append(log, removed);
  }
}

std::string StoredRun::broken_promise(const fs::path& run_dir) const {
  const RunPaths paths{run_dir};
  if (folders_ && !(fs::is_directory(paths.events()) && fs::is_directory(paths.checkpoints()))) {
    return "the run directory is gone";
  }
  if (config_ && read_file(paths.config()) != kConfig) {
    return "config.json is not what was written";
  }
  LogPlace last;
  try {
    std::string broken = broken_log(run_dir, last);
    return broken.empty() ? broken_checkpoints(run_dir, last) : broken;
  } catch (const CorruptionError& error) {
    return error.what();
  }
}

std::string StoredRun::broken_log(const fs::path& run_dir, LogPlace& last) const {
  size_t found = 0;
  if (has_run(run_dir)) {
    EventLogReader reader(run_dir / "events");
    try {
      for (Event event; reader.next(event); ++found) {
        if (found >= events_.size() || event.SerializeAsString() != events_[found]) {
          return "event " + std::to_string(found) + " of the log was never appended";
        }
      }
    } catch (const DamageError& error) {
      place_before_damage(run_dir, error);  // Throws what no power failure explains.
    }
    last = reader.sequence().place();
  }
  return found >= durable_events_ ? ""
                                  : "the log has " + std::to_string(found) + " events, but " +
                                        std::to_string(durable_events_) + " were durable";
}

std::string StoredRun::broken_checkpoints(const fs::path& run_dir, LogPlace last) const {
  std::set<std::string> found;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(RunPaths{run_dir}.checkpoints(), none)) {
    const std::string name = entry.path().filename().string();
    if (is_temporary_name(entry.path())) {
      continue;
    }
    const LogPlace place = read_checkpoint_place(entry.path());
    const auto promise = checkpoints_.find(name);
    if (promise == checkpoints_.end() || !promise->second.may_be.contains(place)) {
      return name + " holds the checkpoint of " + to_text(place) + ", which was never to be there";
    }
    if (place > last) {
      return name + " was taken at " + to_text(place) + ", but the log ends at " + to_text(last);
    }
    found.insert(name);
  }
  for (const auto& [name, promise] : checkpoints_) {
    if (promise.must_be && !found.contains(name)) {
      return name + " was saved and is gone";
    }
  }
  return {};
}

}  // namespace troupe::testing
