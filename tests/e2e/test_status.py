"""Asking a running coordinator: what it says, whom it answers, what it does when it is told to let a worker go, and what it says by
itself when nothing moves."""

import json
import os
import re
import signal
import socket
import stat
import time

from harness import (EXIT_CANNOT_GO_ON, EXIT_ITEMS_FAILED, EXIT_OK, EXIT_SIGINT, EXIT_USAGE, SANITIZED, EndToEndTest,
                     main, only_sample, wait_until, within)

FREE_PORT = "tcp://127.0.0.1:*"


class Asking(EndToEndTest):
    def socket_of(self, program):
        return self.path("quartet/%d.sock" % program.pid)

    def status(self, *arguments):
        """What `quartet status --json` says."""
        result = self.quartet("status", "--json", *arguments, seconds=10)
        self.assert_status(result, EXIT_OK)
        return json.loads(result.out)

    def wait_for_status(self, is_so, what, *arguments, seconds=20):
        def look():
            result = self.quartet("status", "--json", *arguments, seconds=10)
            status = json.loads(result.out) if result.status == EXIT_OK else None
            return status if status is not None and is_so(status) else None
        return wait_until(look, seconds, what)

    def wait_for_items(self, count, *arguments):
        return self.wait_for_status(lambda s: s["job"] and s["job"]["items"]["done"] >= count, "%d items done" % count,
                                    *arguments)

    def wait_for_reason(self, reason, *arguments):
        return self.wait_for_status(lambda s: s["waiting"] and s["waiting"]["reason"] == reason,
                                    "reason " + reason, *arguments)["waiting"]["text"]

    def start_sleep(self, items, *arguments, seconds="0.05"):
        return self.start_quartet("run", "sleep", "--param", "seconds=" + seconds, "--range", "1:%d" % items,
                                  "--strategy", "threads", "--threads", "4", *arguments)

    def interrupt(self, program):
        program.signal(signal.SIGINT)
        result = program.finish(10)
        self.assert_status(result, EXIT_SIGINT)
        return result


class Status(Asking):
    def test_status_of_a_distributed_run_has_everything(self):
        program = self.start_sleep(2000, "--workers", "2")
        self.wait_for_items(40)
        # A rate needs half a second at least.
        status = self.wait_for_status(lambda s: s["job"]["rate"]["now"] is not None, "a rate")
        self.assertEqual((status["schema"], status["pid"], status["phase"]), ("quartet.status/1", program.pid, "running"))
        self.assertEqual(status["command"][:2], ["run", "sleep"])
        self.assertRegex(status["started"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        job = status["job"]
        self.assertEqual((job["workload"], job["strategy"], job["placement"], job["outcome"]),
                         ("sleep", "threads", "distributed", "ok"))
        items = job["items"]
        self.assertEqual(items["total"], 2000)
        self.assertEqual(items["done"] + items["held"] + items["queued"] + items["fresh"], 2000)
        self.assertGreater(job["rate"]["now"], 0)
        self.assertAlmostEqual(job["left_s"], (2000 - items["done"]) / job["rate"]["now"], delta=1)
        self.assertIsNone(status["waiting"])
        self.assertIsNone(job["journal"])
        workers = status["workers"]
        self.assertEqual(sorted(w["name"] for w in workers), ["local-1", "local-2"])
        self.assertEqual(sum(w["items_done"] for w in workers), items["done"])
        for worker in workers:
            self.assertEqual((worker["state"], worker["slots"], worker["host"]), ("running", 4, socket.gethostname()))
            self.assertGreater(worker["chunks_held"], 0)
            self.assertLess(worker["heard_s"], within(3))
        self.interrupt(program)

    def test_status_of_a_local_run(self):
        program = self.start_sleep(2000)
        status = self.wait_for_items(20)
        self.assertEqual((status["job"]["placement"], status["workers"], status["workers_expected"]), ("local", [], 0))
        self.interrupt(program)

    def test_status_for_people(self):
        program = self.start_sleep(2000, "--workers", "1")
        self.wait_for_items(20)
        result = self.quartet("status")
        self.assert_status(result, EXIT_OK)
        self.assertRegex(result.out, r"(?m)^command +quartet run sleep --param seconds=0\.05 ")
        self.assertRegex(result.out, r"(?m)^process +%d, since \S+ \(.*\), running$" % program.pid)
        self.assertRegex(result.out, r"(?m)^items +\d+ of 2,000 done, 0 of them failed; \d+ with workers")
        self.assertRegex(result.out, r"(?m)^  local-1@\S+ +running +4 +\d+ +\d+")
        self.interrupt(program)

    def test_status_says_which_cell_of_a_comparison_is_run(self):
        program = self.start_quartet("compare", "sleep", "--param", "seconds=0.2", "--range", "1:20", "--strategies",
                                     "serial", "--rounds", "2")
        status = self.wait_for_items(1)
        self.assertRegex(status["job"]["label"], r"^sleep (local|distributed) serial (warm-up|round) 1/")
        self.assertEqual(status["command"][0], "compare")
        self.interrupt(program)

    def test_status_while_millions_of_chunks_go_through_is_answered_within_a_second(self):
        for placement in ((), ("--workers", "2")):
            program = self.start_quartet("run", "noop", "--range", "1:10000000000", "--chunk", "1", *placement)
            self.wait_for_items(1000000 if not SANITIZED else 10000)
            for _ in range(5):
                begun = time.monotonic()
                self.status()
                self.assertLess(time.monotonic() - begun, within(1))
            self.interrupt(program)

    def test_asking_changes_nothing(self):
        undisturbed = only_sample(self.report("run", "sleep", "--param", "seconds=0.01", "--range", "1:200"))
        program = self.start_quartet("run", "sleep", "--param", "seconds=0.01", "--range", "1:200", "--workers", "2",
                                     "--json", "-")
        while program.is_running():
            self.quartet("status", "--json", seconds=10)
        result = program.finish()
        self.assert_status(result, EXIT_OK)
        sample = only_sample(result.report())
        self.assertEqual(sample["checksum"], undisturbed["checksum"])
        self.assertEqual((sample["retried"], sample["late"], sample["workers_lost"]), (0, 0, 0))


class Sockets(Asking):
    def test_socket_is_private_and_goes_with_its_command(self):
        for end in ("done", "signal"):
            program = self.start_sleep(40 if end == "done" else 4000)
            wait_until(lambda: os.path.exists(self.socket_of(program)), 10, "the socket")
            self.assertEqual(stat.S_IMODE(os.stat(self.path("quartet")).st_mode), 0o700)
            self.assertEqual(stat.S_IMODE(os.stat(self.socket_of(program)).st_mode), 0o600)
            if end == "signal":
                self.interrupt(program)
            else:
                self.assert_status(program.finish(), EXIT_OK)
            self.assertEqual(os.listdir(self.path("quartet")), [])

    def test_socket_of_a_killed_coordinator_is_removed_by_whoever_looks(self):
        program = self.start_sleep(4000)
        wait_until(lambda: os.path.exists(self.socket_of(program)), 10, "the socket")
        program.signal(signal.SIGKILL)
        program.process.wait()
        self.assertTrue(os.path.exists(self.socket_of(program)))
        self.assert_refused(self.quartet("status"), "no coordinator of this user is running", status=EXIT_CANNOT_GO_ON)
        self.assertFalse(os.path.exists(self.socket_of(program)))

    def test_nobody_to_ask(self):
        for arguments in (("status",), ("drain", "ada")):
            self.assert_refused(self.quartet(*arguments), "no coordinator of this user is running",
                                status=EXIT_CANNOT_GO_ON)
        self.assert_refused(self.quartet("status", "1"), "process 1 ", status=EXIT_CANNOT_GO_ON)
        self.assert_refused(self.quartet("status", "one"), "'one'", status=EXIT_USAGE)
        self.assert_refused(self.quartet("status", "--control", self.path("no")), self.path("no"),
                            "No such file", status=EXIT_CANNOT_GO_ON)
        self.assert_refused(self.quartet("drain"), "which WORKER?", status=EXIT_USAGE)

    def test_one_of_two_coordinators_is_asked_for_by_number(self):
        first, second = self.start_sleep(4000), self.start_sleep(3000)
        for program in (first, second):
            wait_until(lambda: os.path.exists(self.socket_of(program)), 10, "the sockets")
        result = self.quartet("status")
        self.assert_status(result, EXIT_USAGE)
        self.assertEqual(result.out, "")
        for program in (first, second):
            self.assertRegex(result.err, r"(?m)^ +%d  quartet run sleep .*, since \d{4}-" % program.pid)
            self.assertEqual(self.status(program.pid)["pid"], program.pid)
        self.assertRegex(result.err, r"2 coordinators are running: say which, as 'quartet status PID'")
        for program in (first, second):
            self.interrupt(program)

    def test_path_of_the_socket_can_be_chosen_or_none_made(self):
        chosen = self.path("chosen")
        program = self.start_sleep(4000, "--control", chosen)
        wait_until(lambda: os.path.exists(chosen), 10, "the socket")
        self.assertEqual(self.status("--control", chosen)["pid"], program.pid)
        self.assertFalse(os.path.exists(self.path("quartet")))
        # Not a second one at the same place.
        self.assert_refused(self.quartet("run", "noop", "--control", chosen), chosen, "another coordinator",
                            status=EXIT_CANNOT_GO_ON)
        self.interrupt(program)
        self.assertFalse(os.path.exists(chosen))
        self.assert_refused(self.quartet("run", "noop", "--control", self.path("no/such")), self.path("no/such"),
                            status=EXIT_CANNOT_GO_ON)
        self.assert_status(self.quartet("run", "noop", "--control", "none"), EXIT_OK)
        self.assertFalse(os.path.exists(self.path("quartet")))

    def test_run_does_not_care_when_no_socket_can_be_made(self):
        result = self.quartet("run", "noop", env={"XDG_RUNTIME_DIR": "/nonexistent"})
        self.assert_status(result, EXIT_OK)
        self.assertEqual(result.err, "")

    @staticmethod
    def dial(path):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(within(20))
        client.connect(path)
        return client

    def converse(self, path, line):
        with self.dial(path) as client:
            client.sendall(line)
            reply = b""
            while True:
                try:
                    data = client.recv(65536)
                except ConnectionResetError:
                    return reply
                if not data:
                    return reply
                reply += data

    def test_garbage_is_refused_in_words(self):
        program = self.start_sleep(4000, "--control", self.path("s"))
        wait_until(lambda: os.path.exists(self.path("s")), 10, "the socket")
        for line in (b"\n", b"GET / HTTP/1.1\n", b"\0\xff\n", b"{}\n", b'{"request":"stop"}\n', b"[" * 4000 + b"\n"):
            reply = json.loads(self.converse(self.path("s"), line))
            self.assertEqual((reply["ok"], reply["error"]), (False, "invalid"), line)
        self.assertEqual(self.converse(self.path("s"), b"x" * 100000), b"")
        self.assertEqual(self.status("--control", self.path("s"))["pid"], program.pid)
        self.interrupt(program)

    def test_clients_that_say_nothing_or_leave_hold_nothing_up(self):
        program = self.start_sleep(100000, "--control", self.path("s"), seconds="0.01")
        self.wait_for_items(100, "--control", self.path("s"))
        descriptors = lambda: len(os.listdir("/proc/%d/fd" % program.pid))
        before = descriptors()
        clients = [self.dial(self.path("s")) for _ in range(40)]
        done = self.status("--control", self.path("s"))["job"]["items"]["done"]
        self.assertLessEqual(descriptors(), before + 20)
        for client in clients:
            client.close()
        self.assertGreater(self.wait_for_items(done + 100, "--control", self.path("s"))["job"]["items"]["done"], done)
        wait_until(lambda: descriptors() <= before, 10, "the end of the connections")
        self.interrupt(program)


class Drain(Asking):
    def test_drained_worker_leaves_and_the_others_do_its_work(self):
        program = self.start_sleep(200, "--workers", "2", "--json", "-")
        self.wait_for_items(20)
        result = self.quartet("drain", "local-2")
        self.assert_status(result, EXIT_OK)
        self.assertRegex(result.out, r"^worker local-2@\S+ was asked to leave")
        self.wait_for_status(lambda s: [w["name"] for w in s["workers"]] == ["local-1"], "the worker to leave")
        result = program.finish()
        self.assert_status(result, EXIT_OK)
        sample = only_sample(result.report())
        self.assertEqual((sample["ok"], sample["workers_lost"]), (200, 0))
        self.assertIn("worker local-2 exited with status 0", result.err)
        self.assertNotIn("started again", result.err)

    def test_drain_wants_one_worker_of_that_name(self):
        coordinator, at = self.listen("run", "sleep", "--param", "seconds=0.1", "--range", "1:1000", "--listen", FREE_PORT,
                                      "--wait", "3")
        workers = [self.start_worker(at, "--name", name) for name in ("ada", "ada", "bob")]
        self.wait_for_items(1)
        self.assert_refused(self.quartet("drain", "ada"), "more than one worker is called 'ada'")
        self.assert_refused(self.quartet("drain", "eve"), "no worker is called 'eve'", "bob@")
        self.assert_refused(self.quartet("drain", "bob@elsewhere"), "'bob@elsewhere'")
        self.assert_status(self.quartet("drain", "bob@" + socket.gethostname()), EXIT_OK)
        self.assert_status(workers[2].finish(10), EXIT_OK)
        self.interrupt(coordinator)

    def test_nobody_can_be_drained_of_a_local_run(self):
        program = self.start_sleep(4000)
        self.wait_for_items(1)
        self.assert_refused(self.quartet("drain", "local"), "there are no workers")
        self.interrupt(program)

    def test_idle_worker_is_drained(self):
        coordinator, at = self.listen("run", "noop", "--listen", FREE_PORT, "--wait", "2")
        worker = self.start_worker(at, "--name", "ada")
        self.wait_for_status(lambda s: len(s["workers"]) == 1, "the worker")
        self.assert_status(self.quartet("drain", "ada"), EXIT_OK)
        self.assert_status(worker.finish(10), EXIT_OK)
        self.interrupt(coordinator)


class Reasons(Asking):
    """Each state in which nothing moves, and what is said of it."""

    def test_workers_that_have_not_come(self):
        coordinator, at = self.listen("run", "noop", "--listen", FREE_PORT, "--wait", "3")
        self.start_worker(at)
        status = self.wait_for_status(lambda s: s["workers"], "the worker")
        self.assertEqual((status["phase"], status["job"], status["workers_expected"]), ("gathering", None, 3))
        self.assertEqual(status["waiting"]["text"], "waiting for 2 of 3 workers to come to " + at)
        self.interrupt(coordinator)

    def test_input_that_has_nothing_to_read(self):
        for placement in ((), ("--workers", "1")):
            reader, writer = os.pipe()
            program = self.start_quartet("run", "noop", "--items", "-", *placement, stdin=reader)
            os.close(reader)
            os.write(writer, b"one\ntwo\n")
            self.wait_for_items(2)
            self.assertEqual(self.wait_for_reason("input"), "input (standard input) has nothing to read")
            status = self.status()
            self.assertIsNone(status["job"]["items"]["total"])
            self.assertIsNone(status["job"]["left_s"])
            # And by itself, once.
            program.err.wait_for(r"quartet: input \(standard input\) has nothing to read", 15)
            os.close(writer)
            result = program.finish()
            self.assert_status(result, EXIT_OK)
            self.assertEqual(result.err.count("has nothing to read"), 1)

    def test_quiet_says_nothing_by_itself(self):
        reader, writer = os.pipe()
        program = self.start_quartet("run", "noop", "--items", "-", "--quiet", stdin=reader)
        os.close(reader)
        self.wait_for_status(lambda s: s["waiting"] and s["waiting"]["for_s"] > within(6), "six seconds", seconds=30)
        os.close(writer)
        self.assertEqual(program.finish().err, "quartet run: there are no items: standard input is empty\n")

    def test_results_that_nobody_takes(self):
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        program = self.start_quartet("run", "exec", "--range", "1:100000", "--workers", "1", "--", "head", "-c", "1000000",
                                     "/dev/zero", stdout=writer)
        os.close(writer)
        self.assertEqual(self.wait_for_reason("results"), "results are not taken: standard output is slow")
        program.signal(signal.SIGINT)
        self.assert_status(program.finish(10), EXIT_SIGINT)

    def test_retries_that_wait_for_their_time(self):
        program = self.start_quartet("run", "exec", "--range", "1:1", "--retries", "9", "--workers", "1", "--", "false")
        self.assertRegex(self.wait_for_reason("retry"), r"^items wait for their retry, next in ")
        self.interrupt(program)

    def test_workers_that_are_lost(self):
        coordinator, at = self.listen("run", "sleep", "--param", "seconds=0.05", "--range", "1:4000", "--listen", FREE_PORT,
                                      "--wait", "2")
        workers = [self.start_worker(at) for _ in range(2)]
        self.wait_for_items(10)
        for worker in workers:
            worker.signal(signal.SIGKILL)
        self.assertRegex(self.wait_for_reason("lost"),
                         r"^all 2 workers lost since \d\d:\d\d:\d\d, last error: worker \S+@\S+: ")
        self.assertIsNone(self.status()["job"]["left_s"])
        self.start_worker(at)
        self.wait_for_status(lambda s: s["waiting"] is None, "the run to go on")
        self.interrupt(coordinator)

    def test_workers_that_are_all_leaving(self):
        program = self.start_sleep(100, "--workers", "1", seconds="4")
        self.wait_for_status(lambda s: s["job"] and s["job"]["items"]["held"] > 0, "items under way")
        self.assert_status(self.quartet("drain", "local-1"), EXIT_OK)
        self.assertEqual(self.wait_for_reason("draining"), "every worker is draining")
        self.interrupt(program)

    def test_workers_that_do_not_answer(self):
        program = self.start_sleep(4000, "--workers", "1")
        self.wait_for_items(10)
        (worker,) = program.children("quartet-worker")
        os.kill(worker, signal.SIGSTOP)
        self.assertRegex(self.wait_for_reason("silent"), r"items are with workers of which nothing was heard for")
        os.kill(worker, signal.SIGCONT)
        self.wait_for_status(lambda s: s["waiting"] is None, "the run to go on")
        self.interrupt(program)


class Ends(Asking):
    """A run that nobody can go on with ends, and says why."""

    def exec_run(self, *arguments):
        coordinator, at = self.listen("run", "exec", "--range", "1:1000", "--listen", FREE_PORT, "--wait-timeout", "2",
                                      *arguments, "--", "sh", "-c", "sleep 0.05", "sh")
        return coordinator, at

    def test_no_worker_can_run_the_job(self):
        coordinator, at = self.exec_run("--wait", "2")
        for _ in range(2):
            self.start_worker(at)
        result = coordinator.finish(15)
        self.assert_status(result, EXIT_CANNOT_GO_ON)
        self.assertIn("--allow-exec", result.err)

    def test_only_workers_that_came_late_and_cannot_run_it_are_left(self):
        coordinator, at = self.exec_run()
        able = self.start_worker(at, "--name", "able", "--allow-exec")
        self.wait_for_items(5)
        self.start_worker(at, "--name", "unable")
        self.wait_for_status(lambda s: any(w["state"] == "unable" for w in s["workers"]), "the one who cannot")
        able.signal(signal.SIGKILL)
        self.assertRegex(self.wait_for_reason("unable"), "^the only worker is unable to run the job, last error: .*--allow-exec")
        result = coordinator.finish(20)
        self.assert_status(result, EXIT_CANNOT_GO_ON)
        self.assertRegex(result.err, r"quartet run: no worker that is left can run the job: worker unable@\S+: "
                                     r".*--allow-exec.*; not run: items")

    def test_late_worker_that_can_run_it_takes_over_from_those_that_cannot(self):
        coordinator, at = self.exec_run("--wait", "1")
        able = self.start_worker(at, "--allow-exec")
        self.wait_for_items(5)
        self.start_worker(at)
        self.wait_for_status(lambda s: any(w["state"] == "unable" for w in s["workers"]), "the one who cannot")
        able.signal(signal.SIGTERM)
        able.finish(10)
        self.start_worker(at, "--allow-exec")
        done = self.status()["job"]["items"]["done"]
        self.wait_for_items(done + 20)
        self.interrupt(coordinator)

    def test_workers_that_drain_away_are_waited_for_as_long_as_was_said(self):
        coordinator, at = self.listen("run", "sleep", "--param", "seconds=0.05", "--range", "1:4000", "--listen", FREE_PORT,
                                      "--wait-timeout", "2")
        worker = self.start_worker(at, "--name", "ada")
        self.wait_for_items(5)
        self.assert_status(self.quartet("drain", "ada"), EXIT_OK)
        self.assert_status(worker.finish(10), EXIT_OK)
        begun = time.monotonic()
        self.assertRegex(self.wait_for_reason("left"), "^every worker has left; another one may come to " + re.escape(at))
        result = coordinator.finish(15)
        self.assert_status(result, EXIT_CANNOT_GO_ON)
        self.assertGreater(time.monotonic() - begun, 1)
        self.assertIn("every worker is gone and none came for 2.00 s", result.err)

    def test_local_workers_that_drain_away_end_the_run(self):
        program = self.start_sleep(4000, "--workers", "1")
        self.wait_for_items(5)
        self.assert_status(self.quartet("drain", "local-1"), EXIT_OK)
        result = program.finish(10)
        self.assert_status(result, EXIT_CANNOT_GO_ON)
        self.assertIn("every worker is gone and none can come; the last one: worker local-1 exited with status 0", result.err)

    def test_comparison_of_what_no_worker_can_run_goes_on_with_the_local_cells(self):
        coordinator, at = self.listen("compare", "exec", "--range", "1:10", "--listen", FREE_PORT, "--rounds", "1",
                                      "--warmup", "0", "--json", "-", "--", "true")
        self.start_worker(at)
        result = coordinator.finish(30)
        self.assert_status(result, EXIT_ITEMS_FAILED)
        cells = result.report()["comparisons"][0]["cells"]
        self.assertEqual({c["placement"] for c in cells if c["has_time"]}, {"local"})
        for cell in cells:
            if cell["placement"] == "distributed":
                self.assertIn("--allow-exec", cell["trouble"])

    def test_item_that_takes_workers_down_is_given_up_after_so_many(self):
        for limit in (1, 3):
            program = self.start_quartet("run", "exec", "--range", "1:20", "--workers", "1", "--strategy", "serial",
                                         "--chunk", "1", "--crash-limit", str(limit), "--json", self.path("report"), "--out", self.path("out"),
                                         "--", "sh", "-c", "[ $1 != 7 ] || kill -KILL $PPID", "sh", "{}")
            result = program.finish(60)
            self.assert_status(result, EXIT_ITEMS_FAILED)
            sample = only_sample(json.loads(self.read_file("report")))
            self.assertEqual((sample["ok"], sample["failed"], sample["complete"]), (19, 1, True))
            # Beside others at first, which clears them, and then alone.
            self.assertIn(sample["workers_lost"], (limit, limit + 1, limit + 2))


if __name__ == "__main__":
    main()
