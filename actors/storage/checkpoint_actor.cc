#include "troupe/actors/storage/checkpoint_actor.h"

#include <algorithm>
#include <chrono>
#include <system_error>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/fault_point.h"
#include "troupe/runtime/callback/exception_text.h"
#include "troupe/runtime/checkpoint/checkpoint_file.h"

namespace troupe {
namespace {

constexpr std::chrono::milliseconds kCallbackStatePatience{1000};
constexpr std::chrono::milliseconds kLateCallbackPatience{20};

}  // namespace

CheckpointActor::CheckpointActor(caf::actor_config& config, CheckpointContext context,
                                 std::shared_ptr<EventQueue> queue, std::shared_ptr<SnapshotSlots> slots)
    : caf::event_based_actor(config),
      context_(std::move(context)),
      queue_(std::move(queue)),
      slots_(std::move(slots)) {}

caf::behavior CheckpointActor::make_behavior() {
  return {
      [this](const WriteCheckpoint& message) {
        write(*message.job);
        message.job->snapshot.reset();  // The training thread may fill it again.
        slots_->give_back();
      },
      [this](const RemoveCheckpointFile& message) { remove(message); },
      [this](const FinishCheckpoints& message) { message.failure->set_value(newest_failure_); },
  };
}

void CheckpointActor::write(const CheckpointJob& job) {
  try {
    save(job);
    ++durable_in_a_row_;
    newest_failure_.clear();
  } catch (...) {
    durable_in_a_row_ = 0;
    const std::string reason = current_exception_text();
    newest_failure_ = "checkpoint " + job.path + " was not written: " + reason;
    auto event = std::make_shared<Event>();
    auto* failed = event->mutable_checkpoint_failed();
    failed->set_path(job.path);
    failed->set_taken_seq(job.seq);
    failed->set_message(reason);
    queue_->push_unbounded(std::move(event));
  }
}

/// The states at the checkpoint's place. Of a callback that is behind, the state that it had last, with its place: what
/// comes after is in the log, and is delivered again when the run goes on from here.
std::vector<v1::CallbackState> CheckpointActor::callback_states(const CheckpointJob& job) {
  auto& collector = *job.callback_states;
  auto missing = collector.wait(kLateCallbackPatience);
  const auto was_late = [this](const std::string& key) { return late_.contains(key); };
  if (!std::all_of(missing.begin(), missing.end(), was_late)) {
    missing = collector.wait(kCallbackStatePatience);
  }
  late_ = {missing.begin(), missing.end()};
  std::vector<v1::CallbackState> states;
  for (auto& [from, state] : collector.take()) {
    states.push_back(std::move(state));
  }
  for (const auto& host : job.stateful) {
    if (late_.contains(host->info().state_key)) {
      states.push_back(host->last_state().get());
    }
  }
  std::erase_if(states, [](const auto& state) { return !state.has_state(); });  // Of one that has been detached.
  std::sort(states.begin(), states.end(), [](const auto& a, const auto& b) { return a.state_key() < b.state_key(); });
  return states;
}

CheckpointParts CheckpointActor::parts_of(const CheckpointJob& job) {
  CheckpointParts parts;
  parts.header.set_run_id(context_.run_id);
  parts.header.set_incarnation(job.run_state->incarnation());
  parts.header.set_seq(job.seq);
  parts.header.set_weights_only(job.weights_only);
  *parts.header.mutable_environment() = *context_.environment;
  context_.add_snapshot(*job.snapshot, parts);
  parts.run_state = job.run_state->to_proto();
  parts.callback_states = callback_states(job);
  return parts;
}

void CheckpointActor::save(const CheckpointJob& job) {
  const auto started = std::chrono::steady_clock::now();
  const CheckpointParts parts = parts_of(job);
  const auto path = resolve(job.path);
  const auto written = write_checkpoint(path, parts, context_.make_log_durable);
  const auto elapsed = std::chrono::steady_clock::now() - started;
  auto event = std::make_shared<Event>();
  auto* saved = event->mutable_checkpoint_saved();
  saved->set_path(job.path);
  saved->set_taken_seq(job.seq);
  saved->set_bytes(written.bytes);
  saved->set_digest(written.digest);
  saved->set_write_us(static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(elapsed).count()));
  queue_->push_unbounded(std::move(event));
}

void CheckpointActor::remove(const RemoveCheckpointFile& message) {
  if (durable_in_a_row_ < message.saves_before) {
    return;  // CheckpointFailed has said why; the older file is what is left to resume from.
  }
  std::error_code error;
  fault_point("checkpoint.before_remove");
  if (!std::filesystem::remove(resolve(message.path), error)) {
    return;  // Gone already, or in a folder that lost its permissions: nothing is lost by a file too many.
  }
  auto event = std::make_shared<Event>();
  event->mutable_checkpoint_removed()->set_path(message.path);
  queue_->push_unbounded(std::move(event));
}

}  // namespace troupe
