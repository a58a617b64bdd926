#pragma once

/// This project's own, whatever Troupe has under such a name.
inline const char* own_error() {
  return "own";
}
