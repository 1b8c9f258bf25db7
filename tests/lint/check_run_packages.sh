#!/bin/sh
# Fail when the programs need a library of a Debian package that is not in the "run" lines of deploy/packages.txt, which is all that is
# installed where they are only run. libc6 is on every Debian.
# usage: check_run_packages.sh PACKAGES.txt PROGRAM...
set -eu
packages=$1
shift
missing=
for library in $(objdump -p "$@" | awk '$1 == "NEEDED" { print $2 }' | sort -u); do
    path=$(ldconfig -p | awk -v library="$library" '$1 == library { print $NF; exit }')
    # Debian knows a file by the name that its package gave it, which may be without /usr.
    package=$(dpkg -S "$(readlink -f "$path")" "$path" 2>/dev/null | sed 's/:.*//; q')
    [ "$package" = libc6 ] || grep -qx "run $package" "$packages" || missing="$missing $library (${package:-of no package})"
done
[ -z "$missing" ] || {
    echo "$packages has no \"run\" line for:$missing"
    exit 1
}
