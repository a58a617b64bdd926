#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// A checkpoint's file name as a template of metrics: "{epoch}-{val_loss:.2f}" gives "epoch=3-val_loss=0.12". A field
/// is {name} or {name:format}, the format as in Python: [0][width][.precision][d, f, e or g].
class CheckpointName {
 public:
  struct Value {
    double number = 0.0;
    bool integer = false;
  };
  /// The value of a name; nothing if there is none.
  using Lookup = std::function<std::optional<Value>(const std::string& name)>;

  /// With `insert_names` each field is printed as "name=value". Throws ConfigError for a template that cannot be read.
  CheckpointName(std::string_view pattern, bool insert_names);

  /// A name as short as they can be: every value is one digit, or as wide as its format asks for.
  std::string shortest() const;
  /// Throws ConfigError when a name has no value, or a format asks for an integer and the value is none.
  std::string format(const Lookup& value_of) const;

 private:
  struct Piece {
    std::string text;  // Literal text, or with `field` the name of one.
    bool field = false;
    bool zero_padded = false;
    int width = 0;
    int precision = 6;
    char type = '\0';  // None: as Python's repr.
  };

  void add_field(std::string_view field);
  std::string format_value(const Piece& piece, const Value& value) const;
  [[noreturn]] void refuse(const std::string& why) const;

  std::string pattern_;
  bool insert_names_;
  std::vector<Piece> pieces_;
};

}  // namespace troupe
