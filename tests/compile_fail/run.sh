#!/usr/bin/env bash
# Compiles each case of the sources and compares what the compiler says with what the case expects. A case is a part of a
# source between "#ifdef name  // text" and "#endif": with the macro `name` defined, the source does not compile and the
# compiler prints the text; where the text is "compiles", it does compile. The header, if one is given, is precompiled.
set -euo pipefail

if [[ $# -lt 4 ]]; then
  echo "usage: run.sh SOURCE... HEADER|- -- COMPILER [FLAG...]" >&2
  exit 2
fi
sources=()
while [[ $1 != -- ]]; do
  sources+=("$1")
  shift
done
shift
header=${sources[-1]}
unset 'sources[-1]'

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
include=()
if [[ $header != - ]]; then
  echo "#include \"$header\"" >"$folder/cases.h"
  "$@" -x c++-header "$folder/cases.h" -o "$folder/cases.h.gch"
  include=(-include "$folder/cases.h")
fi

# run_case SOURCE NAME TEXT COMPILER [FLAG...]: a file in the folder tells what failed.
run_case() {
  local source=$1 name=$2 text=$3 output wrong=""
  shift 3
  if output=$("$@" -fsyntax-only "-D$name" "$source" 2>&1); then
    [[ $text == compiles ]] || wrong="compiles, but should fail with: $text"
  elif [[ $text == compiles ]]; then
    wrong="does not compile"
  elif [[ $output != *"$text"* ]]; then
    wrong="fails, but not with: $text"
  fi
  if [[ -n $wrong ]]; then
    printf '%s: %s %s\n%s\n' "$source" "$name" "$wrong" "$output" >"$folder/$(basename "$source").$name.failed"
  fi
}
export -f run_case
export folder

for source in "${sources[@]}"; do
  sed -n 's|^#ifdef \([a-z_]*\)  // \(.*\)$|\1\x00\2\x00|p' "$source" | tr -d '\n' |
    while IFS= read -r -d '' name && IFS= read -r -d '' text; do
      printf '%s\0%s\0%s\0' "$source" "$name" "$text"
    done
done >"$folder/cases"
xargs --null --max-args 3 --max-procs 2 bash -c 'run_case "${@: -3}" "${@:1:$#-3}"' run_case "$@" "${include[@]}" \
  <"$folder/cases"

count=$(($(tr -cd '\0' <"$folder/cases" | wc -c) / 3))
failed=$(find "$folder" -name '*.failed' | wc -l)
find "$folder" -name '*.failed' -exec cat {} +
echo "$((count - failed)) of $count cases passed"
[[ $count -gt 0 && $failed == 0 ]]
