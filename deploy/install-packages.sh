#!/bin/sh
# Install the Debian packages of deploy/packages.txt that are missing. Kinds: build (default), run (only what built programs need), test
# (build and test), bench (build, test and bench), image.
# usage: install-packages.sh [build|run|test|bench|image]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
kind=${1:-build}

case $kind in
build | run | image) groups=" $kind " ;;
test) groups=" build test " ;;
bench) groups=" build test bench " ;;
*)
    echo "install-packages.sh: '$kind' is not one of build, run, test, bench, image" >&2
    exit 2
    ;;
esac

missing=
while read -r group package; do
    case $groups in
    *" $group "*) ;;
    *) continue ;;
    esac
    dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' ||
        missing="$missing $package"
done <"$here/packages.txt"
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
    as_root=sudo
    command -v sudo >/dev/null 2>&1 || {
        echo "These Debian packages are missing:$missing" >&2
        echo "Installing them needs root: run this as root, or install sudo." >&2
        exit 1
    }
fi
command -v apt-get >/dev/null 2>&1 || {
    echo "This is not Debian (no apt-get). Install what corresponds to:$missing" >&2
    exit 1
}
echo "Installing Debian packages:$missing"
log=$(mktemp)
# What tests need brings services (sshd, nginx) that nobody asked to run: installing does not start them.
policy=/usr/sbin/policy-rc.d
made_policy=
trap 'rm -f "$log"; [ -z "$made_policy" ] || $as_root rm -f "$policy"' EXIT
if [ ! -e "$policy" ]; then
    made_policy=yes
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # the list is meant to be split
{ $as_root apt-get update -q && $as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends $missing; } >"$log" 2>&1 </dev/null || {
    tail -n 20 "$log" >&2
    echo "Installing failed; the lines above say why." >&2
    exit 1
}
