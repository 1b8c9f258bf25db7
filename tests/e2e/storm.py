"""Workers that are killed and frozen while they work, by a plan that a seed decides, and whoever starts new ones.

A storm knows nothing of what the workers do; what became of the run is for results.py to say.
"""

import collections
import random
import signal
import subprocess
import time

from harness import QUARTET, WORKER

KILL, BLINK, FREEZE = "kill", "blink", "freeze"
WEIGHTS = {KILL: 5, BLINK: 4, FREEZE: 1}

# A worker that is silent for longer is given up for certain, one that is silent for a fifth of it never.
LEASE_S = 3.0


class Crew:
    """Workers of one run by number, each started anew when it was killed, as systemd, Slurm or Kubernetes would."""

    def __init__(self, test, endpoint, count, *arguments, give_up_s=60):
        self.test = test
        self.endpoint = endpoint
        self.arguments = ("--give-up", str(give_up_s), *arguments)
        self.started = 0
        self.members = [self._start(number) for number in range(count)]

    def _start(self, number):
        self.started += 1
        name = "w%d.%d" % (number, self.started)
        return self.test.start([WORKER, "--connect", self.endpoint, "--name", name, *self.arguments])

    def tend(self):
        """Start anew those that a signal has ended. One that left by itself had its reason."""
        for number, member in enumerate(self.members):
            status = member.process.poll()
            if status is not None and status < 0:
                member.close()
                self.members[number] = self._start(number)

    def thaw(self):
        for member in self.members:
            member.signal(signal.SIGCONT)

    def dismiss(self):
        """End those that are still there: one that came when the run was over waits for another."""
        for member in self.members:
            member.signal(signal.SIGTERM)
        for member in self.members:
            member.finish(20)


class Coordinator:
    """The coordinator of one run with a journal, which may be killed and is resumed then. Its workers find it again, as it keeps
    its port. `listens`: it has workers that come by themselves."""

    def __init__(self, test, argv, journal=None, listens=True):
        self.test = test
        self.journal = journal
        self.kills = 0
        self.program = test.start([QUARTET, *argv])
        self.endpoint = self.program.err.wait_for(r"listening on (\S+),", 20).group(1) if listens else None

    def kill(self):
        """At once, and resume it; nothing, when the run is over."""
        if not self.program.is_running():
            return
        self.program.signal(signal.SIGKILL)
        self.program.process.wait()
        self.kills += 1
        self.program = self.test.start([QUARTET, "resume", self.journal])

    def is_running(self):
        return self.program.is_running()


def blaming_nobody():
    """Options of `run` with which items are not blamed for the workers that a storm kills under them, and what a few may fail with
    all the same (a pattern), or None."""
    said = subprocess.run([QUARTET, "run", "--help"], capture_output=True, text=True, check=True).stdout
    if "--crash-limit" in said:
        return ("--crash-limit", "255"), None
    return (), "lost together with the worker that ran it"


class Fault:
    """One fault: `at_s` from the beginning, of `kind`, to worker `target`; BLINK and FREEZE last `for_s`."""

    def __init__(self, at_s, kind, target, for_s=0.0):
        self.at_s = at_s
        self.kind = kind
        self.target = target
        self.for_s = for_s

    def __str__(self):
        return "%.1f %s %d%s" % (self.at_s, self.kind, self.target, " for %.1f" % self.for_s if self.for_s else "")


def plan(seed, seconds, every_s, workers, kinds=(KILL, BLINK, FREEZE)):
    """One fault every `every_s`, the same for the same arguments. A BLINK is shorter than what makes a worker be given up, a FREEZE
    longer: it is fenced, and wakes in a run that has gone on without it. One is frozen at a time, and left alone meanwhile."""
    choose = random.Random(seed)
    faults = []
    frozen, frozen_until = None, 0.0
    for step in range(1, int(seconds / every_s) + 1):
        at = step * every_s
        if at >= frozen_until:
            frozen = None
        possible = [kind for kind in kinds if kind != FREEZE or frozen is None]
        if not possible:
            continue
        kind = choose.choices(possible, [WEIGHTS[kind] for kind in possible])[0]
        fault = Fault(at, kind, choose.choice([number for number in range(workers) if number != frozen]))
        if kind == BLINK:
            fault.for_s = choose.uniform(0.01, 0.2) * LEASE_S
        elif kind == FREEZE:
            fault.for_s = choose.uniform(1.2, 1.5) * LEASE_S
            frozen, frozen_until = fault.target, at + fault.for_s
        faults.append(fault)
    return faults


class Storm:
    """Does what a plan says to a crew. `extra`: more (at_s, function) to call in between."""

    def __init__(self, crew, faults, extra=()):
        self.crew = crew
        self.done = collections.Counter()
        self.agenda = [*extra, *((fault.at_s, lambda fault=fault: self._begin(fault)) for fault in faults)]

    def _begin(self, fault):
        member = self.crew.members[fault.target]
        if not member.is_running():
            return
        self.done[fault.kind] += 1
        if fault.kind == KILL:
            member.signal(signal.SIGKILL)
            member.process.wait()
            return
        # By process, not by number: a successor of one that was killed meanwhile is not what was frozen.
        member.signal(signal.SIGSTOP)
        self.agenda.append((fault.at_s + fault.for_s, lambda: member.signal(signal.SIGCONT)))

    def rage(self, is_over):
        """Until nothing is left to do, or `is_over()`. Nobody is frozen afterwards."""
        begin = time.monotonic()
        while self.agenda and not is_over():
            due = min(self.agenda, key=lambda entry: entry[0])
            if time.monotonic() - begin >= due[0]:
                self.agenda.remove(due)
                due[1]()
            else:
                time.sleep(0.005)  # the pace of the storm, not a wait for something
            self.crew.tend()
        self.crew.thaw()

    def told(self):
        """What was done, in words."""
        return ", ".join("%d %s" % (self.done[kind], kind) for kind in WEIGHTS)
