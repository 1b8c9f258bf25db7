"""Where output goes: standard output and standard error, full disks, closed pipes, terminals wide and narrow, colours."""

import json
import os
import resource
import re
import signal

from harness import (EXIT_CANNOT_GO_ON, EXIT_OK, EXIT_SIGINT, EXIT_USAGE, STRATEGIES, EndToEndTest,
                     main)
from terminal import Terminal

QUICK = ("compare", "noop", "--range", "1:100", "--rounds", "1", "--warmup", "0")
COLOR = "\x1b["


class Streams(EndToEndTest):
    def test_table_goes_to_standard_output(self):
        result = self.quartet(*QUICK)
        self.assert_status(result, EXIT_OK)
        self.assertIn("verdict:", result.out)
        self.assertEqual(result.err, "")

    def test_json_on_standard_output_moves_the_table_to_standard_error(self):
        result = self.quartet(*QUICK, "--json", "-")
        self.assert_status(result, EXIT_OK)
        self.assertEqual(json.loads(result.out)["schema"], "quartet.report/1")
        self.assertIn("verdict:", result.err)

    def test_csv_and_markdown_can_take_standard_output_too(self):
        for flag, beginning in (("--csv", "workload,"), ("--markdown", "#")):
            result = self.quartet(*QUICK, flag, "-")
            self.assert_status(result, EXIT_OK)
            self.assertEqual(result.out[:len(beginning)], beginning)
            self.assertIn("verdict:", result.err)

    def test_run_prints_its_summary_to_standard_output(self):
        result = self.quartet("run", "noop", "--range", "1:100")
        self.assert_status(result, EXIT_OK)
        self.assertIn("100 succeeded, 0 failed", result.out)
        self.assertEqual(result.err, "")

    def test_quiet_leaves_only_results(self):
        result = self.quartet("run", "noop", "--range", "1:100", "--workers", "1", "--quiet")
        self.assert_status(result, EXIT_OK)
        self.assertEqual(result.err, "")


class Trouble(EndToEndTest):
    def test_reader_that_has_left_ends_it_as_sigpipe_would_without_a_word(self):
        for command in ((*QUICK, "--no-progress"), (*QUICK, "--json", "-", "--quiet"), ("run", "noop", "--range", "1:100"),
                        ("run", "noop", "--range", "1:100000", "--dry-run", "--quiet"), ("run", "--help"), ("--help",)):
            reader, writer = os.pipe()
            os.close(reader)
            program = self.start_quartet(*command, stdout=writer)
            os.close(writer)
            result = program.finish()
            self.assert_status(result, 128 + signal.SIGPIPE)
            self.assertNotIn("Broken pipe", result.err)

    def test_full_disk_is_an_error(self):
        for command in (QUICK, (*QUICK, "--json", "-"), (*QUICK, "--csv", "/dev/full"),
                        ("run", "noop", "--range", "1:100"),
                        ("run", "noop", "--range", "1:100", "--json", "-")):
            with open("/dev/full", "wb") as full:
                result = self.quartet(*command, stdout=full)
            self.assert_status(result, EXIT_CANNOT_GO_ON)
            self.assertIn("No space left on device", result.err)

    def test_file_that_may_not_grow_is_an_error(self):
        path = self.path("report.json")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        try:
            program = self.start_quartet(*QUICK, "--json", path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        result = program.finish()
        self.assert_status(result, EXIT_CANNOT_GO_ON)
        self.assertIn("File too large", result.err)

    def test_report_into_a_missing_directory_is_refused_before_any_work(self):
        path = self.path("missing/report.json")
        result = self.quartet("run", "sleep", "--param", "seconds=30", "--range", "1:10", "--json",
                              path, seconds=10)
        self.assert_refused(result, path, "--json", status=EXIT_USAGE)
        for flag in ("--json", "--csv", "--markdown"):
            result = self.quartet("compare", "sleep", "--param", "seconds=30", flag, path,
                                  seconds=10)
            self.assert_refused(result, path, flag, status=EXIT_USAGE)

    def test_report_of_a_refused_run_does_not_wipe_the_last_one(self):
        path = self.write_file("report.json", "yesterday's")
        result = self.quartet("run", "noop", "--json", path, "--items", self.path("none"))
        self.assert_refused(result, "none")
        self.assertEqual(self.read_file("report.json"), "yesterday's")


class OnATerminal(EndToEndTest):
    """Standard error on a terminal: progress bars; standard output on a terminal: colours."""

    def run_on(self, terminal, *arguments, env=None, whole=True):
        return terminal.start_quartet(*arguments, env=env, whole=whole).finish(60)

    def test_every_cell_has_a_bar_that_stays_and_none_of_its_redraws_wraps(self):
        for columns in (80, 40, 20):
            terminal = Terminal(self, columns)
            result = self.run_on(terminal, "compare", "sleep", "--range", "1:40", "--param",
                                 "seconds=0.005", "--rounds", "2")
            self.assert_status(result, EXIT_OK)
            bars = [line for line in terminal.drawn_lines()
                    if line.startswith("sleep ") and "%" in line]
            kept = re.findall(r"100%[^\r\n]*\x1b\[K\r?\n", terminal.text())
            self.assertEqual(len(kept), 8, terminal.text())
            # The last column stays free: some terminals begin a new line as soon as it is written.
            self.assertEqual([b for b in bars if len(b) >= columns], [], "%d columns" % columns)

    def test_bar_says_what_is_done_of_how_much_and_how_fast(self):
        terminal = Terminal(self, 120)
        result = self.run_on(terminal, "run", "sleep", "--range", "1:40", "--param",
                             "seconds=0.005")
        self.assert_status(result, EXIT_OK)
        self.assertRegex(terminal.text(), r"sleep +100%\|█+\| 40/40 \[00:0\d<00:00, .*items/s\]")

    def test_bars_are_of_ascii_where_the_terminal_is_not_utf8(self):
        terminal = Terminal(self, 80)
        result = self.run_on(terminal, "run", "sleep", "--range", "1:10", "--param",
                             "seconds=0.005", env={"LC_ALL": "C"})
        self.assert_status(result, EXIT_OK)
        self.assertRegex(terminal.text(), r"100%\|#+\|")
        self.assertTrue(terminal.text().isascii())

    def test_no_bars_and_no_control_characters_where_nobody_looks_or_wants_them(self):
        for arguments, env in ((("--no-progress",), {"NO_COLOR": "1"}), (("--quiet",), {}),
                               ((), {"TERM": "dumb"})):
            terminal = Terminal(self, 80)
            result = self.run_on(terminal, *QUICK, *arguments, env=env, whole=False)
            self.assert_status(result, EXIT_OK)
            self.assertEqual(terminal.text(), "", arguments)
        self.assertNotIn(COLOR, self.quartet(*QUICK).out, "on a pipe")

    def test_colours_are_used_on_a_terminal_and_left_out_by_no_color(self):
        for env, colored in (({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True),
                             ({"TERM": "dumb"}, False)):
            terminal = Terminal(self, 80)
            result = self.run_on(terminal, *QUICK, "--no-progress", env=env)
            self.assert_status(result, EXIT_OK)
            self.assertEqual(COLOR in terminal.text(), colored, env)

    def test_table_fits_the_terminal(self):
        for columns in (80, 40, 20):
            terminal = Terminal(self, columns)
            result = self.run_on(terminal, *QUICK, "--no-progress")
            self.assert_status(result, EXIT_OK)
            # Words and file names longer than the terminal cannot be broken; rows of the table must not be.
            for strategy in STRATEGIES:
                rows = [r for r in terminal.drawn_lines() if r.startswith(strategy)]
                self.assertTrue(rows, terminal.text())
                self.assertLessEqual(max(map(len, rows)), columns, rows)

    def test_interrupt_leaves_the_cursor_on_a_line_of_its_own(self):
        terminal = Terminal(self, 80)
        program = terminal.start_quartet("run", "sleep", "--range", "1:4", "--param", "seconds=30",
                                         whole=True)
        terminal.stream.wait_for("0/4", 10)
        program.signal(signal.SIGINT)
        self.assert_status(program.finish(5), EXIT_SIGINT)
        self.assertTrue(terminal.text().endswith("\n"), repr(terminal.text()[-200:]))


if __name__ == "__main__":
    main()
