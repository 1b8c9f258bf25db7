"""Workers that are submitted to Slurm: what comes of a run is what comes of it here, a dead node is done without, and nothing is left
however it ends."""

import signal
import unittest

import results
import slurm_cluster
from harness import EXIT_CANNOT_GO_ON, EXIT_OK, EndToEndTest, main, wait_until


@unittest.skipIf(slurm_cluster.WHY_NOT, slurm_cluster.WHY_NOT)
class Submitted(slurm_cluster.SlurmTest):
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
