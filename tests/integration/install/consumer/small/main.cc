#include <troupe/runtime/callback/typed_callback.h>
#include <troupe/runtime/options/trainer_options.h>
#include <troupe/v1/event.pb.h>

#include <iostream>

#include "runtime/error.h"

namespace {

struct Counter {
  void on(const troupe::TrainBatchEnded&) { ++batches; }
  int batches = 0;
};

}  // namespace

int main() {
  const auto counter = std::make_shared<Counter>();
  const auto callback = troupe::make_callback(counter);
  troupe::Event event;
  event.mutable_train_batch_ended();
  const troupe::RunState run;
  callback->observe({event, run});
  troupe::TrainerOptions options;
  troupe::set_option("consumer", options, "max_epochs", "5");
  std::cout << counter->batches << " " << options.resolved_max_epochs() << " " << own_error() << "\n";
}
