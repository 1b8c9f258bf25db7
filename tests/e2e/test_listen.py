"""Workers that come by themselves: where the coordinator listens, how long it waits, who may come late and who may leave."""

import os
import signal
import time

import procfs
from harness import (EXIT_CANNOT_GO_ON, EXIT_OK, EXIT_USAGE, SANITIZED, WORKER, EndToEndTest, main,
                     only_sample)
from servers import free_port, taken_port

FREE_PORT = "tcp://127.0.0.1:*"


class Listen(EndToEndTest):
    def test_workers_come_over_tcp_and_leave_when_the_work_is_done(self):
        for endpoint in (FREE_PORT, "tcp://127.0.0.1:0"):
            coordinator, at = self.listen("run", "noop", "--range", "1:1000", "--listen", endpoint,
                                          "--wait", "2", "--json", "-")
            self.assertRegex(at, r"^tcp://127\.0\.0\.1:[1-9]\d*$")
            workers = [self.start_worker(at, "--name", name) for name in ("ada", "bob")]
            result = coordinator.finish()
            self.assert_status(result, EXIT_OK)
            self.assertEqual(result.report()["comparisons"][0]["cells"][0]["workers"], 2)
            for worker in workers:
                self.assert_status(worker.finish(5), EXIT_OK)

    def test_workers_come_over_ipc(self):
        endpoint = "ipc://" + self.path("socket")
        coordinator, at = self.listen("run", "noop", "--range", "1:1000", "--listen", endpoint)
        self.assertEqual(at, endpoint)
        worker = self.start_worker(endpoint)
        self.assert_status(coordinator.finish(), EXIT_OK)
        self.assert_status(worker.finish(5), EXIT_OK)

    def test_worker_started_first_waits_for_its_coordinator(self):
        endpoint = "ipc://" + self.path("socket")
        worker = self.start_worker(endpoint)
        worker.err.wait_for("connecting to " + endpoint, 10)
        coordinator, _ = self.listen("run", "noop", "--range", "1:1000", "--listen", endpoint)
        self.assert_status(coordinator.finish(), EXIT_OK)
        self.assert_status(worker.finish(5), EXIT_OK)

    def test_worker_of_many_calls_at_a_moment_of_its_own(self):
        coordinator, at = self.listen("run", "noop", "--range", "1:1000", "--listen", FREE_PORT)
        late = self.start_worker(at, "--spread", "3600", "--give-up", "0.2").finish(10)
        self.assert_status(late, EXIT_CANNOT_GO_ON)
        self.assertIn("no coordinator answered for 0.2 s", late.err)
        self.assertTrue(coordinator.is_running(), "it did not come")
        worker = self.start_worker(at, "--spread", "0.3")
        self.assert_status(coordinator.finish(), EXIT_OK)
        self.assert_status(worker.finish(5), EXIT_OK)

    def test_compare_uses_workers_that_came_by_themselves(self):
        coordinator, at = self.listen("compare", "noop", "--range", "1:1000", "--listen", FREE_PORT,
                                      "--rounds", "1", "--warmup", "0", "--json", "-")
        self.start_worker(at, "--slots", "3")
        result = coordinator.finish()
        self.assert_status(result, EXIT_OK)
        distributed = [c for c in result.report()["comparisons"][0]["cells"]
                       if c["placement"] == "distributed" and c["strategy"] == "threads"]
        self.assertEqual([(c["workers"], c["concurrency"]) for c in distributed], [(1, 3)])

    def test_local_workers_and_those_that_come_work_together(self):
        coordinator, at = self.listen("run", "noop", "--range", "1:1000", "--listen", FREE_PORT,
                                      "--workers", "1", "--wait", "1", "--json", "-")
        self.start_worker(at)
        result = coordinator.finish()
        self.assert_status(result, EXIT_OK)
        self.assertEqual(result.report()["comparisons"][0]["cells"][0]["workers"], 2)


class Coming(EndToEndTest):
    def test_worker_that_comes_late_takes_over_from_one_that_leaves(self):
        coordinator, at = self.listen("run", "sleep", "--param", "seconds=0.05", "--range", "1:100",
                                      "--listen", FREE_PORT, "--strategy", "serial", "--json", "-")
        first = self.start_worker(at, "--name", "first")
        first.err.wait_for("connected to", 10)
        second = self.start_worker(at, "--name", "second")
        second.err.wait_for("connected to", 10)
        first.signal(signal.SIGTERM)
        self.assert_status(first.finish(10), EXIT_OK)
        result = coordinator.finish()
        self.assert_status(result, EXIT_OK)
        sample = only_sample(result.report())
        self.assertEqual((sample["ok"], sample["failed"], sample["workers_lost"]), (100, 0, 0))
        self.assert_status(second.finish(5), EXIT_OK)

    def test_workers_that_never_come_are_counted_and_the_one_that_came_is_named(self):
        coordinator, at = self.listen("run", "noop", "--range", "1:10", "--listen", FREE_PORT,
                                      "--wait", "3", "--wait-timeout", "1.5")
        self.start_worker(at, "--name", "ada")
        result = coordinator.finish()
        self.assert_status(result, EXIT_CANNOT_GO_ON)
        last = result.err.splitlines()[-1]
        for part in ("waited 1.5 s for 3 workers", at, "1 came", "ada@", "2 are missing",
                     "quartet-worker --connect " + at):
            self.assertIn(part, last)
        self.assertEqual(result.out, "")

    def test_idle_worker_costs_next_to_nothing(self):
        coordinator, at = self.listen("run", "noop", "--range", "1:10", "--listen", FREE_PORT,
                                      "--wait", "2")
        worker = self.start_worker(at)
        worker.err.wait_for("connected to", 10)
        pids = [coordinator.pid, worker.pid]
        before = [procfs.cpu_seconds(pid) for pid in pids]
        time.sleep(2)  # the measurement itself, not a wait for something
        used = [procfs.cpu_seconds(pid) - b for pid, b in zip(pids, before)]
        self.assertLess(max(used), 0.02 * 2 * (4 if SANITIZED else 1), used)
        self.start_worker(at)
        self.assert_status(coordinator.finish(), EXIT_OK)


class Endpoints(EndToEndTest):
    def test_port_in_use_is_an_error_that_names_it(self):
        endpoint = "tcp://127.0.0.1:%d" % taken_port(self)
        for command in ("run", "compare"):
            result = self.quartet(command, "noop", "--listen", endpoint, seconds=10)
            self.assert_refused(result, endpoint, "in use", status=EXIT_CANNOT_GO_ON)

    def test_ipc_path_of_a_living_coordinator_is_not_taken_over(self):
        endpoint = "ipc://" + self.path("socket")
        coordinator, _ = self.listen("run", "noop", "--listen", endpoint)
        result = self.quartet("run", "noop", "--listen", endpoint, seconds=10)
        self.assert_refused(result, endpoint, "in use", status=EXIT_CANNOT_GO_ON)
        self.start_worker(endpoint)
        self.assert_status(coordinator.finish(), EXIT_OK)

    def test_ipc_path_of_a_killed_coordinator_is_used_again(self):
        endpoint = "ipc://" + self.path("socket")
        coordinator, _ = self.listen("run", "noop", "--listen", endpoint)
        coordinator.signal(signal.SIGKILL)
        coordinator.process.wait()
        self.assertTrue(os.path.exists(self.path("socket")))
        coordinator, _ = self.listen("run", "noop", "--range", "1:10", "--listen", endpoint)
        self.start_worker(endpoint)
        self.assert_status(coordinator.finish(), EXIT_OK)

    def test_endpoint_that_others_can_reach_needs_insecure(self):
        for endpoint in ("tcp://0.0.0.0:*", "tcp://*:*", "tcp://10.1.2.3:5555", "tcp://[::]:*"):
            result = self.quartet("run", "noop", "--listen", endpoint, seconds=10)
            self.assert_refused(result, endpoint, "--insecure", status=EXIT_USAGE)
            result = self.start([WORKER, "--connect", endpoint]).finish(10)
            self.assert_refused(result, endpoint, "--insecure", status=EXIT_USAGE)

    def test_insecure_lets_it_listen_on_every_address(self):
        coordinator, at = self.listen("run", "noop", "--range", "1:10", "--listen", "tcp://0.0.0.0:*",
                                      "--insecure")
        self.start_worker(at.replace("0.0.0.0", "127.0.0.1"))
        self.assert_status(coordinator.finish(), EXIT_OK)

    def test_text_that_is_no_endpoint_is_refused(self):
        for endpoint in ("tcp://127.0.0.1:99999", "tcp://127.0.0.1:port", "ipc://"):
            result = self.quartet("run", "noop", "--listen", endpoint, seconds=10)
            self.assert_refused(result, endpoint, status=EXIT_USAGE)
            result = self.start([WORKER, "--connect", endpoint]).finish(10)
            self.assert_refused(result, endpoint, status=EXIT_USAGE)

    def test_worker_gives_up_when_nobody_answers(self):
        for endpoint in ("tcp://127.0.0.1:%d" % free_port(), "ipc://" + self.path("nobody")):
            result = self.start([WORKER, "--connect", endpoint, "--give-up", "0.5"]).finish(10)
            self.assert_status(result, EXIT_CANNOT_GO_ON)
            self.assertIn(endpoint, result.err)
            self.assertRegex(result.err, "no coordinator answered|could not be reached")


if __name__ == "__main__":
    main()
