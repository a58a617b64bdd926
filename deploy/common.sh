# Sourced by the scripts of this folder: goes to the root of the sources and sets what every build wants.
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CCACHE_DIR="${CCACHE_DIR:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/ccache}"
jobs=${TROUPE_JOBS:-2}

# stage NAME COMMAND...: runs the command and says on standard error what it was and how long it took.
stage() {
  local name=$1 start=$SECONDS status=0
  shift
  echo "== $name" >&2
  "$@" || status=$?
  echo "== $name: $((SECONDS - start)) s, status $status" >&2
  return "$status"
}
