"""A Slurm cluster on the hosts of a test, made by tests/slurm.sh for as long as the test runs."""

import os
import subprocess

import launching
from harness import Program, wait_until
from netns import ENVIRONMENT

SCRIPT = os.path.join(os.environ.get("QUARTET_SOURCE", ""), "tests", "slurm.sh")
SETUP_TIMEOUT_S = 40
CPUS = 2  # that each host says it has
WHY_NOT = launching.unavailable("munged", "slurmctld", "slurmd", "sbatch", "srun")


class Cluster:
    """`environment` is what Slurm's commands need to find it."""

    def __init__(self, test, hosts):
        self.keeper = test.start([SCRIPT, "hold", CPUS], stdin=Program.PIPE,
                                 env={**ENVIRONMENT, "QUARTET_HOSTS_DIR": hosts.directory})
        test.addCleanup(self._end)
        self.keeper.out.wait_for("slurm is up", SETUP_TIMEOUT_S)
        self.environment = {"SLURM_CONF": hosts.directory + "/slurm/slurm.conf"}

    def ask(self, *argv):
        """What a command of Slurm's prints."""
        done = subprocess.run(argv, env={**ENVIRONMENT, **self.environment}, stdin=subprocess.DEVNULL, text=True,
                              capture_output=True, timeout=SETUP_TIMEOUT_S, check=False)
        if done.returncode != 0:
            raise AssertionError("%s: %s" % (" ".join(argv), done.stderr.strip()))
        return done.stdout

    def allocate(self, *arguments):
        """The id of a new allocation; what is in its environment makes a program be inside."""
        done = subprocess.run(["salloc", "--no-shell", *arguments], env={**ENVIRONMENT, **self.environment},
                              stdin=subprocess.DEVNULL, text=True, capture_output=True, timeout=SETUP_TIMEOUT_S, check=False)
        words = done.stderr.split()
        if done.returncode != 0 or "allocation" not in words:
            raise AssertionError("salloc: " + done.stderr.strip())
        return words[words.index("allocation") + 1]

    def states(self):
        """Of the jobs that there are: RUNNING, PENDING, ..."""
        return self.ask("squeue", "--noheader", "--array", "--format", "%T").split()

    def assert_no_job_left(self, seconds):
        wait_until(lambda: not self.states(), seconds, "the end of every job")

    def _end(self):
        self.keeper.stdin.close()
        self.keeper.process.wait(SETUP_TIMEOUT_S)


class SlurmTest(launching.LaunchTest):
    """A cluster on the three hosts of launching.py."""

    launcher = "slurm"

    def setUp(self):
        super().setUp()
        self.cluster = Cluster(self, self.hosts)
