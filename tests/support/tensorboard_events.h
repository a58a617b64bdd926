#pragma once

#include <troupe/v1/tensorboard.pb.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "troupe/runtime/base/number_text.h"
#include "troupe/runtime/file/record_reader.h"

namespace troupe::testing {

/// What TensorBoard would read from a file, which must end after a whole record.
inline std::vector<tensorboard::Event> tensorboard_events(const std::filesystem::path& path) {
  std::vector<tensorboard::Event> events;
  RecordReader reader(path);
  RecordStatus status = reader.next();
  for (; status == RecordStatus::kRecord; status = reader.next()) {
    if (!events.emplace_back().ParseFromArray(reader.record().data(), static_cast<int>(reader.record().size()))) {
      throw std::runtime_error("a record of " + path.string() + " is no event");
    }
  }
  if (status != RecordStatus::kEnd) {
    throw std::runtime_error(path.string() + " does not end after a whole record");
  }
  return events;
}

/// A line for each value of each event: "3 loss 0.5" for a scalar, "3 weights histogram", and so on.
inline std::vector<std::string> tensorboard_lines(const std::filesystem::path& path) {
  std::vector<std::string> lines;
  for (const auto& event : tensorboard_events(path)) {
    const std::string step = std::to_string(event.step()) + " ";
    if (event.what_case() == tensorboard::Event::kFileVersion) {
      lines.push_back(step + event.file_version());
    }
    for (const auto& value : event.summary().value()) {
      const bool is_scalar = value.value_case() == tensorboard::Summary::Value::kSimpleValue;
      const std::string kind = value.has_histo()   ? "histogram"
                               : value.has_image() ? "image"
                                                   : value.metadata().plugin_data().plugin_name();
      lines.push_back(step + value.tag() + " " +
                      (is_scalar ? shortest_text(static_cast<double>(value.simple_value())) : kind));
    }
  }
  return lines;
}

/// The same of the values that TensorBoardLogger wrote for a run, as one text.
inline std::string tensorboard_text(const std::filesystem::path& run_dir) {
  std::string text;
  for (const auto& line : tensorboard_lines(run_dir / "tensorboard" / "events.out.tfevents.1.values")) {
    text += line + "\n";
  }
  return text;
}

}  // namespace troupe::testing
