#!/usr/bin/env bash
# Makes a virtual environment with the Python programs that tests compare with (PyTorch, safetensors, NumPy, TensorBoard), in the cache
# folder, once for each list of versions. Prints the path of its python3. Exits with 77 and says why on standard error where it cannot be
# made: without the package index, as a rule.
set -euo pipefail

packages=(torch==2.13.0 safetensors==0.6.2 numpy==2.3.4 tensorboard==2.20.0)

cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/troupe-python
venv=$cache/$(printf '%s ' "$(python3 --version)" "${packages[@]}" | sha256sum | cut --characters=1-16)
if [[ ! -e $venv/complete ]]; then
  rm --recursive --force "$venv"
  mkdir --parents "$cache"
  log=$cache/install.log
  if ! { python3 -m venv "$venv" && "$venv/bin/python3" -m pip install --quiet "${packages[@]}"; } >"$log" 2>&1; then
    tail --lines=5 "$log" >&2
    echo "peer_python.sh: cannot install ${packages[*]}; see $log" >&2
    exit 77
  fi
  touch "$venv/complete"
fi
echo "$venv/bin/python3"
