"""`quartet launch k8s`: its manifests are what Kubernetes' schemas say, kubectl gets them, and workers run as they say."""

import json
import os
import re
import signal
import subprocess
import unittest

import anyones
import pods
from harness import EXIT_CANNOT_GO_ON, EXIT_OK, EXIT_USAGE, EndToEndTest, main, wait_until
from terminal import Terminal

SCHEMAS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "schemas")
DEBIAN_PYTHON = "/usr/bin/python3"
DRAINED_STATUS = 5

NO_PODS = pods.unavailable()


def no_validator():
    """Why no schema can be looked at here, in words; None: it can."""
    try:
        subprocess.run([DEBIAN_PYTHON, "-c", "import jsonschema, yaml"], check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return "python3-jsonschema or python3-yaml is missing: deploy/install-packages.sh test"
    return None


NO_VALIDATOR = no_validator()

# Each kind of object, with and without what can be left out.
MANIFESTS = (
    (),
    ("--kind", "deployment", "--name", "pool", "--namespace", "batch"),
    ("--service", "quartet:7000", "--cpus", "500m", "--memory", "1.5Gi", "--user", "2000", "--slots", "3"),
    ("--secret", "mine", "--quiet", "--allow-plugins"),
)


class K8s(EndToEndTest):
    def setUp(self):
        super().setUp()
        self.keys = self.path("keys")
        self.access = self.path("worker.json")
        self.assert_status(self.quartet("keygen", self.keys), EXIT_OK)

    def coordinate(self, *arguments, endpoint="tcp://127.0.0.1:*"):
        """A coordinator that waits for workers; its access file is there when this returns."""
        coordinator = self.start_quartet("run", "exec", "--keys", self.keys, "--access", self.access, "--listen", endpoint, *arguments)
        coordinator.err.wait_for("listening on", 20)
        wait_until(lambda: os.path.exists(self.access), 10, "the access file")
        return coordinator

    def make_access(self):
        """An access file with a cluster's name for the coordinator in it."""
        coordinator = self.coordinate("--range", "1:2", "--advertise", "quartet:7000", "--wait", "1", "--", "true")
        coordinator.signal(signal.SIGINT)
        coordinator.finish(20)

    def launch(self, *arguments, workers=2, **how):
        return self.quartet("launch", "k8s", "--access", self.access, "--workers", workers, *arguments, **how)

    def manifest(self, *arguments, **how):
        result = self.launch(*arguments, **how)
        self.assert_status(result, EXIT_OK)
        self.assertEqual(result.err, "")
        return result.out

    def secret(self):
        with open(self.keys + "/workers/worker.key", encoding="ascii") as file:
            return file.read().strip()


    def errors_in(self, document):
        """What is wrong with a List, by Kubernetes' schemas."""
        done = subprocess.run([DEBIAN_PYTHON, os.path.join(SCHEMAS, "validate.py"), os.path.join(SCHEMAS, "kubernetes.json")],
                              input=document, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.stderr, "")
        return done.stdout


@unittest.skipIf(NO_VALIDATOR, NO_VALIDATOR or "")
class Schemas(K8s):
    def test_manifests_are_as_kubernetes_has_them(self):
        self.make_access()
        for arguments in MANIFESTS:
            with self.subTest(arguments=arguments):
                self.assertEqual(self.errors_in(self.manifest(*arguments)), "")

    def test_manifest_with_a_field_that_there_is_not_would_be_noticed(self):
        self.make_access()
        good = json.loads(self.manifest())
        for spoil in (lambda job: job.update(spec2={}),
                      lambda job: job["spec"].update(parallelism="2"),
                      lambda job: job["spec"]["template"]["spec"]["containers"][0].update(securitycontext={}),
                      lambda job: job["spec"]["template"]["spec"]["containers"][0].pop("name"),
                      lambda job: job.update(kind="Jobs")):
            bad = json.loads(json.dumps(good))
            spoil(bad["items"][-1])
            self.assertNotEqual(self.errors_in(json.dumps(bad)), "")


class Apply(K8s):
    def fake_kubectl(self, script):
        path = self.write_file("kubectl", "#!/bin/sh\n" + script)
        os.chmod(path, 0o755)
        return path

    def test_kubectl_gets_what_would_be_printed(self):
        self.make_access()
        kubectl = self.fake_kubectl('printf "%%s\\n" "$@" >%s\ncat >%s\necho "job.batch/quartet-worker created"\n' % (
            self.path("argv"), self.path("stdin")))
        result = self.quartet("launch", "k8s", "--access", self.access, "--workers", 2, "--apply", "--kubectl", kubectl, "--",
                              "--context", "far away")
        self.assert_status(result, EXIT_OK)
        self.assertEqual(result.out, "job.batch/quartet-worker created\n")
        self.assertEqual(self.read_file("argv"), "apply\n-f\n-\n--context\nfar away\n")
        self.assertEqual(self.read_file("stdin"), self.manifest())

    def test_kubectl_that_fails_is_said_with_its_last_words(self):
        self.make_access()
        kubectl = self.fake_kubectl("cat >/dev/null\necho 'error: no cluster' >&2\nexit 7\n")
        result = self.launch("--apply", "--kubectl", kubectl)
        self.assert_status(result, EXIT_CANNOT_GO_ON)
        self.assertIn("exited with status 7: error: no cluster", result.err)

    def test_dry_run_shows_everything_but_the_secret_and_runs_nothing(self):
        self.make_access()
        for arguments in ((), ("--apply", "--kubectl", self.path("none"))):
            result = self.launch("--dry-run", *arguments)
            self.assert_status(result, EXIT_OK)
            first, *lines = result.out.splitlines()
            self.assertTrue(first.endswith(" <<'END'"), first)
            shown = json.loads("\n".join(lines[:-1]))
            (secret,) = pods.items(json.dumps(shown), "Secret")
            self.assertEqual(secret["data"], {"access.json": "<access file, not shown>"})
            whole = json.loads(self.manifest())
            self.assertEqual([item for item in shown["items"] if item["kind"] != "Secret"],
                             [item for item in whole["items"] if item["kind"] != "Secret"])

    def test_secret_is_not_shown_on_a_terminal(self):
        self.make_access()
        for arguments, status in (((), EXIT_USAGE), (("--secret", "mine"), EXIT_OK), (("--dry-run",), EXIT_OK)):
            terminal = Terminal(self, 100)
            program = terminal.start_quartet("launch", "k8s", "--access", self.access, "--workers", "1", *arguments, whole=True)
            self.assertEqual(program.process.wait(20), status)
            terminal.stream.wait_for("--dry-run" if status else '"kind": "Job"', 10)
            self.assertEqual('"kind"' in terminal.text(), status == EXIT_OK)

    def test_what_makes_no_sense_is_refused(self):
        self.make_access()
        self.assert_refused(self.launch("--name", "No"), "--name", "'No'")
        self.assert_refused(self.launch("--service", "elsewhere"), "--advertise elsewhere:5555")
        self.assert_refused(self.launch("--user", "0"), "--user")
        self.assert_refused(self.quartet("launch", "k8s", "--access", self.access), "--workers N")
        self.assert_refused(self.quartet("launch", "k8s", "--workers", "1", "--connect", "tcp://192.0.2.1:5555"), "--insecure",
                            status=EXIT_USAGE)


@unittest.skipIf(NO_PODS, NO_PODS or "")
class Pods(K8s):
    def start_pods(self, count, *arguments):
        _, worker = anyones.programs(self)
        manifest = self.manifest("--worker-path", worker, "--allow-exec", *arguments, workers=count)
        secret = pods.secret_of(manifest)
        return [pods.Pod(self, *pods.of_workload(manifest, number), secret) for number in range(count)]

    def test_run_is_done_by_pods_that_are_as_the_manifest_says(self):
        coordinator = self.coordinate("--range", "1:200", "--wait", "2", "--out", self.path("out"), "--", "sh", "-c",
                                      "id -u; id -G; test -w /etc || echo ro; echo $HOME", "{}")
        started = self.start_pods(2)
        coordinator_result = coordinator.finish(60)
        self.assert_status(coordinator_result, EXIT_OK)
        for pod in started:
            self.assert_status(pod.program.finish(20), EXIT_OK)
            self.assertIn(pod.name, pod.program.err.text())
        with open(self.path("out"), encoding="utf-8") as file:
            outputs = {json.loads(line)["stdout"] for line in file}
        self.assertEqual(outputs, {"10001\n10001\nro\n/tmp\n"})

    def test_secret_is_in_no_argument_and_no_environment(self):
        coordinator = self.coordinate("--range", "1:8", "--wait", "1", "--", "sh", "-c", "sleep 60", "{}")
        (pod,) = self.start_pods(1)
        wait_until(lambda: self.named("sleep"), 20, "the first items")
        secret = self.secret().encode()
        for process in self.left_over():
            for name in ("cmdline", "environ"):
                with open("/proc/%d/%s" % (process.pid, name), "rb") as file:
                    self.assertNotIn(secret, file.read(), "%s of %s" % (name, process))
        coordinator.signal(signal.SIGINT)
        coordinator.finish(20)
        pod.program.finish(20)

    def test_pod_that_is_told_to_go_is_one_to_replace(self):
        """A Job takes a pod that ended with 0 for done."""
        for kind, status in (("job", DRAINED_STATUS), ("deployment", EXIT_OK)):
            coordinator = self.coordinate("--range", "1:1000", "--wait", "1", "--", "sh", "-c", "sleep 0.1", "{}")
            (pod,) = self.start_pods(1, "--kind", kind)
            wait_until(lambda: self.named("sleep"), 20, "the first items")
            (first,) = [pid for pid in self.named("quartet-init")]
            os.kill(first, signal.SIGTERM)
            self.assert_status(pod.program.finish(20), status)
            coordinator.signal(signal.SIGINT)
            coordinator.finish(20)
            os.rename(self.path("secret-of-" + pod.name), self.path("done-" + kind))


@unittest.skipIf(NO_VALIDATOR or NO_PODS, NO_VALIDATOR or NO_PODS or "")
class Page(K8s):
    """deploy/kubernetes.md: a coordinator in the cluster."""

    def coordinator_yaml(self):
        with open(os.path.join(SCHEMAS, "..", "..", "deploy", "kubernetes.md"), encoding="utf-8") as file:
            (block,) = re.findall(r"^```yaml\n(.*?)^```$", file.read(), re.MULTILINE | re.DOTALL)
        to_json = "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)"
        done = subprocess.run([DEBIAN_PYTHON, "-c", to_json], input=block, capture_output=True, text=True, timeout=60, check=True)
        return json.loads(done.stdout)

    def keys_as_secret(self):
        secret = {}
        for path in ("coordinator.key", "authorized/worker.pub", "workers/worker.key"):
            with open(os.path.join(self.keys, path), "rb") as file:
                secret[os.path.basename(path)] = file.read()
        return secret

    def test_its_pod_is_as_kubernetes_has_it(self):
        self.assertEqual(self.errors_in(json.dumps({"apiVersion": "v1", "kind": "List", "items": [self.coordinator_yaml()]})), "")

    def test_its_pod_runs_and_workers_come_to_its_service(self):
        pod = self.coordinator_yaml()
        quartet, worker = anyones.programs(self)
        (container,) = pod["spec"]["containers"]
        container["command"] = [quartet]  # where it is here, and a port that is free
        swaps = {"--listen=tcp://*:5555": "--listen=tcp://127.0.0.1:*", "--wait=20": "--wait=2"}
        self.assertLessEqual(swaps.keys(), set(container["args"]))
        container["args"] = [swaps.get(word, word) for word in container["args"]]
        coordinator = pods.Pod(self, pod["metadata"]["name"], pod["spec"], self.keys_as_secret())
        coordinator.program.err.wait_for("listening on", 20)
        (first,) = self.named("quartet-init")
        copy = subprocess.run(["nsenter", "--target", str(first), "--mount", "--pid", "cat", "/tmp/worker.json"], capture_output=True,
                              timeout=20, check=True)
        self.write_file("worker.json", copy.stdout)
        os.chmod(self.access, 0o600)
        service = self.manifest("--service", "quartet:5555", "--worker-path", worker, "--allow-exec", workers=2)
        (selector,) = [item["spec"]["selector"] for item in pods.items(service, "Service")]
        self.assertEqual(selector, pod["metadata"]["labels"])
        workers = [pods.Pod(self, *pods.of_workload(service, number), pods.secret_of(service)) for number in range(2)]
        result = coordinator.program.finish(60)
        self.assert_status(result, EXIT_OK)
        self.assertEqual(sorted(map(int, result.out.split())), [n * n for n in range(1, 1001)])
        for worker in workers:
            self.assert_status(worker.program.finish(20), EXIT_OK)


if __name__ == "__main__":
    main()
