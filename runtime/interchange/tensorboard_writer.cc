#include "troupe/runtime/interchange/tensorboard_writer.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "troupe/runtime/base/strict_json.h"
#include "troupe/runtime/file/record_reader.h"

namespace troupe {
namespace {

/// The end of the last whole record.
uint64_t whole_records_end(const std::filesystem::path& path) {
  RecordReader reader(path);
  while (reader.next() == RecordStatus::kRecord) {
  }
  return reader.end_offset();
}

File open_cut(const std::filesystem::path& path, uint64_t bytes) {
  if (path.has_parent_path()) {
    create_folders(path.parent_path());
  }
  File file = File::open_or_create(path);
  if (file.size() < bytes) {
    bytes = whole_records_end(path);
  }
  if (file.size() > bytes) {
    file.truncate(bytes);
  }
  return file;
}

tensorboard::Event event_at(TensorBoardWriter::Place place) {
  tensorboard::Event event;
  event.set_wall_time(place.wall_time_s);
  event.set_step(static_cast<int64_t>(place.step));
  return event;
}

tensorboard::Summary::Value& add_value(tensorboard::Event& event, const std::string& tag) {
  auto& value = *event.mutable_summary()->add_value();
  value.set_tag(tag);
  return value;
}

/// A value that is all in its metadata: the plugin wants a tensor, and does not look at it.
tensorboard::Event hyperparameter_event(const std::string& tag, const tensorboard::HParamsPluginData& data,
                                        double wall_time_s) {
  auto event = event_at({.step = 0, .wall_time_s = wall_time_s});
  auto& value = add_value(event, tag);
  value.mutable_metadata()->mutable_plugin_data()->set_plugin_name("hparams");
  value.mutable_metadata()->mutable_plugin_data()->set_content(data.SerializeAsString());
  value.mutable_metadata()->set_data_class(tensorboard::DATA_CLASS_TENSOR);
  value.mutable_tensor()->set_dtype(tensorboard::DT_FLOAT);
  value.mutable_tensor()->mutable_tensor_shape()->add_dim()->set_size(1);
  value.mutable_tensor()->add_float_val(0);
  return event;
}

using HyperparameterMap = google::protobuf::Map<std::string, google::protobuf::Value>;

void add_flattened(const std::string& name, const nlohmann::json& json, HyperparameterMap& into) {
  if (json.is_object()) {
    for (const auto& [key, value] : json.items()) {
      std::string inner = name;
      inner += name.empty() ? "" : ".";
      inner += key;
      add_flattened(inner, value, into);
    }
  } else if (json.is_boolean()) {
    into[name].set_bool_value(json.get<bool>());
  } else if (json.is_number()) {
    into[name].set_number_value(json.get<double>());
  } else if (!json.is_null()) {
    into[name].set_string_value(json.is_string() ? json.get<std::string>() : json.dump());
  }
}

tensorboard::SessionStatus session_status(v1::RunStatus status) {
  switch (status) {
    case v1::RUN_STATUS_FINISHED:
    case v1::RUN_STATUS_STOPPED:
      return tensorboard::STATUS_SUCCESS;
    case v1::RUN_STATUS_FAILED:
      return tensorboard::STATUS_FAILURE;
    default:
      return tensorboard::STATUS_UNKNOWN;  // It may be taken up again.
  }
}

}  // namespace

TensorBoardWriter::TensorBoardWriter(const std::filesystem::path& path, uint64_t bytes, double wall_time_s)
    : writer_(open_cut(path, bytes)) {
  if (this->bytes() == 0) {
    auto event = event_at({.step = 0, .wall_time_s = wall_time_s});
    event.set_file_version("brain.Event:2");
    write(event);
  }
}

void TensorBoardWriter::add_scalars(const google::protobuf::RepeatedPtrField<v1::Metric>& metrics, Place place) {
  auto event = event_at(place);
  for (const auto& metric : metrics) {
    add_value(event, metric.name()).set_simple_value(static_cast<float>(metric.value()));
  }
  write(event);
}

void TensorBoardWriter::add_histogram(const v1::HistogramLogged& histogram, Place place) {
  auto event = event_at(place);
  auto& shown = *add_value(event, histogram.name()).mutable_histo();
  shown.set_min(histogram.min());
  shown.set_max(histogram.max());
  shown.set_num(static_cast<double>(histogram.count()));
  shown.set_sum(histogram.sum());
  shown.set_sum_squares(histogram.sum_squares());
  const int buckets = histogram.buckets_size();
  const double width = histogram.max() / std::max(buckets, 1) - histogram.min() / std::max(buckets, 1);
  for (int i = 0; i < buckets; ++i) {
    shown.add_bucket_limit(i + 1 == buckets ? histogram.max() : histogram.min() + (i + 1) * width);
    shown.add_bucket(static_cast<double>(histogram.buckets(i)));
  }
  write(event);
}

void TensorBoardWriter::add_image(const v1::ImageLogged& image, Place place) {
  auto event = event_at(place);
  auto& shown = *add_value(event, image.name()).mutable_image();
  shown.set_height(static_cast<int32_t>(image.height()));
  shown.set_width(static_cast<int32_t>(image.width()));
  shown.set_colorspace(static_cast<int32_t>(image.channels()));
  shown.set_encoded_image_string(image.png());
  write(event);
}

void TensorBoardWriter::add_text(const v1::TextLogged& text, Place place) {
  auto event = event_at(place);
  auto& value = add_value(event, text.name());
  value.mutable_metadata()->mutable_plugin_data()->set_plugin_name("text");
  value.mutable_metadata()->set_data_class(tensorboard::DATA_CLASS_TENSOR);
  value.mutable_tensor()->set_dtype(tensorboard::DT_STRING);
  value.mutable_tensor()->mutable_tensor_shape()->add_dim()->set_size(1);
  value.mutable_tensor()->add_string_val(text.text());
  write(event);
}

void TensorBoardWriter::add_hyperparameters(std::string_view config_json, double wall_time_s) {
  tensorboard::HParamsPluginData data;
  data.mutable_session_start_info()->set_start_time_secs(wall_time_s);
  add_flattened("", parse_json(config_json, "hyperparameters"), *data.mutable_session_start_info()->mutable_hparams());
  write(hyperparameter_event("_hparams_/session_start_info", data, wall_time_s));
}

void TensorBoardWriter::add_session_end(v1::RunStatus status, double wall_time_s) {
  tensorboard::HParamsPluginData data;
  data.mutable_session_end_info()->set_status(session_status(status));
  data.mutable_session_end_info()->set_end_time_secs(wall_time_s);
  write(hyperparameter_event("_hparams_/session_end_info", data, wall_time_s));
}

void TensorBoardWriter::write(const tensorboard::Event& event) {
  writer_.append(event);
  writer_.write();
}

}  // namespace troupe
