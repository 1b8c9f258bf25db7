"""The section about ten thousand workers: what their connections cost a coordinator, in memory, at rest and at work, with keys and without.

The workers are none (join_rig.c): one process has all their connections, and shares the cores with the coordinator."""

import pathlib
import resource
import subprocess
import time

from rig import Failed, cpu_s, resident_kib
from table import Row, interleave

COUNT = 10_000
SPARE_FILES = 200
CHUNKS_EACH = 20
IDLE_S = 10.0
SETTLE_S = 2.0  # those that were welcome first hear only by their next life sign how many have come since


def crowd(rig, rounds):
    """Ten thousand connections: how long it takes until all are registered, what each takes, what they cost while nothing happens, and how
    fast chunks of one item go to all of them and back, against the same in plaintext."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if COUNT + SPARE_FILES > hard:
        raise Failed(f"{COUNT} connections need ulimit -Hn {COUNT + SPARE_FILES}, and it is {hard}")
    keys = rig.scratch / "crowd-keys"
    rig.run([rig.bin_dir / "quartet", "keygen", keys])
    results = interleave(
        min(rounds, 3), plain=lambda: crowd_once(rig, None), keys=lambda: crowd_once(rig, keys)
    )

    def of(name, figure):
        return [result[figure] for result in results[name]]

    for name, what in (("plain", f"{COUNT:,} workers"), ("keys", f"{COUNT:,} workers with keys")):
        yield Row(f"{what}, memory of the coordinator for each", "KiB", [], of(name, "kib_each"), None, False)
        yield Row(f"{what}, the coordinator while nothing happens", "% of a core", [], of(name, "idle"), 2, False)
        yield Row(f"{what}, its CPU for each to join", "us", [], of(name, "join_cpu_us"), None, False)
    yield Row("keys, until all have joined, against plaintext", "s", of("plain", "welcomed"), of("keys", "welcomed"), None, False)
    yield Row("keys, chunks of one item, against plaintext", "chunks/s", of("plain", "rate"), of("keys", "rate"))


def crowd_once(rig, keys):
    items = CHUNKS_EACH * COUNT
    access = rig.scratch / "crowd.json"
    options = ["--keys", keys, "--access", access] if keys else []
    run = ["run", "noop", "--range", f"1:{items}", "--chunk", "1", "--listen", "tcp://127.0.0.1:*", "--wait", COUNT + 1,
           "--wait-timeout", 200, "--no-progress", "--speculate", "off", *options]
    coordinator = rig.start([rig.bin_dir / "quartet", *map(str, run)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    endpoint = next(line for line in coordinator.stderr if "listening on" in line).split("listening on ")[1].split(",")[0]
    before_kib, before_s = resident_kib(coordinator.pid), cpu_s(coordinator.pid)

    def come(count):
        argv = [rig.bench_dir / "bench_join", "at-once", endpoint, count, *([access] if keys else [])]
        return rig.start([str(word) for word in argv], stdout=subprocess.PIPE, text=True)

    all_but_one = come(COUNT)
    figures = dict([all_but_one.stdout.readline().split()])
    figures = {"welcomed": float(figures["welcomed"])}
    figures["join_cpu_us"] = (cpu_s(coordinator.pid) - before_s) / COUNT * 1e6
    figures["kib_each"] = (resident_kib(coordinator.pid) - before_kib) / COUNT
    time.sleep(SETTLE_S)
    begin_s = cpu_s(coordinator.pid)
    time.sleep(IDLE_S)
    figures["idle"] = 100 * (cpu_s(coordinator.pid) - begin_s) / IDLE_S
    the_last = come(1)
    working = None
    for line in all_but_one.stdout:
        working = time.monotonic() if line.startswith("working") else working
    took_s = time.monotonic() - working if working else 0
    if all_but_one.wait() != 0 or the_last.wait() != 0 or coordinator.wait() != 0 or working is None:
        raise Failed("the crowd did not come to its end")
    for process in (the_last, all_but_one, coordinator):
        rig.stop(process)
    return {**figures, "rate": (items - COUNT) / took_s}


SECTIONS = {"crowd": crowd}
