#include "troupe/runtime/module/load_weights.h"

#include <torch/torch.h>

#include <map>
#include <set>
#include <utility>

#include "troupe/runtime/base/error.h"
#include "troupe/runtime/base/tensor_names.h"
#include "troupe/runtime/interchange/weights_file.h"
#include "troupe/runtime/module/tensor_bytes.h"
#include "troupe/runtime/state/dtype.h"

namespace troupe {
namespace {

struct Plan {
  LoadedWeights names;
  std::vector<std::pair<at::Tensor, const TensorView*>> copies;
};

std::map<std::string_view, const TensorView*> by_module_name(const WeightsFile& file, const std::string& prefix) {
  std::map<std::string_view, const TensorView*> tensors;
  for (const auto& tensor : file.tensors()) {
    if (tensor.name.starts_with(prefix)) {
      tensors[std::string_view(tensor.name).substr(prefix.size())] = &tensor;
    }
  }
  return tensors;
}

std::string mismatch_text(const NamedTensor& target, const TensorView& source) {
  return target.name + " (file " + shape_text(source.shape) + " " + std::string(dtype_names(source.dtype).name) +
         ", module " + shape_text(target.tensor.sizes().vec()) + " " + std::string(dtype_names(to_dtype(target)).name) +
         ")";
}

Plan plan(const torch::nn::Module& module, const WeightsFile& file, const LoadWeightsOptions& options) {
  Plan plan;
  const auto tensors = by_module_name(file, options.prefix);
  std::set<std::string_view> wanted;
  for (const auto& named : named_state(module)) {
    const NamedTensor target{without_module_prefix(named.name), named.tensor};
    const auto found = tensors.find(target.name);
    if (found == tensors.end()) {
      plan.names.missing.push_back(target.name);
      continue;
    }
    const TensorView& source = *found->second;
    wanted.insert(found->first);
    if (target.tensor.sizes() != at::IntArrayRef(source.shape) ||
        (source.dtype != to_dtype(target) && !options.convert_dtypes)) {
      plan.names.mismatched.push_back(mismatch_text(target, source));
      continue;
    }
    plan.names.loaded.push_back(target.name);
    plan.copies.emplace_back(target.tensor, &source);
  }
  for (const auto& tensor : file.tensors()) {
    const auto name = std::string_view(tensor.name);
    if (name.starts_with(options.prefix) && !wanted.contains(name.substr(options.prefix.size()))) {
      plan.names.unexpected.push_back(tensor.name.substr(options.prefix.size()));
    }
  }
  return plan;
}

void append_names(std::string& text, const char* what, const std::vector<std::string>& names) {
  const char* separator = what;
  for (const auto& name : names) {
    text.append(text.empty() || separator != what ? "" : "; ").append(separator).append(one_line(name));
    separator = ", ";
  }
}

}  // namespace

std::string LoadedWeights::text() const {
  std::string text;
  append_names(text, "missing in the file: ", missing);
  append_names(text, "not in the module: ", unexpected);
  append_names(text, "of another shape or dtype: ", mismatched);
  return text;
}

LoadedWeights load_weights(torch::nn::Module& module, const std::filesystem::path& file,
                           const LoadWeightsOptions& options) {
  const WeightsFile weights(file);
  Plan planned = plan(module, weights, options);
  if ((options.strict && !planned.names.complete()) || planned.copies.empty()) {
    throw MismatchError("load weights from " + file.string() +
                        (options.prefix.empty() ? "" : " with prefix '" + options.prefix + "'") + ": " +
                        (planned.names.complete() ? "no tensor is there" : planned.names.text()));
  }
  const torch::NoGradGuard no_grad;
  for (auto& [target, source] : planned.copies) {
    target.copy_(to_tensor(*source));
  }
  return std::move(planned.names);
}

}  // namespace troupe
