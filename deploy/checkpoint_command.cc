#include <cstdio>
#include <iostream>
#include <memory>

#include "troupe/deploy/commands.h"
#include "troupe/deploy/event_text.h"
#include "troupe/runtime/base/tensor_names.h"
#include "troupe/runtime/checkpoint/checkpoint_file.h"
#include "troupe/runtime/state/dtype.h"
#include "troupe/runtime/state/tensor_file.h"

namespace troupe {
namespace {

void print_tensor(const v1::TensorInfo& info) {
  char columns[96];
  std::snprintf(columns, sizeof columns, "  %-9s %-22s %14llu  ", std::string(dtype_names(info.dtype()).name).c_str(),
                shape_text(shape_of(info)).c_str(), static_cast<unsigned long long>(info.bytes()));
  std::cout << columns << one_line(info.name()) << '\n';
}

/// The lines that say where the checkpoint is from.
std::string origin(const v1::CheckpointHeader& header) {
  if (!header.imported_from().empty()) {
    return "imported from   " + one_line(header.imported_from()) + "\n";
  }
  return "run             " + one_line(header.run_id()) + ", incarnation " + std::to_string(header.incarnation()) +
         "\ntaken at        seq " + std::to_string(header.seq()) + ", " + to_text(header.position()) + "\n";
}

int show(const std::string& file, bool json) {
  const auto header = read_checkpoint_header(file);
  if (json) {
    std::cout << to_json_line(header) << '\n';
    return 0;
  }
  uint64_t bytes = 0;
  for (const auto& info : header.tensors()) {
    bytes += info.bytes();
  }
  const auto& environment = header.environment();
  std::cout << "format version  " << header.format_version() << '\n'
            << "contents        " << (header.weights_only() ? "weights only" : "whole training state") << '\n'
            << origin(header)  //
            << "written by      troupe " << one_line(environment.troupe_version()) << ", LibTorch "
            << one_line(environment.libtorch_version()) << ", world size " << environment.world_size() << '\n'
            << "tensors         " << header.tensors_size() << " of " << bytes << " bytes\n";
  for (const auto& info : header.tensors()) {
    print_tensor(info);
  }
  return 0;
}

int verify(const std::string& file) {
  const auto report = verify_checkpoint(file);
  if (!report.sound()) {
    std::cout << report.damage->text() << '\n';
  }
  char digest[16];
  std::snprintf(digest, sizeof digest, "%08x", report.digest);
  std::cout << file << ": " << report.tensors << " tensors, " << report.tensor_bytes << " tensor bytes in "
            << report.records << " records, " << report.bytes << " bytes, digest " << digest << ": "
            << (report.sound() ? "sound" : "damaged") << '\n';
  return report.sound() ? 0 : 1;
}

}  // namespace

void add_checkpoint_command(CLI::App& tool, Action& action) {
  auto* checkpoint = tool.add_subcommand("checkpoint", "Look into checkpoint files, compare and convert them");
  checkpoint->require_subcommand(1);
  checkpoint->footer(
      "Examples:\n  troupe checkpoint show runs/digits/20260131-235959-3fa9/checkpoints/last.ckpt\n"
      "  troupe checkpoint verify runs/digits/20260131-235959-3fa9/checkpoints/last.ckpt\n"
      "  troupe checkpoint export last.ckpt --format safetensors");
  auto file = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);

  auto* show_command = checkpoint->add_subcommand("show", "Print what a checkpoint says of itself, and its tensors");
  show_command->add_option("FILE", *file, "Checkpoint file")->required();
  show_command->add_flag("--json", *json, "Print the header in protobuf's JSON mapping");
  show_command->footer(
      "Reads the header alone.\nExample:\n  troupe checkpoint show last.ckpt --json | jq .tensors[].name");
  show_command->callback([file, json, &action] { action = [file, json] { return show(*file, *json); }; });

  auto* verify_command = checkpoint->add_subcommand("verify", "Check all of a checkpoint");
  verify_command->add_option("FILE", *file, "Checkpoint file")->required();
  verify_command->footer(
      "Checks checksums, order, coverage of every tensor, counts and digest. Exit status: 0 sound, 1 damaged.\n"
      "Example:\n  troupe checkpoint verify last.ckpt && echo sound");
  verify_command->callback([file, &action] { action = [file] { return verify(*file); }; });

  add_checkpoint_diff_command(*checkpoint, action);
  add_checkpoint_exchange_commands(*checkpoint, action);
}

}  // namespace troupe
