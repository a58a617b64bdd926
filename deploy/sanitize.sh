#!/usr/bin/env bash
# Runs the tests that need no LibTorch under sanitizers: sanitize.sh [asan] [tsan] [--all].
#   asan   AddressSanitizer and UndefinedBehaviorSanitizer
#   tsan   ThreadSanitizer, on a CAF that is instrumented too: Debian's source of it, built once into build/caf-tsan
#   --all  every test, also those with LibTorch (an hour)
# Without asan or tsan: both. Each first has to report the faults that planted_fault commits.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

presets=()
all=0
for argument in "$@"; do
  case "$argument" in
    asan | tsan) presets+=("$argument") ;;
    --all) all=1 ;;
    *)
      echo "usage: sanitize.sh [asan] [tsan] [--all]" >&2
      exit 2
      ;;
  esac
done
((${#presets[@]} > 0)) || presets=(asan tsan)

caf_version=0.17.6
caf_sha256=e2bf5bd243f08bb7d8adde197cfe3e6d71314ed3378fe0692f8932f4c3b3928c
caf_root=build/caf-tsan

# Debian's source of CAF, by apt, with lists of our own: apt's configuration stays as it is.
fetch_caf() (
  site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Codename: bookworm' | head --lines 1)
  site=${site:-http://deb.debian.org/debian}
  mkdir -p "$caf_root/apt/lists/partial" "$caf_root/apt/cache/archives/partial"
  cd "$caf_root/apt"
  echo "deb-src $site bookworm main" >sources.list
  options=(-o "Dir::Etc::SourceList=$PWD/sources.list" -o Dir::Etc::SourceParts=/dev/null -o "Dir::State::Lists=$PWD/lists"
    -o "Dir::Cache=$PWD/cache" -o "APT::Sandbox::User=$(id --user --name)")
  apt-get "${options[@]}" --quiet=2 update
  apt-get "${options[@]}" --quiet=2 source --download-only --tar-only actor-framework
  sha256sum --check --quiet - <<<"$caf_sha256  actor-framework_$caf_version.orig.tar.gz"
)

build_caf() {
  local source=$caf_root/source build=$caf_root/build
  rm -rf "$source" "$build"
  mkdir -p "$source"
  tar --extract --file "$caf_root/apt/actor-framework_$caf_version.orig.tar.gz" --directory "$source" --strip-components 1
  cmake -S "$source" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=None -DCMAKE_CXX_COMPILER_LAUNCHER=ccache \
    -DCMAKE_CXX_FLAGS="-O1 -g1 -fsanitize=thread -std=c++17 -include cstdint" -DCAF_NO_IO=ON -DCAF_NO_OPENSSL=ON -DCAF_NO_TOOLS=ON \
    -DCAF_NO_EXAMPLES=ON -DCAF_NO_UNIT_TESTS=ON -DCAF_NO_PYTHON=ON -DCAF_NO_OPENCL=ON
  cmake --build "$build" --target libcaf_core_shared --parallel "$jobs"
  mkdir -p "$caf_root/lib" "$caf_root/include"
  cp -a "$source/libcaf_core/caf" "$caf_root/include/"
  cp -a "$build/libcaf_core/caf/detail/build_config.hpp" "$caf_root/include/caf/detail/"
  cp -a "$build"/lib/libcaf_core.so* "$caf_root/lib/"
}

run_preset() {
  local preset=$1 configure=() targets=() tests=()
  if [[ $preset == tsan ]]; then
    if ! compgen -G "$caf_root/lib/libcaf_core.so*" >/dev/null; then
      stage "fetch CAF's source" fetch_caf
      stage "build CAF for ThreadSanitizer" build_caf
    fi
    configure=(-U "CAF_*" "-DCAF_ROOT=$PWD/$caf_root")
  fi
  if ((all == 0)); then
    targets=(--target torch_free_tests)
    tests=(--label-regex "^(torch_free|sanitizer)$")
  fi
  stage "configure $preset" cmake --preset "$preset" "${configure[@]}"
  stage "build $preset" cmake --build --preset "$preset" --parallel "$jobs" "${targets[@]}"
  stage "test $preset" ctest --preset "$preset" --no-tests=error "${tests[@]}"
}

./deploy/setup.sh
for preset in "${presets[@]}"; do
  run_preset "$preset"
done
