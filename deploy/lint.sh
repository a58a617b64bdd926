#!/usr/bin/env bash
# Checks format and clang-tidy, everything fatal. By default clang-tidy reads the sources that are free of LibTorch; --all: also those
# that include it, which takes half a minute each.
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

# The compile commands know which sources see LibTorch: its include folder is on their line.
tidied() {
  local want_torch=$1
  local database=build/lint/compile_commands.json
  local -A torch=()
  local file command
  while IFS=$'\t' read -r file command; do
    file=${file#"$PWD"/}
    [[ $file == build/* ]] && continue
    [[ $command == *torch/csrc/api/include* ]] && torch[$file]=1
    if [[ ${torch[$file]:-0} == "$want_torch" ]]; then
      echo "$file"
    fi
  done < <(paste <(sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' "$database") \
    <(sed -n 's/^ *"command": "\(.*\)",\{0,1\}$/\1/p' "$database")) | sort -u
}

tidy() { # clang-tidy on the given files, two at a time
  printf '%s\0' "$@" | xargs -0 -n 1 -P "$jobs" clang-tidy-14 -p build/lint --quiet --warnings-as-errors='*' 2> >(grep -v 'warnings generated' >&2)
}

mapfile -t sources < <(tidied 0)
stage "clang-tidy on ${#sources[@]} sources without LibTorch" tidy "${sources[@]}"
if ((all)); then
  mapfile -t sources < <(tidied 1)
  if ((${#sources[@]} > 0)); then
    stage "clang-tidy on ${#sources[@]} sources with LibTorch" tidy "${sources[@]}"
  fi
fi
