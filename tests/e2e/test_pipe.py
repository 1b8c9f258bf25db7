"""quartet run pipe: one long-lived program per slot, one item a line, one answer a line."""

import json
import os
import random
import re
import signal

import procfs
from harness import (EXIT_CANNOT_GO_ON, EXIT_ITEMS_FAILED, EXIT_OK, EXIT_USAGE, SANITIZED, STRATEGIES,
                     EndToEndTest, Program, main, only_sample)

MEBI = 1024 * 1024
PLACEMENTS = ((), ("--workers", "2"))

SQUARE = """
import sys
for line in sys.stdin:
    print(int(line) ** 2%s)
"""


class Pipe(EndToEndTest):
    def run_pipe(self, *arguments, command, status=EXIT_OK, **how):
        result = self.quartet("run", "pipe", *arguments, "--", *command, **how)
        self.assert_status(result, status)
        return result

    def test_every_strategy_gives_the_program_s_answers(self):
        expected = "".join("%d\n" % (i * i) for i in range(1, 501))
        script = self.write_file("square.py", SQUARE % ", flush=True")
        for strategy in STRATEGIES:
            for placement in PLACEMENTS:
                result = self.run_pipe("--range", "1:500", "--keep-order", "--strategy", strategy, *placement,
                                       command=["python3", script])
                self.assertEqual(result.out, expected)

    def test_program_that_buffers_its_answers_neither_stops_nor_loses_any(self):
        script = self.write_file("square.py", SQUARE % "")
        result = self.run_pipe("--range", "1:3000", "--keep-order", "--strategy", "threads", "--threads", "2",
                               command=["python3", script], env={"PYTHONUNBUFFERED": ""})
        self.assertEqual(result.out, "".join("%d\n" % (i * i) for i in range(1, 3001)))
        self.assertIn("holds its answers back", result.err)

    def test_python_is_told_to_hold_nothing_back(self):
        script = self.write_file("square.py", SQUARE % "")
        result = self.run_pipe("--range", "1:3000", "--keep-order", "--strategy", "threads", "--threads", "2",
                               command=["python3", script])
        self.assertEqual(result.out, "".join("%d\n" % (i * i) for i in range(1, 3001)))
        self.assertNotIn("holds its answers back", result.err)

    def test_lines_come_back_byte_for_byte_in_order(self):
        rng = random.Random(2)
        count = 2000 if SANITIZED else 200000
        lines = [rng.randbytes(rng.randrange(60)).replace(b"\n", b"") for _ in range(count)]
        data = b"".join(line + b"\n" for line in lines)
        path = self.write_file("lines", data)
        out = self.path("out")
        for placement in PLACEMENTS:
            self.run_pipe("--items", path, "--keep-order", "--out", out, "--format", "raw", *placement, command=["cat"],
                          seconds=120)
            with open(out, "rb") as file:
                self.assertEqual(file.read(), data)

    def test_newlines_survive_between_nul_bytes(self):
        items = b"a\nb\0\n\n\0c\0"
        path = self.write_file("items", items)
        out = self.path("out")
        self.run_pipe("--items", path, "--null", "--keep-order", "--out", out, "--format", "raw", command=["cat"])
        with open(out, "rb") as file:
            self.assertEqual(file.read(), items)

    def test_endless_input_is_read_as_it_is_used_up(self):
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        program = self.start_quartet("run", "pipe", "--items", "-", "--quiet", "--", "cat", stdin=reading)
        total = 0
        with open(writing, "wb", buffering=0) as stream:
            for i in range(200):
                stream.write(b"%d\n" % i)
                program.out.wait_for(r"^%d$" % i, 20)
                total += 1
        result = program.finish(20)
        self.assert_status(result, EXIT_OK)
        self.assertEqual(len(result.out.splitlines()), total)

    def test_item_that_crashes_the_program_fails_alone_with_its_last_words(self):
        script = self.write_file("crash.py", "import os, sys\nfor line in sys.stdin:\n"
                                 "    if int(line) in (30, 70):\n        print('cannot do', line, file=sys.stderr, flush=True)\n"
                                 "        os._exit(9)\n    print(line.strip(), flush=True)\n")
        out = self.path("out")
        for strategy in ("serial", "threads", "processes"):
            self.run_pipe("--range", "1:100", "--strategy", strategy, "--out", out, command=["python3", script],
                          status=EXIT_ITEMS_FAILED)
            records = {r["index"] + 1: r for r in map(json.loads, self.read_file("out").splitlines())}
            self.assertEqual(len(records), 100)
            for number, record in records.items():
                if number in (30, 70):
                    self.assertEqual(record["status"], "crashed")
                    self.assertRegex(record["reason"], "cannot do %d" % number)
                else:
                    self.assertEqual((record["status"], record["stdout"]), ("ok", str(number)))

    def test_program_that_never_answers_is_explained(self):
        result = self.run_pipe("--range", "1:3", "--timeout", "1", "--strategy", "serial", status=EXIT_ITEMS_FAILED,
                               command=["sh", "-c", "sleep 1000"])
        self.assertRegex(result.err, "answer")
        self.assert_gone(5, "the programs")

    def test_program_that_does_not_exist_is_said_once(self):
        result = self.quartet("run", "pipe", "--range", "1:100", "--", "no-such-program-here")
        self.assertIn(result.status, (EXIT_USAGE, EXIT_CANNOT_GO_ON))
        self.assertEqual(result.err.count("no-such-program-here"), 1, result)

    def test_interrupt_ends_the_programs(self):
        program = self.start_quartet("run", "pipe", "--range", "1:100000", "--workers", "1", "--",
                                     "sh", "-c", "while read x; do sleep 1; echo $x; done")
        program.out.wait_for(r"^\d+$", 20)
        program.signal(signal.SIGINT)
        self.assert_status(program.finish(10), 128 + signal.SIGINT)
        self.assert_gone(5, "the programs")

    def test_compare_agrees(self):
        report = self.report("compare", "pipe", "--range", "1:200", "--rounds", "1", "--warmup", "0", "--",
                             "sed", "-u", "s/$/x/")
        comparison = report["comparisons"][0]
        self.assertTrue(comparison["agreement"]["agree"])
        for cell in comparison["cells"]:
            self.assertEqual(cell["samples"][0]["ok"], 200)

    def test_memory_stays_bounded_however_many_lines(self):
        if SANITIZED:
            self.skipTest("sanitizers have memory of their own")
        count = 1000000
        path = self.path("lines")
        with open(path, "wb") as file:
            file.write(b"".join(b"%d\n" % i for i in range(count)))
        out = self.path("out")
        program = self.start_quartet("run", "pipe", "--items", path, "--keep-order", "--out", out, "--format", "raw",
                                     "--workers", "2", "--strategy", "threads", "--threads", "2", "--", "cat")
        peak = 0
        while program.is_running():
            peak = max(peak, procfs.peak_memory_bytes(program.pid) or 0)
        self.assert_status(program.finish(), EXIT_OK)
        self.assertLess(peak, 128 * MEBI)
        self.assertEqual(os.path.getsize(out), os.path.getsize(path))


if __name__ == "__main__":
    main()
