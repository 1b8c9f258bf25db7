"""What dies while work is under way, and what the run makes of it: nothing lost, nothing counted twice, nothing left behind."""

import os
import re
import shutil
import signal

import procfs
from harness import (EXIT_CANNOT_GO_ON, EXIT_ITEMS_FAILED, EXIT_OK, QUARTET, WORKER, EndToEndTest, main,
                     only_sample, wait_until)
from servers import Listener
from terminal import Terminal

FREE_PORT = "tcp://127.0.0.1:*"


class Faults(EndToEndTest):
    def start_run(self, items, *arguments, seconds="0.05"):
        """A run of `sleep` whose progress can be watched, with its report on standard output."""
        self.terminal = Terminal(self, 120)
        return self.terminal.start_quartet("run", "sleep", "--param", "seconds=" + seconds,
                                           "--range", "1:%d" % items, "--json", "-", *arguments)

    def wait_for_items(self, count):
        wait_until(lambda: self.terminal.items_done() >= count, 20, "%d items done" % count)

    def workers_of(self, program, count):
        return wait_until(
            lambda: (lambda pids: pids if len(pids) == count else None)(
                program.children("quartet-worker")), 10, "%d workers" % count)

    def undisturbed_checksum(self, items):
        report = self.report("run", "sleep", "--param", "seconds=0", "--range", "1:%d" % items)
        return only_sample(report)["checksum"]

    def assert_whole(self, result, items, status=EXIT_OK):
        """Every item was done, once, and came out as it does without trouble. Returns the sample."""
        self.assert_status(result, status)
        sample = only_sample(result.report())
        self.assertEqual((sample["ok"], sample["failed"]), (items, 0))
        self.assertEqual(sample["checksum"], self.undisturbed_checksum(items))
        return sample


class Workers(Faults):
    def test_killed_worker_loses_nothing(self):
        program = self.start_run(200, "--workers", "2", "--strategy", "threads", "--threads", "4")
        self.wait_for_items(20)
        os.kill(self.workers_of(program, 2)[0], signal.SIGKILL)
        result = program.finish()
        sample = self.assert_whole(result, 200)
        self.assertEqual(sample["workers_lost"], 1)
        self.assertGreater(sample["retried"], 0)
        self.assertRegex(result.err, r"worker local-\d was killed by signal 9 \(Killed\)")
        self.assertRegex(result.err, r"trouble +1 workers? lost, \d+ chunks? run again")

    def test_killed_worker_of_processes_leaves_none_of_them(self):
        program = self.start_run(200, "--workers", "2", "--strategy", "processes", "--processes", "4")
        self.wait_for_items(20)
        worker = self.workers_of(program, 2)[0]
        (zygote,) = [p.pid for p in procfs.children(worker)]
        executors = [p.pid for p in procfs.children(zygote)]
        self.assertEqual(len(executors), 4)
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: not any(map(procfs.is_alive, [zygote, *executors])), 5,
                   "the end of the killed worker's processes")
        self.assert_whole(program.finish(), 200)

    def test_killed_workers_are_started_again_and_the_run_goes_on(self):
        program = self.start_run(400, "--workers", "2", "--strategy", "threads", "--threads", "4")
        self.wait_for_items(20)
        for worker in self.workers_of(program, 2):
            os.kill(worker, signal.SIGKILL)
        result = program.finish()
        sample = self.assert_whole(result, 400)
        self.assertEqual(sample["workers_lost"], 2)
        for name in ("local-1", "local-2"):
            self.assertRegex(result.err, r"worker %s was killed by signal 9 \(Killed\); started again" % name)

    def start_with_own_worker(self, items, *arguments):
        """A run whose worker program is a copy that the test may change."""
        os.mkdir(self.path("bin"))
        for program in (QUARTET, WORKER):
            shutil.copy2(program, self.path("bin"))
        self.terminal = Terminal(self, 120)
        return self.terminal.start_quartet("run", "sleep", "--param", "seconds=0.05", "--range", "1:%d" % items,
                                           "--json", "-", "--strategy", "threads", "--threads", "4", *arguments,
                                           program=os.path.join(self.path("bin"), "quartet"))

    def assert_stalled(self, result, items, lost):
        self.assert_status(result, EXIT_CANNOT_GO_ON)
        sample = only_sample(result.report())
        done = sample["ok"]
        self.assertFalse(sample["complete"])
        self.assertEqual(sample["workers_lost"], lost)
        self.assertGreaterEqual(done, 20)
        self.assertLess(done, items)
        self.assertRegex(result.err, r"items +%d succeeded, 0 failed, %d not run" % (done, items - done))
        line = re.search(r"quartet run: (every worker is gone.*); not run: items ([0-9to, .]+)", result.err)
        self.assertIsNotNone(line, result.err)
        self.assertRegex(line.group(2), r"to %d|\.\.\." % (items - 1), "the last item was among those not run")
        return line.group(1)

    def test_workers_that_cannot_be_started_again_leave_the_run_stalled(self):
        program = self.start_with_own_worker(400, "--workers", "2")
        self.wait_for_items(20)
        os.unlink(os.path.join(self.path("bin"), "quartet-worker"))
        for worker in self.workers_of(program, 2):
            os.kill(worker, signal.SIGKILL)
        words = self.assert_stalled(program.finish(30), 400, 2)
        self.assertIn("cannot start a worker", words)

    def test_workers_that_die_at_once_again_and_again_end_the_run_with_their_last_words(self):
        program = self.start_with_own_worker(400, "--workers", "1")
        self.wait_for_items(20)
        own = os.path.join(self.path("bin"), "quartet-worker")
        os.unlink(own)
        self.write_file("bin/quartet-worker", "#!/bin/sh\nexit 7\n")
        os.chmod(own, 0o755)
        (worker,) = self.workers_of(program, 1)
        os.kill(worker, signal.SIGKILL)
        result = program.finish(30)
        words = self.assert_stalled(result, 400, 1)
        self.assertRegex(words, r"the last one: worker local-\d+ exited with status 7")
        # As often as --crash-limit, 3, and 2 for its one worker; and the one whose end is not followed by another.
        self.assertEqual(len(re.findall(r"worker local-\d+ (was killed|exited)", result.err)), 3 + 3 + 2 + 1 + 1,
                         result.err)

    def test_run_whose_workers_came_by_themselves_ends_when_all_are_killed_and_none_comes(self):
        program = self.start_run(1000, "--listen", FREE_PORT, "--wait", "2", "--wait-timeout", "2")
        at = program.err.wait_for(r"listening on (\S+),", 20).group(1)
        workers = [self.start_worker(at) for _ in range(2)]
        self.wait_for_items(20)
        for worker in workers:
            worker.signal(signal.SIGKILL)
        result = program.finish(15)
        self.assert_status(result, EXIT_CANNOT_GO_ON)
        self.assertRegex(result.err, r"quartet run: .*not run: items .*(999|\.\.\.)")

    def test_compare_goes_on_with_fresh_workers_after_a_killed_one(self):
        terminal = Terminal(self, 120)
        program = terminal.start_quartet("compare", "sleep", "--param", "seconds=0.02", "--range",
                                         "1:60", "--strategies", "serial", "--rounds", "2",
                                         "--json", "-")
        terminal.stream.wait_for(r"distributed serial round 1/2", 20)
        os.kill(self.workers_of(program, 2)[0], signal.SIGKILL)
        result = program.finish()
        self.assert_status(result, EXIT_OK)
        report = result.report()
        self.assertTrue(report["comparisons"][0]["agreement"]["agree"])
        (cell,) = [c for c in report["comparisons"][0]["cells"] if c["placement"] == "distributed"]
        self.assertEqual([s["ok"] for s in cell["samples"]], [60, 60])
        self.assertEqual(cell["workers"], 2, "the next round had two workers again")
        self.assertRegex(result.err, "1 workers? lost", "the table shows it")

    def test_stopped_worker_is_given_up_and_counts_nothing_twice_when_it_goes_on(self):
        items = 900
        program = self.start_run(items, "--workers", "2", "--strategy", "threads", "--threads", "4")
        self.wait_for_items(20)
        worker = self.workers_of(program, 2)[0]
        os.kill(worker, signal.SIGSTOP)
        # Three silent heartbeats, a second each: then its chunks run on the other one.
        self.terminal.stream.wait_for(r"lost worker local-\d@.*nothing was heard of it", 12)
        os.kill(worker, signal.SIGCONT)
        sample = self.assert_whole(program.finish(60), items)
        self.assertEqual(sample["workers_lost"], 1)

    def test_worker_told_to_leave_finishes_what_runs_and_gives_back_the_rest(self):
        program = self.start_run(200, "--workers", "2", "--strategy", "threads", "--threads", "4")
        self.wait_for_items(20)
        os.kill(self.workers_of(program, 2)[0], signal.SIGTERM)
        result = program.finish()
        sample = self.assert_whole(result, 200)
        self.assertEqual((sample["workers_lost"], sample["duplicates"]), (0, 0))
        self.assertRegex(result.err, r"worker local-\d exited with status 0")

    def test_worker_that_leaves_may_finish_an_item_that_takes_longer_than_its_lease(self):
        with Listener(after=7) as listener:
            program = self.start_quartet("run", "download", "--param", "url=" + listener.url + "/x",
                                         "--range", "1:2", "--workers", "2", "--strategy", "serial",
                                         "--json", "-")
            # An item that was not begun would be given back: both must be under way.
            listener.wait_for_request("/x", 2)
            os.kill(self.workers_of(program, 2)[0], signal.SIGTERM)
            result = program.finish(20)
        self.assert_status(result, EXIT_OK)
        sample = only_sample(result.report())
        self.assertEqual((sample["ok"], sample["failed"]), (2, 0))
        self.assertEqual((sample["workers_lost"], sample["retried"], sample["duplicates"]), (0, 0, 0))

    def test_worker_that_is_told_to_leave_twice_leaves_at_once(self):
        with Listener(silent=True) as listener:
            coordinator, at = self.listen("run", "download", "--param", "url=" + listener.url + "/x",
                                          "--range", "1:8", "--listen", FREE_PORT)
            worker = self.start_worker(at, "--name", "ada")
            listener.wait_for_request("/x")
            worker.signal(signal.SIGTERM)
            worker.err.wait_for("signal 15", 5)
            self.assertTrue(worker.is_running(), "its items are not done")
            worker.signal(signal.SIGTERM)
            self.assert_status(worker.finish(5), 128 + signal.SIGTERM)
            coordinator.signal(signal.SIGINT)
            self.assert_status(coordinator.finish(5), 128 + signal.SIGINT)


class Executors(Faults):
    def executors(self, parent):
        (zygote,) = [p.pid for p in procfs.children(parent) if p.name == "quartet-zygote"]
        return [p.pid for p in procfs.children(zygote)]

    def test_killed_executor_costs_at_most_the_item_it_ran(self):
        for placement in ((), ("--workers", "1")):
            program = self.start_run(100, "--strategy", "processes", "--processes", "4", *placement)
            self.wait_for_items(10)
            parent = self.workers_of(program, 1)[0] if placement else program.pid
            os.kill(self.executors(parent)[0], signal.SIGKILL)
            result = program.finish()
            sample = only_sample(result.report())
            self.assertTrue(sample["complete"], result)
            self.assertEqual(sample["ok"] + sample["failed"], 100)
            self.assertLessEqual(sample["failed"], 1)
            self.assert_status(result, EXIT_ITEMS_FAILED if sample["failed"] else EXIT_OK)
            if sample["failed"]:
                self.assertRegex(sample["first_error"], r"(?i)kill|signal")

    def test_killed_zygote_ends_the_run_in_words(self):
        program = self.start_run(400, "--strategy", "processes", "--processes", "4")
        self.wait_for_items(10)
        (zygote,) = program.children("quartet-zygote")
        os.kill(zygote, signal.SIGKILL)
        result = program.finish(10)
        self.assertIn(result.status, (EXIT_ITEMS_FAILED, EXIT_CANNOT_GO_ON), result)
        self.assertRegex(result.err, r"quartet run: .*(zygote|executor)")


    def test_worker_without_its_zygote_leaves_the_work_to_the_others(self):
        program = self.start_run(200, "--strategy", "processes", "--processes", "4", "--workers", "2")
        self.wait_for_items(10)
        worker = self.workers_of(program, 2)[0]
        (zygote,) = [p.pid for p in procfs.children(worker)]
        os.kill(zygote, signal.SIGKILL)
        result = program.finish()
        sample = only_sample(result.report())
        self.assertTrue(sample["complete"], result)
        # The items that its executors ran at that moment may count as failed, one each.
        self.assertLessEqual(sample["failed"], 4)
        self.assertEqual(sample["ok"] + sample["failed"], 200)


class Coordinators(Faults):
    def test_killed_coordinator_takes_everything_it_started_along(self):
        program = self.start_quartet("run", "download", "--range", "1:1000", "--param", "delay=5",
                                     "--workers", "2", "--strategy", "processes", "--processes", "3")
        wait_until(lambda: len(self.named("quartet-exec")) == 6, 10, "all executors")
        self.assertEqual(len(self.named("quartet-worker")), 2)
        self.assertEqual(len(self.named("quartet-zygote")), 4, "of coordinator, workers and origin")
        program.signal(signal.SIGKILL)
        program.process.wait()
        self.assert_gone(5, "everything that a killed coordinator had started")

    def test_killed_coordinator_of_a_local_run_leaves_no_executor(self):
        program = self.start_run(1000, "--strategy", "processes", "--processes", "4")
        self.wait_for_items(4)
        program.signal(signal.SIGKILL)
        program.process.wait()
        self.assert_gone(5, "zygote and executors")

    def test_workers_that_lost_their_coordinator_go_when_none_comes_back(self):
        coordinator, at = self.listen("run", "sleep", "--range", "1:1000", "--listen", FREE_PORT)
        worker = self.start_worker(at, "--give-up", "1")
        wait_until(lambda: len(os.listdir("/proc/%d/task" % worker.pid)) > 8, 10, "its threads")
        coordinator.signal(signal.SIGKILL)
        coordinator.process.wait()
        result = worker.finish(15)
        self.assert_status(result, EXIT_CANNOT_GO_ON)
        self.assertIn("the coordinator has been gone", result.err)

    def test_worker_goes_over_to_a_coordinator_that_takes_the_place_of_a_killed_one(self):
        endpoint = "ipc://" + self.path("socket")
        first, _ = self.listen("run", "sleep", "--range", "1:1000", "--listen", endpoint)
        worker = self.start_worker(endpoint)
        wait_until(lambda: len(os.listdir("/proc/%d/task" % worker.pid)) > 8, 10, "its threads")
        first.signal(signal.SIGKILL)
        first.process.wait()
        second, _ = self.listen("run", "noop", "--range", "1:100", "--listen", endpoint, "--json", "-")
        result = second.finish()
        self.assert_status(result, EXIT_OK)
        self.assertEqual(only_sample(result.report())["ok"], 100)
        self.assert_status(worker.finish(5), EXIT_OK)


if __name__ == "__main__":
    main()
