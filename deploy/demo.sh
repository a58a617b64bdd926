#!/usr/bin/env bash
# Trains the digits example, tests its best checkpoint and checks the run's event log. The first failure ends it, non-zero.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

preset=${TROUPE_PRESET:-release}
bin=build/$preset/bin
./deploy/setup.sh
stage "configure $preset" cmake --preset "$preset"
stage "build digits and troupe" cmake --build --preset "$preset" --parallel "$jobs" --target digits troupe

mkdir -p runs/digits
run_dir=$(mktemp --directory "runs/digits/demo-$(date +%Y%m%d-%H%M%S)-XXXX")
stage "fit" "$bin/digits" fit --run-dir "$run_dir"
test_output=$run_dir/test_output.txt
stage "test" "$bin/digits" test --run-dir "$run_dir" --resume best | tee "$test_output"
accuracy=$(sed -n 's/.*test_acc[^0-9]*\([0-9][0-9.e+-]*\).*/\1/p' "$test_output" | tail -n 1)
if [[ -z $accuracy ]]; then
  echo "demo.sh: the test printed no test_acc" >&2
  exit 1
fi
verified=$(stage "verify" "$bin/troupe" log verify "$run_dir")

cat <<SUMMARY

run directory   $run_dir
test accuracy   $accuracy
event log       ${verified:-sound}

try next:
  $bin/troupe log show $run_dir
  $bin/troupe state $run_dir
  $bin/digits fit --resume $run_dir --trainer.max_epochs 30
SUMMARY
