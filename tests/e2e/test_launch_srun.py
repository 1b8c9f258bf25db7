"""Workers that Slurm starts inside an allocation, by srun: what comes of a run is what comes of it here, wall times and dead nodes cost no
item an attempt, and nothing is left however it ends."""

import re
import signal
import unittest

import results
import slurm_cluster
from harness import EXIT_OK, EXIT_SIGINT, WORKER, main, only_sample, wait_until


@unittest.skipIf(slurm_cluster.WHY_NOT, slurm_cluster.WHY_NOT)
class Allocated(slurm_cluster.SlurmTest):
    """Inside an allocation of three hosts: by srun."""

    def setUp(self):
        super().setUp()
        self.job = self.cluster.allocate("--nodes=3", "--ntasks=3", "--cpus-per-task=2", "--no-kill")

    def launch(self, *arguments, cpus=slurm_cluster.CPUS, **how):
        return super().launch("--workers", "3", "--cpus", str(cpus), *arguments,
                              env={**self.cluster.environment, "SLURM_JOB_ID": self.job}, **how)

    def test_run_with_three_nodes_comes_to_what_it_comes_to_here(self):
        work = self.hostnames()
        coordinator = self.coordinate(work, "--threads", "2")
        launched = self.launch("--allow-exec")
        self.wait_for_results()
        self.assert_secret_is_nowhere()
        self.assert_all_hosts_worked(work, coordinator)
        self.assert_status(launched.finish(20), EXIT_OK)
        self.assert_no_worker_left(3)

    def test_worker_is_named_after_its_task_and_has_the_cores_that_it_was_granted(self):
        """One of two: nothing but Slurm's word confines it here."""
        work = self.hostnames()
        coordinator = self.coordinate(work)
        launched = self.launch("--allow-exec", cpus=1)
        report = self.assert_all_hosts_worked(work, coordinator)
        self.assertEqual([host["cores_usable"] for host in report["hosts"]], [1, 1, 1], report["hosts"])
        result = launched.finish(20)
        for task in range(3):
            self.assertRegex(result.err, r"quartet-worker worker-slurm-%s\.0\.%d-\d+: connected" % (self.job, task))

    def test_workers_are_gone_before_the_wall_time_and_no_item_pays_for_it(self):
        """One minute, less 15 s for starting and ending, 30 s to drain in and 2 s to leave in: they drain after 13 s."""
        work = results.sleep(1, 3000, 0.05)
        undisturbed = work.undisturbed(self)
        coordinator = self.coordinate(work, "--threads", "2", wait=4)
        coordinator.err.wait_for("listening on", 20)
        launched = self.launch("--time", "1")
        self.start([WORKER, "--access", self.access, "--name", "stays", "--slots", "4"])
        self.wait_for_results()
        result = launched.finish(59)
        self.assert_status(result, EXIT_OK)
        self.assertEqual(result.err.count("the time limit is near"), 3, result)
        self.assertLess(result.seconds, 45)
        sample = only_sample(self.assert_all_right(work, coordinator, undisturbed).report())
        self.assertEqual([sample[name] for name in ("workers_lost", "items_retried", "failed", "duplicates")], [0, 0, 0, 0])

    def test_workers_are_gone_before_the_allocation_ends_though_nobody_said_when(self):
        self.cluster.ask("scontrol", "update", "JobId=" + self.job, "TimeLimit=2")
        work = results.sleep(1, 2000, 0.05)
        undisturbed = work.undisturbed(self)
        coordinator = self.coordinate(work, "--threads", "2", wait=4)
        coordinator.err.wait_for("listening on", 20)
        dry = self.launch("--dry-run").finish(20)
        self.assert_status(dry, EXIT_OK)
        limit = int(re.search(r" --time-limit (\d+) ", dry.out).group(1))
        self.assertLessEqual(limit, 105)
        self.assertGreater(limit, 60)
        drain = limit - 10  # in ten seconds, less two to leave in
        launched = self.launch("--drain-limit", str(drain))
        self.start([WORKER, "--access", self.access, "--name", "stays", "--slots", "4"])
        result = launched.finish(59)
        self.assert_status(result, EXIT_OK)
        self.assertEqual(result.err.count("the time limit is near"), 3, result)
        sample = only_sample(self.assert_all_right(work, coordinator, undisturbed).report())
        self.assertEqual([sample[name] for name in ("workers_lost", "items_retried", "failed", "duplicates")], [0, 0, 0, 0])

    def test_node_that_vanishes_ends_no_other_worker(self):
        work = results.sleep(1, 2000, 0.02)
        undisturbed = work.undisturbed(self)
        coordinator, launched = self.begin(work=work)
        self.hosts[2].vanish()
        coordinator.err.wait_for("lost worker", 15)
        self.assert_all_right(work, coordinator, undisturbed)
        launched.finish(60)
        self.assert_no_worker_left(3)

    def test_interrupted_launch_takes_its_workers_along(self):
        coordinator, launched = self.begin()
        launched.signal(signal.SIGINT)
        self.assert_status(launched.finish(20), EXIT_SIGINT)
        coordinator.err.wait_for("(?s)(worker .* left.*){3}", 10)
        self.assertNotIn("lost worker", coordinator.err.text())
        self.assert_no_worker_left(3)
        self.interrupt(coordinator)

    def test_killed_launch_takes_its_workers_along(self):
        coordinator, launched = self.begin()
        launched.signal(signal.SIGKILL)
        launched.process.wait()
        self.assert_no_worker_left(20)
        wait_until(lambda: not self.named("srun"), 30, "the end of srun, which Slurm tells when its tasks have ended")
        self.interrupt(coordinator)


if __name__ == "__main__":
    main()
