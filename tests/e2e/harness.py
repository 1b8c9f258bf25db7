"""Real programs under test: starting them, reading what they say, waiting with deadlines, and making sure that nothing is left.

Every wait is for an event and has a deadline; no test sleeps and hopes. Every program that a test starts, and everything that those
start, carries a marker of that test in its environment: that is how leftovers are found, and the only processes ever killed are
ones that carry it. Ports are never fixed: whoever listens binds port 0 and says which one it got.

What is read about processes is in procfs.py, other servers are in servers.py, terminals in terminal.py.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import uuid

import procfs

# Whoever starts the tests in the background may have SIGINT ignored, and programs inherit that: until they have a handler of
# their own, an interrupt would be lost. A handler here is the default there.
signal.signal(signal.SIGINT, signal.default_int_handler)

MARKER_NAME = "QUARTET_E2E"
BIN = os.environ.get("QUARTET_BIN", "")
QUARTET = os.path.join(BIN, "quartet")
WORKER = os.path.join(BIN, "quartet-worker")

# How many times slower than a plain build the programs are; CMake sets it for sanitizer builds.
SLOW = float(os.environ.get("QUARTET_E2E_SLOW", "1"))
SANITIZED = os.environ.get("QUARTET_E2E_SANITIZED", "")  # with what: "" for a plain build

STRATEGIES = ("serial", "threads", "async", "processes")

EXIT_OK, EXIT_ITEMS_FAILED, EXIT_USAGE, EXIT_CANNOT_GO_ON = 0, 1, 2, 3
EXIT_SIGINT = 128 + signal.SIGINT

SANITIZER_REPORT = re.compile(
    r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|SUMMARY: \w+Sanitizer")

# Set in the environment they would change what the programs do.
FOREIGN_SETTINGS = ("NO_COLOR", "TERM", "COLUMNS", "LC_ALL", "LANG", "LC_CTYPE", "http_proxy",
                    "PYTHONUNBUFFERED", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def test_program(name):
    """The path of a program that only tests have."""
    return os.path.join(os.environ.get("QUARTET_TEST_PROGRAMS", ""), name)


def within(seconds):
    """A deadline of so many seconds in a plain build, as seconds in this one."""
    return seconds * SLOW


def wait_until(is_true, seconds, what):
    """Poll until `is_true()` is; its value is returned. For what cannot be waited on: the state of other processes."""
    end = time.monotonic() + within(seconds)
    while True:
        value = is_true()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("waited %.1f s in vain for: %s" % (within(seconds), what))
        time.sleep(0.005)


class Stream:
    """One output of a program, read by a thread of its own as it comes."""

    def __init__(self, pipe):
        self.pipe = pipe
        self.data = b""
        self.ended = False
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        while True:
            try:
                data = os.read(self.pipe.fileno(), 65536)
            except (OSError, ValueError):  # a closed pipe; EIO at the end of a terminal
                data = b""
            with self.changed:
                self.data += data
                self.ended = not data
                self.changed.notify_all()
            if not data:
                return

    def text(self):
        with self.changed:
            return self.data.decode("utf-8", "replace")

    def wait_for(self, pattern, seconds):
        """Wait until `pattern` is somewhere in the output; returns the match."""
        end = time.monotonic() + within(seconds)
        with self.changed:
            while True:
                text = self.data.decode("utf-8", "replace")
                match = re.search(pattern, text, re.MULTILINE)
                if match:
                    return match
                left = end - time.monotonic()
                if self.ended or left <= 0:
                    raise AssertionError("%s without a match for %r; the output was:\n%s" % (
                        "the output ended" if self.ended else "%.1f s passed" % within(seconds),
                        pattern, text))
                self.changed.wait(left)

    def wait_end(self, seconds):
        self.thread.join(within(seconds))
        if self.thread.is_alive():
            raise AssertionError("somebody still holds the output open; it was:\n" + self.text())


class Result:
    """What became of a program that has ended."""

    def __init__(self, status, out, err, seconds):
        self.status = status  # exit status, or -N when it was killed by signal N
        self.out = out
        self.err = err
        self.seconds = seconds

    def __str__(self):
        return "status %s after %.2f s\n--- standard output\n%s\n--- standard error\n%s" % (
            self.status, self.seconds, self.out, self.err)

    def report(self):
        """The JSON report that it wrote to standard output."""
        return json.loads(self.out)

    def error_line(self):
        """The one line of a refusal."""
        lines = self.err.splitlines()
        if len(lines) != 1:
            raise AssertionError("expected one line on standard error, not:\n%s" % self.err)
        return lines[0]


class Program:
    """One started program. `directory`: where its control socket goes, so that no test sees those of others. `stdin`: bytes, a descriptor, None for nothing at all, or PIPE to write to `self.stdin`."""

    PIPE = object()

    def __init__(self, marker, directory, argv, stdin=None, stdout=None, stderr=None, env=None):
        environment = {k: v for k, v in os.environ.items() if k not in FOREIGN_SETTINGS}
        environment[MARKER_NAME] = marker
        environment["XDG_RUNTIME_DIR"] = directory
        environment.update(env or {})
        give = isinstance(stdin, bytes) or stdin is Program.PIPE
        self.began = time.monotonic()
        self.argv = argv
        self.process = subprocess.Popen(
            argv, env=environment,
            stdin=subprocess.PIPE if give else subprocess.DEVNULL if stdin is None else stdin,
            stdout=subprocess.PIPE if stdout is None else stdout,
            stderr=subprocess.PIPE if stderr is None else stderr)
        self.pid = self.process.pid
        self.out = Stream(self.process.stdout) if stdout is None else None
        self.err = Stream(self.process.stderr) if stderr is None else None
        self.stdin = self.process.stdin
        if isinstance(stdin, bytes):
            self.feeder = threading.Thread(target=self._feed, args=(stdin,), daemon=True)
            self.feeder.start()

    def _feed(self, data):
        try:
            self.stdin.write(data)
            self.stdin.close()
        except OSError:
            pass  # it stopped reading: what that means is for the test to say

    def signal(self, number):
        self.process.send_signal(number)

    def is_running(self):
        return self.process.poll() is None

    def finish(self, seconds=30):
        """Wait for the end of the program and of its output."""
        try:
            status = self.process.wait(within(seconds))
        except subprocess.TimeoutExpired:
            raise AssertionError("still running after %.1f s: %s\n%s" % (
                within(seconds), " ".join(self.argv), self.output())) from None
        took = time.monotonic() - self.began
        for stream in (self.out, self.err):
            if stream is not None:
                stream.wait_end(10)
        return Result(status, self.out.text() if self.out else "",
                      self.err.text() if self.err else "", took)

    def output(self):
        return "\n".join(stream.text() for stream in (self.out, self.err) if stream is not None)

    def children(self, name):
        """Pids of its child processes of that name (as the kernel knows it: at most 15 characters)."""
        return [p.pid for p in procfs.children(self.pid) if p.name == name]

    def close(self):
        for stream in (self.out, self.err):
            if stream is not None:
                stream.wait_end(10)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    pass


class EndToEndTest(unittest.TestCase):
    """Starts programs for one test, and fails it when one is left at its end or a sanitizer spoke."""

    maxDiff = None

    def setUp(self):
        self.marker = "%s-%s" % (os.getpid(), uuid.uuid4().hex)
        self.programs = []
        self.directory = tempfile.mkdtemp(prefix="quartet-e2e-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.addCleanup(self._expect_no_sanitizer_report)
        self.addCleanup(self._expect_nothing_left)  # cleanups run last to first

    # --- starting ---

    def start(self, argv, **how):
        program = Program(self.marker, self.directory, [str(a) for a in argv], **how)
        self.programs.append(program)
        return program

    def start_quartet(self, *arguments, **how):
        return self.start([QUARTET, *arguments], **how)

    def start_worker(self, endpoint, *arguments, **how):
        return self.start([WORKER, "--connect", endpoint, *arguments], **how)

    def quartet(self, *arguments, seconds=60, **how):
        """Run to the end."""
        return self.start_quartet(*arguments, **how).finish(seconds)

    def report(self, *arguments, status=EXIT_OK, **how):
        """Run with `--json -`; the report, after a look at the exit status."""
        at = arguments.index("--") if "--" in arguments else len(arguments)
        result = self.quartet(*arguments[:at], "--json", "-", *arguments[at:], **how)
        self.assert_status(result, status)
        return result.report()

    def listen(self, *arguments, seconds=20, **how):
        """Start a coordinator that waits for workers; returns it and the endpoint that it listens on."""
        program = self.start_quartet(*arguments, **how)
        return program, program.err.wait_for(r"listening on (\S+),", seconds).group(1)

    # --- looking ---

    def worker_states(self, coordinator):
        """Of each worker, by name; "running": it has begun with the job. Without any when the coordinator does not answer yet."""
        said = self.quartet("status", "--json", str(coordinator.pid), seconds=10)
        workers = json.loads(said.out)["workers"] if said.status == EXIT_OK else []
        return {worker["name"]: worker["state"] for worker in workers}

    def path(self, name):
        return os.path.join(self.directory, name)

    def write_file(self, name, content):
        with open(self.path(name), "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        return self.path(name)

    def read_file(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def left_over(self):
        return procfs.find_by_environment(MARKER_NAME, self.marker)

    def named(self, name):
        """Pids of this test's processes of that name, whoever started them."""
        return [p.pid for p in self.left_over() if p.name == name]

    def assert_status(self, result, status):
        self.assertEqual(result.status, status, str(result))

    def assert_refused(self, result, *parts, status=EXIT_USAGE):
        """One line on standard error with all of `parts`, nothing on standard output, and that exit status."""
        self.assert_status(result, status)
        self.assertEqual(result.out, "", str(result))
        line = result.error_line()
        for part in parts:
            self.assertIn(part, line)

    def assert_gone(self, seconds, what):
        """Every process of this test ends within so long."""
        wait_until(lambda: not self.left_over(), seconds, "the end of " + what)

    # --- at the end ---

    def _expect_no_sanitizer_report(self):
        for program in self.programs:
            program.close()
            if program.err is not None and SANITIZER_REPORT.search(program.err.text()):
                self.fail("a sanitizer reports:\n" + program.err.text())

    def _expect_nothing_left(self):
        for program in self.programs:
            program.process.poll()
        try:
            self.assert_gone(3, "all processes of the test")
        except AssertionError:
            left = self.left_over()
            for process in left:
                procfs.kill(process.pid)
            for program in self.programs:
                program.process.wait()
            self.fail("processes were left behind: " + ", ".join(map(str, left)))


def cells_of(report, workload=0):
    """Cells of one comparison by (strategy, placement)."""
    cells = report["comparisons"][workload]["cells"]
    return {(cell["strategy"], cell["placement"]): cell for cell in cells}


def only_sample(report):
    """The sample of a report of `quartet run`."""
    (cell,) = report["comparisons"][0]["cells"]
    (sample,) = cell["samples"]
    return sample


def main():
    if not os.access(QUARTET, os.X_OK) or not os.access(WORKER, os.X_OK):
        sys.exit("QUARTET_BIN=%r has no programs quartet and quartet-worker in it" % BIN)
    unittest.main(verbosity=2)
