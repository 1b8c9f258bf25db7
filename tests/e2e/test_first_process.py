"""Both programs as the first process of a container: in a PID namespace of their own, as PID 1, with nobody else to wait for orphans
or to hand signals on."""

import errno
import os
import signal
import subprocess
import unittest

import procfs
from harness import (EXIT_ITEMS_FAILED, EXIT_OK, EXIT_SIGINT, EXIT_USAGE, QUARTET, SANITIZED, STRATEGIES, WORKER,
                     EndToEndTest, main, wait_until)
from terminal import Terminal

NAMESPACE = ["unshare", "--pid", "--fork", "--mount-proc"]
FREE_PORT = "tcp://127.0.0.1:*"

# Leaves a process behind that ends by itself a little later, when its parent is long gone.
LEAVE_ORPHAN = "setsid sleep 0.05 >/dev/null 2>&1 & true"


def unavailable():
    """Why there can be no such namespace here, in words; None: there can."""
    if SANITIZED == "thread":
        return "the thread sanitizer has a thread of its own after a fork, and a zygote is made before there are threads"
    try:
        done = subprocess.run([*NAMESPACE, "true"], capture_output=True, text=True, timeout=20, check=False)
    except OSError as error:
        return "no PID namespace can be made here: %s" % error
    return None if done.returncode == 0 else "no PID namespace can be made here: " + done.stderr.strip()


NOT_HERE = unavailable()


@unittest.skipIf(NOT_HERE, NOT_HERE or "")
class FirstProcess(EndToEndTest):
    def start_first(self, *argv, **how):
        """Start it as PID 1. `init` is the pid of that, as it is called here."""
        program = self.start([*NAMESPACE, *argv], **how)
        program.init = wait_until(lambda: self.init_of(program), 20, "the first process")
        return program

    def init_of(self, program):
        """The one child of `unshare`, when it has stayed behind, or has ended."""
        if not program.is_running():
            return -1
        found = [p.pid for p in procfs.children(program.pid) if p.name == "quartet-init"]
        return found[0] if found else None

    def worker_of(self, program):
        return procfs.children(program.init)[0].pid


class Orphans(FirstProcess):
    def gate(self, name):
        path = self.path(name)
        os.mkfifo(path)
        return path

    def hold_open(self, path, program):
        """Wait for the item that reads there; it waits until what is returned is closed."""
        def try_to():
            self.assertTrue(program.is_running(), program.output())
            try:
                return os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            except OSError as error:  # nobody reads yet
                self.assertEqual(error.errno, errno.ENXIO)
                return None
        return open(wait_until(try_to, 30, "the last item"), "wb")

    def assert_no_zombies_stay(self, init):
        """All the orphans have ended while the program still runs, and were waited for."""
        wait_until(lambda: "sleep" not in {p.name for p in procfs.children(init)} and not procfs.zombies(init), 20,
                   "the end of all orphans, but there are %s" % ", ".join(map(str, procfs.zombies(init))))

    def test_run_waits_for_what_its_commands_leave_behind(self):
        for strategy in STRATEGIES:
            with self.subTest(strategy=strategy):
                gate = self.gate("gate-" + strategy)
                command = LEAVE_ORPHAN + "; if [ {} = 60 ]; then : < %s; fi" % gate
                program = self.start_first(QUARTET, "run", "exec", "--range", "1:60", "--shell", "--strategy", strategy,
                                           "--out", self.path("out-" + strategy), "--", command)
                with self.hold_open(gate, program):  # the last item waits here, and all the others are done
                    self.assert_no_zombies_stay(program.init)
                result = program.finish(60)
                self.assert_status(result, EXIT_OK)
                self.assertIn("60 succeeded", result.out)

    def test_worker_waits_for_what_its_commands_leave_behind(self):
        gate = self.gate("gate")
        command = LEAVE_ORPHAN + "; if [ {} = 60 ]; then : < %s; fi" % gate
        run, endpoint = self.listen("run", "exec", "--range", "1:60", "--shell", "--listen", FREE_PORT, "--wait", "1",
                                    "--out", self.path("out"), "--", command)
        worker = self.start_first(WORKER, "--connect", endpoint, "--allow-exec")
        with self.hold_open(gate, worker):
            self.assert_no_zombies_stay(worker.init)
        self.assert_status(run.finish(60), EXIT_OK)
        self.assert_status(worker.finish(20), EXIT_OK)


class Signals(FirstProcess):
    def test_worker_that_is_told_to_leave_drains(self):
        run, endpoint = self.listen("run", "exec", "--range", "1:60", "--chunk", "1", "--threads", "4", "--speculate", "off",
                                    "--listen", FREE_PORT, "--wait", "2", "--", "sh", "-c", "sleep 0.2", "{}")
        leaving = self.start_first(WORKER, "--connect", endpoint, "--allow-exec")
        self.start_worker(endpoint, "--allow-exec")
        wait_until(lambda: procfs.children(self.worker_of(leaving))[1:], 20, "an item of the worker that is to leave")
        os.kill(leaving.init, signal.SIGTERM)
        self.assert_status(leaving.finish(20), EXIT_OK)
        result = run.finish(60)
        self.assert_status(result, EXIT_OK)
        self.assertIn("60 succeeded, 0 failed", result.err)

    def test_worker_without_a_coordinator_leaves_when_it_is_told_to(self):
        worker = self.start_first(WORKER, "--connect", "tcp://127.0.0.1:1")
        worker.err.wait_for("127.0.0.1:1", 20)
        os.kill(worker.init, signal.SIGTERM)
        self.assert_status(worker.finish(20), EXIT_OK)

    def test_run_is_cancelled_and_says_what_was_done(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            program = self.start_first(QUARTET, "run", "exec", "--range", "1:100", "--", "sleep", "60")
            wait_until(lambda: len(self.named("sleep")) >= 8, 20, "the first items")
            os.kill(program.init, number)
            result = program.finish(20)
            self.assert_status(result, 128 + number)
            self.assertIn("0 succeeded, 0 failed, 100 not run", result.err + result.out)
            self.assert_gone(3, "everything in the container")

    def test_worker_that_is_killed_counts_as_killed_and_takes_all_with_it(self):
        run, endpoint = self.listen("run", "exec", "--range", "1:4", "--listen", FREE_PORT, "--wait", "1", "--", "sleep", "60")
        worker = self.start_first(WORKER, "--connect", endpoint, "--allow-exec")
        wait_until(lambda: self.named("sleep"), 20, "an item")
        procfs.kill(self.worker_of(worker))
        self.assert_status(worker.finish(20), 128 + signal.SIGKILL)
        wait_until(lambda: not self.named("sleep"), 20, "the end of the items")
        run.signal(signal.SIGINT)
        run.finish(20)

    def test_interrupt_at_the_terminal_comes_once(self):
        """A second one would end the run before it can say what was done."""
        terminal = Terminal(self, 120)
        program = self.start(["setsid", "--ctty", "--wait", *NAMESPACE, QUARTET, "run", "sleep", "--range", "1:100",
                              "--param", "seconds=60"], stdin=terminal.tty, stderr=terminal.tty,
                             env={"TERM": "xterm"})
        os.close(terminal.tty)
        program.err = terminal.stream
        terminal.stream.wait_for("0/100", 30)
        os.write(terminal.master, b"\x03")
        result = program.finish(20)
        self.assertIn("100 not run", result.out)
        self.assert_status(result, EXIT_SIGINT)


class Ends(FirstProcess):
    def test_exit_statuses_are_those_of_the_program(self):
        cases = (
            (EXIT_OK, (QUARTET, "run", "noop", "--range", "1:10")),
            (EXIT_ITEMS_FAILED, (QUARTET, "run", "exec", "--range", "1:2", "--", "false")),
            (EXIT_USAGE, (QUARTET, "run", "nonsense")),
            (EXIT_USAGE, (WORKER,)),
            (EXIT_OK, (WORKER, "--version")),
        )
        for status, argv in cases:
            self.assert_status(self.start([*NAMESPACE, *argv]).finish(30), status)

    def test_workers_of_a_run_in_a_container(self):
        program = self.start([*NAMESPACE, QUARTET, "run", "squares", "--range", "1:100000", "--workers", "2"])
        result = program.finish(60)
        self.assert_status(result, EXIT_OK)
        self.assertIn("100,000 succeeded", result.out)


if __name__ == "__main__":
    main()
