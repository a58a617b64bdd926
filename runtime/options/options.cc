#include "troupe/runtime/options/options.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "troupe/runtime/options/option_text.h"

namespace troupe {
namespace {

/// Levenshtein distance.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row.back();
}

OptionField& find_field(const std::string& owner, std::vector<OptionField>& fields, std::string_view name) {
  const auto found =
      std::find_if(fields.begin(), fields.end(), [&](const auto& field) { return field.name() == name; });
  if (found == fields.end()) {
    std::vector<std::string> known;
    known.reserve(fields.size());
    for (const auto& field : fields) {
      known.push_back(field.name());
    }
    throw ConfigError(owner + ": unknown option '" + std::string(name) + "'" + suggest(name, known));
  }
  return *found;
}

bool is_empty(const OptionValue& value) {
  if (!value || value->empty()) {
    return true;
  }
  const auto* text = std::get_if<std::string>(&value->front());
  return text != nullptr && text->empty();
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
  std::string text;
  std::size_t best = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const auto& candidate : known) {
    if (const auto distance = edit_distance(word, candidate); distance < best) {
      best = distance;
      text = " (did you mean '" + candidate + "'?)";
    }
  }
  return text;
}

std::string suggest(std::string_view word, const std::vector<std::string>& known) {
  std::string list;
  for (const auto& candidate : known) {
    list += (list.empty() ? "" : ", ") + candidate;
  }
  return nearest(word, known) + "; allowed: " + (list.empty() ? "none" : list);
}

void read_fields(const std::string& owner, std::vector<OptionField>& fields, const nlohmann::json& json) {
  if (!json.is_object()) {
    throw ConfigError(owner + ": options must be a JSON object, got " + quote_json(json));
  }
  for (const auto& [name, value] : json.items()) {
    OptionField& field = find_field(owner, fields, name);
    const auto parsed = option_value_from_json(field.type(), value);
    if (!parsed) {
      field.refuse(owner, quote_json(value));
    }
    field.set(owner, *parsed, quote_json(value));
  }
}

void set_field(const std::string& owner, std::vector<OptionField>& fields, std::string_view name,
               std::string_view text) {
  OptionField& field = find_field(owner, fields, name);
  const std::string got = std::string("'").append(text).append("'");
  const auto parsed = option_value_from_text(field.type(), text);
  if (!parsed) {
    field.refuse(owner, got);
  }
  field.set(owner, *parsed, got);
}

void check_fields(const std::string& owner, const std::vector<OptionField>& fields) {
  for (const auto& field : fields) {
    const OptionValue value = field.get();
    if (field.is_required() && is_empty(value)) {
      throw ConfigError(owner + ": '" + field.name() + "' is required: " + field.allowed() + ". " + field.help());
    }
    if (!field.within_limits(value)) {
      field.refuse(owner, quote_json(option_value_to_json(field.type(), value)));
    }
  }
}

nlohmann::json fields_to_json(const std::vector<OptionField>& fields) {
  nlohmann::json json = nlohmann::json::object();
  for (const auto& field : fields) {
    json[field.name()] = option_value_to_json(field.type(), field.get());
  }
  return json;
}

std::vector<OptionInfo> field_infos(const std::vector<OptionField>& fields) {
  std::vector<OptionInfo> infos;
  infos.reserve(fields.size());
  for (const auto& field : fields) {
    infos.push_back(
        {field.name(), field.type_text(), field.value_text(), field.help(), field.allowed(), field.is_required()});
  }
  return infos;
}

}  // namespace troupe
