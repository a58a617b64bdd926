#include "troupe/callbacks/logging/tensorboard_logger.h"

#include <iostream>
#include <utility>

#include "troupe/callbacks/common/python_format.h"
#include "troupe/callbacks/logging/appended_file.h"

namespace troupe {

void TensorBoardLoggerOptions::describe(OptionVisitor& visit) {
  visit("path", path, "Folder to write to; relative to the run directory.").required();
}

TensorBoardLogger::TensorBoardLogger(TensorBoardLoggerOptions options) : options_(std::move(options)) {
  check_options("TensorBoardLogger", options_);
}

double TensorBoardLogger::wall_time_s() const {
  return static_cast<double>(clock_zero_unix_us_ + static_cast<int64_t>(elapsed_us_)) / 1e6;
}

TensorBoardWriter& TensorBoardLogger::writer() {
  if (!writer_ || writer_->path() != values_path()) {
    writer_ = std::make_shared<TensorBoardWriter>(values_path(), 0, wall_time_s());
  }
  return *writer_;
}

void TensorBoardLogger::prepare_files(Stage stage) {
  // Whether what is in the file of values is ours to keep, load_state_dict or the first event will tell.
  if (stage != v1::STAGE_PREDICT) {
    AppendedFile::check_writable(values_path());
  }
  if (stage == v1::STAGE_FIT) {
    AppendedFile::check_writable(hyperparameters_path());
  }
}

void TensorBoardLogger::begin(int64_t started_at_unix_us, const Event& event, const std::string& config_json,
                              bool fit) {
  clock_zero_unix_us_ = started_at_unix_us - static_cast<int64_t>(event.elapsed_us());
  if (fit) {
    TensorBoardWriter hyperparameters(hyperparameters_path(), 0, wall_time_s());
    if (!config_json.empty()) {
      hyperparameters.add_hyperparameters(config_json, wall_time_s());
    }
    writer();
  }
}

void TensorBoardLogger::end(v1::RunStatus status) {
  if (writer_) {
    writer_->add_session_end(status, wall_time_s());
  }
}

void TensorBoardLogger::on(const Event& event, const RunState& run) {
  elapsed_us_ = event.elapsed_us();
  switch (event.body_case()) {
    case Event::kRunStarted: {
      const auto& started = event.run_started();
      set_last_step(0);
      begin(started.started_at_unix_us(), event, started.config_json(), started.stage() == v1::STAGE_FIT);
      break;
    }
    case Event::kRunResumed:
      begin(event.run_resumed().resumed_at_unix_us(), event, event.run_resumed().config_json(), /*fit=*/true);
      break;
    case Event::kTrainBatchEnded:
      take(event.train_batch_ended(), run);
      break;
    case Event::kTrainEpochEnded:
      take(event.train_epoch_ended(), run);
      break;
    case Event::kValidationEpochEnded:
      take(event.validation_epoch_ended(), run);
      break;
    case Event::kTestEpochEnded:
      take(event.test_epoch_ended(), run);
      break;
    case Event::kRunEnded:
      end(event.run_ended().status());
      break;
    default:
      if (!run.sanity_checking()) {
        log_media(event);
      }
  }
}

void TensorBoardLogger::on(const v1::Measured& measured, const RunState& run) {
  if (measured.metrics_size() > 0) {
    log(measured.metrics(), run);
  }
}

void TensorBoardLogger::log(const MetricList& metrics, const RunState& run) {
  writer().add_scalars(metrics, {.step = run.global_step(), .wall_time_s = wall_time_s()});
}

void TensorBoardLogger::log_media(const Event& event) {
  const TensorBoardWriter::Place place{.step = event.position().global_step(), .wall_time_s = wall_time_s()};
  if (event.has_histogram_logged()) {
    writer().add_histogram(event.histogram_logged(), place);
  } else if (event.has_image_logged()) {
    writer().add_image(event.image_logged(), place);
  } else if (event.has_text_logged()) {
    writer().add_text(event.text_logged(), place);
  }
}

StateDict TensorBoardLogger::state_dict() const {
  if (writer_) {
    writer_->sync();
  }
  StateDict state;
  state.set("offset", writer_ ? writer_->bytes() : 0);
  state.set("last_step", last_step());
  state.set("clock_zero_unix_us", clock_zero_unix_us_);
  return state;
}

void TensorBoardLogger::load_state_dict(const StateDict& state) {
  set_last_step(static_cast<uint64_t>(state.get_int("last_step")));
  clock_zero_unix_us_ = state.get_int("clock_zero_unix_us");
  const auto bytes = static_cast<uint64_t>(state.get_int("offset"));
  const bool whole = AppendedFile::size_of(values_path()) >= bytes;
  writer_ = std::make_shared<TensorBoardWriter>(values_path(), bytes, wall_time_s());
  if (!whole) {
    std::cerr << "warning: " + state_key() + ": " + values_path().string() + " has " +
                     std::to_string(writer_->bytes()) + " of the " + std::to_string(bytes) +
                     " bytes that the checkpoint knows; the others are lost\n";
  }
}

std::string TensorBoardLogger::state_key() const {
  return "TensorBoardLogger{'path': " + python_repr(options_.path) + "}";
}

}  // namespace troupe
