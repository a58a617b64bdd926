#!/usr/bin/env bash
# Checks format and clang-tidy, everything fatal: lint.sh [--all].
#
# clang-tidy reads the sources of a room together, as the build compiles them: nearly all of its time goes into headers. They are put
# into one file for that, since its analyser looks only into what is in the file that it is given. Sources that include LibTorch's
# frontend (<torch/torch.h> or parts of it) take minutes and are left out unless --all is given. First both tools have to report the
# faults that are planted for them.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

all=0
case "${1:-}" in
  "") ;;
  --all) all=1 ;;
  *)
    echo "usage: lint.sh [--all]" >&2
    exit 2
    ;;
esac
./deploy/setup.sh --lint

# What the tools do not report here they would not report elsewhere: one fault a check, in sources that are read together as a room's are.
#
# sources_of FILE FOLDER: the sources that FILE includes, or FILE itself.
sources_of() {
  local source sources
  mapfile -t sources < <(sed -n 's/^#include "\(.*\.cc\)"$/\1/p' "$1")
  ((${#sources[@]} > 0)) || sources=("$1")
  for source in "${sources[@]}"; do
    source=${source#troupe/}
    [[ -f $source ]] || source=$2/$source
    echo "$source"
  done
}

# join SOURCE...: one after the other, behind a line that names each.
join() {
  local source
  for source in "$@"; do
    printf '// source: %s\n' "$source"
    cat "$source"
  done
}

# name_sources JOINED: in what clang-tidy prints, names the source and the line in it instead of those of the joined file.
name_sources() {
  awk -v joined="$1" '
    FILENAME == joined { if (/^\/\/ source: /) { source = $3; start = FNR } of[FNR] = source; line[FNR] = FNR - start; next }
    match($0, joined ":[0-9]+") {
      at = substr($0, RSTART + length(joined) + 1, RLENGTH - length(joined) - 1)
      $0 = of[at] ":" line[at] substr($0, RSTART + RLENGTH)
    }
    { print }' "$1" -
}
export -f sources_of join name_sources

planted_faults() {
  local folder=build/lint/planted/runtime output missing=0 fault sources
  mkdir -p "$folder"
  cat >"$folder/one.cc" <<'SOURCE'
#include <string>
#include <utility>

namespace {

int read_null(const int* pointer) {
  if (pointer == nullptr) {
    return *pointer;
  }
  return 0;
}

}  // namespace

size_t use_after_move(std::string text) {
  std::string other = std::move(text);
  return other.size() + text.size() + read_null(nullptr);
}
SOURCE
  cat >"$folder/two.cc" <<'SOURCE'
#include <vector>

struct base_of_all {
  virtual ~base_of_all() = default;
  virtual int size() const { return 0; }
};

struct Derived : base_of_all {
  int size() const { return BadlyNamed.size() == 0; }
  std::vector<int> BadlyNamed;
};

int count(std::vector<int> values) {
  if (values.empty()) return 0;
  return 1;
}
SOURCE
  printf '#include "one.cc"\n#include "two.cc"\n' >"$folder/room.cc"
  mapfile -t sources < <(sources_of "$folder/room.cc" "$folder")
  join "${sources[@]}" >"$folder/joined.cc"
  printf 'int  main( ) { return 0 ; }\n' >"$folder/unformatted.cc"
  if clang-format-14 --style=file:.clang-format --dry-run --Werror "$folder/unformatted.cc" 2>/dev/null; then
    echo "lint.sh: clang-format does not report a planted fault" >&2
    missing=1
  fi
  if output=$(clang-tidy-14 --config-file=.clang-tidy --quiet "$folder/joined.cc" -- -std=c++20 2>&1 | name_sources "$folder/joined.cc"); then
    echo "lint.sh: clang-tidy ends with status 0 although faults are planted" >&2
    missing=1
  fi
  for fault in "one.cc:.*clang-analyzer-core.NullDereference" "one.cc:.*bugprone-use-after-move" "two.cc:.*modernize-use-override" \
    "two.cc:.*readability-identifier-naming" "two.cc:.*readability-container-size-empty" "two.cc:.*readability-braces-around-statements" \
    "two.cc:.*performance-unnecessary-value-param"; do
    if ! grep --quiet "$fault" <<<"$output"; then
      echo "lint.sh: clang-tidy does not report the planted fault $fault" >&2
      missing=1
    fi
  done
  return "$missing"
}
stage "planted faults" planted_faults

mapfile -t formatted < <(git ls-files --cached --others --exclude-standard -- '*.h' '*.cc')
stage "clang-format on ${#formatted[@]} files" clang-format-14 --dry-run --Werror "${formatted[@]}"

stage "configure lint" cmake --preset lint
stage "generate sources" cmake --build --preset lint --target troupe_proto

# What passed is not read again until it, a header or a check changes, in another clone too: a file named by the digest of all that
# clang-tidy reads stands for it.
passed=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/troupe-tidy
left_out=build/lint/left_out
mkdir -p "$passed"
rm -f "$left_out"
find "$passed" -type f -mtime +30 -delete

# Whether what a command makes of a source has LibTorch's frontend in it.
has_frontend() {
  local command=$1 source=$2
  [[ $(eval "${command% -o *} -E $source" 2>/dev/null) == *torch/csrc/api/include/torch/* ]]
}

# clang-tidy on what one command compiles.
tidy_one() {
  local file=$1 command=$2 sources source kept=() text digest extra=() status=0
  mapfile -t sources < <(sources_of "$file" .)
  if ((all == 0)) && has_frontend "$command" "$file"; then
    for source in "${sources[@]}"; do
      if ((${#sources[@]} == 1)) || has_frontend "$command" "$source"; then echo "$source" >>"$left_out"; else kept+=("$source"); fi
    done
    sources=("${kept[@]}")
    ((${#sources[@]} > 0)) || return 0
  fi
  local joined=build/lint/joined/${file//\//_}
  mkdir -p build/lint/joined
  join "${sources[@]}" >"$joined"
  text=$(eval "${command% -o *} -E -C $joined" | sed "s|$PWD/||g")
  digest=$(cat .clang-tidy deploy/lint.sh - <<<"$text" | sha256sum | cut --delimiter ' ' --fields 1)
  if [[ -f $passed/$digest ]]; then
    touch "$passed/$digest"
    return 0
  fi
  # Clang 14 in C++20 takes LibTorch's headers only if the type that its vectors name is complete first.
  [[ $text == */ATen/core/* ]] && extra=(-include ATen/core/ivalue.h)
  local flags=${command#* }
  flags=${flags% -o *}
  eval "clang-tidy-14 --quiet --warnings-as-errors='*' $joined -- $flags ${extra[*]}" >"$joined.txt" 2>&1 || status=$?
  grep --invert-match 'warnings generated' "$joined.txt" | name_sources "$joined" >&2 || true
  ((status == 0)) || return "$status"
  echo "$file" >"$passed/$digest"
}
export -f has_frontend tidy_one
export all passed left_out

# "file NUL command NUL" of each file that is compiled, but for generated code, from the lines that CMake writes.
compile_commands() {
  local file command
  paste <(sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' build/lint/compile_commands.json) \
    <(sed -n 's/^ *"command": "\(.*\)",\{0,1\}$/\1/p' build/lint/compile_commands.json) |
    sort --unique --key 1,1 --field-separator $'\t' | while IFS=$'\t' read -r file command; do
    file=${file#"$PWD"/}
    [[ $file == build/lint/proto/* ]] || printf '%s\0%s\0' "$file" "${command//\\\"/\"}"
  done
}

tidy() { compile_commands | xargs --null --max-args 2 --max-procs "$jobs" bash -euo pipefail -c 'tidy_one "$@"' tidy_one; }

stage "clang-tidy" tidy
if [[ -f $left_out ]]; then
  echo "left to lint.sh --all: $(wc -l <"$left_out") sources that include LibTorch's frontend" >&2
fi
