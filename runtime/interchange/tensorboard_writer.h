#pragma once

#include <troupe/v1/event.pb.h>
#include <troupe/v1/tensorboard.pb.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "troupe/runtime/file/record_writer.h"

namespace troupe {

/// Writes a file that TensorBoard reads: its events in TFRecord frames. Its name must have "tfevents" in it. Whatever
/// an add_ gets is in the file, for every reader, when it returns. For one thread. Methods throw IoError.
class TensorBoardWriter {
 public:
  /// Where a value belongs in TensorBoard's plots.
  struct Place {
    uint64_t step = 0;       ///< Optimizer steps completed.
    double wall_time_s = 0;  ///< Seconds since 1970-01-01 UTC.
  };

  /// Makes the folder and the file, and cuts it back to `bytes`, which must be a size that bytes() has told. Where the
  /// file is shorter, to the end of its last whole record; where nothing is left, it begins anew.
  TensorBoardWriter(const std::filesystem::path& path, uint64_t bytes, double wall_time_s);

  /// One point of each metric's curve. TensorBoard keeps scalars in single precision.
  void add_scalars(const google::protobuf::RepeatedPtrField<v1::Metric>& metrics, Place place);
  void add_histogram(const v1::HistogramLogged& histogram, Place place);
  void add_image(const v1::ImageLogged& image, Place place);
  /// TensorBoard shows the text as Markdown.
  void add_text(const v1::TextLogged& text, Place place);
  /// What the run was made with, for the dashboard of hyperparameters, which shows it beside the last value of each
  /// scalar. `config_json` is a JSON object; names of nested values are joined by dots, lists are given as JSON, and
  /// null is left out. Throws ConfigError when it is no JSON.
  void add_hyperparameters(std::string_view config_json, double wall_time_s);
  void add_session_end(v1::RunStatus status, double wall_time_s);

  /// Returns when all of it is on the device.
  void sync() { writer_.sync(); }
  /// Size of the file.
  uint64_t bytes() const { return writer_.appended_bytes(); }
  const std::filesystem::path& path() const { return writer_.file().path(); }

 private:
  void write(const tensorboard::Event& event);

  RecordWriter writer_;
};

}  // namespace troupe
