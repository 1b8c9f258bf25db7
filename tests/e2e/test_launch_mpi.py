"""Workers that mpirun starts: what comes of a run is what comes of it here, one worker that dies takes nobody with it, and nothing is
left however it ends."""

import os
import signal
import unittest

import launching
import results
from harness import EXIT_CANNOT_GO_ON, EXIT_OK, EXIT_SIGINT, EXIT_USAGE, WORKER, EndToEndTest, main, wait_until

NO_OPENMPI = launching.unavailable("mpirun.openmpi")
NO_HYDRA = launching.unavailable("mpiexec.hydra")
ROOT = ["--allow-run-as-root"] if os.geteuid() == 0 else []


class AnyMpi:
    """What holds for each of them."""

    launcher = "mpi"

    def test_run_with_three_hosts_comes_to_what_it_comes_to_here(self):
        work = self.hostnames()
        coordinator = self.coordinate(work, "--threads", "2")
        launched = self.launch("--allow-exec")
        self.wait_for_results()
        self.assert_secret_is_nowhere()
        self.assert_all_hosts_worked(work, coordinator)
        result = launched.finish(20)
        self.assert_status(result, EXIT_OK)
        for rank in range(3):
            self.assertRegex(result.err, r"quartet-worker worker-mpi-%d-\d+: connected" % rank)
        self.assert_no_worker_left(3)

    def test_worker_that_is_killed_ends_no_other(self):
        work = results.sleep(1, 1000, 0.01)
        undisturbed = work.undisturbed(self)
        coordinator, launched = self.begin(work=work)
        victim = self.workers()[1]
        others = set(self.workers()) - {victim}
        os.kill(victim, signal.SIGKILL)  # this test's own
        coordinator.err.wait_for("lost worker", 10)
        self.assertEqual(set(self.workers()), others)
        self.assert_all_right(work, coordinator, undisturbed)
        launched.finish(30)
        self.assert_no_worker_left(3)

    def test_killed_launch_takes_its_workers_along(self):
        coordinator, launched = self.begin()
        launched.signal(signal.SIGKILL)
        launched.process.wait()
        self.assert_no_worker_left(10)
        self.interrupt(coordinator)

    def test_workers_of_a_killed_coordinator_give_up(self):
        coordinator, launched = self.begin("--give-up", "1")
        coordinator.signal(signal.SIGKILL)
        result = launched.finish(40)
        self.assertIn("the coordinator has been gone for 1.0 s", result.err)
        self.assert_no_worker_left(3)


@unittest.skipIf(NO_OPENMPI, NO_OPENMPI)
class OpenMpi(AnyMpi, launching.LaunchTest):
    def launch(self, *arguments, rest=(), **how):
        return super().launch("--mpirun", "mpirun.openmpi", "--hosts", "h1,h2,h3", "--ssh", self.hosts.ssh, *arguments,
                              rest=(*ROOT, *rest), **how)

    def test_interrupted_launch_takes_its_workers_along(self):
        coordinator, launched = self.begin()
        launched.signal(signal.SIGINT)
        self.assert_status(launched.finish(20), EXIT_SIGINT)
        coordinator.err.wait_for("worker .* left", 10)
        self.assert_no_worker_left(3)
        self.interrupt(coordinator)

    def test_host_that_vanishes_is_done_without_and_the_launch_ends_when_it_is_told_to(self):
        """mpirun waits for it, and would leave an ssh behind."""
        work = results.sleep(1, 1000, 0.02)
        undisturbed = work.undisturbed(self)
        coordinator, launched = self.begin(work=work)
        self.hosts[2].vanish()
        coordinator.err.wait_for("lost worker", 15)
        self.assert_all_right(work, coordinator, undisturbed)
        launched.signal(signal.SIGINT)
        self.assert_status(launched.finish(30), EXIT_SIGINT)
        self.assertEqual([p.name for p in self.left_over() if p.name in ("ssh", "mpirun.openmpi", "mpirun", "orterun")], [])

    def test_host_that_cannot_be_reached_is_named(self):
        self.coordinate(results.noop(1, 10))
        coordinator = self.programs[-1]
        result = self.launch("--workers", "1", rest=["--host", "h9"]).finish(40)
        self.assert_status(result, EXIT_CANNOT_GO_ON)
        self.assertIn("h9", result.err)
        self.assertIn("exited with status", result.err.splitlines()[-1])
        self.interrupt(coordinator)


@unittest.skipIf(NO_HYDRA, NO_HYDRA)
class Hydra(AnyMpi, launching.LaunchTest):
    """MPICH's. Its proxies ask for this machine by an address that they can reach."""

    def launch(self, *arguments, **how):
        ssh = self.write_file("ssh", "#!/bin/sh\nexec %s \"$@\"\n" % self.hosts.ssh)
        os.chmod(ssh, 0o755)
        return super().launch("--mpirun", "mpiexec.hydra", "--hosts", "h1,h2,h3", "--ssh", ssh, *arguments,
                              rest=("-localhost", self.hosts.here), **how)

    def test_interrupted_launch_lets_its_workers_finish_what_they_have_begun(self):
        coordinator, launched = self.begin()
        launched.signal(signal.SIGINT)
        self.assert_status(launched.finish(20), EXIT_SIGINT)
        coordinator.err.wait_for("(?s)(worker .* left.*){3}", 10)
        self.assertNotIn("lost worker", coordinator.err.text())
        self.assert_no_worker_left(3)
        self.interrupt(coordinator)


class Usage(EndToEndTest):
    """No MPI is needed to be refused."""

    def refuse(self, *arguments):
        return self.quartet("launch", "mpi", "--hosts", "h1", *arguments, seconds=10)

    def test_what_makes_no_sense_is_refused_before_anything_is_started(self):
        readable = self.write_file("readable.json", "{}")
        os.chmod(readable, 0o644)
        self.assert_refused(self.refuse(), "--access FILE or --connect ENDPOINT")
        self.assert_refused(self.refuse("--access", self.path("none")), self.path("none"), "No such file")
        self.assert_refused(self.refuse("--access", readable), "chmod")
        self.assert_refused(self.refuse("--access", "-"), "'-'")
        self.assert_refused(self.refuse("--connect", "tcp://192.0.2.1:5555"), "--insecure")
        self.assert_refused(self.refuse("--connect", "nowhere"), "'nowhere'")
        self.assert_refused(self.refuse("--connect", "tcp://127.0.0.1:1", "--worker-path", "w" * 100000), "--worker-path")
        self.assert_refused(self.quartet("launch", "mpj"), "did you mean 'mpi'?")
        self.assert_refused(self.quartet("launch"), "--help")

    def test_access_file_that_does_not_come_is_waited_for_no_longer_than_asked(self):
        result = self.refuse("--access", self.path("late"), "--wait-access", "0.4")
        self.assert_refused(result, self.path("late"), "No such file")
        self.assertGreater(result.seconds, 0.4)

    def test_mpirun_that_is_not_there_is_said(self):
        result = self.quartet("launch", "mpi", "--hosts", "h1", "--connect", "tcp://127.0.0.1:1", "--mpirun", "no-such-mpirun")
        self.assert_refused(result, "'no-such-mpirun'", status=EXIT_CANNOT_GO_ON)

    def test_dry_run_shows_the_command_and_runs_nothing(self):
        result = self.quartet("launch", "mpi", "--hosts", "h1", "--connect", "tcp://127.0.0.1:1", "--mpirun", "no-such-mpirun",
                              "--dry-run", "--worker-path", WORKER)
        self.assert_status(result, EXIT_OK)
        self.assertTrue(result.out.startswith("no-such-mpirun --host h1 --bind-to none "), result.out)


if __name__ == "__main__":
    main()
