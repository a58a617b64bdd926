#include "troupe/callbacks/logging/appended_file.h"

#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "troupe/runtime/base/error.h"

namespace troupe {
namespace {

[[noreturn]] void throw_cannot(const char* attempt, const std::filesystem::path& path, int error) {
  throw IoError(std::string("cannot ") + attempt + " " + path.string() + ": " + std::generic_category().message(error));
}

std::shared_ptr<std::FILE> open_to_append(const std::filesystem::path& path) {
  std::FILE* const file = std::fopen(path.c_str(), "abe");
  if (file == nullptr) {
    throw_cannot("open", path, errno);
  }
  std::setvbuf(file, nullptr, _IONBF, 0);
  return {file, [](std::FILE* opened) { std::fclose(opened); }};
}

void make_parent(const std::filesystem::path& path) {
  std::error_code error;
  if (path.has_parent_path()) {
    std::filesystem::create_directories(path.parent_path(), error);
  }
  if (error) {
    throw_cannot("make the folder of", path, error.value());
  }
}

}  // namespace

void AppendedFile::check_writable(const std::filesystem::path& path) {
  make_parent(path);
  open_to_append(path);
}

uint64_t AppendedFile::size_of(const std::filesystem::path& path) {
  std::error_code error;
  const auto size = std::filesystem::is_regular_file(path, error) ? std::filesystem::file_size(path, error) : 0;
  return error ? 0 : size;
}

AppendedFile::AppendedFile(std::filesystem::path path) : path_(std::move(path)) {}

void AppendedFile::open(uint64_t bytes) {
  make_parent(path_);
  bytes_ = size_of(path_);
  if (bytes_ > bytes) {
    std::error_code error;
    std::filesystem::resize_file(path_, bytes, error);
    if (error) {
      throw_cannot("cut", path_, error.value());
    }
    bytes_ = bytes;
  }
  file_ = open_to_append(path_);
}

void AppendedFile::append(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size()) {
    throw_cannot("write to", path_, errno);
  }
  bytes_ += text.size();
}

void AppendedFile::sync() const {
  if (file_ != nullptr && fsync(fileno(file_.get())) != 0 && errno != EINVAL) {
    throw_cannot("sync", path_, errno);
  }
}

}  // namespace troupe
