"""The section about hosts: four of them on this machine (tests/hosts.sh), each with a quota of half a core, workers on them over ssh.

All together may use two cores. On a machine with two, what the coordinator takes is theirs, and what anybody else does: the first is printed, and
for the second each host does its part by itself as well, without a coordinator."""

import contextlib
import json
import os
import pathlib
import subprocess
import time

from rig import Failed
from table import Row, interleave

SCRIPT = pathlib.Path(__file__).resolve().parents[1] / "hosts.sh"
COUNT, QUOTA = 4, 0.5
SLOTS = 8  # of each host, for items that wait
ITEM_S = 0.01
SPINS = 4_000  # 20 s of two cores
SLEEPS = 40_000  # 12.5 s of 32 slots
CHUNKS = 200_000
LONG_ITEMS, LONG_BYTES = 4_000, 60_000


class Hosts:
    """h1 to h4, for as long as a section runs."""

    def __init__(self, rig):
        self.rig = rig
        self.directory = rig.scratch / "hosts"
        environment = {**os.environ, "QUARTET_HOSTS_DIR": str(self.directory)}
        self.keeper = subprocess.Popen(
            [SCRIPT, "hold", str(COUNT), "--quota", str(QUOTA)], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        if "hosts are up" not in self.keeper.stdout.readline():
            raise Failed(f"no hosts: {self.keeper.stderr.read().strip()}")
        self.ssh = f"ssh -F {self.directory}/ssh_config"

    def close(self):
        self.keeper.stdin.close()
        self.keeper.wait()

    def flags(self):
        names = ",".join(f"h{number + 1}" for number in range(COUNT))
        return ("--hosts", names, "--ssh", self.ssh, "--remote-path", self.rig.bin_dir / "quartet-worker")

    def run(self, *arguments):
        """The sample, with what the coordinator and its ssh's took of a core."""
        sample = self.rig.quartet(*arguments, *self.flags())
        return {**sample, "here": sample["cpu_all_s"] / sample["wall_s"]}

    def alone(self, *arguments):
        """On each host a run by itself, of a part of the items, all at the same time: seconds until the last is done."""
        quartet = str(self.rig.bin_dir / "quartet")
        runs = [
            subprocess.Popen([*self.ssh.split(), f"h{number + 1}", quartet, "run", *map(str, arguments), "--quiet", "--json", "-"],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
            for number in range(COUNT)
        ]
        reports = [run.communicate()[0] for run in runs]
        if any(run.returncode != 0 for run in runs):
            raise Failed("a run on a host by itself failed")
        return max(json.loads(report)["comparisons"][0]["cells"][0]["samples"][0]["wall_s"] for report in reports)


def hosts(rig, rounds):
    """CPU-bound items against the quota there is; items that wait against the slots there are; how soon the first item runs, against ssh
    alone; and what keys cost over a network, against plaintext."""
    with contextlib.closing(Hosts(rig)) as four:
        yield from efficiency_rows(four, min(rounds, 3))
        yield from start_rows(rig, four, rounds)
        yield from key_rows(rig, four, min(rounds, 3))


def efficiency_rows(four, rounds):
    spin = ("spin", "--param", f"seconds={ITEM_S}", "--strategy", "threads", "--range")
    sleep = ("sleep", "--param", f"seconds={ITEM_S}", "--strategy", "threads", "--threads", SLOTS, "--range")
    results = interleave(
        rounds,
        alone=lambda: four.alone(*spin, f"1:{SPINS // COUNT}"),
        spin=lambda: four.run(*spin, f"1:{SPINS}"),
        waits=lambda: four.alone(*sleep, f"1:{SLEEPS // COUNT}"),
        sleep=lambda: four.run(*sleep, f"1:{SLEEPS}"),
    )

    def per_quota(seconds):
        return SPINS * ITEM_S / (COUNT * QUOTA * seconds)

    def per_slots(seconds):
        return SLEEPS * ITEM_S / (COUNT * SLOTS * seconds)

    for what, of, alone, ours, aim in (("spin", per_quota, "alone", "spin", 0.95), ("sleep", per_slots, "waits", "sleep", 0.97)):
        efficiency = [of(sample["wall_s"]) for sample in results[ours]]
        title = f"{COUNT} hosts of {QUOTA} cores, {what} 10 ms"
        kind = "CPU of items per quota" if what == "spin" else "time of items per slots"
        yield Row(f"{title}: {kind}", "of 1", [], efficiency, aim)
        yield Row(f"{title}: against each by itself", "of 1", [of(seconds) for seconds in results[alone]], efficiency)
        yield Row(f"{title}: coordinator and ssh", "of a core", [], [sample["here"] for sample in results[ours]], None, False)


def start_rows(rig, four, rounds):
    results = interleave(rounds, ssh=lambda: ssh_alone_s(four), ours=lambda: first_item_s(rig, four))
    yield Row("first item on 4 hosts, against ssh alone", "s", results["ssh"], results["ours"], None, False)


def ssh_alone_s(four):
    """Until a command has run on all of them."""
    begin = time.monotonic()
    logins = [subprocess.Popen([*four.ssh.split(), f"h{number + 1}", "true"], stdin=subprocess.DEVNULL) for number in range(COUNT)]
    if any([login.wait() for login in logins]):
        raise Failed("ssh alone does not get through to all hosts")
    return time.monotonic() - begin


def first_item_s(rig, four):
    """Until an item has run, which needs all of them to be there."""
    begin = time.monotonic()
    argv = [rig.bin_dir / "quartet", "run", "exec", "--range", f"1:{COUNT}", "--quiet", *four.flags(), "--", "echo", "here"]
    run = rig.start([str(word) for word in argv], stdout=subprocess.PIPE, text=True)
    run.stdout.readline()
    first_s = time.monotonic() - begin
    run.stdout.read()
    if run.wait() != 0:
        raise Failed("the run on 4 hosts failed")
    rig.stop(run)
    return first_s


def key_rows(rig, four, rounds):
    long_lines = rig.item_file("far-long.txt", ("x" * (LONG_BYTES - 1) for _ in range(LONG_ITEMS)))
    sleep = ("sleep", "--param", f"seconds={ITEM_S}", "--range", f"1:{SLEEPS // 4}", "--strategy", "threads", "--threads", SLOTS)
    for what, unit, amount, aim, arguments in (
        ("one item a chunk", "chunks/s", CHUNKS, None, ("noop", "--range", f"1:{CHUNKS}", "--chunk", 1)),
        ("items of 60 KB", "MB/s", LONG_ITEMS * LONG_BYTES / 1e6, None, ("noop", "--items", long_lines)),
        ("10 ms items", "items/s", SLEEPS // 4, 0.99, sleep),
    ):
        results = interleave(
            rounds, plain=lambda: four.run(*arguments, "--insecure"), keys=lambda: four.run(*arguments)
        )
        rates = {name: [amount / sample["wall_s"] for sample in samples] for name, samples in results.items()}
        yield Row(f"keys, 4 hosts, {what}, against plaintext", unit, rates["plain"], rates["keys"], aim)


SECTIONS = {"hosts": hosts}
