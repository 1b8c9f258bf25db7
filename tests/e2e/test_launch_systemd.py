"""`quartet launch systemd`: what it installs is a unit without a mistake, nothing that is there is changed, and under a real systemd workers
run, come back and leave as they should."""

import json
import os
import re
import shutil
import signal
import subprocess
import unittest

import anyones
import results
import systemd_host
from harness import (EXIT_CANNOT_GO_ON, EXIT_ITEMS_FAILED, EXIT_OK, QUARTET, SANITIZED, WORKER, EndToEndTest, main,
                     wait_until)

NO_ANALYZE = None if shutil.which("systemd-analyze") else "systemd-analyze is missing: deploy/install-packages.sh test"
# A sanitizer needs what the unit shuts off: to trace itself, and addresses where it expects them.
NO_HOST = "not with a sanitizer" if SANITIZED else systemd_host.unavailable()

EXIT_REFUSED = 4

# Of systemd-analyze security, from 0 (nothing is open) to 10; what is left open is that items are commands of all kinds.
EXPOSURE_MAX = 2.0


class Systemd(EndToEndTest):
    def setUp(self):
        super().setUp()
        self.keys = self.path("keys")
        self.access = self.path("worker.json")
        self.units = self.path("units")
        self.worker = WORKER
        os.mkdir(self.units)
        self.assert_status(self.quartet("keygen", self.keys), EXIT_OK)

    def coordinate(self, *arguments):
        coordinator = self.start_quartet("run", "exec", "--keys", self.keys, "--access", self.access, "--listen", "tcp://127.0.0.1:*",
                                         *arguments)
        coordinator.err.wait_for("listening on", 20)
        return coordinator

    def make_access(self):
        coordinator = self.coordinate("--range", "1:2", "--wait", "1", "--", "true")
        coordinator.signal(signal.SIGINT)
        coordinator.finish(20)

    def arguments(self, *arguments, workers=2):
        return ["launch", "systemd", "--access", self.access, "--workers", workers, "--worker-path", self.worker, "--allow-exec", *arguments]

    def launch(self, *arguments, **how):
        return self.quartet(*self.arguments("--unit-dir", self.units, *arguments), **how)

    def fake_systemctl(self, script=""):
        path = self.write_file("systemctl", '#!/bin/sh\necho "$@" >>%s\n%s' % (self.path("asked"), script))
        os.chmod(path, 0o755)
        return path


class Install(Systemd):
    def setUp(self):
        super().setUp()
        self.make_access()
        self.systemctl = self.fake_systemctl()

    def install(self, *arguments):
        return self.launch("--systemctl", self.systemctl, *arguments)

    def test_unit_is_installed_and_instances_are_started(self):
        result = self.install()
        self.assert_status(result, EXIT_OK)
        self.assertEqual(result.out, "2 started; see systemctl status 'quartet-worker@*'\n")
        self.assertEqual(os.listdir(self.units), ["quartet-worker@.service"])
        self.assertEqual(self.read_file("asked"), "daemon-reload\nstart quartet-worker@1.service quartet-worker@2.service\n")
        self.assertNotIn("secret", self.read_file("units/quartet-worker@.service"))

    def test_workers_of_a_user_that_stay_are_enabled(self):
        self.assert_status(self.install("--user", "--stay", "--name", "pool"), EXIT_OK)
        self.assertEqual(self.read_file("asked"), "--user daemon-reload\n--user enable --now pool@1.service pool@2.service\n")

    def test_unit_that_is_there_is_kept_and_another_one_is_refused(self):
        self.assert_status(self.install(), EXIT_OK)
        before = self.read_file("units/quartet-worker@.service")
        self.assert_status(self.install(), EXIT_OK)
        self.assert_refused(self.install("--cpus", "1"), "quartet-worker@.service' is there already", "another name")
        self.assertEqual(self.read_file("units/quartet-worker@.service"), before)
        self.assertEqual(os.listdir(self.units), ["quartet-worker@.service"])
        self.assertEqual(self.read_file("asked").count("start"), 2)

    def test_what_cannot_be_installed_is_said_and_nothing_is_started(self):
        result = self.install("--unit-dir=" + self.path("none"), "--quiet")
        self.assertNotEqual(result.status, EXIT_OK)
        self.assertFalse(os.path.exists(self.path("asked")))

    def test_systemctl_that_fails_is_said(self):
        self.systemctl = self.fake_systemctl("echo 'Failed to connect to bus' >&2\nexit 1\n")
        result = self.install()
        self.assert_status(result, EXIT_CANNOT_GO_ON)
        self.assertIn("exited with status 1: Failed to connect to bus", result.err)

    def test_dry_run_installs_nothing(self):
        result = self.install("--dry-run")
        self.assert_status(result, EXIT_OK)
        self.assertEqual(os.listdir(self.units), [])
        self.assertFalse(os.path.exists(self.path("asked")))
        self.assertIn("cat >%s/quartet-worker@.service <<'END'" % self.units, result.out)


@unittest.skipIf(NO_ANALYZE, NO_ANALYZE or "")
class Analyze(Systemd):
    CASES = ((), ("--stay", "--cpus", "1.5", "--memory", "2Gi", "--run-as", "daemon"), ("--user",),
             ("--drain-limit", "3600", "--slots", "4"))

    def analyze(self, *arguments):
        environment = {**os.environ, "XDG_RUNTIME_DIR": self.directory, "HOME": self.directory}
        return subprocess.run(["systemd-analyze", *arguments], env=environment, capture_output=True, text=True, timeout=120, check=False)

    def test_units_have_no_mistakes(self):
        self.make_access()
        systemctl = self.fake_systemctl()
        for number, arguments in enumerate(self.CASES):
            name = "case%d" % number
            self.assert_status(self.launch("--systemctl", systemctl, "--name", name, *arguments), EXIT_OK)
            manager = ["--user"] if "--user" in arguments else []
            done = self.analyze("verify", "--man=no", *manager, "%s/%s@1.service" % (self.units, name))
            self.assertEqual((done.returncode, [line for line in done.stderr.splitlines() if name in line]), (0, []), done.stderr)

    def test_mistake_would_be_noticed(self):
        self.write_file("units/bad@.service", "[Service]\nExecStart=%s\nRestrat=always\n" % WORKER)
        done = self.analyze("verify", "--man=no", self.units + "/bad@1.service")
        self.assertIn("Restrat", done.stderr)

    def test_little_is_left_open(self):
        self.make_access()
        self.assert_status(self.launch("--systemctl", self.fake_systemctl()), EXIT_OK)
        done = self.analyze("security", "--offline=yes", "--no-pager", self.units + "/quartet-worker@.service")
        exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
        self.assertIsNotNone(exposure, done.stdout + done.stderr)
        self.assertLessEqual(float(exposure.group(1)), EXPOSURE_MAX, done.stdout)


@unittest.skipIf(NO_HOST, NO_HOST or "")
class RealSystemd(Systemd):
    def setUp(self):
        super().setUp()
        _, self.worker = anyones.programs(self)
        self.host = systemd_host.SystemdHost(self, self.directory, [os.path.dirname(WORKER), os.path.dirname(self.worker)])

    def launch_there(self, *arguments, **how):
        program = self.start([*self.host.enter, QUARTET, *self.arguments(*arguments, **how)])
        result = program.finish(30)
        return result

    def records(self):
        with open(self.path("out"), encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def test_run_is_done_by_services(self):
        look = "id -u; touch /var/x 2>/dev/null || echo ro; touch $XDG_CACHE_HOME/x /tmp/x && echo rw; sleep 0.02"
        coordinator = self.coordinate("--range", "1:200", "--wait", "2", "--out", self.path("out"), "--", "sh", "-c", look, "{}")
        result = self.launch_there()
        self.assert_status(result, EXIT_OK)
        self.assert_status(coordinator.finish(60), EXIT_OK)
        said = {record["stdout"] for record in self.records()}
        for output in said:
            user, *rest = output.split()
            self.assertGreaterEqual(int(user), 61184)  # of those that are made for services
            self.assertEqual(rest, ["ro", "rw"])
        for unit in ("quartet-worker@1", "quartet-worker@2"):
            wait_until(lambda unit=unit: self.host.property_of(unit, "ActiveState") == "inactive", 20, "the end of " + unit)
            self.assertEqual(self.host.property_of(unit, "Result"), "success")

    def test_run_is_done_by_services_of_a_user(self):
        coordinator = self.coordinate("--range", "1:200", "--wait", "2", "--out", self.path("out"), "--", "sh", "-c",
                                      "id -un; echo $XDG_CACHE_HOME", "{}")
        of_user = self.host.start_user_manager("daemon")
        copy = "install -o daemon -m 600 %s /run/user-manager/worker.json" % self.access
        subprocess.run([*self.host.enter, "sh", "-c", copy], timeout=20, check=True)
        self.access = "/run/user-manager/worker.json"
        self.assert_status(self.start([*of_user, QUARTET, *self.arguments("--user")]).finish(30), EXIT_OK)
        self.assert_status(coordinator.finish(60), EXIT_OK)
        self.assertLessEqual({record["stdout"] for record in self.records()},
                             {"daemon\n/run/user-manager/.cache/quartet-worker/%d\n" % number for number in (1, 2)})

    def test_item_that_takes_too_much_memory_does_not_take_its_worker_along(self):
        if not os.path.exists("/sys/fs/cgroup/memory"):
            self.skipTest("no group here limits memory")
        coordinator = self.coordinate("--range", "1:20", "--wait", "1", "--chunk", "1", "--out", self.path("out"), "--", "sh", "-c",
                                      "[ $1 != 3 ] || exec tail /dev/zero", "item", "{}")
        self.assert_status(self.launch_there("--memory", "64Mi", workers=1), EXIT_OK)
        self.assert_status(coordinator.finish(60), EXIT_ITEMS_FAILED)
        self.assertEqual([record["item"] for record in self.records() if record["status"] != "ok"], [3])
        self.assertEqual(self.host.property_of("quartet-worker@1", "NRestarts"), "0")

    def test_worker_that_is_killed_comes_back_and_one_that_is_stopped_drains(self):
        coordinator = self.coordinate("--range", "1:100000", "--wait", "2", "--threads", "2", "--out", self.path("out"), "--", "sh", "-c",
                                      "sleep 0.05", "{}")
        self.assert_status(self.launch_there(), EXIT_OK)
        wait_until(lambda: results.bytes_in(self.path("out")) > 0, 30, "the first results")
        first = self.host.property_of("quartet-worker@1", "MainPID")
        self.host.ask("kill", "--kill-who=main", "--signal=KILL", "quartet-worker@1")
        coordinator.err.wait_for("lost worker quartet-worker-1", 30)
        wait_until(lambda: self.host.property_of("quartet-worker@1", "NRestarts") == "1" and
                   self.host.property_of("quartet-worker@1", "MainPID") not in ("0", first), 30, "the worker's return")
        self.assertEqual(self.host.ask("stop", "quartet-worker@2").returncode, 0)
        coordinator.err.wait_for("worker quartet-worker-2.* left: drained", 10)
        self.assertEqual(self.host.property_of("quartet-worker@2", "Result"), "success")
        self.assertEqual(self.host.ask("stop", "quartet-worker@1").returncode, 0)
        self.assertEqual(self.host.property_of("quartet-worker@1", "Result"), "success")
        coordinator.signal(signal.SIGINT)
        coordinator.finish(20)

    def test_worker_that_is_refused_is_not_started_again(self):
        coordinator = self.coordinate("--range", "1:2", "--wait", "2", "--", "true")
        os.rename(self.keys + "/authorized/worker.pub", self.path("no-more.pub"))
        self.assert_status(self.start([WORKER, "--access", self.access]).finish(30), EXIT_REFUSED)  # the coordinator knows it now
        self.assert_status(self.launch_there(workers=1), EXIT_OK)
        wait_until(lambda: self.host.property_of("quartet-worker@1", "ActiveState") == "failed", 60, "the end of the worker")
        self.assertEqual(self.host.property_of("quartet-worker@1", "ExecMainStatus"), str(EXIT_REFUSED))
        coordinator.signal(signal.SIGINT)
        coordinator.finish(20)


if __name__ == "__main__":
    main()
