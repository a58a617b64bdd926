// What each command does in the loop, when it is refused, and that a resumed run goes on with it.
#include <doctest/doctest.h>

#include <cmath>

#include "tests/support/small_fit.h"
#include "troupe/runtime/callback/control.h"

using namespace troupe;

namespace {

OptimizerConfig sgd(SmallModule& module) {
  return {.optimizer = std::make_shared<torch::optim::SGD>(module.parameters(), torch::optim::SGDOptions(0.1))};
}

/// Commands at the end of the n-th batch of the run, counted from 0, and saves a checkpoint after every batch.
void command_at_batch(SmallFit& fit, uint64_t epoch, uint32_t batch, const std::function<void(Control&)>& command) {
  fit.control<TrainBatchEnded>([=](const Event& event, Control& control) {
    if (event.position().epoch() == epoch && event.position().batch_index() == batch) {
      command(control);
    }
    v1::SaveCheckpoint save;
    save.set_path("x.ckpt");
    control.save_checkpoint(save);
  });
}

/// Every checkpoint of `whole` leads to where `whole` ended.
void check_resumes(SmallFit& whole, const std::function<void(SmallFit&)>& prepare, const TrainerOptions& options,
                   const std::function<OptimizerConfig(SmallModule&)>& configure = {}) {
  REQUIRE_FALSE(whole.sink.snapshots.empty());
  const std::string wanted = whole.state_bytes();
  for (const auto& snapshot : whole.sink.snapshots) {
    SmallFit resumed(options, configure);
    prepare(resumed);
    resumed.resume(*snapshot);
    CHECK(resumed.state_bytes() == wanted);
  }
}

std::vector<uint32_t> samples_of(const SmallFit& fit) {
  std::vector<uint32_t> samples;
  for (const auto& event : fit.events<TrainBatchEnded>()) {
    samples.push_back(event.train_batch_ended().samples());
  }
  return samples;
}

std::vector<uint64_t> steps_of(const SmallFit& fit) {
  std::vector<uint64_t> steps;
  for (const auto& event : fit.events<TrainBatchEnded>()) {
    steps.push_back(event.position().global_step());
  }
  return steps;
}

std::string weights_bytes(SmallFit& fit) {
  std::string bytes;
  const auto snapshot = fit.loop->training().capture(/*weights_only=*/true);
  for (const auto& named : snapshot->tensors) {
    bytes.append(static_cast<const char*>(named.tensor.data_ptr()), named.tensor.nbytes());
  }
  return bytes;
}

double present_lr(SmallFit& fit) {
  return fit.loop->training().learning_rates().at(0);
}

}  // namespace

TEST_CASE("a learning rate that is set scales what the schedule gives later by the same ratio") {
  const auto with_schedule = [](LrSchedule schedule, double lr) {
    return [=](SmallModule& module) -> OptimizerConfig {
      return {.interval = OptimizerConfig::Interval::kStep,
              .lr_schedule = schedule,
              .optimizer = std::make_shared<torch::optim::SGD>(module.parameters(), torch::optim::SGDOptions(lr))};
    };
  };
  SUBCASE("also where the schedule has a floor") {
    const auto schedule = lr_schedule::cosine(24, 0.01);
    SmallFit fit(small_options(), with_schedule(schedule, 0.1));
    command_at_batch(fit, 0, 3, [](Control& control) { control.set_learning_rate(0.05); });
    fit.run();
    CHECK(present_lr(fit) == doctest::Approx(schedule(0.1, 12) * 0.05 / schedule(0.1, 4)));
  }
  SUBCASE("from a rate of 0 it goes on in the ratio to the configured rate") {
    const auto schedule =
        LrSchedule("from zero", [](double base, int64_t step) { return step < 5 ? 0.0 : base * 0.5; });
    SmallFit fit(small_options(), with_schedule(schedule, 0.1));
    command_at_batch(fit, 0, 0, [](Control& control) { control.set_learning_rate(0.3); });
    fit.run();
    CHECK(present_lr(fit) == doctest::Approx(0.15));
  }
  SUBCASE("with a configured rate of 0 the new one takes its place") {
    SmallFit fit(small_options(), with_schedule(lr_schedule::exponential(0.5), 0.0));
    command_at_batch(fit, 0, 1, [](Control& control) { control.set_learning_rate(0.4); });
    fit.run();
    CHECK(present_lr(fit) == doctest::Approx(0.4 * std::pow(0.5, 10)));
  }
  SUBCASE("set to 0 it can be set again") {
    const auto schedule = lr_schedule::exponential(0.9);
    SmallFit fit(small_options(), with_schedule(schedule, 0.1));
    fit.control<TrainBatchEnded>([](const Event& event, Control& control) {
      if (event.position().global_step() == 2 || event.position().global_step() == 4) {
        control.set_learning_rate(event.position().global_step() == 2 ? 0.0 : 0.1);
      }
    });
    fit.run();
    CHECK(present_lr(fit) == doctest::Approx(0.1 * std::pow(0.9, 8)));
  }
}

TEST_CASE("a scaled schedule goes on after a resume") {
  const auto prepare = [](SmallFit& fit) {
    command_at_batch(fit, 0, 2, [](Control& control) { control.set_learning_rate(0.003); });
  };
  SmallFit whole;
  prepare(whole);
  whole.run();
  check_resumes(whole, prepare, small_options());
}

TEST_CASE("the momentum of an optimizer, or its first beta, is set") {
  const auto momentum = [](SmallFit& fit) { return fit.loop->training().param_groups().at(0).momentum(); };
  const auto prepare = [](SmallFit& fit) {
    command_at_batch(fit, 0, 2, [](Control& control) { control.set_momentum(0.5); });
  };
  SUBCASE("Adam, through a resume") {
    SmallFit fit;
    prepare(fit);
    fit.run();
    CHECK(momentum(fit) == 0.5);
    check_resumes(fit, prepare, small_options());
  }
  SUBCASE("RMSprop, which had none") {
    const auto rmsprop = [](SmallModule& module) -> OptimizerConfig {
      return {.optimizer = std::make_shared<torch::optim::RMSprop>(module.parameters())};
    };
    SmallFit fit(small_options(), rmsprop);
    prepare(fit);
    fit.run();
    CHECK(momentum(fit) == 0.5);
    check_resumes(fit, prepare, small_options(), rmsprop);
  }
}

TEST_CASE("a momentum is refused where there is none, out of range, and for no such group") {
  SmallFit adagrad(small_options(), [](SmallModule& module) -> OptimizerConfig {
    return {.optimizer = std::make_shared<torch::optim::Adagrad>(module.parameters())};
  });
  adagrad.control<TrainStarted>([](const Event&, Control& control) { control.set_momentum(0.5); });
  adagrad.run();
  CHECK(adagrad.refusals() == std::vector<std::string>{"Adagrad has neither a momentum nor betas"});

  SmallFit adam;
  adam.control<TrainStarted>([](const Event&, Control& control) {
    control.set_momentum(1);
    control.set_momentum(0.5, "lr-SGD");
  });
  adam.run();
  CHECK(adam.refusals() == std::vector<std::string>{"a momentum must be in [0, 1), got 1.000000",
                                                    "no parameter group 'lr-SGD'; there are lr-Adam"});
}

TEST_CASE("accumulation changes with the next window, an open one keeps its length") {
  TrainerOptions options = small_options();
  options.accumulate_grad_batches = 2;
  const auto prepare = [](SmallFit& fit) {
    command_at_batch(fit, 0, 2, [](Control& control) { control.set_accumulation(3); });
  };
  SmallFit fit(options, sgd);
  prepare(fit);
  fit.run();
  // Windows of 2, 2 and the rest of the epoch; then of 3 and 3.
  CHECK(steps_of(fit) == std::vector<uint64_t>{0, 1, 1, 2, 2, 3, 3, 3, 4, 4, 4, 5});
  check_resumes(fit, prepare, options, sgd);
}

TEST_CASE("the losses of a window are divided by its own length") {
  TrainerOptions options = small_options();
  options.max_epochs = 1;
  SmallFit commanded(options, sgd);
  commanded.control<TrainEpochStarted>([](const Event&, Control& control) { control.set_accumulation(3); });
  commanded.run();
  options.accumulate_grad_batches = 3;
  SmallFit configured(options, sgd);
  configured.run();
  CHECK(weights_bytes(commanded) == weights_bytes(configured));
}

TEST_CASE("the batch size changes with the next epoch") {
  TrainerOptions options = small_options();
  options.max_epochs = 3;
  const auto prepare = [](SmallFit& fit) {
    command_at_batch(fit, 0, 2, [](Control& control) { control.set_batch_size(8); });
  };
  SmallFit fit(options);
  prepare(fit);
  fit.run();
  CHECK(samples_of(fit) == std::vector<uint32_t>{4, 4, 4, 4, 4, 4, 8, 8, 8, 8, 8, 8});
  CHECK(fit.events<ValidationEnded>().size() == 4);  // With the sanity check.
  check_resumes(fit, prepare, options);
}

TEST_CASE("a batch size is refused that the loader or the limits do not allow") {
  SmallFit fit;
  fit.control<TrainStarted>([](const Event&, Control& control) { control.set_batch_size(0); });
  fit.run();
  CHECK(fit.refusals() == std::vector<std::string>{"a batch size must be at least 1"});

  TrainerOptions options = small_options();
  options.val_check_interval = 6;
  SmallFit limited(options);
  limited.control<TrainStarted>([](const Event&, Control& control) { control.set_batch_size(24); });
  limited.run();
  REQUIRE(limited.refusals().size() == 1);
  CHECK(limited.refusals()[0].find("val_check_interval") != std::string::npos);

  const Batch batch{torch::ones({3, 3}), torch::zeros({3, 1}), {}};
  SmallFit fixed(small_options(), {}, std::make_shared<FixedBatches>(std::vector<Batch>(2, batch)));
  fixed.control<TrainStarted>([](const Event&, Control& control) { control.set_batch_size(2); });
  fixed.run();
  CHECK(fixed.refusals() == std::vector<std::string>{"the train loader cannot make batches of another size"});
}

TEST_CASE("a frozen parameter takes no gradient and no step until it is unfrozen") {
  const auto prepare = [](SmallFit& fit) {
    fit.control<TrainBatchEnded>([](const Event& event, Control& control) {
      if (event.position().global_step() == 3) {
        control.freeze({"backbone"});
      } else if (event.position().global_step() == 9) {
        control.unfreeze({"backbone.0", "backbone.1"});
      }
      v1::SaveCheckpoint save;
      save.set_path("x.ckpt");
      control.save_checkpoint(save);
    });
  };
  SmallFit fit;
  prepare(fit);
  std::vector<at::Tensor> backbone;
  fit.live<TrainBatchEnded>([&](const TrainBatchEnded&, Live& live) {
    backbone.push_back(live.module().named_parameters()["backbone.0.weight"].detach().clone());
    const bool frozen = backbone.size() >= 3 && backbone.size() < 9;  // The round comes before the Live hook.
    CHECK(live.gradients().size() == (frozen || backbone.size() == 9 ? 2 : 6));
  });
  fit.run();
  CHECK_FALSE(backbone[1].equal(backbone[2]));
  CHECK(backbone[2].equal(backbone[8]));
  CHECK_FALSE(backbone[8].equal(backbone[9]));
  check_resumes(fit, prepare, small_options());
}

TEST_CASE("freezing is refused for an unknown name, for no name and for everything") {
  SmallFit fit;
  fit.control<TrainStarted>([](const Event&, Control& control) {
    control.freeze({"backbon"});
    control.freeze({});
    control.freeze({"backbone", "head"});
    control.freeze({"head.weigh"});
  });
  fit.run();
  CHECK(fit.refusals() ==
        std::vector<std::string>{"no parameter 'backbon', and none below it (did you mean 'backbone'?)",
                                 "names no parameter", "it would leave no parameter to train",
                                 "no parameter 'head.weigh', and none below it (did you mean 'head.weight'?)"});
}

TEST_CASE("a skipped epoch ends as if its batch had been the last") {
  TrainerOptions options = small_options();
  options.accumulate_grad_batches = 4;
  const auto per_epoch = [](SmallModule& module) {
    OptimizerConfig config = sgd(module);
    config.lr_schedule = lr_schedule::exponential(0.5);
    return config;
  };
  const auto prepare = [](SmallFit& fit) {
    command_at_batch(fit, 0, 1, [](Control& control) { control.skip_epoch("enough of it"); });
  };
  SmallFit fit(options, per_epoch);
  prepare(fit);
  fit.run();
  CHECK(samples_of(fit).size() == 8);
  CHECK(fit.events<TrainEpochEnded>()[0].position().global_step() == 1);  // The open window was stepped with.
  CHECK(fit.events<ValidationEnded>()[1].position().global_step() == 1);  // Before the validation.
  CHECK(fit.events<ValidationEnded>().size() == 3);                       // With the sanity check.
  CHECK(present_lr(fit) == doctest::Approx(0.025));                       // The schedule counted two epochs.
  check_resumes(fit, prepare, options, per_epoch);
}

TEST_CASE("an epoch that is skipped after its batch's events is stepped with and validated all the same") {
  TrainerOptions options = small_options();
  options.accumulate_grad_batches = 4;
  const auto skip = [](v1::Command& command) { command.mutable_skip_epoch(); };
  const auto ends_with = [](const SmallFit& fit) {
    std::vector<std::string> ends;
    for (const auto& event : fit.sink.events) {
      if (event->has_validation_ended() || event->has_train_epoch_ended()) {
        ends.push_back(std::string(event->has_validation_ended() ? "validated" : "ended") + " at step " +
                       std::to_string(event->position().global_step()));
      }
    }
    return ends;
  };
  const std::vector<std::string> wanted{"validated at step 0", "validated at step 1", "ended at step 1",
                                        "validated at step 3", "ended at step 3"};
  SUBCASE("by an operator") {
    SmallFit fit(options, sgd);
    int batches = 0;
    fit.module->in_training_step = [&](int64_t /*batch_index*/) {
      if (++batches == 2) {
        v1::InputRecorded input;
        input.set_from("ann");
        skip(*input.mutable_command());
        fit.sink.inputs.push_back(input);
        input.mutable_command()->mutable_save_checkpoint()->set_path("skipped.ckpt");
        fit.sink.inputs.push_back(input);  // Taken when the epoch is skipped and not yet stepped with.
      }
    };
    fit.run();
    CHECK(ends_with(fit) == wanted);
    check_resumes(
        fit, [](SmallFit&) {}, options, sgd);
  }
  SUBCASE("by a controller at a validation that comes with the batch: there is no second one") {
    options.val_check_interval = 2;
    const auto prepare = [](SmallFit& fit) {
      fit.control<ValidationEnded>([](const Event& event, Control& control) {
        if (event.position().stage() == v1::STAGE_VALIDATE && event.position().epoch() == 0) {
          control.skip_epoch();
          v1::SaveCheckpoint save;
          save.set_path("x.ckpt");
          control.save_checkpoint(save);
        }
      });
    };
    SmallFit fit(options, sgd);
    prepare(fit);
    fit.run();
    CHECK(ends_with(fit) == std::vector<std::string>{"validated at step 0", "validated at step 0", "ended at step 1",
                                                     "validated at step 1", "validated at step 2",
                                                     "validated at step 3", "ended at step 3"});
    check_resumes(fit, prepare, options, sgd);
  }
}

TEST_CASE("a module may log in its optimizer hook when a skipped window is stepped with") {
  TrainerOptions options = small_options();
  options.accumulate_grad_batches = 4;
  SmallFit fit(options, sgd);
  fit.module->before_optimizer_step = [&] { fit.module->log("seen", 1.0, {.on_epoch = true}); };
  command_at_batch(fit, 0, 1, [](Control& control) { control.skip_epoch(); });
  fit.run();
  const auto ended = fit.events<TrainEpochEnded>().at(0).train_epoch_ended();
  CHECK(std::any_of(ended.metrics().begin(), ended.metrics().end(), [](const v1::Metric& metric) {
    return metric.name().starts_with("seen") && metric.value() == 1.0;
  }));
}

TEST_CASE("what is no name of a checkpoint is neither written nor removed") {
  SmallFit fit(small_options(), sgd);
  command_at_batch(fit, 0, 0, [](Control& control) {
    control.remove_checkpoint("events/00000001.tfrecord");
    control.remove_checkpoint("");
    v1::SaveCheckpoint save;
    save.set_path("config.json");
    control.save_checkpoint(save);
  });
  fit.run();
  CHECK(fit.sink.removed.empty());
  CHECK(fit.refusals() ==
        std::vector<std::string>{"'config.json' is no name of a checkpoint: it must end in .ckpt",
                                 "'events/00000001.tfrecord' is no name of a checkpoint: it must end in .ckpt",
                                 "which checkpoint to remove has to be told by its path"});
}

TEST_CASE("an epoch is skipped from its start, within a batch, and not where there is none") {
  SmallFit started(small_options(), sgd);
  started.control<TrainEpochStarted>([](const Event& event, Control& control) {
    if (event.position().epoch() == 0) {
      control.skip_epoch();
    }
  });
  started.run();
  CHECK(samples_of(started).size() == 6);
  CHECK(started.events<TrainEpochEnded>().size() == 2);

  TrainerOptions options = small_options();
  options.accumulate_grad_batches = 4;
  SmallFit within(options, sgd);
  within.control<BackwardEnded>([](const Event& event, Control& control) {
    if (event.position().epoch() == 0) {
      control.skip_epoch();
    }
  });
  within.run();
  CHECK(steps_of(within) == std::vector<uint64_t>{1, 1, 1, 1, 2, 2, 3});

  SmallFit outside(small_options(), sgd);
  outside.control<TrainEpochEnded>([](const Event&, Control& control) { control.skip_epoch(); });
  outside.run();
  CHECK(outside.refusals() == std::vector<std::string>(2, "no epoch is being trained"));
}

TEST_CASE("a vote lapses when its controller is detached") {
  SmallFit fit;
  fit.options.min_epochs = 2;
  fit.loop = std::make_unique<FitRun>(*fit.module, small_loader(), nullptr, fit.options);
  fit.control<TrainEpochStarted>([](const Event& event, Control& control) {
    if (event.position().epoch() == 0) {
      control.stop("never again");
    }
  });
  fit.sink.detached_at = {Event::kTrainEpochEnded, "c"};
  CHECK(fit.run().status == v1::RUN_STATUS_FINISHED);
}

TEST_CASE("a fast_dev_run saves no checkpoint, whoever asks") {
  SmallFit fit(TrainerOptions{.fast_dev_run = 2}.effective());
  fit.control<TrainEpochEnded>([](const Event&, Control& control) {
    v1::SaveCheckpoint save;
    save.set_path("x.ckpt");
    control.save_checkpoint(save);
  });
  v1::InputRecorded of_operator;
  of_operator.set_from("ann");
  of_operator.mutable_command()->mutable_save_checkpoint();
  fit.sink.inputs = {of_operator};
  CHECK(fit.run().status == v1::RUN_STATUS_FINISHED);
  CHECK(fit.refusals() == std::vector<std::string>(2, "a fast_dev_run saves nothing"));
  CHECK(fit.sink.snapshots.empty());
}

TEST_CASE("of a vote and its withdrawal in one hook the later one counts") {
  SmallFit withdrawn;
  withdrawn.control<TrainStarted>([](const Event&, Control& control) {
    control.stop("a");
    control.withdraw_stop();
  });
  CHECK(withdrawn.run().status == v1::RUN_STATUS_FINISHED);
  SmallFit stopped;
  stopped.control<TrainStarted>([](const Event&, Control& control) {
    control.withdraw_stop();
    control.stop("a");
  });
  CHECK(stopped.run().status == v1::RUN_STATUS_STOPPED);
}
