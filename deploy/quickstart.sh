#!/bin/sh
# From a fresh Debian 12 machine to the comparison: install what is missing, build a release, run it on embedded defaults
# (two local workers, the built-in origin, no network). Safe to run again: then it only does what has changed.
# Further arguments go to `quartet compare`.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
"$root/deploy/install-packages.sh" build
cd "$root"
[ -w "$root" ] || {
    echo "deploy/quickstart.sh: cannot write to '$root', where build/ goes: copy it to a folder of your own, or run as its owner" >&2
    exit 1
}
echo "Building (build/release) ..."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
{ cmake --preset release && cmake --build --preset release; } >"$log" 2>&1 || {
    tail -n 40 "$log" >&2
    exit 1
}
exec_status=0
"$root/build/release/bin/quartet" compare "$@" || exec_status=$?
exit $exec_status
