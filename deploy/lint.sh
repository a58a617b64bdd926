#!/usr/bin/env bash
# Checks format and clang-tidy, everything fatal. clang-tidy takes 10 s a source, and a minute for one that includes LibTorch's
# frontend (<torch/torch.h> or parts of it): those are left out unless --all is given.
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

mapfile -t formatted < <(git ls-files --cached --others --exclude-standard -- '*.h' '*.cc')
stage "clang-format on ${#formatted[@]} files" clang-format-14 --dry-run --Werror "${formatted[@]}"

stage "configure lint" cmake --preset lint
stage "generate sources" cmake --build --preset lint --target troupe_proto

# A source that passed is not read again until it, a header or a check changes, in another clone too: a file named by the digest of
# all that clang-tidy reads stands for it.
passed=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/troupe-tidy
left_out=build/lint/left_out
mkdir -p "$passed"
rm -f "$left_out"
find "$passed" -type f -mtime +30 -delete

# clang-tidy on one source with its compile command.
tidy_one() {
  local file=$1 command=$2 text digest extra=()
  text=$(eval "${command% -o *} -E -C $file" | sed "s|$PWD/||g")
  if [[ $all == 0 && $text == *torch/csrc/api/include/torch/* ]]; then
    echo "$file" >>"$left_out"
    return 0
  fi
  digest=$(cat .clang-tidy deploy/lint.sh - <<<"$text" | sha256sum | cut --delimiter ' ' --fields 1)
  if [[ -f $passed/$digest ]]; then
    touch "$passed/$digest"
    return 0
  fi
  # Clang 14 in C++20 takes LibTorch's headers only if the type that its vectors name is complete first.
  [[ $text == */ATen/core/* ]] && extra=(--extra-arg=-include --extra-arg=ATen/core/ivalue.h)
  clang-tidy-14 -p build/lint --quiet --warnings-as-errors='*' "${extra[@]}" "$file" 2> >(grep --invert-match 'warnings generated' >&2)
  echo "$file" >"$passed/$digest"
}
export -f tidy_one
export all passed left_out

# "file NUL command NUL" of each of our sources, from the lines that CMake writes.
compile_commands() {
  local file command
  paste <(sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' build/lint/compile_commands.json) \
    <(sed -n 's/^ *"command": "\(.*\)",\{0,1\}$/\1/p' build/lint/compile_commands.json) |
    sort --unique --key 1,1 --field-separator $'\t' | while IFS=$'\t' read -r file command; do
    file=${file#"$PWD"/}
    [[ $file == build/* ]] || printf '%s\0%s\0' "$file" "${command//\\\"/\"}"
  done
}

tidy() { compile_commands | xargs --null --max-args 2 --max-procs "$jobs" bash -euo pipefail -c 'tidy_one "$@"' tidy_one; }

stage "clang-tidy" tidy
if [[ -f $left_out ]]; then
  echo "left to lint.sh --all: $(wc -l <"$left_out") sources that include LibTorch's frontend" >&2
fi
