"""--help, --version and `quartet workloads`: complete, and readable on a terminal of 80 columns."""

import re

from harness import EXIT_OK, QUARTET, WORKER, EndToEndTest, main

ITEMS = {"range", "items", "null", "param"}
CONCURRENCY = {"threads", "processes", "in-flight"}
PLACEMENT = {"local", "workers", "listen", "wait", "wait-timeout", "insecure", "keys", "access", "access-for", "hosts", "ssh", "remote-path",
             "advertise", "push", "bundle", "tunnel"}
CHUNKS = {"chunk", "credit"}
RECOVERY = {"crash-limit", "speculate", "control"}
OUTPUT = {"json", "no-progress", "quiet"}
COMMAND = {"colsep", "shell", "stdin", "cwd", "timeout", "kill-after", "max-output"}
DOCTOR = {"json", "timeout", "load"}
RESULTS = {"out", "format", "keep-order", "tag", "results", "joblog", "failures", "dry-run"}

FLAGS = {
    "compare": ITEMS | COMMAND | CONCURRENCY | PLACEMENT | CHUNKS | RECOVERY | OUTPUT | {
        "yes", "strategies", "placements", "rounds", "warmup", "seed", "csv", "markdown"},
    "run": ITEMS | COMMAND | RESULTS | CONCURRENCY | PLACEMENT | CHUNKS | RECOVERY | OUTPUT | {
        "strategy", "retries", "halt", "journal"},
    "resume": ITEMS | COMMAND | RESULTS | CONCURRENCY | PLACEMENT | CHUNKS | RECOVERY | OUTPUT | {
        "strategy", "retries", "halt", "journal"},
    "status": {"json", "control"},
    "drain": {"control"},
    "doctor": DOCTOR | {"access", "connect", "insecure", "listen", "wait", "keys", "access-for", "advertise", "hosts", "ssh",
                        "remote-path", "push", "bundle", "tunnel"},
    "keygen": {"worker", "quiet"},
    "launch": set(),
    "workloads": set(),
    "origin": {"listen", "insecure", "parent"},
}
LAUNCH = {"access", "wait-access", "connect", "insecure", "workers", "slots", "worker-path", "allow-exec", "allow-plugins",
          "give-up", "drain-limit", "dry-run", "quiet"}
LAUNCHER_FLAGS = {
    "mpi": LAUNCH | {"hosts", "hostfile", "mpirun", "mpi", "ssh"},
    "k8s": LAUNCH | {"image", "kind", "cpus", "memory", "user", "name", "namespace", "secret", "service", "apply", "kubectl"},
    "systemd": LAUNCH | {"name", "user", "stay", "unit-dir", "systemctl", "run-as", "cpus", "memory"},
    "slurm": LAUNCH | {"cpus", "time", "partition", "account", "qos", "job-name"},
}
WORKER_FLAGS = {"access", "connect", "describe", "name", "slots", "credit-max", "give-up", "spread", "idle-timeout",
                "drain-limit", "drained-status", "time-limit", "insecure", "allow-exec", "allow-plugins", "parent", "quiet",
                "version", "end-with-stdin", "doctor"} | DOCTOR
DEFAULTS = {"threads": "8", "in-flight": "100", "rounds": "3", "warmup": "1", "chunk": "auto",
            "wait-timeout": "60", "seed": "1", "crash-limit": "3", "speculate": "off"}


class Help(EndToEndTest):
    def look_at_help(self, argv, flags):
        result = self.start(argv).finish(10)
        self.assert_status(result, EXIT_OK)
        self.assertEqual(result.err, "")
        entries = dict(re.findall(r"(?m)^  --([a-z-]+)((?:.|\n(?!  --|\n))*)", result.out))
        self.assertEqual(set(entries), flags | {"help"})
        for name, text in entries.items():
            self.assertGreaterEqual(len(text.split()), 2, "--%s says what it does" % name)
        wide = [line for line in result.out.splitlines() if len(line) > 80]
        self.assertEqual(wide, [])
        return entries, result.out

    def test_help_of_every_command_names_every_flag(self):
        for command, flags in FLAGS.items():
            for spelling in ("--help", "-h"):
                self.look_at_help([QUARTET, command, spelling], flags)

    def test_help_of_every_launcher_names_every_flag(self):
        for launcher, flags in LAUNCHER_FLAGS.items():
            self.look_at_help([QUARTET, "launch", launcher, "--help"], flags)
        listed = re.findall(r"(?m)^quartet launch ([a-z0-9]+)  ", self.quartet("launch", "--help").out)
        self.assertEqual(set(listed), set(LAUNCHER_FLAGS))

    def test_help_of_the_worker_names_every_flag(self):
        self.look_at_help([WORKER, "--help"], WORKER_FLAGS)

    def test_help_gives_defaults_and_exit_statuses(self):
        entries, whole = self.look_at_help([QUARTET, "compare", "--help"], FLAGS["compare"])
        for name, default in DEFAULTS.items():
            self.assertRegex(" ".join(entries[name].split()), r"default: %s\b" % default)
        for part in ("Exit status", "SIGINT|signal"):
            self.assertRegex(whole, part)

    def test_help_of_quartet_lists_the_commands(self):
        for spelling in ("--help", "help", "-h"):
            result = self.quartet(spelling)
            self.assert_status(result, EXIT_OK)
            for command in FLAGS:
                self.assertIn("quartet " + command, result.out)
            self.assertLessEqual(max(map(len, result.out.splitlines())), 80, result.out)

    def test_version_names_the_libraries(self):
        result = self.quartet("--version")
        self.assert_status(result, EXIT_OK)
        self.assertRegex(result.out, r"(?m)^quartet +\d+\.\d+\.\d+")
        for library in ("libzmq", "libuv", "libcurl", "protobuf-c", "libmicrohttpd", "jansson"):
            self.assertRegex(result.out, r"(?m)^(lib)?%s +\d+\.\d+" % library.removeprefix("lib"))
        worker = self.start([WORKER, "--version"]).finish(10)
        self.assert_status(worker, EXIT_OK)
        self.assertRegex(worker.out, r"(?m)^quartet-worker +\d+\.\d+\.\d+")


class Workloads(EndToEndTest):
    def test_workloads_lists_all_of_them(self):
        result = self.quartet("workloads")
        self.assert_status(result, EXIT_OK)
        for name in ("download", "squares", "noop", "sleep", "spin"):
            self.assertRegex(result.out, r"(?m)^%s +\w+" % name)
        self.assertLessEqual(max(map(len, result.out.splitlines())), 80)

    def test_workload_is_described_with_units_and_defaults(self):
        result = self.quartet("workloads", "download")
        self.assert_status(result, EXIT_OK)
        for name, unit, default in (("delay", "seconds", "0.1"), ("timeout", "seconds", "60"),
                                    ("body-max", "bytes", "64Mi"), ("redirects", "redirects", "5")):
            self.assertRegex(result.out, r"--param %s=%s\n.*\(default %s\)" % (name, unit, default))
        self.assertIn("--range 1:64", result.out)

    def test_every_parameter_that_is_described_is_accepted(self):
        for workload in ("download", "sleep", "spin", "noop", "squares"):
            text = self.quartet("workloads", workload).out
            for name, default in re.findall(r"--param ([a-z-]+)=\S+\n.*\(default (\S+)\)", text):
                result = self.quartet("run", workload, "--range", "5:1", "--param", name + "=" + default)
                self.assert_refused(result, "5:1")


if __name__ == "__main__":
    main()
