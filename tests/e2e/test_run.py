"""quartet run: where items come from, every strategy, in this process and across workers."""

import os
import threading

import procfs
from harness import (EXIT_ITEMS_FAILED, EXIT_OK, EXIT_USAGE, SANITIZED, STRATEGIES, EndToEndTest,
                     Program, main, only_sample)
from servers import Listener

MEBI = 1024 * 1024


class Strategies(EndToEndTest):
    def test_every_strategy_gives_the_same_result_local_and_distributed(self):
        checksums = set()
        for strategy in STRATEGIES:
            for placement in ((), ("--workers", "2")):
                report = self.report("run", "squares", "--range", "5:50004", "--strategy", strategy,
                                     *placement)
                sample = only_sample(report)
                self.assertEqual((sample["ok"], sample["failed"]), (50000, 0))
                self.assertTrue(sample["complete"])
                checksums.add(sample["checksum"])
        self.assertEqual(len(checksums), 1, checksums)

    def test_summary_says_what_came_of_it(self):
        result = self.quartet("run", "squares", "--range", "1:1000", "--workers", "2", "--strategy",
                              "threads", "--threads", "3")
        self.assert_status(result, EXIT_OK)
        self.assertIn("squares: 2 workers, threads, 6 at once", result.out)
        self.assertIn("1,000 succeeded, 0 failed", result.out)
        self.assertRegex(result.out, r"checksum %016x" % (1000 * 1001 * 2001 // 6))

    def test_summary_counts_every_item_however_many(self):
        result = self.quartet("run", "noop", "--range", "1:1234567")
        self.assertIn("1,234,567 succeeded, 0 failed", result.out)

    def test_chunks_of_a_given_size_are_counted(self):
        for placement in ((), ("--workers", "2")):
            report = self.report("run", "noop", "--range", "1:1000", "--chunk", "7", *placement)
            self.assertEqual(only_sample(report)["chunks"], 143)

    def test_single_item_is_run_by_any_number_of_workers(self):
        for strategy in STRATEGIES:
            report = self.report("run", "noop", "--range", "9:9", "--workers", "4", "--strategy",
                                 strategy)
            self.assertEqual(only_sample(report)["ok"], 1)


class Items(EndToEndTest):
    def count(self, *arguments, **how):
        return only_sample(self.report("run", "noop", *arguments, **how))["ok"]

    def test_items_come_from_a_file_by_lines_and_the_last_may_lack_its_newline(self):
        path = self.write_file("items", "one\ntwo\n\nthree")
        for placement in ((), ("--workers", "2")):
            self.assertEqual(self.count("--items", path, *placement), 4)

    def test_items_come_from_standard_input(self):
        for placement in ((), ("--workers", "2")):
            self.assertEqual(self.count("--items", "-", *placement, stdin=b"a\nb\nc\n"), 3)

    def test_items_come_from_a_pipe_with_a_name_which_can_be_read_only_once(self):
        pipe = self.path("pipe")
        os.mkfifo(pipe)
        for placement in ((), ("--workers", "2")):
            writer = threading.Thread(target=self.write_file, args=("pipe", b"a\nb\nc\n"))
            writer.start()
            self.assertEqual(self.count("--items", pipe, *placement), 3)
            writer.join()

    def test_items_separated_by_nul_may_hold_newlines(self):
        path = self.write_file("items", b"one\nstill one\0two\0")
        self.assertEqual(self.count("--items", path, "--null"), 2)
        self.assertEqual(self.count("--items", path), 2, "by lines it is two as well: 'still one\\0two\\0'")

    def test_items_hold_any_bytes(self):
        path = self.write_file("items", bytes(range(1, 10)) + b"\n" + bytes(range(11, 256)) + b"\n")
        checksums = {only_sample(self.report("run", "noop", "--items", path, "--strategy", s,
                                             *placement))["checksum"]
                     for s in STRATEGIES for placement in ((), ("--workers", "1"))}
        self.assertEqual(len(checksums), 1)

    def test_items_of_a_megabyte_pass_and_larger_ones_are_refused(self):
        path = self.write_file("items", b"x" * MEBI + b"\n" + b"y\n" + b"z" * MEBI)
        for placement in ((), ("--workers", "2")):
            self.assertEqual(self.count("--items", path, *placement), 3)
        path = self.write_file("items", b"x" * (MEBI + 1))
        self.assert_refused(self.quartet("run", "noop", "--items", path), "1048576", "items",
                            status=EXIT_USAGE)

    def test_empty_standard_input_is_refused_in_words(self):
        for placement in ((), ("--workers", "1")):
            result = self.quartet("run", "noop", "--items", "-", *placement, stdin=b"")
            self.assert_refused(result, "no items", "standard input")

    def test_items_flow_before_the_end_of_the_input(self):
        for placement in ((), ("--workers", "1")):
            program = self.start_quartet("run", "download", "--items", "-", *placement,
                                         "--strategy", "async", stdin=Program.PIPE)
            with Listener() as listener:
                program.stdin.write(listener.url.encode() + b"/first\n")
                program.stdin.flush()
                listener.wait_for_request("/first")
                program.stdin.write(listener.url.encode() + b"/second\n")
                program.stdin.flush()
                listener.wait_for_request("/second")
                program.stdin.close()
                result = program.finish()
            self.assert_status(result, EXIT_OK)
            self.assertIn("2 succeeded", result.out)

    def test_million_items_from_a_pipe_pass_in_bounded_memory(self):
        lines = b"".join(b"item number %d\n" % i for i in range(1000000))
        peaks = {}
        for placement in ((), ("--workers", "2")):
            program = self.start_quartet("run", "noop", "--items", "-", "--json", "-", *placement,
                                         stdin=lines)
            while program.is_running():
                peaks[placement] = procfs.peak_memory_bytes(program.pid) or peaks.get(placement, 0)
                program.process.poll()
            result = program.finish(60)
            self.assert_status(result, EXIT_OK)
            self.assertEqual(only_sample(result.report())["ok"], 1000000)
        if not SANITIZED:
            self.assertLess(max(peaks.values()), 64 * MEBI, "the input alone has %d" % len(lines))

    def test_bad_url_fails_its_item_and_not_the_run(self):
        path = self.write_file("urls", "ftp://127.0.0.1/x\nnot a url\n")
        for placement in ((), ("--workers", "1")):
            result = self.quartet("run", "download", "--items", path, *placement)
            self.assert_status(result, EXIT_ITEMS_FAILED)
            self.assertIn("item 0: ftp://127.0.0.1/x: not an http or https URL", result.out)
            self.assertIn("item 1: not a url: not an http or https URL", result.out)


if __name__ == "__main__":
    main()
