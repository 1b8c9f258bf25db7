"""Peers that mean ill, in numbers, while honest work goes on: no crash, bounded memory, the same results.

The seed is printed; QUARTET_SEED=N runs one again."""

import os
import random
import socket
import time

import procfs
from harness import EXIT_OK, SANITIZED, EndToEndTest, Program, main, only_sample, test_program

HOSTILE_WORKER = test_program("hostile_worker")
SUPPRESSIONS = os.path.join(os.environ.get("QUARTET_SOURCE", ""), "tests", "lsan_peers.supp")
LOSES_BUFFERS = {"LSAN_OPTIONS": "suppressions=%s:print_suppressions=0" % SUPPRESSIONS}
STRANGE_PEER = test_program("strange_peer")
HOSTILE_COORDINATOR = test_program("hostile_coordinator")

SEED = int(os.environ.get("QUARTET_SEED", random.randrange(1 << 32)))
MESSAGES = 10000 if SANITIZED else 100000
CONNECTIONS = 100 if SANITIZED else 500

# Work that takes a while and no processor: what it takes longer is what it was hindered.
ITEMS = 3000 if SANITIZED else 4000
RUN = ("run", "sleep", "--param", "seconds=0.01", "--range", "1:%d" % ITEMS, "--strategy", "threads", "--threads", "4")
WORKERS = 2

MIB = 1024 * 1024
RATIO_MAX = 4  # of the time it takes alone: not slowed to a crawl, on a machine that runs the attack too
MEMORY_MORE_MAX = (1024 if SANITIZED else 256) * MIB  # sanitizers keep what was freed, and more beside each byte
WORKER_MEMORY_MAX = 256 * MIB
LINES_MAX = 300


class Hostile(EndToEndTest):
    def run_with_workers(self, disturb=lambda at: None):
        """An honest run, and what somebody does meanwhile. Returns its report's sample, standard error, and the peak of memory."""
        coordinator, at = self.listen(*RUN, "--listen", "tcp://127.0.0.1:*", "--wait", WORKERS, "--json", "-")
        workers = [self.start_worker(at, "--name", "honest%d" % i) for i in range(WORKERS)]
        disturb(at)
        peak = 0
        while coordinator.is_running():
            peak = procfs.peak_memory_bytes(coordinator.pid) or peak
            time.sleep(0.02)
        result = coordinator.finish(60)
        self.assert_status(result, EXIT_OK)
        for worker in workers:
            self.assert_status(worker.finish(10), EXIT_OK)
        return only_sample(result.report()), result.err, peak

    def assert_same(self, sample, calm):
        for key in ("items", "ok", "failed", "checksum", "bytes_out", "complete"):
            self.assertEqual(sample[key], calm[key], key)

    def test_flood_of_hostile_workers_changes_no_result(self):
        calm, _, calm_peak = self.run_with_workers()
        hostile = []

        def attack(at):
            hostile.append(self.start([HOSTILE_WORKER, at, MESSAGES, CONNECTIONS, SEED], stdin=Program.PIPE, env=LOSES_BUFFERS))

        sample, err, peak = self.run_with_workers(attack)
        said = hostile[0].out.wait_for("^done$", 60).string
        hostile[0].stdin.close()
        self.assert_status(hostile[0].finish(30), EXIT_OK)
        self.assert_same(sample, calm)
        print("seed %d: %d messages by %d connections: %.2f s, alone %.2f s (ratio %.2f); %.0f MiB, alone %.0f MiB; %d lines" % (
            SEED, MESSAGES, CONNECTIONS, sample["wall_s"], calm["wall_s"], sample["wall_s"] / calm["wall_s"], peak / MIB,
            calm_peak / MIB, err.count("\n")), " ".join(said.split()), flush=True)
        self.assertLess(sample["wall_s"], calm["wall_s"] * RATIO_MAX)
        self.assertLess(peak, calm_peak + MEMORY_MORE_MAX)
        self.assertLess(err.count("\n"), LINES_MAX)
        self.assertRegex(err, r"[1-9]\d+ messages that could not be read were dropped")
        self.assertRegex(err, r"[1-9]\d+ registrations were refused")

    def test_registering_ten_thousand_times_over_one_connection_is_passed_over(self):
        programs = []

        def attack(at):
            programs.append(self.start([STRANGE_PEER, "registrar", at, 10000], stdin=Program.PIPE))

        sample, err, peak = self.run_with_workers(attack)
        programs[0].stdin.close()
        self.assert_status(programs[0].finish(30), EXIT_OK)
        self.assertEqual((sample["ok"], sample["failed"]), (ITEMS, 0))
        self.assertLess(peak, 64 * MIB if not SANITIZED else MEMORY_MORE_MAX)
        self.assertRegex(err, r"99\d\d more passed over because one connection had too many")
        self.assertLess(err.count("\n"), LINES_MAX)

    def test_connections_that_do_not_speak_zmtp_are_no_hindrance(self):
        connections = []

        def attack(at):
            port = int(at.rsplit(":", 1)[1])
            generator = random.Random(SEED)
            greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(48)
            for i in range(60):
                connections.append(socket.create_connection(("127.0.0.1", port), 10))
                said = (b"GET / HTTP/1.1\r\n\r\n", greeting[:11], greeting + generator.randbytes(200), b"")[i % 4]
                connections[-1].sendall(said)

        sample, err, _ = self.run_with_workers(attack)
        for connection in connections:
            connection.close()
        self.assertEqual((sample["ok"], sample["failed"]), (ITEMS, 0))
        self.assertLess(err.count("\n"), LINES_MAX)

    def test_worker_survives_a_hostile_coordinator_and_works_for_an_honest_one(self):
        at = "ipc://" + self.path("coordinator")
        hostile = self.start([HOSTILE_COORDINATOR, at, MESSAGES // 5, SEED])
        hostile.out.wait_for("^listening$", 10)
        worker = self.start_worker(at, "--name", "honest", "--allow-plugins", env={"XDG_CACHE_HOME": self.path("cache")})
        result = hostile.finish(120)
        self.assert_status(result, EXIT_OK)
        self.assertTrue(worker.is_running(), worker.output())
        peak = procfs.peak_memory_bytes(worker.pid)
        print("seed %d: %d messages to a worker: %.1f s, %.0f MiB, %d lines" % (
            SEED, MESSAGES // 5, result.seconds, peak / MIB, worker.err.text().count("\n")), " ".join(result.out.split()), flush=True)
        self.assertLess(peak, WORKER_MEMORY_MAX)
        sample = only_sample(self.report("run", "squares", "--range", "1:100000", "--listen", at, "--wait", "1"))
        self.assertEqual((sample["ok"], sample["failed"]), (100000, 0))
        self.assert_status(worker.finish(10), EXIT_OK)
        self.assertLess(worker.err.text().count("\n"), LINES_MAX)


if __name__ == "__main__":
    main()
