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

stamps=build/lint/tidy
mkdir -p "$stamps"
rm -f "$stamps/left_out"

# clang-tidy on one source with its compile command. A source that passed is not read again until it, a header or a check changes.
tidy_one() {
  local file=$1 command=$2 text digest stamp extra=()
  text=$(eval "${command% -o *} -E -C $file")
  if [[ $all == 0 && $text == *torch/csrc/api/include/torch/* ]]; then
    echo "$file" >>"$stamps/left_out"
    return 0
  fi
  digest=$(cat .clang-tidy - <<<"$text" | sha256sum)
  stamp=$stamps/${file//\//_}
  [[ -f $stamp && $(<"$stamp") == "$digest" ]] && return 0
  # Clang 14 in C++20 takes LibTorch's headers only if the type that its vectors name is complete first.
  [[ $text == */ATen/core/* ]] && extra=(--extra-arg=-include --extra-arg=ATen/core/ivalue.h)
  clang-tidy-14 -p build/lint --quiet --warnings-as-errors='*' "${extra[@]}" "$file" 2> >(grep --invert-match 'warnings generated' >&2)
  echo "$digest" >"$stamp"
}
export -f tidy_one
export all stamps

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
if [[ -f $stamps/left_out ]]; then
  echo "left to lint.sh --all: $(wc -l <"$stamps/left_out") sources that include LibTorch's frontend" >&2
fi
