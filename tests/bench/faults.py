"""What faults cost: a worker that is lost, one that is frozen, one that is slow, against the same run without them, next to each other.

The workers are four processes on this machine with two slots each, and the items wait 10 ms each, so that the cores are idle."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

from rig import RUN_TIMEOUT_S, Failed
from table import Row, interleave

WORKERS, SLOTS = 4, 2
ITEMS, ITEM_S = 4_000, 0.01  # so many that a frozen worker is given up (3 s) while there is work
FAULT_AT_S = 0.6  # of about 5

# Each item takes as long as the worker's environment says.
NAP_PY = textwrap.dedent(
    """
    import os, sys, time
    for line in sys.stdin:
        time.sleep(float(os.environ["NAP"]))
        print(line, end="")
    """
)


class FaultyRun:
    """One run with workers of its own, which may have something done to them."""

    def __init__(self, rig, workload, command=(), naps=(ITEM_S,) * WORKERS):
        self.rig = rig
        self.report = rig.scratch / "faults.json"
        self.said = []  # (when, line) of the coordinator's notes
        endpoint = f"ipc://{rig.scratch}/faults"
        argv = [rig.bin_dir / "quartet", "run", *workload, "--listen", endpoint, "--wait", str(len(naps)), "--json", self.report,
                "--no-progress", *command]
        self.coordinator = rig.start(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self._read)
        self.reader.start()
        self.workers = [self._start_worker(endpoint, nap) for nap in naps]

    def _read(self):
        for line in self.coordinator.stderr:
            self.said.append((time.monotonic(), line))

    def _start_worker(self, endpoint, nap):
        argv = [self.rig.bin_dir / "quartet-worker", "--connect", endpoint, "--slots", str(SLOTS), "--allow-exec", "--quiet"]
        return self.rig.start(argv, env={**os.environ, "NAP": str(nap)}, stderr=subprocess.DEVNULL)

    def finish(self):
        """The sample of its report."""
        try:
            status = self.coordinator.wait(RUN_TIMEOUT_S)
        finally:
            for worker in self.workers:
                worker.send_signal(signal.SIGCONT)
                self.rig.stop(worker)
            self.rig.stop(self.coordinator)
            self.reader.join()
        sample = json.loads(self.report.read_text())["comparisons"][0]["cells"][0]["samples"][0]
        if status != 0 or sample["ok"] != ITEMS or sample["failed"]:
            raise Failed(f"a run with faults: exit {status}, {sample['ok']} of {ITEMS} succeeded")
        return sample


def waiting(rig, number=None):
    """A run of items that wait, in whose middle one worker gets a signal. Adds when that was, and how long until it was noticed."""
    run = FaultyRun(rig, ["sleep", "--param", f"seconds={ITEM_S}", "--range", f"1:{ITEMS}"])
    if number is None:
        return run.finish()
    begun = wait_for_start(run)
    time.sleep(max(0.0, begun + FAULT_AT_S - time.monotonic()))
    run.workers[0].send_signal(number)
    struck = time.monotonic()
    sample = run.finish()
    lost = [when - struck for when, line in run.said if "lost worker" in line]
    return {**sample, "struck_s": struck - begun, "noticed_s": lost[0] if lost else None}


def wait_for_start(run):
    """About when the work began: when the last worker had a connection and threads for its slots."""
    deadline = time.monotonic() + RUN_TIMEOUT_S
    while time.monotonic() < deadline:
        if all(len(os.listdir(f"/proc/{worker.pid}/task")) > SLOTS + 3 for worker in run.workers):
            return time.monotonic()
        time.sleep(0.001)
    raise Failed("the workers did not begin")


def beyond_share(sample, calm):
    """Seconds that it took longer than if the others had shared what the lost worker had still to do from that moment on."""
    share = sample["struck_s"] + (calm["wall_s"] - sample["struck_s"]) * WORKERS / (WORKERS - 1)
    return sample["wall_s"] - share


def lost(rig, rounds):
    results = interleave(
        rounds,
        calm=lambda: waiting(rig),
        killed=lambda: waiting(rig, signal.SIGKILL),
        frozen=lambda: waiting(rig, signal.SIGSTOP),
    )
    calm = results["calm"]
    yield Row(f"{ITEMS:,} items of 10 ms, 4 workers, undisturbed", "s", [], [sample["wall_s"] for sample in calm], None, False)
    for name in ("killed", "frozen"):
        samples = results[name]
        walls = [sample["wall_s"] for sample in samples]
        extra = [beyond_share(sample, calm[i]) for i, sample in enumerate(samples)]
        noticed = [sample["noticed_s"] for sample in samples if sample["noticed_s"] is not None]
        what = f"one worker of four {name}"
        yield Row(f"{what}, against undisturbed", "s", [sample["wall_s"] for sample in calm], walls, None, False)
        yield Row(f"{what}, beyond its share", "s", [], extra, 2, False)
        if noticed:
            yield Row(f"{what}, noticed after", "s", [], noticed, 3, False)


def straggler(rig, rounds):
    script = rig.scratch / "nap.py"
    script.write_text(NAP_PY)
    workload = ["pipe", "--range", f"1:{ITEMS}", "--out", "/dev/null"]
    command = ["--", sys.executable, script]

    def with_naps(*naps):
        return lambda: FaultyRun(rig, workload, command, naps).finish()

    results = interleave(
        rounds,
        three=with_naps(*[ITEM_S] * 3),
        four=with_naps(*[ITEM_S] * 4),
        slow=with_naps(*[ITEM_S] * 3, 10 * ITEM_S),
    )
    walls = {name: [sample["wall_s"] for sample in samples] for name, samples in results.items()}
    what = "one worker of four ten times slower"
    yield Row(f"{what}, against the other three alone", "s", walls["three"], walls["slow"], 1.3, False)
    yield Row(f"{what}, against four that are not", "s", walls["four"], walls["slow"], None, False)


SECTIONS = {"lost": lost, "straggler": straggler}
