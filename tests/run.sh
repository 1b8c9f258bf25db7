#!/bin/sh
# Every test, from a bare Debian 12 machine: installs what is missing, builds, runs. About fifty minutes on two cores, of
# which a quarter of an hour is building.
#
#   debug    unit, sim, model, lint and e2e tests
#   asan     the same under the address and undefined-behaviour sanitizers (sim with fewer seeds, none that need ssh, Slurm and the like)
#   tsan     unit and e2e under the thread sanitizer
#   fuzz     the decoders, a short while each
#
# `tests/run.sh debug` runs only that part.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
deploy/install-packages.sh test

# The sanitizers need address-space layout that they know (older clang and gcc abort on newer kernels' defaults).
no_aslr=
if setarch -R true 2>/dev/null; then
    no_aslr='setarch -R'
fi

build() {
    echo "== building $1"
    log=$(mktemp)
    { cmake --preset "$1" && cmake --build --preset "$1"; } >"$log" 2>&1 || {
        tail -n 60 "$log"
        rm -f "$log"
        exit 1
    }
    rm -f "$log"
}

check() {
    preset=$1
    shift
    build "$preset"
    echo "== testing $preset"
    $no_aslr ctest --test-dir "build/$preset" --output-on-failure --no-tests=error "$@"
}

export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0
export UBSAN_OPTIONS=print_stacktrace=1
# What libzmq writes is told from a race by the writer's stack: with the usual history it is forgotten on a busy machine.
export TSAN_OPTIONS="suppressions=$root/tests/tsan.supp second_deadlock_stack=1 history_size=5"

[ $# -gt 0 ] || set -- debug asan tsan fuzz
for part; do
    case $part in
    debug) check debug -j 2 ;;
    asan) check asan -j 2 -LE 'lint|outside' ;;
    tsan) check tsan -j 2 -L 'unit|e2e' -LE outside ;;
    fuzz) check fuzz -j 2 -L fuzz ;;
    *)
        echo "tests/run.sh: '$part' is not one of debug, asan, tsan, fuzz" >&2
        exit 2
        ;;
    esac
done
