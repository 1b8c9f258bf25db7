"""Workers that Slurm starts, submitted and inside an allocation: what comes of a run is what comes of it here, wall times and dead nodes
cost no item an attempt, and nothing is left however it ends."""

import signal
import unittest

import launching
import results
import slurm_cluster
import ssh_hosts
from harness import EXIT_CANNOT_GO_ON, EXIT_OK, EXIT_SIGINT, WORKER, EndToEndTest, main, only_sample, wait_until

WHY_NOT = launching.missing("munged", "slurmctld", "slurmd", "sbatch", "srun") or ssh_hosts.unavailable()


@unittest.skipIf(WHY_NOT, WHY_NOT)
class SlurmTest(launching.LaunchTest):
    launcher = "slurm"

    def setUp(self):
        super().setUp()
        self.cluster = slurm_cluster.Cluster(self, self.hosts)

    def hostnames(self):
        """Work whose results say where it was done."""
        work = results.commands(1, 300, "hostname", lambda item: "", seconds=0.02)
        work.is_right = lambda item, record: record["stdout"].strip() in ("h1", "h2", "h3")
        return work

    def assert_all_hosts_worked(self, work, coordinator):
        self.assert_status(coordinator.finish(60), EXIT_OK)
        self.assertEqual(results.record_differences(work, self.out), [])
        for name in ("h1", "h2", "h3"):
            self.assertIn('"stdout":"%s' % name, self.read_file("out.ndjson"))


class Submitted(SlurmTest):
    """Outside of an allocation: by sbatch. Each worker takes a whole host."""

    def launch(self, *arguments, rest=(), **how):
        return super().launch("--workers", "3", "--cpus", str(slurm_cluster.CPUS), *arguments,
                              rest=("--output=" + self.path("log-%a"), *rest), env=self.cluster.environment, **how)

    def test_run_with_three_nodes_comes_to_what_it_comes_to_here(self):
        work = self.hostnames()
        coordinator = self.coordinate(work, "--threads", "2")
        launched = self.launch("--allow-exec").finish(30)
        self.assert_status(launched, EXIT_OK)
        self.assertRegex(launched.out, r"^job (\d+): 'squeue --job \1' shows the workers, 'scancel \1' ends them$")
        self.wait_for_results()
        self.assert_secret_is_nowhere()
        self.assert_all_hosts_worked(work, coordinator)
        self.cluster.assert_no_job_left(20)
        self.assert_no_worker_left(3)

    def test_jobs_of_a_killed_coordinator_give_up(self):
        coordinator, launched = self.begin("--give-up", "1")
        self.assert_status(launched.finish(10), EXIT_OK)
        coordinator.signal(signal.SIGKILL)
        self.cluster.assert_no_job_left(30)
        self.assert_no_worker_left(3)
        self.assertIn("the coordinator has been gone for 1.0 s", self.read_file("log-0"))

    def test_jobs_that_are_cancelled_leave_in_order(self):
        coordinator, launched = self.begin()
        job = launched.finish(10).out.split(":")[0].split()[1]
        self.cluster.ask("scancel", job)
        for _ in range(3):
            coordinator.err.wait_for("(?s)(worker .* left.*){3}", 20)
        self.assertNotIn("lost worker", coordinator.err.text())
        self.cluster.assert_no_job_left(20)
        self.interrupt(coordinator)

    def test_node_that_vanishes_is_done_without_and_its_worker_queued_again(self):
        work = results.sleep(1, 4000, 0.02)
        undisturbed = work.undisturbed(self)
        coordinator, _ = self.begin(work=work)
        self.hosts[2].vanish()
        coordinator.err.wait_for("lost worker", 15)
        wait_until(lambda: "PENDING" in self.cluster.states(), 40, "its job to be queued again")
        self.assert_all_right(work, coordinator, undisturbed)
        self.cluster.ask("scancel", "--user", "root")

    def test_partition_that_there_is_not_is_said_as_sbatch_says_it(self):
        coordinator = self.coordinate(results.noop(1, 10))
        result = self.launch("--partition", "nowhere").finish(30)
        self.assert_status(result, EXIT_CANNOT_GO_ON)
        self.assertRegex(result.err.splitlines()[-1], "quartet launch slurm: 'sbatch' exited with status 1: .*invalid partition")
        self.interrupt(coordinator)


class Allocated(SlurmTest):
    """Inside an allocation of three hosts: by srun."""

    def setUp(self):
        super().setUp()
        self.job = self.cluster.allocate("--nodes=3", "--ntasks=3", "--cpus-per-task=2", "--no-kill")

    def launch(self, *arguments, rest=(), **how):
        return super().launch("--cpus", str(slurm_cluster.CPUS), *arguments, rest=("--ntasks=3", *rest),
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
        self.interrupt(coordinator)


class Usage(EndToEndTest):
    """No Slurm is needed to be refused."""

    def refuse(self, *arguments, **how):
        return self.quartet("launch", "slurm", "--connect", "tcp://127.0.0.1:1", *arguments, seconds=10, **how)

    def test_what_makes_no_sense_is_refused_before_anything_is_submitted(self):
        self.assert_refused(self.refuse(), "--workers N")
        self.assert_refused(self.refuse("--workers", "1", "--time", "tomorrow"), "--time", "'tomorrow'")
        self.assert_refused(self.refuse("--workers", "1", "--time", "1", "--drain-limit", "45"), "nothing is left to work in")
        self.assert_refused(self.refuse("--partition", "all", env={"SLURM_JOB_ID": "1"}), "--partition", "SLURM_JOB_ID")


if __name__ == "__main__":
    main()
