#include <iostream>
#include <map>
#include <memory>
#include <string>

#include "troupe/deploy/commands.h"
#include "troupe/runtime/base/error.h"
#include "troupe/runtime/interchange/checkpoint_export.h"
#include "troupe/runtime/interchange/checkpoint_import.h"

namespace troupe {
namespace {

const std::map<std::string, ExportFormat> kFormats = {
    {"safetensors", ExportFormat::kSafetensors}, {"torch", ExportFormat::kTorch}, {"npz", ExportFormat::kNpz}};
const std::map<std::string, ExportedTensors> kWhat = {{"weights", ExportedTensors::kWeights},
                                                      {"all", ExportedTensors::kAll}};

/// With what the tool has against a refusal.
Existing existing(const std::filesystem::path& output, bool force) {
  try {
    require_free_name(output, force ? Existing::kReplace : Existing::kRefuse);
  } catch (const ConfigError& error) {
    throw ConfigError(std::string(error.what()) + "; --force replaces it");
  }
  return force ? Existing::kReplace : Existing::kRefuse;
}

const char* extension(ExportFormat format) {
  switch (format) {
    case ExportFormat::kTorch:
      return ".pt";
    case ExportFormat::kNpz:
      return ".npz";
    default:
      return ".safetensors";
  }
}

struct ExportArguments {
  std::string file;
  std::string output;
  bool force = false;
  std::string format;
  std::string what = "weights";
};

int run_export(const ExportArguments& arguments) {
  const ExportFormat format = kFormats.at(arguments.format);
  std::filesystem::path output = arguments.output;
  if (output.empty()) {
    output = std::filesystem::path(arguments.file).replace_extension(extension(format));
  }
  const Exported exported = export_checkpoint(
      arguments.file, output,
      {.existing = existing(output, arguments.force), .format = format, .what = kWhat.at(arguments.what)});
  std::cout << output.string() << ": " << exported.tensors << " tensors, " << exported.tensor_bytes
            << " tensor bytes\n";
  return 0;
}

void add_export(CLI::App& checkpoint, Action& action) {
  auto* command = checkpoint.add_subcommand("export", "Write a checkpoint's tensors for other programs");
  auto arguments = std::make_shared<ExportArguments>();
  command->add_option("FILE", arguments->file, "Checkpoint file")->required();
  command->add_option("--format", arguments->format, "For safetensors, torch (torch.load) or npz (numpy.load)")
      ->required()
      ->check(CLI::IsMember({"safetensors", "torch", "npz"}));
  command->add_option("--output", arguments->output, "File to write; default: FILE with the format's extension");
  command
      ->add_option("--what", arguments->what,
                   "weights: parameters and buffers, by the module's names; all: every tensor, by the checkpoint's")
      ->check(CLI::IsMember({"weights", "all"}))
      ->capture_default_str();
  command->add_flag("--force", arguments->force, "Replace the file that is there");
  command->footer(
      "The file gets its name when it is whole and the checkpoint has been checked.\n"
      "Example:\n  troupe checkpoint export last.ckpt --format safetensors --output last.safetensors");
  command->callback([arguments, &action] { action = [arguments] { return run_export(*arguments); }; });
}

struct ImportArguments {
  std::string file;
  std::string output;
  bool force = false;
};

int run_import(const ImportArguments& arguments) {
  const Imported imported =
      import_checkpoint(arguments.file, arguments.output, existing(arguments.output, arguments.force));
  std::cout << arguments.output << ": " << imported.tensors << " tensors, " << imported.tensor_bytes
            << " tensor bytes, from a file of " << imported.format << '\n';
  return 0;
}

void add_import(CLI::App& checkpoint, Action& action) {
  auto* command =
      checkpoint.add_subcommand("import", "Make a checkpoint of weights only out of another program's file");
  auto arguments = std::make_shared<ImportArguments>();
  command->add_option("FILE", arguments->file, "A file of safetensors, torch.save or numpy.savez")->required();
  command->add_option("--output", arguments->output, "Checkpoint to write")->required();
  command->add_flag("--force", arguments->force, "Replace the file that is there");
  command->footer(
      "The format is told by the file's first bytes. The checkpoint gives weights; no run can be resumed from it.\n"
      "Example:\n  troupe checkpoint import resnet.safetensors --output resnet.ckpt");
  command->callback([arguments, &action] { action = [arguments] { return run_import(*arguments); }; });
}

}  // namespace

void add_checkpoint_exchange_commands(CLI::App& checkpoint, Action& action) {
  add_export(checkpoint, action);
  add_import(checkpoint, action);
}

}  // namespace troupe
