#!/usr/bin/env bash
# Builds everything and runs every test. Ends with a line such as "12 passed, 0 failed", and non-zero if anything failed.
# Arguments go to ctest: deploy/test.sh -L runtime. TROUPE_PRESET picks another preset, TROUPE_PEER_PYTHON the Python that reads what is
# written for other programs (deploy/peer_python.sh makes one).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

preset=${TROUPE_PRESET:-release}
./deploy/setup.sh
stage "configure $preset" cmake --preset "$preset" ${TROUPE_PEER_PYTHON:+-D "TROUPE_PEER_PYTHON=$TROUPE_PEER_PYTHON"}
stage "build $preset" cmake --build --preset "$preset" --parallel "$jobs"

results=build/$preset/test_results.xml
rm -f "$results"
status=0
stage "test $preset" ctest --preset "$preset" --output-junit "test_results.xml" "$@" || status=$?
count() { grep --only-matching --max-count=1 "$1=\"[0-9]*\"" "$results" | tr --complement --delete 0-9; }
[[ -f $results ]] || exit 1
failed=$(count failures)
skipped=$(count skipped)
passed=$(($(count tests) - failed - $(count disabled) - skipped))
if ((passed + failed == 0)); then
  echo "no test ran" >&2
  status=1
fi
if ((skipped != 0)); then
  echo "$skipped skipped: what they need is not on this machine (CONTRIBUTING.md)"
fi
echo "$passed passed, $failed failed"
exit "$status"
