"""A coordinator that dies, and a run that goes on: nothing lost, nothing written twice, and what cannot go on is refused in words."""

import json
import os
import random
import signal

from harness import (EXIT_CANNOT_GO_ON, EXIT_ITEMS_FAILED, EXIT_OK, EXIT_SIGINT, EXIT_USAGE, QUARTET, SLOW,
                     EndToEndTest, main, only_sample, wait_until)
from servers import free_port


class ResumeTest(EndToEndTest):
    def setUp(self):
        super().setUp()
        self.journal = self.path("run.journal")
        self.out = self.path("results")

    def lines(self):
        try:
            with open(self.out, "rb") as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    def wait_for_lines(self, count, program):
        wait_until(lambda: len(self.lines()) >= count or not program.is_running(), 30, "%d results" % count)

    def kill(self, program):
        """The coordinator, as if the machine had taken it; what it started ends with it."""
        program.signal(signal.SIGKILL)
        self.assertEqual(program.finish().status, -signal.SIGKILL)

    def resume(self, *arguments, **how):
        return self.start_quartet("resume", self.journal, *arguments, **how)

    def resume_until_done(self, kills, *arguments, rng, first):
        """Kill after a few more results, `kills` times, then let it end. Returns the last result."""
        program = first
        for _ in range(kills):
            self.wait_for_lines(len(self.lines()) + rng.randrange(0, 60), program)
            if not program.is_running():
                break
            self.kill(program)
            program = self.resume(*arguments)
        if program.is_running():
            result = program.finish(120)
        else:
            result = program.finish()
        return result

    def undisturbed(self, *arguments):
        return only_sample(self.report(*arguments))


class Killed(ResumeTest):
    def check_items(self, items):
        indices = [json.loads(line)["index"] for line in self.lines()]
        self.assertEqual(len(indices), items)
        self.assertEqual(len(set(indices)), items, "an item was written twice")
        return indices

    def test_local_run_is_killed_again_and_again(self):
        items = 600
        work = ("sleep", "--param", "seconds=0.005", "--range", "1:%d" % items)
        program = self.start_quartet("run", *work, "--strategy", "threads", "--threads", "4",
                                     "--journal", self.journal, "--out", self.out)
        result = self.resume_until_done(6, rng=random.Random(1), first=program)
        self.assert_status(result, EXIT_OK)
        self.check_items(items)
        self.assertIn("of them before the run was resumed", result.out)
        self.assertRegex(result.out, "checksum %s" % self.undisturbed(
            "run", "sleep", "--param", "seconds=0", "--range", "1:%d" % items)["checksum"])

    def test_workers_and_order_are_kept(self):
        items = 400
        program = self.start_quartet(
            "run", "sleep", "--param", "seconds=0.005", "--range", "1:%d" % items, "--workers", "2",
            "--journal", self.journal, "--out", self.out, "--keep-order")
        result = self.resume_until_done(4, rng=random.Random(2), first=program)
        self.assert_status(result, EXIT_OK)
        self.assertEqual(self.check_items(items), list(range(items)))

    def test_other_workers_and_another_strategy_go_on(self):
        items = 300
        program = self.start_quartet(
            "run", "sleep", "--param", "seconds=0.01", "--range", "1:%d" % items, "--journal", self.journal,
            "--out", self.out, "--strategy", "serial")
        self.wait_for_lines(10, program)
        self.kill(program)
        result = self.resume("--workers", "2", "--strategy", "async").finish(60)
        self.assert_status(result, EXIT_OK)
        self.assertIn("2 workers, async", result.out)
        self.check_items(items)

    def test_items_of_a_pipe_are_kept_for_the_run_that_goes_on(self):
        lines = ["line %d" % i for i in range(500)]
        program = self.start_quartet(
            "run", "pipe", "--items", "-", "--journal", self.journal, "--out", self.out, "--format", "raw",
            "--keep-order", "--", "sh", "-c", "while read -r line; do sleep 0.004; echo \"$line\"; done",
            stdin="".join(line + "\n" for line in lines).encode())
        self.wait_for_lines(20, program)
        self.kill(program)
        self.assertTrue(os.path.exists(self.journal + "-items"))
        self.assert_status(self.resume().finish(60), EXIT_OK)
        self.assertEqual([line.decode() for line in self.lines()], lines)
        self.assertFalse(os.path.exists(self.journal + "-items"))

    def test_commands_do_not_get_the_kept_items(self):
        for placement in (("--local",), ("--workers", "1")):
            result = self.start_quartet("run", "exec", "--items", "-", "--journal", self.journal, "--shell", *placement,
                                        "--", "ls -l /proc/self/fd; : {}", stdin=b"one\n").finish(30)
            self.assert_status(result, EXIT_OK)
            self.assertIn("/proc/", result.out)
            self.assertNotIn(os.path.dirname(self.journal), result.out)
            os.unlink(self.journal)

    def test_items_of_a_shells_pipe_are_kept_though_it_is_gone(self):
        script = 'exec "$0" run sleep --param seconds=0.01 --items <(seq 300) --journal "$1" --out "$2" --strategy serial'
        program = self.start(["/bin/bash", "-c", script, QUARTET, self.journal, self.out])
        self.wait_for_lines(10, program)
        self.kill(program)
        self.assert_status(self.resume("--strategy", "threads").finish(60), EXIT_OK)
        self.check_items(300)
        self.assertFalse(os.path.exists(self.journal + "-items"))

    def test_a_file_that_is_no_copy_of_ours_stays(self):
        mine = self.write_file(os.path.basename(self.journal) + "-items", "1\n2\n3\n")
        argv = ("run", "noop", "--journal", self.journal)
        result = self.quartet(*argv, "--items", "-", stdin=b"4\n")
        self.assert_refused(result, mine, "exists already")
        self.assertFalse(os.path.exists(self.journal))
        self.assert_status(self.quartet(*argv, "--items", mine), EXIT_OK)
        self.assert_status(self.resume().finish(), EXIT_OK)
        self.assertEqual(self.read_file(os.path.basename(mine)), "1\n2\n3\n")

    def test_a_run_that_does_not_begin_leaves_no_copy(self):
        argv = ("run", "noop", "--items", "-", "--journal", self.journal)
        self.assert_refused(self.quartet(*argv, stdin=b""), "empty")
        self.assert_refused(self.quartet(*argv, "--tag", stdin=b"1\n"), "--tag")
        self.assert_refused(self.quartet(*argv, "--out", self.journal + "-items", stdin=b"1\n"), "-items")
        self.assertEqual([name for name in os.listdir(self.directory) if name.startswith("run.journal")], [])

    def test_failed_items_stay_failed_and_are_told(self):
        numbers = self.write_file("numbers", "".join("%d\n" % i for i in range(200)))
        command = ("--", "sh", "-c", "sleep 0.02; test $(({} % 10)) -ne 3")
        program = self.start_quartet("run", "exec", "--items", numbers, "--journal", self.journal, "--out", self.out,
                                     "--failures", self.path("failures"), "--quiet", *command)
        self.wait_for_lines(30, program)
        self.kill(program)
        result = self.resume().finish(60)
        self.assert_status(result, EXIT_ITEMS_FAILED)
        self.check_items(200)
        self.assertEqual(sorted(map(int, self.read_file("failures").split())), list(range(3, 200, 10)))
        self.assertIn("180 succeeded, 20 failed", result.out + result.err)
        self.assertRegex(result.out + result.err, r"failed +item 3: ")

    def test_interrupted_run_says_how_to_go_on_and_does(self):
        program = self.start_quartet("run", "sleep", "--param", "seconds=0.01", "--range", "1:400", "--workers", "2",
                                     "--journal", self.journal, "--out", self.out)
        self.wait_for_lines(20, program)
        program.signal(signal.SIGINT)
        result = program.finish()
        self.assert_status(result, EXIT_SIGINT)
        self.assertIn("quartet resume %s" % self.journal, result.err)
        self.assert_status(self.resume().finish(60), EXIT_OK)
        self.check_items(400)


class Reattached(ResumeTest):
    """Workers that stayed up come back by themselves, with what they had in hand."""

    def start_listening(self, items, command, *arguments):
        endpoint = "tcp://127.0.0.1:%d" % free_port()
        numbers = self.write_file("numbers", "".join("%d\n" % i for i in range(items)))
        program = self.start_quartet(
            "run", "exec", "--items", numbers, "--listen", endpoint, "--wait", "2", "--journal", self.journal,
            "--out", self.out, "--strategy", "threads", "--threads", "2", *arguments, "--", "sh", "-c", command)
        program.err.wait_for("listening on", 20)
        workers = [self.start_worker(endpoint, "--allow-exec", "--name", name) for name in ("ada", "bob")]
        return program, workers

    def test_what_was_in_flight_is_not_run_again(self):
        log = self.path("log")
        program, workers = self.start_listening(24, "echo {} >>%s; sleep %g; echo {}" % (log, 0.5 * SLOW), "--chunk", "1")
        self.wait_for_lines(4, program)
        self.kill(program)
        result = self.resume().finish(120)
        self.assert_status(result, EXIT_OK)
        for worker in workers:
            self.assert_status(worker.finish(10), EXIT_OK)
        begun = sorted(map(int, self.read_file("log").split()))
        self.assertEqual(begun, list(range(24)), "an item was begun twice")
        self.assertEqual(sorted(json.loads(line)["index"] for line in self.lines()), list(range(24)))

    def test_coordinator_is_killed_again_and_again_under_workers_that_stay(self):
        program, workers = self.start_listening(400, "sleep 0.01; echo {}")
        result = self.resume_until_done(5, rng=random.Random(3), first=program)
        self.assert_status(result, EXIT_OK)
        for worker in workers:
            self.assert_status(worker.finish(10), EXIT_OK)
        self.assertEqual(sorted(json.loads(line)["index"] for line in self.lines()), list(range(400)))


class Refused(ResumeTest):
    def interrupted(self, *arguments, lines=5):
        program = self.start_quartet("run", "--journal", self.journal, "--out", self.out, *arguments)
        self.wait_for_lines(lines, program)
        self.kill(program)

    def test_journal_that_exists_is_not_begun_again(self):
        self.interrupted("sleep", "--param", "seconds=0.05", "--range", "1:200")
        before = self.lines()
        result = self.quartet("run", "sleep", "--range", "1:200", "--journal", self.journal, "--out", self.out)
        self.assert_refused(result, "exists already", "quartet resume")
        self.assertEqual(self.lines(), before)

    def test_complete_run_has_nothing_to_go_on_with(self):
        self.assert_status(self.quartet("run", "noop", "--range", "1:100", "--journal", self.journal), EXIT_OK)
        result = self.resume().finish()
        self.assert_status(result, EXIT_OK)
        self.assertIn("is complete: 100 items succeeded", result.err)

    def test_complete_run_is_reported_again_without_its_items(self):
        """The coordinator may have died after the last commit and before it wrote the report."""
        items, report = self.write_file("items", "0\n1\n2\n"), self.path("report.json")
        argv = ("--journal", self.journal, "--out", self.out, "--json", report, "--workers", "1")
        self.assert_status(self.quartet("run", "exec", "--items", items, *argv, "--", "sh", "-c", "exit {}"), EXIT_ITEMS_FAILED)
        before = only_sample(json.loads(self.read_file("report.json")))
        lines = self.lines()
        os.unlink(items)
        os.unlink(report)
        result = self.resume().finish()
        self.assert_status(result, EXIT_ITEMS_FAILED)
        self.assertIn("is complete: 1 items succeeded, 2 failed", result.err)
        again = only_sample(json.loads(self.read_file("report.json")))
        for name in ("ok", "failed", "checksum", "complete", "first_error"):
            self.assertEqual(again[name], before[name], name)
        self.assertEqual(self.lines(), lines)

    def test_complete_run_is_not_another_one(self):
        items = self.write_file("items", "0\n1\n2\n")
        argv = ("exec", "--items", items, "--journal", self.journal, "--out", self.out, "--json", self.path("report.json"))
        self.assert_status(self.quartet("run", *argv, "--", "echo", "{}"), EXIT_OK)
        self.assert_refused(self.resume("--items", self.write_file("others", "5\n")).finish(), "items", "'3 items", "'1 items")
        self.assert_refused(self.resume("--items", self.path("missing")).finish(), self.path("missing"))
        self.assert_refused(self.resume("--timeout", "5").finish(), "parameter timeout", "'5'")
        self.assert_refused(self.resume("--out", self.path("elsewhere")).finish(), "--out", self.out)
        self.write_file("items", "0\n1\n2\n3\n")
        self.assert_refused(self.resume().finish(), "items", "'3 items", "'4 items")
        self.assertFalse(os.path.exists(self.path("elsewhere")))
        os.unlink(items)
        self.assert_status(self.resume().finish(), EXIT_OK)

    def test_dry_run_of_a_complete_run_writes_nothing(self):
        for what in (("noop", "--range", "1:10"), ("exec", "--range", "1:10", "--", "true")):
            journal, report = self.path(what[0]), self.path(what[0] + ".json")
            self.assert_status(self.quartet("run", "--journal", journal, "--json", report, *what), EXIT_OK)
            os.unlink(report)
            result = self.quartet("resume", journal, "--dry-run")
            self.assert_status(result, EXIT_OK)
            self.assertIn("is complete: 10 items succeeded", result.err)
            self.assertEqual(result.out, "")
            self.assertFalse(os.path.exists(report))
            self.assert_refused(self.quartet("resume", journal, "--range", "1:30"), "items", "'1:10'", "'1:30'")

    def test_dry_run_lists_what_is_not_done(self):
        self.interrupted("exec", "--range", "1:200", "--quiet", "--", "sleep", "0.0{}")
        before = self.lines()
        result = self.resume("--dry-run").finish()
        self.assert_status(result, EXIT_OK)
        listed = result.out.splitlines()
        self.assertLess(len(listed), 200)
        self.assertGreater(len(listed), 0)
        self.assertEqual(len(set(listed)), len(listed))
        self.assertEqual(self.lines(), before)
        self.assertEqual(len(self.resume("--dry-run").finish().out.splitlines()), len(listed))
        self.assert_status(self.resume().finish(), EXIT_OK)

    def test_changed_items_and_parameters_are_refused(self):
        urls = self.write_file("items", "".join("%d\n" % i for i in range(100)))
        self.interrupted("exec", "--items", urls, "--quiet", "--", "sh", "-c", "sleep 0.2", "{}")
        before = self.lines()
        with open(urls, "a", encoding="utf-8") as file:
            file.write("one more\n")
        self.assert_refused(self.resume().finish(), "items", "'100 items", "'101 items")
        self.write_file("items", "".join("%d\n" % (i ^ 1) for i in range(100)))
        self.assert_refused(self.resume().finish(), "items", "fingerprint")
        self.write_file("items", "".join("%d\n" % i for i in range(100)))
        self.assert_refused(self.resume("--out", self.path("elsewhere")).finish(), "--out", self.out)
        self.assert_refused(self.resume("--timeout", "5").finish(), "parameter timeout", "'5'")
        self.assertEqual(self.lines(), before)
        self.assert_status(self.resume().finish(), EXIT_OK)

    def test_results_that_were_cut_are_refused(self):
        self.interrupted("sleep", "--param", "seconds=0.02", "--range", "1:800", lines=200)
        os.truncate(self.out, 10)
        self.assert_refused(self.resume().finish(), self.out, status=EXIT_USAGE)
        os.unlink(self.out)
        self.assert_refused(self.resume().finish(), self.out, status=EXIT_USAGE)

    def test_what_is_no_journal_is_refused(self):
        for name, content in (("text", "not a database at all\n" * 100), ("empty", "")):
            with self.subTest(name):
                path = self.write_file(name, content)
                result = self.quartet("resume", path)
                self.assert_refused(result, path)
        self.assert_refused(self.quartet("resume", self.path("missing")), "missing")
        self.assert_refused(self.quartet("resume"), "which JOURNAL")

    def test_journal_has_one_coordinator_at_a_time(self):
        program = self.start_quartet("run", "sleep", "--param", "seconds=0.05", "--range", "1:400",
                                     "--journal", self.journal, "--out", self.out)
        self.wait_for_lines(5, program)
        self.assert_refused(self.resume().finish(), self.journal, status=EXIT_CANNOT_GO_ON)
        self.assertTrue(program.is_running())
        self.kill(program)


if __name__ == "__main__":
    main()
