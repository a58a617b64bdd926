#include "troupe/callbacks/logging/json_logger.h"

#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "troupe/callbacks/common/python_format.h"
#include "troupe/runtime/base/json_number.h"

namespace troupe {
namespace {

/// Bytes of the file up to the end of its last whole line.
uint64_t whole_lines_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return content.rfind('\n') + 1;  // npos + 1 is 0.
}

}  // namespace

void JSONLoggerOptions::describe(OptionVisitor& visit) {
  visit("path", path, "File to write; relative to the run directory.").required();
}

JSONLogger::JSONLogger(JSONLoggerOptions options) : options_(std::move(options)) {
  check_options("JSONLogger", options_);
}

AppendedFile& JSONLogger::file() {
  if (!file_ || file_->path() != file_path()) {
    file_.emplace(file_path());
  }
  if (!file_->is_open()) {
    file_->open(0);
  }
  return *file_;
}

void JSONLogger::prepare_files(Stage stage) {
  // Whether what is in the file is ours to keep, load_state_dict or the first event will tell.
  if (stage != v1::STAGE_PREDICT) {
    AppendedFile::check_writable(file_path());
  }
}

void JSONLogger::on(const FitStarted&) {
  set_last_step(0);
  file();
}

void JSONLogger::on(const RunResumed&) {
  file();
}

void JSONLogger::on(const v1::Measured& measured, const RunState& run) {
  if (measured.metrics_size() > 0) {
    log(measured.metrics(), run);
  }
}

void JSONLogger::log(const MetricList& metrics, const RunState& run) {
  std::string line = "{\"epoch\":" + std::to_string(run.epoch()) + ",\"step\":" + std::to_string(run.global_step());
  for (const auto& metric : metrics) {
    if (metric.name() != "epoch" && metric.name() != "step") {
      line += "," + nlohmann::json(metric.name()).dump() + ":" + json_number(metric.value()).dump();
    }
  }
  file().append(line + "}\n");
}

StateDict JSONLogger::state_dict() const {
  if (file_) {
    file_->sync();
  }
  StateDict state;
  state.set("offset", file_ ? file_->bytes() : 0);
  state.set("last_step", last_step());
  return state;
}

void JSONLogger::load_state_dict(const StateDict& state) {
  set_last_step(static_cast<uint64_t>(state.get_int("last_step")));
  const auto bytes = static_cast<uint64_t>(state.get_int("offset"));
  file_.emplace(file_path());
  file_->open(bytes);
  if (file_->bytes() < bytes) {
    file_->open(whole_lines_bytes(file_path()));
    std::cerr << "warning: " + state_key() + ": " + file_path().string() + " has " + std::to_string(file_->bytes()) +
                     " of the " + std::to_string(bytes) + " bytes that the checkpoint knows; the others are lost\n";
  }
}

std::string JSONLogger::state_key() const {
  return "JSONLogger{'path': " + python_repr(options_.path) + "}";
}

}  // namespace troupe
