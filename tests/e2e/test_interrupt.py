"""Ctrl-C: the program ends within a second, prints what there is until then, and leaves no process behind."""

import os
import signal
import time

from harness import EXIT_SIGINT, STRATEGIES, EndToEndTest, main, wait_until
from terminal import Terminal

# The promise is one second. The test is generous, for machines that are busy.
LIMIT = 3


class Interrupt(EndToEndTest):
    def interrupt(self, program, number=signal.SIGINT):
        """Send the signal; what became of the program, which must be soon, and nothing of it is left."""
        program.signal(number)
        result = program.finish(LIMIT)
        self.assert_gone(LIMIT, "all that the program had started")
        return result

    def wait_for_processes(self, name, count):
        wait_until(lambda: len(self.named(name)) >= count, 20, "%d of %s" % (count, name))

    def wait_for_bar(self, *arguments, pattern):
        terminal = Terminal(self, 120)
        program = terminal.start_quartet(*arguments)
        terminal.stream.wait_for(pattern, 30)
        return program


class Run(Interrupt):
    def test_run_of_every_strategy_stops_in_the_middle_of_long_items(self):
        for workload, param in (("sleep", "seconds=60"), ("spin", "seconds=60"),
                                ("download", "delay=60")):
            for strategy in STRATEGIES:
                for placement in ((), ("--workers", "2")):
                    with self.subTest(workload=workload, strategy=strategy, placement=placement):
                        program = self.wait_for_bar("run", workload, "--param", param, "--range",
                                                    "1:40", "--strategy", strategy, *placement,
                                                    pattern=r"0/40")
                        result = self.interrupt(program)
                        self.assert_status(result, EXIT_SIGINT)
                        self.assertIn("0 succeeded, 0 failed, 40 not run", result.out)
                        self.assertIn("stopped by signal 2", result.err)

    def test_run_prints_what_was_done_until_then(self):
        for placement in ((), ("--workers", "2")):
            program = self.wait_for_bar("run", "sleep", "--param", "seconds=0.05", "--range",
                                        "1:2000", *placement, pattern=r" [1-9]\d/2000")
            result = self.interrupt(program)
            self.assert_status(result, EXIT_SIGINT)
            self.assertRegex(result.out, r"items +[1-9]\d* succeeded, 0 failed, [1-9][\d,]* not run")
            self.assertRegex(result.out, r"not run +items .*(1999|\.\.\.)")

    def test_run_that_waits_for_its_items_stops(self):
        for placement in ((), ("--workers", "1")):
            terminal = Terminal(self, 120)
            reader, writer = os.pipe()
            self.addCleanup(os.close, writer)
            program = self.start_quartet("run", "noop", "--items", "-", *placement, stdin=reader)
            os.close(reader)
            os.close(terminal.tty)
            os.write(writer, b"one\ntwo\n")
            wait_until(lambda: len(os.listdir("/proc/%d/task" % program.pid)) > 2, 10, "its threads")
            result = self.interrupt(program)
            self.assert_status(result, EXIT_SIGINT)

    def test_run_that_waits_for_workers_stops(self):
        program, _ = self.listen("run", "noop", "--listen", "tcp://127.0.0.1:*", "--wait", "2")
        result = self.interrupt(program)
        self.assert_status(result, EXIT_SIGINT)
        self.assertIn("interrupted while waiting for workers", result.err)

    def test_terminate_is_taken_as_interrupt_is(self):
        program = self.wait_for_bar("run", "sleep", "--param", "seconds=60", "--workers", "1",
                                    pattern="0/64")
        result = self.interrupt(program, signal.SIGTERM)
        self.assert_status(result, 128 + signal.SIGTERM)
        self.assertIn("0 succeeded, 0 failed, 64 not run", result.out)

    def test_second_interrupt_ends_it_at_once(self):
        program = self.wait_for_bar("run", "sleep", "--param", "seconds=60", "--workers", "2",
                                    "--strategy", "processes", pattern="0/64")
        program.signal(signal.SIGINT)
        self.assert_status(self.interrupt(program), EXIT_SIGINT)

    def test_interrupt_of_the_whole_group_as_a_terminal_sends_it(self):
        program = self.wait_for_bar("run", "sleep", "--param", "seconds=60", "--workers", "2",
                                    "--strategy", "processes", pattern="0/64")
        for pid in [p.pid for p in self.left_over() if os.getpgid(p.pid) == os.getpgid(program.pid)]:
            os.kill(pid, signal.SIGINT)
        self.assert_status(program.finish(LIMIT), EXIT_SIGINT)
        self.assert_gone(LIMIT, "all")

    def test_origin_stops(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            origin = self.start_quartet("origin")
            origin.out.wait_for("listening on", 10)
            self.assert_status(self.interrupt(origin, number), 0)

    def test_interrupt_at_any_moment_of_the_start_leaves_nothing(self):
        for delay_ms in range(0, 40, 2):
            program = self.start_quartet("run", "sleep", "--param", "seconds=60", "--workers", "2",
                                         "--strategy", "processes")
            time.sleep(delay_ms / 1000)  # the moment is the input of this test
            result = self.interrupt(program)
            # Before it has a handler the signal itself ends it.
            self.assertIn(result.status, (EXIT_SIGINT, -signal.SIGINT), result)


class Compare(Interrupt):
    """Interrupted where each kind of cell runs: the table of what there is until then is printed."""

    def compare(self, pattern, *arguments):
        return self.wait_for_bar("compare", "sleep", "--param", "seconds=0.1", "--range", "1:20",
                                 *arguments, pattern=pattern)

    def test_compare_stops_in_its_warm_up(self):
        result = self.interrupt(self.compare(r"warm-up 1/1"))
        self.assert_status(result, EXIT_SIGINT)
        self.assertIn("stopped by signal 2", result.err)

    def test_compare_stops_in_a_distributed_cell_and_shows_what_there_is(self):
        for strategy in STRATEGIES:
            with self.subTest(strategy=strategy):
                program = self.compare(r"distributed %s round 2/" % strategy, "--strategies",
                                       strategy, "--rounds", "4", "--warmup", "0")
                result = self.interrupt(program)
                self.assert_status(result, EXIT_SIGINT)
                self.assertIn("2 workers", result.out)
                self.assertIn(strategy, result.out)

    def test_compare_stops_in_a_local_cell(self):
        for strategy in STRATEGIES:
            with self.subTest(strategy=strategy):
                program = self.compare(r"local %s round 2/" % strategy, "--strategies", strategy,
                                       "--rounds", "4", "--warmup", "0")
                self.assert_status(self.interrupt(program), EXIT_SIGINT)

    def test_compare_writes_the_partial_report(self):
        path = self.path("report.json")
        program = self.compare(r"round 2/3", "--json", path)
        self.assert_status(self.interrupt(program), EXIT_SIGINT)
        self.assertIn('"quartet.report/1"', self.read_file("report.json"))

    def test_compare_with_its_own_origin_stops(self):
        program = self.wait_for_bar("compare", "download", "--param", "delay=1", pattern="warm-up")
        self.assertEqual(len(self.named("quartet")), 2, "itself and the origin")
        self.assert_status(self.interrupt(program), EXIT_SIGINT)


if __name__ == "__main__":
    main()
