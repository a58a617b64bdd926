#include "troupe/deploy/flags.h"

#include <doctest/doctest.h>

#include <CLI/CLI.hpp>

#include "troupe/runtime/options/trainer_options.h"

using namespace troupe;

namespace {

struct ModelOptions {
  int hidden = 64;
  std::vector<double> rates = {};

  void describe(OptionVisitor& visit) {
    visit("hidden", hidden, "Width of the hidden layer.").at_least(1);
    visit("rates", rates, "Rates.");
  }
};

/// A program with a subcommand and two structs of options, as user programs have.
struct Program {
  CLI::App app{"A program."};
  CLI::App* fit = app.add_subcommand("fit", "Train.");
  TrainerOptions trainer;
  ModelOptions model;
  OptionFlags trainer_flags{*fit, "trainer", option_infos(trainer)};
  OptionFlags model_flags{*fit, "model", option_infos(model)};

  std::optional<int> parse(const std::vector<std::string>& arguments) {
    const auto status = parse_arguments(app, arguments);
    trainer_flags.apply(trainer);
    model_flags.apply(model);
    return status;
  }
};

std::string error_of(const std::vector<std::string>& arguments) {
  try {
    Program().parse(arguments);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("flags set the options that they name and no other") {
  Program program;
  CHECK_FALSE(program.parse({"fit", "--trainer.max_epochs", "5", "--trainer.limit_val_batches=0.5", "--model.hidden",
                             "128", "--trainer.deterministic", "true", "--trainer.name", "a b"}));
  CHECK(program.trainer.max_epochs == 5);
  CHECK(program.trainer.limit_val_batches == CountOrFraction(0.5));
  CHECK(program.trainer.deterministic);
  CHECK(program.trainer.name == "a b");
  CHECK(program.model.hidden == 128);
  CHECK(program.trainer_flags.given().size() == 4);
  CHECK(program.trainer.max_steps == TrainerOptions{}.max_steps);
}

TEST_CASE("a value may be negative, empty or a list") {
  Program program;
  program.parse({"fit", "--trainer.max_epochs", "-1", "--model.rates", "0.1,-0.2", "--trainer.run_dir", ""});
  CHECK(program.trainer_flags.given().size() == 2);
  CHECK(program.trainer.max_epochs == -1);
  CHECK(program.model.rates == std::vector{0.1, -0.2});
  CHECK(program.trainer.run_dir.empty());
}

TEST_CASE("an unknown flag is named with the nearest one") {
  CHECK(error_of({"fit", "--trainer.max_epoch", "5"}) ==
        "unknown flag '--trainer.max_epoch' (did you mean '--trainer.max_epochs'?); --help lists them");
  CHECK(error_of({"fit", "--trainer.max_epoch=5"}).starts_with("unknown flag '--trainer.max_epoch' (did you mean"));
  CHECK(error_of({"fit", "--xyz"}) == "unknown flag '--xyz'; --help lists them");
  CHECK(error_of({"fit", "extra"}) == "unexpected argument 'extra'");
}

TEST_CASE("a flag with a wrong value is refused with what is allowed") {
  CHECK(error_of({"fit", "--trainer.max_epochs", "3.7"}) ==
        "--trainer: 'max_epochs': must be an integer of at least -1, or none, got '3.7'");
  CHECK(error_of({"fit", "--model.hidden", "0"}) == "--model: 'hidden': must be an integer of at least 1, got '0'");
}

TEST_CASE("a flag without a value and a flag given twice are refused") {
  CHECK(error_of({"fit", "--model.hidden"}).find("--model.hidden") != std::string::npos);
  CHECK(error_of({"fit", "--model.hidden", "1", "--model.hidden", "2"}).find("--model.hidden") != std::string::npos);
}

TEST_CASE("help lists each flag with type, default and meaning, and ends the program well") {
  Program program;
  const std::string help = program.fit->help();
  CHECK(help.find("--model.hidden int = 64") != std::string::npos);
  CHECK(help.find("Width of the hidden layer.") != std::string::npos);
  CHECK(help.find("--trainer.gradient_clip_algorithm norm|value = norm") != std::string::npos);
}
