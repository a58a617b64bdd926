#include "troupe/callbacks/checkpointing/checkpoint_name.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <regex>
#include <utility>

#include "troupe/callbacks/common/python_format.h"
#include "troupe/runtime/base/error.h"

namespace troupe {
CheckpointName::CheckpointName(std::string_view pattern, bool insert_names)
    : pattern_(pattern), insert_names_(insert_names) {
  while (!pattern.empty()) {
    const size_t open = pattern.find_first_of("{}");
    if (open > 0) {
      pieces_.push_back({.text = std::string(pattern.substr(0, open))});
    }
    if (open == std::string_view::npos) {
      return;
    }
    const size_t close = pattern.find_first_of("{}", open + 1);
    if (pattern[open] == '}' || close == std::string_view::npos || pattern[close] == '{') {
      refuse("braces must enclose a metric's name");
    }
    add_field(pattern.substr(open + 1, close - open - 1));
    pattern.remove_prefix(close + 1);
  }
}

void CheckpointName::add_field(std::string_view field) {
  static const std::regex format_pattern("(0?)([0-9]{0,2})(?:[.]([0-9]{1,2}))?([dfeg]?)");
  const size_t colon = field.find(':');
  Piece piece{.text = std::string(field.substr(0, colon)), .field = true};
  if (piece.text.empty()) {
    refuse("a field has no name");
  }
  const std::string format(colon == std::string_view::npos ? std::string_view() : field.substr(colon + 1));
  std::smatch parts;
  const bool matches = std::regex_match(format, parts, format_pattern);
  const bool takes_precision = matches && parts.str(4).find_first_of("feg") != std::string::npos;
  if (!matches || (parts[3].matched && !takes_precision)) {
    refuse("the format of `" + piece.text + "` must be [0][width][.precision][d, f, e or g], such as .2f or 03d");
  }
  piece.zero_padded = parts.length(1) > 0;
  piece.width = parts.length(2) > 0 ? std::stoi(parts.str(2)) : 0;
  piece.precision = parts[3].matched ? std::stoi(parts.str(3)) : 6;
  piece.type = parts.length(4) > 0 ? parts.str(4)[0] : '\0';
  pieces_.push_back(std::move(piece));
}

std::string CheckpointName::format(const Lookup& value_of) const {
  std::string name;
  for (const auto& piece : pieces_) {
    if (!piece.field) {
      name += piece.text;
      continue;
    }
    const auto value = value_of(piece.text);
    if (!value) {
      refuse("there is no metric `" + piece.text + "` now");
    }
    name += (insert_names_ ? piece.text + "=" : "") + format_value(piece, *value);
  }
  return name;
}

std::string CheckpointName::shortest() const {
  std::string name;
  for (const auto& piece : pieces_) {
    name +=
        piece.field ? (insert_names_ ? piece.text + "=" : "") + std::string(std::max(piece.width, 1), '0') : piece.text;
  }
  return name;
}

std::string CheckpointName::format_value(const Piece& piece, const Value& value) const {
  std::array<char, 512> text{};
  if (piece.type == 'd' || (piece.type == '\0' && value.integer)) {
    if (!value.integer) {
      refuse("`" + piece.text + "` is " + python_repr(value.number) + ", which the format d cannot print");
    }
    const char* format = piece.zero_padded ? "%0*lld" : "%*lld";
    std::snprintf(text.data(), text.size(), format, piece.width, static_cast<long long>(value.number));
    return text.data();
  }
  if (piece.type == '\0') {
    std::string repr = python_repr(value.number);
    const size_t width = static_cast<size_t>(piece.width);
    const size_t sign = repr.starts_with('-') && piece.zero_padded ? 1 : 0;
    return repr.size() < width ? repr.insert(sign, width - repr.size(), piece.zero_padded ? '0' : ' ') : repr;
  }
  const std::string format = std::string("%") + (piece.zero_padded ? "0" : "") + "*.*" + piece.type;
  std::snprintf(text.data(), text.size(), format.c_str(), piece.width, piece.precision, value.number);
  return text.data();
}

void CheckpointName::refuse(const std::string& why) const {
  throw ConfigError("checkpoint name '" + pattern_ + "': " + why);
}

}  // namespace troupe
