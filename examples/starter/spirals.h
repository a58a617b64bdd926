#pragma once

#include <troupe/troupe.h>

#include <cmath>

constexpr int64_t kArms = 3;

// begin dataset
/// Points along the arms of a spiral: float32 [2], with the number of the arm as int64 [].
class Spirals : public troupe::Dataset {
 public:
  Spirals(int64_t points, double noise) : points_(points), noise_(noise) {}

  int64_t size() const override { return points_; }

  troupe::Example get(int64_t index, at::Generator& generator) const override {
    const int64_t arm = index % kArms;
    const double radius = (static_cast<double>(index) + 1) / static_cast<double>(points_);
    const double angle = 4 * radius + static_cast<double>(arm) * 2 * M_PI / kArms;
    const auto point = torch::tensor({radius * std::cos(angle), radius * std::sin(angle)}, torch::kFloat);
    return {point + noise_ * torch::randn({2}, generator), torch::tensor(arm)};
  }

 private:
  int64_t points_;
  double noise_;
};
// end dataset

// begin data module
struct DataOptions {
  int64_t points = 600;
  double noise = 0.03;
  int64_t batch_size = 32;

  void describe(troupe::OptionVisitor& visit) {
    visit("points", points, "Points to train on; a third as many validate, and test.").at_least(3 * kArms);
    visit("noise", noise, "Standard deviation of what is added to each coordinate, anew in every epoch.").at_least(0);
    visit("batch_size", batch_size, "Points in a training batch.").at_least(1);
  }
};

class SpiralData : public troupe::DataModule {
 public:
  SpiralData(const DataOptions& options, uint64_t seed) : options_(options), seed_(seed) {}

  std::shared_ptr<troupe::DataLoader> train_dataloader() override {
    return troupe::make_data_loader(std::make_shared<Spirals>(options_.points, options_.noise),
                                    {.batch_size = options_.batch_size, .seed = seed_, .shuffle = true});
  }
  std::shared_ptr<troupe::DataLoader> val_dataloader() override { return held_out(seed_ + 1); }
  std::shared_ptr<troupe::DataLoader> test_dataloader() override { return held_out(seed_ + 2); }
  std::shared_ptr<troupe::DataLoader> predict_dataloader() override { return held_out(seed_ + 2); }

 private:
  std::shared_ptr<troupe::DataLoader> held_out(uint64_t seed) const {
    return troupe::make_data_loader(std::make_shared<Spirals>(options_.points / 3, options_.noise),
                                    {.batch_size = 128, .seed = seed});
  }

  DataOptions options_;
  uint64_t seed_;
};
// end data module
