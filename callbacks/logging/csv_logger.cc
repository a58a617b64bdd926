#include "troupe/callbacks/logging/csv_logger.h"

#include <iostream>
#include <utility>
#include <vector>

#include "troupe/callbacks/common/python_format.h"
#include "troupe/runtime/base/number_text.h"

namespace troupe {
namespace {

CsvTable::Extent no_rows() {
  return {.columns = {"epoch", "step"}};
}

/// The table of this file, opened.
CsvTable& opened(std::optional<CsvTable>& table, const std::filesystem::path& path) {
  if (!table || table->path() != path) {
    table.emplace(path, no_rows());
  }
  if (!table->is_open()) {
    table->open();
  }
  return *table;
}

StateDict save_extent(const CsvTable::Extent& extent) {
  StateDict state;
  state.set("offset", extent.bytes);
  state.set("rows", extent.rows);
  state.set("columns", extent.columns);
  return state;
}

/// The table as it was; a warning on standard error where rows are missing from its file.
void load_table(std::optional<CsvTable>& table, const std::filesystem::path& path, const StateDict& state,
                const std::string& state_key) {
  const CsvTable::Extent extent{.bytes = static_cast<uint64_t>(state.get_int("offset")),
                                .rows = static_cast<uint64_t>(state.get_int("rows")),
                                .columns = state.get_strings("columns")};
  table.emplace(path, extent);
  if (!table->open()) {
    std::cerr << "warning: " + state_key + ": " + path.string() + " has " + std::to_string(table->extent().rows) +
                     " of the " + std::to_string(extent.rows) +
                     " rows that the checkpoint knows; the others are lost\n";
  }
}

}  // namespace

void CSVLoggerOptions::describe(OptionVisitor& visit) {
  visit("path", path, "File to write; relative to the run directory.").required();
}

CSVLogger::CSVLogger(CSVLoggerOptions options) : options_(std::move(options)) {
  check_options("CSVLogger", options_);
}

std::filesystem::path CSVLogger::measured_path() const {
  const std::filesystem::path path = file_path();
  return path.parent_path() / (path.stem().string() + "_measured" + path.extension().string());
}

void CSVLogger::open_files() {
  opened(table_, file_path());
  if (std::filesystem::exists(measured_path())) {
    opened(measured_, measured_path());
  }
}

void CSVLogger::prepare_files(Stage stage) {
  // Whether what is in the file is ours to keep, load_state_dict or the first event will tell.
  if (stage != v1::STAGE_PREDICT) {
    AppendedFile::check_writable(file_path());
  }
}

void CSVLogger::on(const FitStarted&) {
  set_last_step(0);
  open_files();
}

void CSVLogger::on(const RunResumed&) {
  open_files();
}

void CSVLogger::log(const MetricList& metrics, const RunState& run) {
  append(metrics, run, table_, file_path());
}

void CSVLogger::on(const v1::Measured& measured, const RunState& run) {
  if (!measured.metrics().empty()) {
    append(measured.metrics(), run, measured_, measured_path());
  }
}

void CSVLogger::append(const MetricList& metrics, const RunState& run, std::optional<CsvTable>& table,
                       const std::filesystem::path& path) {
  std::vector<CsvTable::Field> fields{{"epoch", std::to_string(run.epoch())},
                                      {"step", std::to_string(run.global_step())}};
  for (const auto& metric : metrics) {
    if (metric.name() != "epoch" && metric.name() != "step") {
      fields.emplace_back(metric.name(), shortest_text(metric.value()));
    }
  }
  opened(table, path).append(fields);
}

StateDict CSVLogger::state_dict() const {
  if (table_) {
    table_->sync();
  }
  StateDict state = save_extent(table_ ? table_->extent() : no_rows());
  state.set("last_step", last_step());
  if (measured_) {
    measured_->sync();
    state.set("measured", save_extent(measured_->extent()));
  }
  return state;
}

void CSVLogger::load_state_dict(const StateDict& state) {
  set_last_step(static_cast<uint64_t>(state.get_int("last_step")));
  load_table(table_, file_path(), state, state_key());
  measured_.reset();  // What came after the checkpoint is cut off when the run goes on.
  if (state.contains("measured")) {
    load_table(measured_, measured_path(), state.get_dict("measured"), state_key());
  }
}

std::string CSVLogger::state_key() const {
  return "CSVLogger{'path': " + python_repr(options_.path) + "}";
}

}  // namespace troupe
