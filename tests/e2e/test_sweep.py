"""quartet compare with several numbers of workers: who takes part, what comes of it, and what is said of it."""

import json
import signal

from harness import EXIT_OK, EXIT_USAGE, WORKER, EndToEndTest, main, wait_until

FREE_PORT = "tcp://127.0.0.1:*"
ONE_ROUND = ("--rounds", "1", "--warmup", "0")


class Sweep(EndToEndTest):
    def cells(self, report):
        return report["comparisons"][0]["cells"]

    def places(self, report):
        return [(cell["strategy"], cell["workers"]) for cell in self.cells(report)]


class Local(Sweep):
    def test_each_number_of_workers_is_a_place_of_its_own(self):
        report = self.report("compare", "noop", "--range", "1:3000", "--chunk", "10", "--strategies", "serial,threads",
                             "--threads", "2", "--workers", "4,1,2", *ONE_ROUND)
        self.assertEqual(self.places(report), [(s, n) for n in (0, 1, 2, 4) for s in ("serial", "threads")])
        self.assertEqual([cell["concurrency"] for cell in self.cells(report)], [1, 2, 1, 2, 2, 4, 4, 8])
        self.assertTrue(report["comparisons"][0]["agreement"]["agree"])
        for cell in self.cells(report):
            self.assertEqual(cell["scaling"] is not None, cell["workers"] > 0)
            self.assertEqual(cell["samples"][0]["ok"], 3000)

    def test_scaling_is_the_ratio_of_the_medians(self):
        report = self.report("compare", "sleep", "--range", "1:80", "--param", "seconds=0.01", "--strategies", "serial",
                             "--workers", "1,2", *ONE_ROUND)
        one, two = (cell for cell in self.cells(report) if cell["workers"] > 0)
        self.assertAlmostEqual(two["scaling"], one["median_s"] / two["median_s"], places=6)
        self.assertAlmostEqual(two["scaling_efficiency"], two["scaling"] / 2, places=6)
        self.assertGreater(two["scaling"], 1.2)

    def test_table_has_what_more_workers_brought(self):
        result = self.quartet("compare", "sleep", "--range", "1:40", "--param", "seconds=0.01", "--strategies", "serial",
                              "--workers", "1,2", *ONE_ROUND)
        self.assert_status(result, EXIT_OK)
        self.assertRegex(result.out, r"(?m)^strategy +2 workers\nserial +\d\.\d\d \(\d+%\)$")
        self.assertIn("2 workers were", " ".join(result.out.split()))

    def test_placements_are_left_out(self):
        report = self.report("compare", "noop", "--range", "1:100", "--strategies", "serial", "--placements", "distributed",
                             "--workers", "1,2", *ONE_ROUND)
        self.assertEqual(self.places(report), [("serial", 1), ("serial", 2)])
        report = self.report("compare", "noop", "--range", "1:100", "--strategies", "serial", "--placements", "local", *ONE_ROUND)
        self.assertEqual(self.places(report), [("serial", 0)])
        report = self.report("compare", "noop", "--range", "1:100", "--strategies", "serial", "--placements",
                             "distributed,local", *ONE_ROUND)
        self.assertEqual(self.places(report), [("serial", 0), ("serial", 2)])

    def test_what_makes_no_sense_is_refused(self):
        for arguments, parts in (
                (("--workers", "1,,2"), ("--workers", "'1,,2'")),
                (("--workers", "1,2,1"), ("--workers", "'1,2,1'", "1 twice")),
                (("--workers", "0,2"), ("--workers", "'0,2'", "local")),
                (("--workers", "two"), ("--workers", "'two'")),
                (("--workers", "257"), ("--workers", "'257'", "256")),
                (("--workers", ",".join(map(str, range(1, 19)))), ("--workers", "16")),
                (("--placements", "here"), ("--placements", "'here'", "local", "distributed")),
                (("--placements", "local,local"), ("--placements", "twice")),
                (("--placements", "local", "--workers", "2"), ("local", "--workers 2")),
                (("--placements", "distributed", "--workers", "0"), ("--placements distributed", "--workers")),
                (("--listen", FREE_PORT, "--wait", "2", "--workers", "1,3"), ("3", "2", "--listen"))):
            with self.subTest(arguments):
                result = self.quartet("compare", "noop", "--range", "1:10", *arguments, seconds=10)
                self.assert_status(result, EXIT_USAGE)
                for part in parts:
                    self.assertIn(part, result.error_line())

    def test_run_takes_one_number(self):
        result = self.quartet("run", "noop", "--range", "1:10", "--workers", "1,2", seconds=10)
        self.assert_status(result, EXIT_USAGE)
        self.assertIn("'1,2'", result.error_line())


class ThatCome(Sweep):
    """Workers that come by themselves: nobody starts them again, and each has a name."""

    def begin(self, names, *arguments, seconds="0.05", items=100):
        self.coordinator = self.start_quartet(
            "compare", "sleep", "--range", "1:%d" % items, "--param", "seconds=" + seconds, "--strategies", "serial",
            "--placements", "distributed", "--listen", FREE_PORT, *ONE_ROUND, "--json", self.path("json"), *arguments)
        at = self.coordinator.err.wait_for(r"listening on (\S+),", 10).group(1)
        self.workers = {name: self.start([WORKER, "--connect", at, "--name", name]) for name in names}

    def finish(self):
        self.assert_status(self.coordinator.finish(60), EXIT_OK)
        for worker in self.workers.values():
            worker.finish(20)
        return json.loads(self.read_file("json"))

    def wait_for_states(self, states):
        wait_until(lambda: self.worker_states(self.coordinator) == states, 20, str(states))

    def test_as_many_are_waited_for_as_the_largest_number_says(self):
        self.begin(["a", "b", "c"], "--workers", "1,3", seconds="0.001")
        self.assertEqual(self.places(self.finish()), [("serial", 1), ("serial", 3)])

    def test_those_that_take_no_part_have_no_job(self):
        self.begin(["a", "b"], "--workers", "1,2")
        self.wait_for_states({"a": "running", "b": "idle"})
        self.wait_for_states({"a": "running", "b": "running"})
        report = self.finish()
        self.assertEqual([cell["samples"][0]["ok"] for cell in self.cells(report)], [100, 100])

    def test_one_that_dies_is_replaced_by_one_that_waited(self):
        self.begin(["a", "b", "c"], "--workers", "1,2", "--wait", "3", items=200)
        self.wait_for_states({"a": "running", "b": "idle", "c": "idle"})
        self.workers["a"].signal(signal.SIGKILL)
        self.wait_for_states({"b": "running", "c": "idle"})
        report = self.finish()
        self.assertEqual(self.places(report), [("serial", 1), ("serial", 2)])
        samples = [cell["samples"][0] for cell in self.cells(report)]
        self.assertEqual([(s["ok"], s["failed"], s["workers_lost"]) for s in samples], [(200, 0, 1), (200, 0, 0)])

    def test_one_that_leaves_is_replaced_without_a_loss(self):
        self.begin(["a", "b", "c"], "--workers", "1,2", "--wait", "3", items=200)
        self.wait_for_states({"a": "running", "b": "idle", "c": "idle"})
        self.workers["a"].signal(signal.SIGTERM)
        self.wait_for_states({"b": "running", "c": "idle"})
        samples = [cell["samples"][0] for cell in self.cells(self.finish())]
        self.assertEqual([(s["ok"], s["workers_lost"]) for s in samples], [(200, 0), (200, 0)])


if __name__ == "__main__":
    main()
