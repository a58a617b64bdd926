#include "troupe/callbacks/logging/csv_logger.h"

#include <iostream>
#include <utility>
#include <vector>

#include "troupe/callbacks/common/python_format.h"
#include "troupe/runtime/base/number_text.h"

namespace troupe {

void CSVLoggerOptions::describe(OptionVisitor& visit) {
  visit("path", path, "File to write; relative to the run directory.").required();
}

CSVLogger::CSVLogger(CSVLoggerOptions options) : options_(std::move(options)) {
  check_options("CSVLogger", options_);
}

CsvTable& CSVLogger::table() {
  if (!table_ || table_->path() != file_path()) {
    table_.emplace(file_path(), CsvTable::Extent{.columns = {"epoch", "step"}});
  }
  if (!table_->is_open()) {
    table_->open();
  }
  return *table_;
}

void CSVLogger::prepare_files(Stage stage) {
  // Whether what is in the file is ours to keep, load_state_dict or the first event will tell.
  if (stage != v1::STAGE_PREDICT) {
    AppendedFile::check_writable(file_path());
  }
}

void CSVLogger::on(const FitStarted&) {
  set_last_step(0);
  table();
}

void CSVLogger::on(const RunResumed&) {
  table();
}

void CSVLogger::log(const MetricList& metrics, const RunState& run) {
  std::vector<CsvTable::Field> fields{{"epoch", std::to_string(run.epoch())},
                                      {"step", std::to_string(run.global_step())}};
  for (const auto& metric : metrics) {
    if (metric.name() != "epoch" && metric.name() != "step") {
      fields.emplace_back(metric.name(), shortest_text(metric.value()));
    }
  }
  table().append(fields);
}

StateDict CSVLogger::state_dict() const {
  StateDict state;
  const CsvTable::Extent extent = table_ ? table_->extent() : CsvTable::Extent{.columns = {"epoch", "step"}};
  if (table_) {
    table_->sync();
  }
  state.set("offset", extent.bytes);
  state.set("rows", extent.rows);
  state.set("columns", extent.columns);
  state.set("last_step", last_step());
  return state;
}

void CSVLogger::load_state_dict(const StateDict& state) {
  set_last_step(static_cast<uint64_t>(state.get_int("last_step")));
  const CsvTable::Extent extent{.bytes = static_cast<uint64_t>(state.get_int("offset")),
                                .rows = static_cast<uint64_t>(state.get_int("rows")),
                                .columns = state.get_strings("columns")};
  table_.emplace(file_path(), extent);
  if (!table_->open()) {
    std::cerr << "warning: " + state_key() + ": " + file_path().string() + " has " +
                     std::to_string(table_->extent().rows) + " of the " + std::to_string(extent.rows) +
                     " rows that the checkpoint knows; the others are lost\n";
  }
}

std::string CSVLogger::state_key() const {
  return "CSVLogger{'path': " + python_repr(options_.path) + "}";
}

}  // namespace troupe
