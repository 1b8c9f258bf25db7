"""`quartet launch` on hosts of this machine: a coordinator with keys that waits for workers, and whoever starts them."""

import os
import shutil
import signal

import procfs
import results
import ssh_hosts
from harness import EXIT_OK, SANITIZED, WORKER, EndToEndTest, wait_until

COUNT = 3


def unavailable(*programs):
    """Why there can be no such test here, in words: one of the programs is missing, or the hosts; None: there can."""
    if "thread" in SANITIZED:
        return "workers on other hosts have no suppressions"  # of libzmq's own races: nobody hands them the list
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    for program in programs:
        if shutil.which(program, path=path) is None:
            return "'%s' is missing: deploy/install-packages.sh test" % program
    return ssh_hosts.unavailable()


class LaunchTest(EndToEndTest):
    """`self.hosts` are three; the coordinator is on this machine, where their bridge is."""

    launcher = None

    def setUp(self):
        super().setUp()
        self.hosts = ssh_hosts.Hosts(self, COUNT)
        self.keys = self.path("keys")
        self.access = self.path("worker.json")
        self.out = self.path("out.ndjson")
        self.assert_status(self.quartet("keygen", self.keys), EXIT_OK)

    # --- who is there ---

    def coordinate(self, work, *arguments, wait=COUNT):
        """A coordinator that any host can reach, and that begins when so many workers are there."""
        return self.start_quartet(*work.argv("--listen", "tcp://*:*", "--keys", self.keys, "--access", self.access, "--wait", wait,
                                             "--out", self.out, "--json", "-", *arguments))

    def launch(self, *arguments, rest=(), **how):
        """`quartet launch` with what these hosts need; `rest` goes behind `--`."""
        return self.start_quartet("launch", self.launcher, "--access", self.access, "--wait-access", "20", "--worker-path", WORKER,
                                  *arguments, *(("--", *rest) if rest else ()), **how)

    def begin(self, *arguments, work=None):
        """A run that does not end by itself soon, its items running, and the launch that brought the workers."""
        coordinator = self.coordinate(work or results.sleep(1, 100000, 0.05), "--threads", "2")
        launched = self.launch(*arguments)
        self.wait_for_results()
        return coordinator, launched

    def wait_for_results(self):
        wait_until(lambda: results.bytes_in(self.out) > 0, 40, "the first results")

    # --- what came of it ---

    def hostnames(self):
        """Work whose results say where it was done."""
        work = results.commands(1, 300, "hostname", lambda item: "", seconds=0.02)
        work.is_right = lambda item, record: record["stdout"].strip() in ("h1", "h2", "h3")
        return work

    def assert_all_hosts_worked(self, work, coordinator):
        result = coordinator.finish(60)
        self.assert_status(result, EXIT_OK)
        self.assertEqual(results.record_differences(work, self.out), [])
        for name in ("h1", "h2", "h3"):
            self.assertIn('"stdout":"%s' % name, self.read_file("out.ndjson"))
        return result.report()

    def assert_all_right(self, work, coordinator, undisturbed, seconds=60):
        result = coordinator.finish(seconds)
        self.assertEqual(results.outcome_differences(work, result, self.out, undisturbed), [], result)
        return result

    def workers(self):
        """Pids of the workers of this test that run, wherever, without their zygotes."""
        pids = self.named("quartet-worker")
        return [pid for pid in pids if procfs.look_at(pid) and procfs.look_at(pid).parent not in pids]

    def assert_no_worker_left(self, seconds):
        wait_until(lambda: not self.named("quartet-worker"), seconds, "the end of every worker")

    def interrupt(self, coordinator):
        coordinator.signal(signal.SIGINT)
        coordinator.finish(20)

    def assert_secret_is_nowhere(self):
        """In no argument and no environment of any process of this test."""
        with open(self.keys + "/workers/worker.key", encoding="ascii") as file:
            secret = file.read().strip().encode()
        for process in self.left_over():
            for name in ("cmdline", "environ"):
                try:
                    with open("/proc/%d/%s" % (process.pid, name), "rb") as file:
                        self.assertNotIn(secret, file.read(), "%s of %s" % (name, process))
                except OSError:
                    pass  # it has just ended
