"""quartet compare: every strategy, local and distributed, and the report that comes of it."""

import csv
import io
import time

from harness import EXIT_USAGE, SANITIZED, STRATEGIES, EndToEndTest, cells_of, main

ALL_CELLS = {(s, p) for s in STRATEGIES for p in ("local", "distributed")}
MASK = 2 ** 64 - 1


def sum_of_squares(last):
    return last * (last + 1) * (2 * last + 1) // 6 & MASK


def share_of_core():
    """How much of a core whoever computes is given here and now: others may want it, too."""
    wall, cpu = time.monotonic(), time.process_time()
    while time.monotonic() < wall + 0.3:
        pass
    return (time.process_time() - cpu) / (time.monotonic() - wall)


class Download(EndToEndTest):
    """One small comparison with the built-in origin, looked at from all sides."""

    def test_compare_download_measures_every_cell_and_finds_them_alike(self):
        report = self.report("compare", "download", "--param", "delay=0.02", "--range", "1:16",
                             "--rounds", "2", seconds=60)
        self.assertEqual(report["schema"], "quartet.report/1")
        self.assertEqual(len(report["comparisons"]), 1)
        comparison = report["comparisons"][0]
        cells = cells_of(report)
        self.assertEqual(set(cells), ALL_CELLS)
        self.assertTrue(comparison["agreement"]["agree"], comparison["agreement"])
        self._look_at_settings(comparison)
        for cell in cells.values():
            self._look_at_cell(cell, comparison["agreement"]["checksum"])
        self._look_at_times(cells, comparison["verdict"])

    def _look_at_settings(self, comparison):
        self.assertEqual(comparison["workload"]["name"], "download")
        self.assertEqual(comparison["workload"]["parameters"]["delay"], "0.02")
        self.assertRegex(comparison["workload"]["parameters"]["url"],
                         r"^http://127\.0\.0\.1:\d+/delay/0\.02$")
        settings = [comparison[key] for key in ("items", "rounds", "warmup", "seed")]
        self.assertEqual(settings, [16, 2, 1, 1])

    def _look_at_cell(self, cell, checksum):
        self.assertEqual(cell["workers"], 2 if cell["placement"] == "distributed" else 0)
        self.assertEqual(len(cell["samples"]), 2, "one sample a round, none for the warm-up")
        for sample in cell["samples"]:
            counts = [sample[key] for key in ("ok", "failed", "retried", "duplicates",
                                              "workers_lost")]
            self.assertEqual(counts, [16, 0, 0, 0, 0], cell)
            self.assertEqual(sample["checksum"], checksum)
            self.assertGreater(sample["bytes_out"], 0)
            self.assertGreater(sample["wall_s"], 0.02)
        walls = [sample["wall_s"] for sample in cell["samples"]]
        self.assertAlmostEqual(cell["median_s"], sum(walls) / 2, places=6)
        self.assertEqual((cell["min_s"], cell["max_s"]), (min(walls), max(walls)))

    def _look_at_times(self, cells, verdict):
        self.assertEqual(cells["serial", "local"]["concurrency"], 1)
        self.assertAlmostEqual(cells["serial", "local"]["speedup"], 1, places=6)
        if SANITIZED:
            return  # the programs then compute more than they wait
        self.assertGreater(cells["threads", "local"]["speedup"], 1)
        self.assertGreater(cells["async", "local"]["speedup"], 1)
        self.assertEqual(verdict["bound"], "io")
        self.assertTrue(verdict["text"])
        self.assertNotEqual(verdict["best_local"], "serial")

    def test_environment_names_the_machine_and_the_libraries(self):
        report = self.report("compare", "noop", "--range", "1:10", "--rounds", "1", "--local",
                             "--strategies", "serial")
        environment = report["environment"]
        for key in ("host", "os", "kernel", "cpu"):
            self.assertTrue(environment[key], key)
        self.assertGreaterEqual(environment["cores_online"], environment["cores_usable"])
        for library in ("libzmq", "libcurl", "libuv"):
            self.assertIn(library, environment["libraries"])
        self.assertRegex(report["started"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertIn("--strategies", report["command"])


class Squares(EndToEndTest):
    def test_compare_squares_gives_the_closed_form_everywhere(self):
        report = self.report("compare", "squares", "--range", "1:200000", "--rounds", "1")
        cells = cells_of(report)
        expected = "%016x" % sum_of_squares(200000)
        self.assertEqual(set(cells), ALL_CELLS)
        self.assertEqual(report["comparisons"][0]["agreement"]["checksum"].removeprefix("0x"),
                         expected)
        for cell in cells.values():
            self.assertEqual(cell["samples"][0]["checksum"].removeprefix("0x"), expected, cell)
            self.assertEqual(cell["samples"][0]["ok"], 200000)
        # There is no asynchronous form of arithmetic, and the report says so.
        self.assertTrue(cells["async", "local"]["cooperative"])
        self.assertFalse(cells["threads", "local"]["cooperative"])

    def test_compare_squares_is_found_to_be_bound_by_cpu(self):
        before = share_of_core()
        report = self.report("compare", "squares", "--range", "1:20000000", "--rounds", "5",
                             "--warmup", "0", "--local", "--strategies", "serial")
        # Of a core that others use too, even pure arithmetic gets a part only: "mixed" on a busy machine.
        self.assertIn(report["comparisons"][0]["verdict"]["bound"], ("cpu", "mixed"))
        samples = cells_of(report)["serial", "local"]["samples"]
        undisturbed = max(s["cpu_s"] / s["wall_s"] for s in samples)
        least = 0.5 if SANITIZED else 0.8
        self.assertGreater(undisturbed, least * min(before, share_of_core()), samples)

    def test_squares_of_the_largest_numbers_wrap_as_the_closed_form_does(self):
        first, last = 2 ** 64 - 1001, 2 ** 64 - 1
        report = self.report("compare", "squares", "--range", "%d:%d" % (first, last), "--rounds",
                             "1", "--warmup", "0", "--workers", "1")
        expected = sum(n * n for n in range(first, last + 1)) & MASK
        checksum = report["comparisons"][0]["agreement"]["checksum"].removeprefix("0x")
        self.assertEqual(checksum, "%016x" % expected)

    def test_seed_gives_the_order_of_cells_and_not_their_results(self):
        common = ("compare", "squares", "--range", "1:1000", "--rounds", "1", "--local")
        checksums = {self.report(*common, "--seed", seed)["comparisons"][0]["agreement"]["checksum"]
                     for seed in (1, 2)}
        self.assertEqual(len(checksums), 1)


class Choice(EndToEndTest):
    def test_several_workloads_are_compared_one_after_the_other(self):
        report = self.report("compare", "noop", "sleep", "--range", "1:20", "--param",
                             "seconds=0.001", "--rounds", "1", "--warmup", "0")
        names = [c["workload"]["name"] for c in report["comparisons"]]
        self.assertEqual(names, ["noop", "sleep"])
        self.assertEqual(report["comparisons"][0]["workload"]["parameters"], {})
        self.assertEqual(report["comparisons"][1]["workload"]["parameters"], {"seconds": "0.001"})

    def test_local_leaves_out_the_distributed_cells_and_their_workers(self):
        report = self.report("compare", "noop", "--range", "1:100", "--local", "--rounds", "1")
        self.assertEqual({p for _, p in cells_of(report)}, {"local"})

    def test_strategies_chosen_are_the_ones_compared_and_keep_their_numbers(self):
        report = self.report("compare", "sleep", "--param", "seconds=0.001", "--range", "1:30",
                             "--strategies", "threads,async,processes", "--threads", "3",
                             "--in-flight", "7", "--processes", "2", "--workers", "3", "--rounds",
                             "1")
        concurrency = {key: cell["concurrency"] for key, cell in cells_of(report).items()}
        self.assertEqual(concurrency, {
            ("threads", "local"): 3, ("threads", "distributed"): 9,
            ("async", "local"): 7, ("async", "distributed"): 21,
            ("processes", "local"): 2, ("processes", "distributed"): 6})

    def test_items_on_standard_input_are_read_again_by_every_cell(self):
        report = self.report("compare", "noop", "--items", "-", "--rounds", "1",
                             stdin=b"".join(b"line %d\n" % i for i in range(1000)))
        for cell in cells_of(report).values():
            self.assertEqual(cell["samples"][0]["ok"], 1000, cell)
        self.assertTrue(report["comparisons"][0]["agreement"]["agree"])

    def test_empty_standard_input_is_refused(self):
        result = self.quartet("compare", "noop", "--items", "-", stdin=b"")
        self.assert_refused(result, "no items", "standard input", status=EXIT_USAGE)


class Tables(EndToEndTest):
    def test_compare_writes_every_format_of_the_same_table(self):
        files = {flag: self.path("report." + flag) for flag in ("json", "csv", "markdown")}
        flags = [word for flag, path in files.items() for word in ("--" + flag, path)]
        result = self.quartet("compare", "sleep", "--param", "seconds=0.001", "--range", "1:20",
                              "--rounds", "1", *flags)
        self.assert_status(result, 0)
        self.assertEqual(result.err, "", "nothing to say on a pipe when all went well")
        rows = list(csv.DictReader(io.StringIO(self.read_file("report.csv"))))
        self.assertEqual({(r["strategy"], r["placement"]) for r in rows}, ALL_CELLS)
        for text in (self.read_file("report.markdown"), result.out):
            for strategy in STRATEGIES:
                self.assertIn(strategy, text)
        self.assertRegex(self.read_file("report.markdown"), r"(?m)^\|.*\|$")
        self._look_at_table(result.out)
        self.assertIn('"quartet.report/1"', self.read_file("report.json"))

    def _look_at_table(self, table):
        self.assertIn("speed-up", table)
        self.assertIn("2 workers", table)
        self.assertRegex(table, r"results agree.*in all 8 cells")
        self.assertRegex(table, r"(?m)^bound: ")
        self.assertRegex(table, r"(?m)^verdict: ")
        self.assertTrue(table.isascii())
        self.assertLessEqual(max(map(len, table.splitlines())), 100)


if __name__ == "__main__":
    main()
