#include "troupe/callbacks/monitoring/model_summary.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>
#include <vector>

namespace troupe {
namespace {

using Row = std::vector<std::string>;

std::string number_text(const char* format, double value, const char* unit = "") {
  std::array<char, 400> text{};
  std::snprintf(text.data(), text.size(), format, value, unit);
  return text.data();
}

std::string padded(std::string text, size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text;
}

/// Header, rule, rows, rule. The first column is the index.
std::string format_table(const std::vector<Row>& rows) {
  std::vector<size_t> widths(rows[0].size(), 0);
  size_t total_width = 3 * (rows[0].size() + 1);  // Lightning draws the rule three longer than the header.
  for (size_t column = 0; column < widths.size(); ++column) {
    for (const auto& row : rows) {
      widths[column] = std::max(widths[column], row[column].size());
    }
    total_width += widths[column];
  }
  const std::string rule = std::string(total_width, '-') + "\n";
  std::string table;
  for (const auto& row : rows) {
    std::string line;
    for (size_t column = 0; column < widths.size(); ++column) {
      line += column == 0 ? "" : " | ";
      line += padded(row[column], widths[column]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    table += line + "\n" + (&row == &rows.front() ? rule : "");
  }
  return table + rule;
}

std::string total(const std::string& value, const char* label) {
  return padded(value, 10) + label + "\n";
}

}  // namespace

void ModelSummaryOptions::describe(OptionVisitor& visit) {
  visit("max_depth", max_depth, "How deep to list submodules; 0: no summary, -1: all.").at_least(-1);
}

ModelSummary::ModelSummary(ModelSummaryOptions options, std::ostream& out) : options_(options), out_(&out) {
  check_options("ModelSummary", options_);
}

void ModelSummary::on(const FitStarted& event) {
  if (options_.max_depth != 0) {
    *out_ << "\n" << format_model_summary(event, options_.max_depth) << std::flush;
  }
}

std::string human_readable_count(uint64_t count) {
  constexpr std::array<const char*, 5> kUnits{"", "K", "M", "B", "T"};
  if (count < 1000) {
    return std::to_string(count);
  }
  auto value = static_cast<double>(count);
  size_t unit = 0;
  while (value >= 1000.0 && unit + 1 < kUnits.size()) {
    value /= 1000.0;
    ++unit;
  }
  if (value >= 100.0) {
    return std::to_string(static_cast<uint64_t>(value)) + " " + kUnits[unit];
  }
  return number_text("%.1f %s", value, kUnits[unit]);
}

std::string format_model_summary(const FitStarted& fit, int64_t max_depth) {
  std::vector<Row> rows{{" ", "Name", "Type", "Params", "Mode"}};
  const v1::ModuleInfo root = fit.modules_size() > 0 ? fit.modules(0) : v1::ModuleInfo();
  uint64_t in_children = 0;
  uint64_t training = 0;
  uint64_t evaluating = 0;
  for (const auto& module : fit.modules()) {
    if (module.depth() == 0) {
      continue;
    }
    (module.training() ? training : evaluating) += 1;
    in_children += module.depth() == 1 ? module.parameters() : 0;
    if (max_depth == -1 || module.depth() <= max_depth) {
      rows.push_back({std::to_string(rows.size() - 1), module.name(), module.type(),
                      human_readable_count(module.parameters()), module.training() ? "train" : "eval"});
    }
  }
  if (root.parameters() > in_children) {
    rows.push_back({" ", "(its own)", "n/a", human_readable_count(root.parameters() - in_children), "n/a"});
  }
  return format_table(rows) + total(human_readable_count(root.trainable_parameters()), "parameters that train") +
         total(human_readable_count(root.parameters() - root.trainable_parameters()), "frozen parameters") +
         total(human_readable_count(root.parameters()), "parameters in all") +
         total(number_text("%.3f", static_cast<double>(root.bytes()) * 1e-6), "MB of parameters") +
         total(std::to_string(training), "modules in train mode") +
         total(std::to_string(evaluating), "modules in eval mode");
}

}  // namespace troupe
