"""The runs of tests/chaos.sh, which says how it is used."""

import argparse
import os
import random
import subprocess
import sys
import time
import unittest

import results
from harness import EXIT_OK, QUARTET, WORKER, EndToEndTest, only_sample, wait_until
from servers import free_port
from storm import Coordinator, Crew, Storm, blaming_nobody, plan

EVERY_S = 0.2
WORKERS = 4
SLOTS = 2
BUSY = 0.6  # of their time that workers have for items under a storm
FINISH_S = 120  # from the end of the storm to that of the run


class Choice:
    """What a seed chooses for a run but for its faults. There is work for the whole storm."""

    def __init__(self, seed, seconds):
        choose = random.Random("run %d" % seed)
        self.kind = choose.choice(("sleep", "short sleep", "exec"))
        self.strategy = choose.choice(("serial", "threads", "async", "processes"))
        self.ordered = choose.random() < 0.5
        self.chunk = choose.choice(("auto", "1", "7"))
        item_s = {"sleep": 0.01, "short sleep": 0.001, "exec": 0.05}[self.kind]
        at_once = WORKERS * (1 if self.strategy == "serial" else SLOTS)
        first = choose.randrange(1, 10 ** 9)
        last = first + int(seconds * BUSY * at_once / item_s)
        if self.kind == "exec":
            self.work = results.commands(first, last, "echo $(($1 * 7))", lambda item: "%d\n" % (item * 7), seconds=item_s)
        else:
            self.work = results.sleep(first, last, item_s)

    def options(self):
        return ("--strategy", self.strategy, "--chunk", self.chunk, *(("--keep-order",) if self.ordered else ()))

    def __str__(self):
        return "%d items of %s, %s, chunk %s%s" % (self.work.count, self.kind, self.strategy, self.chunk,
                                                   ", in order" if self.ordered else "")


class ChaosRun(EndToEndTest):
    """One run, as a test: the harness then sees that nothing is left of it and that no sanitizer spoke."""

    def __init__(self, seed, options):
        super().__init__("run_chaos")
        self.seed = seed
        self.options = options
        self.told = ""
        self.verdict = ""

    def run_chaos(self):
        choice = Choice(self.seed, self.options.seconds)
        self.told = str(choice)
        undisturbed = choice.work.undisturbed(self)
        self.start_all(choice)
        kills = random.Random("coordinator %d" % self.seed)
        extra = [(kills.uniform(0.2, self.options.seconds), self.coordinator.kill) for _ in range(self.options.with_coordinator)]
        self.storm = Storm(self.crew, plan(self.seed, self.options.seconds, EVERY_S, WORKERS), extra)
        self.storm.rage(lambda: not self.coordinator.is_running())
        self.tend_until_the_end()
        result = self.coordinator.program.finish(10)
        result.out = self.read_file("report.json")
        self.crew.dismiss()
        self.told += "; %s; %d kills of the coordinator" % (self.storm.told(), self.coordinator.kills)
        differences = results.outcome_differences(choice.work, result, self.out, undisturbed, choice.ordered, self.may_fail)
        self.assertEqual(differences, [], result)
        sample = only_sample(result.report())
        self.verdict = "identical" if sample["failed"] == 0 else "accounted for"  # as it says itself, with the reasons
        self.tell_trouble(sample)

    def start_all(self, choice):
        self.out = self.path("out.ndjson")
        options, self.may_fail = blaming_nobody()
        journal, port = None, "*"
        if self.options.with_coordinator:
            journal, port = self.path("run.journal"), str(free_port())
            options = (*options, "--journal", journal)
        argv = choice.work.argv("--listen", "tcp://127.0.0.1:" + port, "--wait", WORKERS, "--out", self.out,
                                "--json", self.path("report.json"), *options, *choice.options())
        self.coordinator = Coordinator(self, argv, journal)
        self.crew = Crew(self, self.coordinator.endpoint, WORKERS, "--slots", SLOTS, "--allow-exec")
        wait_until(lambda: results.bytes_in(self.out) > 0, 20, "the first results")

    def tend_until_the_end(self):
        """Workers that died in the last moment of the storm still need successors."""
        def is_over():
            self.crew.tend()
            return not self.coordinator.is_running()
        wait_until(is_over, FINISH_S, "the end of the run")

    def tell_trouble(self, sample):
        self.told += "; %d ok, %d failed, %d workers lost, %d chunks again, %d duplicates dropped, %.1f s" % tuple(
            sample[key] for key in ("ok", "failed", "workers_lost", "retried", "duplicates", "wall_s"))


def can_resume():
    return subprocess.run([QUARTET, "resume", "--help"], capture_output=True, check=False).returncode == EXIT_OK


def arguments():
    parser = argparse.ArgumentParser(prog="chaos.sh", description="runs under a storm of faults, compared with undisturbed ones")
    parser.add_argument("seed", type=int, help="of the first run; the next ones count on")
    parser.add_argument("seconds", type=float, help="that each storm lasts")
    parser.add_argument("--runs", type=int, default=1, metavar="N", help="default 1")
    parser.add_argument("--with-coordinator", type=int, default=0, metavar="K",
                        help="kill and resume the coordinator K times in each run as well (default 0)")
    options = parser.parse_args()
    for program in (QUARTET, WORKER):
        if not os.access(program, os.X_OK):
            parser.error("there is no %s: build it, or say where with QUARTET_BIN" % program)
    if options.with_coordinator and not can_resume():
        parser.error("--with-coordinator: %s has no command 'resume'" % QUARTET)
    return options


def main():
    options = arguments()
    for seed in range(options.seed, options.seed + options.runs):
        run, outcome = ChaosRun(seed, options), unittest.TestResult()
        begin = time.monotonic()
        run.run(outcome)
        print("seed %d: %s: %s" % (seed, run.verdict if outcome.wasSuccessful() else "DIFFERENT", run.told), flush=True)
        if not outcome.wasSuccessful():
            for _, text in outcome.failures + outcome.errors:
                print(text, file=sys.stderr)
            more = " --with-coordinator %d" % options.with_coordinator if options.with_coordinator else ""
            print("to repeat: tests/chaos.sh %d %g%s" % (seed, options.seconds, more))
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
