#!/usr/bin/env bash
# Builds against the LibTorch that `python3 -c 'import torch'` names, runs the tests and benchmarks of CUDA, prints one summary.
#
#   on_gpu.sh [--packages FOLDER] [--build FOLDER] [--jobs N] [--limit SECONDS] [NAME...]
#   on_gpu.sh --download FOLDER
#
#   --packages   Debian packages of what else Troupe is built from; they are unpacked into the build folder, nothing is installed.
#                Without it the system's are taken
#   --build      where to build and to run (build/on_gpu)
#   --jobs       how many jobs build at once (the number of processors)
#   --limit      seconds for each program (600)
#   --download   fetches those packages with apt, on Debian 12 with network, for a machine that has neither
#   NAME         what to run: cuda_test, kill_matrix_cuda, digits, step_overhead_cuda, checkpoint_bench_cuda, step_overhead_cpu,
#                checkpoint_bench_cpu (all of them)
#
# Needs a C++20 compiler, CMake, and a python3 with a PyTorch that sees a CUDA device; neither root nor the CUDA toolkit. What a program
# prints is in the build folder, as NAME.log. Non-zero if one of them failed.
set -euo pipefail

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; }
fail() {
  echo "on_gpu.sh: $1" >&2
  exit "${2:-1}"
}

packages=
build=
cores=
limit=600
download=
wanted=()
while (($# > 0)); do
  case "$1" in
    --help) usage && exit ;;
    --packages | --build | --jobs | --limit | --download) (($# > 1)) || fail "$1 wants a value; see --help" 2 ;;&
    --packages) packages=$(realpath -- "$2") ;;
    --build) build=$(realpath --canonicalize-missing -- "$2") ;;
    --jobs) cores=$2 ;;
    --limit) limit=$2 ;;
    --download) download=$(realpath --canonicalize-missing -- "$2") ;;
    -*) fail "unknown argument '$1'; see --help" 2 ;;
    *) wanted+=("$1") && shift && continue ;;
  esac
  shift 2
done
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

if [[ $download ]]; then
  mkdir -p "$download"
  cd "$download"
  stage "download" apt-get --quiet=2 -o "APT::Sandbox::User=$(id --user --name)" download \
    libcaf-dev libcaf-core0.17 libprotobuf-dev libprotobuf32 protobuf-compiler libprotoc32 libisal-dev libisal2 zlib1g-dev zlib1g \
    libcli11-dev nlohmann-json3-dev doctest-dev libbenchmark-dev libbenchmark1debian
  exit
fi

torch=$(python3 -c 'import os, torch; print(os.path.dirname(torch.__file__))' 2>/dev/null) ||
  fail "$(command -v python3 || echo python3) has no torch: pip install torch, or put another python3 first in PATH"
python3 -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' ||
  fail "the PyTorch in $torch sees no CUDA device: a build for the CPU, no driver, or no device"
build=${build:-$PWD/build/on_gpu}
prefix=$build/packages
libraries=$prefix/usr/lib/x86_64-linux-gnu
mkdir -p "$build"

# Links and CMake configurations that name the root of the system are made to name the prefix.
unpack() {
  local package link
  rm -rf "$prefix"
  for package in "$packages"/*.deb; do
    [[ -f $package ]] || fail "no packages in $packages; on Debian 12: on_gpu.sh --download FOLDER"
    dpkg --extract "$package" "$prefix"
  done
  find "$prefix" -type l -lname '/*' | while read -r link; do
    ln --symbolic --force --no-dereference "$prefix$(readlink "$link")" "$link"
  done
  find "$prefix" -name '*.cmake' -exec sed -i "s|set(_IMPORT_PREFIX \"/usr\")|set(_IMPORT_PREFIX \"$prefix/usr\")|" {} +
}

options=(-D CMAKE_BUILD_TYPE=Release)
if [[ $packages ]]; then
  stage "unpack" unpack
  options+=(-D "CMAKE_PREFIX_PATH=$prefix/usr;$torch" -D "CMAKE_LIBRARY_PATH=$libraries;$prefix/lib/x86_64-linux-gnu")
  export LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
else
  options+=(-D "CMAKE_PREFIX_PATH=$torch")
fi
command -v ninja >/dev/null && options+=(-G Ninja)
command -v ccache >/dev/null && options+=(-D CMAKE_CXX_COMPILER_LAUNCHER=ccache)
targets=(cuda_test kill_matrix_cuda step_overhead checkpoint_bench digits)
stage "configure" cmake -S . -B "$build" "${options[@]}"
stage "build" cmake --build "$build" --parallel "${cores:-$(nproc)}" --target "${targets[@]}"

results=()
failures=0
# run NAME PROGRAM ARGUMENTS...: keeps what it prints, its status and its time. A test that saw no device has failed.
run() {
  local name=$1 start=$SECONDS status=0
  shift
  ((${#wanted[@]} == 0)) || [[ " ${wanted[*]} " == *" $name "* ]] || return 0
  into_log() { timeout "$limit" "bin/$1" "${@:2}" >"$name.log" 2>&1; }
  stage "$name" into_log "$@" || status=$?
  if ((status == 0)) && grep --quiet 'no CUDA device' "$name.log"; then
    status="0, but it saw no CUDA device"
  fi
  [[ $status == 0 ]] || failures=$((failures + 1))
  results+=("$name: $* | status $status, $((SECONDS - start)) s")
}
cd "$build"
run cuda_test cuda_test
run kill_matrix_cuda kill_matrix_cuda --kills 12 --seed 3 --device cuda
rm -rf digits_run
run digits digits fit --trainer.device cuda --trainer.enable_progress_bar false --run-dir digits_run
run step_overhead_cuda step_overhead --steps 5000 --device cuda --models none
run checkpoint_bench_cuda checkpoint_bench --device cuda
run step_overhead_cpu step_overhead --steps 5000
run checkpoint_bench_cpu checkpoint_bench --device cpu

machine() {
  nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader || true
  python3 -c 'import torch; print("LibTorch", torch.__version__, "CUDA", torch.version.cuda, "cuDNN", torch.backends.cudnn.version())'
  "$(sed -n 's/^CMAKE_CXX_COMPILER:[A-Z]*=//p' CMakeCache.txt)" --version | head --lines 1
  sed -n 's/^PRETTY_NAME="\(.*\)"$/\1/p' /etc/os-release
  sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | uniq --count
}
{
  echo "== summary"
  machine
  printf '%s\n' "${results[@]}"
  for result in "${results[@]}"; do
    echo "-- ${result%%:*}"
    tail --lines 80 "${result%%:*}.log"
  done
} | tee summary.txt
((${#results[@]} > 0)) || fail "no program has the name ${wanted[*]}; see --help" 2
((failures == 0)) || fail "$failures of ${#results[@]} programs failed"
