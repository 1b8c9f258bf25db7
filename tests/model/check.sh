#!/bin/sh
# Search protocol.pml with spin and judge what it says.
#
#   check.sh holds safety|liveness -DNAME=VALUE...    no error in the whole space of states
#   check.sh breaks safety|liveness -DNAME=VALUE...   an error, of the kind that the property is about
#
# The macros are those of protocol.pml. Memory is limited to 1 GiB; the tests' searches take up to a third of it. A larger one, with
# 25 million states, in some minutes on one core:
#   MODEL_MEMORY_MIB=6000 tests/model/check.sh holds safety -DDROPS=1 -DKILLS=1 -DFENCES=1 -DCRASHES=1
set -eu
want=$1
property=$2
shift 2
model=$(cd "$(dirname "$0")" && pwd)/protocol.pml
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
cd "$work"

# COLLAPSE keeps every state, in parts. Not HC4, which keeps hashes: it passed over 1,200 of 2.5 million states here.
macros=$*
compile() {
    cc -O2 -w -DCOLLAPSE "-DMEMLIM=${MODEL_MEMORY_MIB:-1024}" "$@" -o pan pan.c
}
case $property in
safety) spin -a "$@" "$model" >spin.log && compile -DSAFETY -DNOCLAIM && ./pan -w22 -m10000 >pan.log 2>&1 ;;
liveness) spin -a -DLIVENESS "$@" "$model" >spin.log && compile && ./pan -a -w22 -m10000 >pan.log 2>&1 ;;
*) echo "check.sh: '$property' is neither safety nor liveness" >&2 && exit 2 ;;
esac || true
touch pan.log

fail() {
    echo "check.sh: $1" >&2
    cat spin.log pan.log >&2
    # shellcheck disable=SC2086 # one word for each macro
    [ ! -f protocol.pml.trail ] || spin -k protocol.pml.trail -p $macros "$model" >&2 # the steps that lead to the error
    exit 1
}

case $want in
holds)
    grep -q 'errors: 0$' pan.log || fail "the property does not hold"
    # A search that was cut short proves nothing.
    ! grep -Eq 'Search not completed|search depth too small|out of memory' pan.log || fail "the search was not completed"
    ;;
breaks)
    case $property in safety) error='assertion violated' ;; *) error='acceptance cycle' ;; esac
    grep -q "^pan:1: $error" pan.log || fail "spin should have found an error and did not"
    ;;
esac
grep -E 'states, stored|^pan:1:|elapsed' pan.log
