#!/usr/bin/env bash
# Checks format and clang-tidy, everything fatal: lint.sh [--all].
#
# clang-tidy reads all sources of a kind as one file (the libraries' without LibTorch, the tests' with it, ...): nearly all of its time goes
# into headers, and its analyser looks only into what is in the file that it is given. Sources whose private names clash are read apart,
# which is slower and nothing else. Its analyser looks at 20,000 states of a function rather than at 225,000, which takes a quarter of the
# time. With --all it looks at all of them, and reads the sources that include LibTorch's frontend (<torch/torch.h> or parts of it) too.
# First both tools have to report the faults that are planted for them.
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

# join FILE SOURCE...: writes the sources into FILE one after the other, behind a line that names each. Of the tests and
# examples each has a main of its own name.
join() {
  local joined=$1 source number=0
  shift
  for source in "$@"; do
    printf '// source: %s\n' "$source"
    if [[ $source == tests/* || $source == examples/* ]]; then printf '#undef main\n#define main main_%d\n' "$((++number))"; fi
    cat "$source"
  done >"$joined"
}

# name_sources JOINED: in what clang-tidy prints, names the source and the line in it instead of those of the joined file.
name_sources() {
  awk -v joined="$1" '
    FILENAME == joined {
      if (/^\/\/ source: /) { source = $3; start = FNR }
      if (/^#define main main_/ && FNR == start + 2) start = FNR
      of[FNR] = source; line[FNR] = FNR - start; next
    }
    match($0, joined ":[0-9]+") {
      at = substr($0, RSTART + length(joined) + 1, RLENGTH - length(joined) - 1)
      $0 = of[at] ":" line[at] substr($0, RSTART + RLENGTH)
    }
    { print }' "$1" -
}

# How far the analyser follows a function.
analyser="-Xclang -analyzer-config -Xclang max-nodes=20000"
((all == 0)) || analyser=""

# What the tools do not report here they would not report elsewhere: one fault a check, in sources that are read together.
planted_faults() {
  local folder=build/lint/planted output missing=0 fault
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
  join "$folder/joined.cc" "$folder/one.cc" "$folder/two.cc"
  printf 'int  main( ) { return 0 ; }\n' >"$folder/unformatted.cc"
  if clang-format-14 --style=file:.clang-format --dry-run --Werror "$folder/unformatted.cc" 2>/dev/null; then
    echo "lint.sh: clang-format does not report a planted fault" >&2
    missing=1
  fi
  if output=$(clang-tidy-14 --config-file=.clang-tidy --quiet "$folder/joined.cc" -- -std=c++20 $analyser 2>&1 | name_sources "$folder/joined.cc"); then
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

# Those of our files that include LibTorch's frontend, themselves or through others of ours.
frontend_files() {
  git ls-files --cached --others --exclude-standard -- '*.h' '*.cc' | xargs awk '
    /^#include <torch\// { has[FILENAME] = 1 }
    /^#include [<"]/ {
      name = substr($2, 2, length($2) - 2)
      sub(/^troupe\//, "", name)
      from[++count] = FILENAME
      to[count] = name
    }
    END {
      do {
        added = 0
        for (i = 1; i <= count; ++i) if (has[to[i]] && !has[from[i]]) has[from[i]] = added = 1
      } while (added)
      for (file in has) print file
    }'
}

# "file TAB command" of each file that is compiled, but for generated code, from the lines that CMake writes.
compile_commands() {
  local file command
  paste <(sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' build/lint/compile_commands.json) \
    <(sed -n 's/^ *"command": "\(.*\)",\{0,1\}$/\1/p' build/lint/compile_commands.json) |
    sed 's/\\\\/\\/g; s/\\"/"/g' | grep --invert-match '/build/lint/proto/'
}

# Writes what is read together: build/lint/joined/KIND.sources and the options of all their commands, KIND.options. A kind is an area, as runtime,
# actors or tests, and _plain, _torch or _frontend.
sort_sources() {
  local file command source sources kind area word words folder=build/lint/joined
  local -A frontend=() seen=() options=()
  rm -rf "$folder"
  mkdir -p "$folder"
  while read -r source; do frontend[$source]=1; done < <(frontend_files)
  while IFS=$'\t' read -r file command; do
    file=${file#"$PWD"/}
    sources=("$file")
    [[ $file != build/lint/* ]] || mapfile -t sources < <(sed -n 's/^#include "\(troupe\/\)\{0,1\}\(.*\.cc\)"$/\2/p' "$file")
    for source in "${sources[@]}"; do
      [[ -z ${seen[$source]:-} ]] || continue
      seen[$source]=1
      case "$source" in
        # The analyser would follow each CHECK into doctest.
        */doctest_main.cc) area=doctest ;;
        tests/runtime/*) area=tests_runtime ;;
        runtime/* | tests/* | examples/*) area=${source%%/*} ;;
        *) area=actors ;;
      esac
      kind=${area}_plain
      [[ $command != *torch/csrc/api/include* ]] || kind=${area}_torch
      [[ -z ${frontend[$source]:-} ]] || kind=${area}_frontend
      echo "$source" >>"$folder/$kind.sources"
      mapfile -t words < <(sed 's/^[^ ]* //; s/ -o .*//; s/ -\(isystem\|include\) / -\1=/g; s/ -/\n-/g' <<<"$command")
      for word in "${words[@]}"; do
        [[ -z ${options[$kind$word]:-} ]] || continue
        options[$kind$word]=1
        printf '%s\n' "${word/#-isystem=/-isystem }" | sed 's/^-include=/-include /' >>"$folder/$kind.options"
      done
    done
  done < <(compile_commands)
}

# What passed is not read again until it, a header or a check changes, in another clone too: a file named by the digest of all that
# clang-tidy reads stands for it.
passed=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/troupe-tidy
mkdir -p "$passed"
find "$passed" -type f -mtime +30 -delete

# tidy_sources NAME OPTIONS SOURCE...: clang-tidy on the sources, as one file if they can be.
tidy_sources() {
  local name=$1 options=$2 joined=build/lint/joined/$1.cc status=0 half
  shift 2
  join "$joined" "$@"
  eval "clang-tidy-14 --quiet --warnings-as-errors='*' $joined -- $options" >"$joined.txt" 2>&1 || status=$?
  if (($# > 1)) && grep --quiet 'clang-diagnostic-error' "$joined.txt"; then
    half=$(($# / 2))
    echo "lint.sh: private names clash, or a source does not compile; read in two halves: $name" >&2
    status=0
    tidy_sources "${name}_a" "$options" "${@:1:half}" || status=$?
    tidy_sources "${name}_b" "$options" "${@:half+1}" || status=$?
    return "$status"
  fi
  { grep --invert-match 'warnings.* generated' "$joined.txt" || true; } | name_sources "$joined" >&2
  return "$status"
}

# clang-tidy on the sources of a kind.
tidy_kind() {
  local kind=$1 sources options text digest start=$SECONDS
  local joined=build/lint/joined/$kind.cc
  mapfile -t sources <"build/lint/joined/$kind.sources"
  options=$(tr '\n' ' ' <"build/lint/joined/$kind.options")
  # Clang 14 in C++20 takes LibTorch's headers only if the type that its vectors name is complete first.
  [[ $kind == *_plain ]] || options+=" -include ATen/core/ivalue.h"
  options+=" $analyser"
  join "$joined" "${sources[@]}"
  text=$(eval "clang++-14 $options -Wno-unknown-warning-option -E -C $joined" | sed "s|$PWD/||g")
  digest=$(cat .clang-tidy deploy/lint.sh - <<<"$analyser$text" | sha256sum | cut --delimiter ' ' --fields 1)
  if [[ -f $passed/$digest ]]; then
    touch "$passed/$digest"
    echo "$kind: ${#sources[@]} sources, passed before"
    return 0
  fi
  tidy_sources "$kind" "$options" "${sources[@]}" || return
  echo "$kind: ${#sources[@]} sources, $((SECONDS - start)) s"
  echo "$kind" >"$passed/$digest"
}
export -f join name_sources tidy_sources tidy_kind
export passed analyser

sort_sources
# Those with the most to read first.
mapfile -t kinds < <(wc --lines build/lint/joined/*.sources | sort --numeric-sort --reverse | sed -n 's|.*joined/\(.*\)\.sources|\1|p')
if ((all == 0)); then mapfile -t kinds < <(printf '%s\n' "${kinds[@]}" | grep --invert-match frontend); fi
tidy() { printf '%s\n' "${kinds[@]}" | xargs --max-args 1 --max-procs "$jobs" bash -euo pipefail -c 'tidy_kind "$@"' tidy_kind; }
stage "clang-tidy" tidy
if ((all == 0)); then
  echo "left to lint.sh --all: $(cat build/lint/joined/*_frontend.sources | wc -l) sources that include LibTorch's frontend" >&2
fi
