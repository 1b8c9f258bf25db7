#!/bin/sh
# Chaos: runs under a storm of faults, each of which must come to what an undisturbed run comes to.
#
#   tests/chaos.sh SEED SECONDS [--runs N] [--with-coordinator K]
#   tests/chaos.sh 1 30 --runs 20                            # 20 runs with seeds 1 to 20, a fault every 200 ms for 30 s
#   tests/chaos.sh 1 30 --runs 10 --with-coordinator 10      # each coordinator is killed and resumed ten times as well
#
# The seed chooses work, strategy, order of the results and every fault: what, when, whom, for how long. One line a run says what was
# done and the verdict; the first difference ends it with status 1 and the command that repeats the run. What the machine did in
# between is not in the seed: repeat a failing one several times.
#
# QUARTET_BIN names the programs (default: build/release/bin, else build/debug/bin). Nothing but loopback, and nothing is left.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
if [ -z "${QUARTET_BIN:-}" ]; then
    for preset in release debug; do
        QUARTET_BIN=$root/build/$preset/bin
        [ ! -x "$QUARTET_BIN/quartet" ] || break
    done
fi
export QUARTET_BIN
exec python3 -B "$root/tests/e2e/chaos.py" "$@"
