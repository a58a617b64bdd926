#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// Why `document` is not well-formed XML, as far as the documents of Troupe go (a declaration, elements, attributes in
/// double quotes, text); empty for one that is.
inline std::string xml_error(std::string_view document) {
  std::vector<std::string> open;
  size_t roots = 0;
  const auto text_error = [](std::string_view text) -> std::string {
    for (size_t place = 0; (place = text.find('&', place)) != std::string_view::npos; ++place) {
      bool known = false;
      for (const std::string_view entity : {"&amp;", "&lt;", "&gt;", "&quot;", "&apos;"}) {
        known = known || text.substr(place).starts_with(entity);
      }
      if (!known) {
        return "a bare &: " + std::string(text);
      }
    }
    return {};
  };
  constexpr std::string_view kDeclaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
  if (!document.starts_with(kDeclaration)) {
    return "no declaration";
  }
  document.remove_prefix(kDeclaration.size());
  while (!document.empty()) {
    const size_t tag = document.find('<');
    const std::string_view text = document.substr(0, tag);
    if (std::string error = text_error(text); !error.empty()) {
      return error;
    }
    if (open.empty() && text.find_first_not_of(" \n") != std::string_view::npos) {
      return "text outside the root: " + std::string(text);
    }
    if (tag == std::string_view::npos) {
      break;
    }
    size_t end = tag + 1;
    for (bool quoted = false; end < document.size() && (quoted || document[end] != '>'); ++end) {
      quoted = quoted != (document[end] == '"');
      if (document[end] == '<') {
        return "a < inside a tag";
      }
    }
    if (end == document.size()) {
      return "a tag that does not end";
    }
    const std::string_view inside = document.substr(tag + 1, end - tag - 1);
    document.remove_prefix(end + 1);
    if (std::string error = text_error(inside); !error.empty()) {
      return error;
    }
    const std::string name(inside.substr(inside.starts_with('/') ? 1 : 0, inside.find_first_of(" /", 1)));
    if (inside.starts_with('/')) {
      if (open.empty() || "/" + open.back() != inside) {
        return "</" + name + "> closes nothing";
      }
      open.pop_back();
    } else {
      roots += open.empty() ? 1 : 0;
      if (!inside.ends_with('/')) {
        open.push_back(name);
      }
    }
  }
  return !open.empty() ? "<" + open.back() + "> is not closed" : roots != 1 ? "not one root" : "";
}

}  // namespace troupe
