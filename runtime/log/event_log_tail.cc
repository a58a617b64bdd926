#include "troupe/runtime/log/event_log_tail.h"

#include <optional>
#include <string>
#include <system_error>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/checkpoint/checkpoint_file.h"
#include "troupe/runtime/log/event_log_reader.h"
#include "troupe/runtime/log/event_log_segments.h"
#include "troupe/runtime/log/run_directory.h"

namespace troupe {
namespace {

namespace fs = std::filesystem;

std::string place_text(LogPlace place) {
  return "seq " + std::to_string(place.seq) + " of incarnation " + std::to_string(place.incarnation);
}

/// The end of what is left of a run's log.
struct LogEnd {
  LogPlace last;
  std::string run_id;   ///< Empty where it cannot be read.
  std::string name;     ///< Of the run directory: the id of a run that was forked into it.
  bool ends_in_damage;  ///< A checkpoint that cannot be read may then have been taken behind it.
};

/// What a checkpoint says of a log: that it went on behind its end, or may have.
struct Objection {
  std::string text;
  bool io_failed = false;
};

/// Why the file says that the log went on behind its end; nothing if it does not.
std::optional<Objection> says_more(const ListedCheckpoint& checkpoint, const LogEnd& end) {
  const std::string file = checkpoint.file.string();
  if (!checkpoint.unreadable.empty()) {
    return end.ends_in_damage && checkpoint.file.extension() == ".ckpt"
               ? std::optional(Objection{
                     file + " may have been taken behind it, but cannot be read (" + checkpoint.unreadable + ")",
                     checkpoint.io_failed})
               : std::nullopt;
  }
  const bool of_this_run = end.run_id.empty() || checkpoint.run_id == end.run_id || checkpoint.run_id == end.name;
  return of_this_run && checkpoint.taken > end.last
             ? std::optional(Objection{file + " was taken at " + place_text(checkpoint.taken)})
             : std::nullopt;
}

ListedCheckpoint look_at(const fs::path& file) {
  try {
    const auto header = read_checkpoint_header(file);
    return {file, header.run_id(), {header.incarnation(), header.seq()}, {}};
  } catch (const IoError& error) {
    return {file, {}, {}, error.what(), /*io_failed=*/true};
  } catch (const Error& error) {
    return {file, {}, {}, error.what()};
  }
}

/// Its first event says; empty where that is damaged or missing.
std::string run_id_of(const fs::path& run) {
  try {
    EventLogReader reader(RunPaths{run}.events());
    Event event;
    return reader.next(event) && event.has_run_started() ? event.run_started().run_id() : std::string();
  } catch (const CorruptionError&) {
    return {};
  }
}

/// The first checkpoint found that says that the log went on behind its end.
std::optional<Objection> checkpoint_after(const fs::path& run, const std::vector<ListedCheckpoint>& checkpoints,
                                          LogPlace last, bool ends_in_damage) {
  const LogEnd end{last, run_id_of(run), run_name(run), ends_in_damage};
  for (const auto& checkpoint : checkpoints) {
    if (auto why = says_more(checkpoint, end)) {
      return why;
    }
  }
  return std::nullopt;
}

/// The last event before the damage that `error` names.
LogPlace last_event_before(const fs::path& run, const DamageError& error) {
  EventLogReader reader(RunPaths{run}.events());
  try {
    Event event;
    while (reader.next(event)) {
    }
  } catch (const DamageError& again) {
    if (again.damage().file == error.damage().file && again.damage().offset == error.damage().offset) {
      return reader.sequence().place();
    }
  }
  throw error;  // The log has changed in the meantime: another process writes it.
}

std::string advice(LogPlace last) {
  return "; to go on from an older checkpoint, move those that were taken after seq " + std::to_string(last.seq) +
         " out of the checkpoints folder";
}

}  // namespace

std::vector<ListedCheckpoint> list_checkpoints(const fs::path& run) {
  std::vector<ListedCheckpoint> checkpoints;
  std::error_code error;
  auto entry = fs::recursive_directory_iterator(RunPaths{run}.checkpoints(), error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    std::error_code gone;
    if (entry->is_regular_file(gone) && !is_temporary_name(entry->path())) {
      checkpoints.push_back(look_at(entry->path()));
    }
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    throw IoError("cannot list " + RunPaths{run}.checkpoints().string() + ": " + error.message());
  }
  return checkpoints;
}

LogPlace place_before_damage(const fs::path& run, const DamageError& error) {
  const Damage& damage = error.damage();
  const bool in_last_segment = damage.file == list_log_segments(RunPaths{run}.events()).back().path;
  if (!in_last_segment || RecordReader(damage.file, damage.offset).next() != RecordStatus::kDamaged) {
    throw CorruptionError(damage.text() +
                          ": it was durable, and the log cannot go on behind it; the run's checkpoints can still be "
                          "tested, and a copy of the run directory may be sound");
  }
  const LogPlace last = last_event_before(run, error);
  if (const auto why = checkpoint_after(run, list_checkpoints(run), last, /*ends_in_damage=*/true)) {
    const std::string text =
        damage.text() + ", after " + place_text(last) + ": the log was durable there, as " + why->text + advice(last);
    if (why->io_failed) {
      throw IoError(text);
    }
    throw CorruptionError(text);
  }
  return last;
}

void require_no_checkpoint_after(const fs::path& run, const std::vector<ListedCheckpoint>& checkpoints, LogPlace end) {
  if (const auto why = checkpoint_after(run, checkpoints, end, /*ends_in_damage=*/false)) {
    throw CorruptionError("the log of run " + run.string() + " ends at " + place_text(end) +
                          " and has lost events: " + why->text + advice(end));
  }
}

}  // namespace troupe
