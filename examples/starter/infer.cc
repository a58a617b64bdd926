// Says on which arm of the spiral a point lies, with weights that main.cc has trained.
//
//   infer runs/first/config.json runs/first/checkpoints/best.ckpt 0.3 -0.2
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "classifier.h"

namespace {

// begin infer
/// Prints the arm and how sure the model is of it. Weights may be a checkpoint, or a file of safetensors or torch.save.
void infer(const std::string& config, const std::string& weights, float x, float y) {
  std::ifstream file(config);
  if (!file) {
    throw std::runtime_error("cannot open " + config);
  }
  ModelOptions options;  // As the run had them: they decide the shapes.
  troupe::read_options(config + ": model", options, nlohmann::json::parse(file).at("model"));

  Classifier model(options);
  troupe::load_weights(model, weights);
  model.eval();
  const torch::NoGradGuard no_grad;
  const auto probabilities = torch::softmax(model.forward(torch::tensor({{x, y}})), 1)[0];
  const auto arm = probabilities.argmax().item<int64_t>();
  std::cout << "arm " << arm << ", probability " << probabilities[arm].item<float>() << '\n';
}
// end infer

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "usage: infer CONFIG WEIGHTS X Y\n";
    return 2;
  }
  try {
    infer(argv[1], argv[2], std::stof(argv[3]), std::stof(argv[4]));
  } catch (const std::exception& error) {
    std::cerr << "infer: " << error.what() << '\n';
    return 1;
  }
}
