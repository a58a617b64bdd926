// How fast an event log is appended and read back. The event is a training batch's end with its loss and one learning
// rate left out, about 60 bytes with its frame; items per second are events per second.
#include <benchmark/benchmark.h>

#include "tests/support/log_events.h"
#include "tests/support/temporary_folder.h"
#include "troupe/runtime/log/event_log_reader.h"
#include "troupe/runtime/log/event_log_verify.h"
#include "troupe/runtime/log/event_log_writer.h"

namespace {

using namespace troupe;

constexpr uint64_t kEvents = 1'000'000;

/// Events of every seq are one event with its numbers changed, so that what is measured is the log and not the making
/// of events.
void set_numbers(Event& event, uint64_t seq) {
  event.set_seq(seq);
  event.set_elapsed_us(seq * 26);
  event.mutable_position()->set_batch_index(static_cast<uint32_t>(seq % 1000));
  event.mutable_position()->set_global_step(seq - 1);
}

void write_events(const std::filesystem::path& events_dir, benchmark::State& state) {
  EventLogWriter writer(events_dir);
  writer.append(run_started_event());
  Event event = batch_event(2, 1);
  event.mutable_train_batch_ended()->set_samples(8);
  event.mutable_train_batch_ended()->mutable_metrics(0)->set_name("train_loss");
  for (uint64_t seq = 2; seq <= kEvents; ++seq) {
    set_numbers(event, seq);
    writer.append(event);
  }
  writer.write();
  state.counters["bytes/event"] = static_cast<double>(writer.appended_bytes()) / kEvents;
}

void append_events(benchmark::State& state) {
  for ([[maybe_unused]] auto _ : state) {
    const TemporaryFolder folder;
    write_events(folder.path(), state);
  }
  state.SetItemsProcessed(static_cast<int64_t>(kEvents) * state.iterations());
}
BENCHMARK(append_events)->Unit(benchmark::kMillisecond)->UseRealTime();

void read_and_check_events(benchmark::State& state) {
  const TemporaryFolder folder;
  write_events(folder.path(), state);
  for ([[maybe_unused]] auto _ : state) {
    EventLogReader reader(folder.path());
    Event event;
    while (reader.next(event)) {
    }
    benchmark::DoNotOptimize(event.seq());
  }
  state.SetItemsProcessed(static_cast<int64_t>(kEvents) * state.iterations());
}
BENCHMARK(read_and_check_events)->Unit(benchmark::kMillisecond)->UseRealTime();

void verify_events(benchmark::State& state) {
  const TemporaryFolder folder;
  write_events(folder.path(), state);
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(verify_event_log(folder.path()).events);
  }
  state.SetItemsProcessed(static_cast<int64_t>(kEvents) * state.iterations());
}
BENCHMARK(verify_events)->Unit(benchmark::kMillisecond)->UseRealTime();

void read_and_check_records(benchmark::State& state) {
  const TemporaryFolder folder;
  write_events(folder.path(), state);
  for ([[maybe_unused]] auto _ : state) {
    RecordReader records(folder.path() / "00000001.tfrecord");
    while (records.next() == RecordStatus::kRecord) {
    }
  }
  state.SetItemsProcessed(static_cast<int64_t>(kEvents) * state.iterations());
}
BENCHMARK(read_and_check_records)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
