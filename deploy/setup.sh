#!/usr/bin/env bash
# Installs what Troupe is built from, with apt, on Debian 12. Does nothing when all of it is there. --lint: also the linters.
set -euo pipefail

packages=(
  g++ cmake ninja-build ccache git ca-certificates
  libtorch-dev libopenblas0-pthread libcaf-dev libprotobuf-dev protobuf-compiler libisal-dev zlib1g-dev
  libcli11-dev nlohmann-json3-dev doctest-dev libbenchmark-dev
)
case "${1:-}" in
  "") ;;
  --lint) packages+=(clang-format-14 clang-tidy-14) ;;
  *)
    echo "usage: setup.sh [--lint]" >&2
    exit 2
    ;;
esac

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [[ $status == installed ]] || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
  exit 0
fi

as_root=()
if ((EUID != 0)); then
  if ! command -v sudo >/dev/null; then
    echo "setup.sh: not root and no sudo; ask an administrator to install: ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "installing: ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update --quiet=2
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 --no-install-recommends "${missing[@]}"
