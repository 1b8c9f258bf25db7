"""Plugins as their authors build them: quartet is installed into a directory of its own, and the examples are built against that, outside
the tree, by CMake and by one line with pkg-config. What they are is then asked of the installed programs."""

import json
import os
import shutil
import subprocess
import tempfile

from harness import (EXIT_CANNOT_GO_ON, EXIT_ITEMS_FAILED, EXIT_OK, EXIT_USAGE, QUARTET, STRATEGIES, EndToEndTest, main,
                     only_sample, within)

BUILD = os.environ["QUARTET_BUILD"]
SOURCE = os.environ["QUARTET_SOURCE"]
CMAKE = os.environ["QUARTET_CMAKE"]
C_EXAMPLES = {"linecount": [], "collatz": [], "durable": [], "filesize": ["libuv"]}


def say(argv, env=None):
    """Run a tool of the build; what it printed."""
    done = subprocess.run(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          universal_newlines=True, timeout=within(120))
    if done.returncode != 0:
        raise AssertionError("%s: exit status %d\n%s" % (" ".join(argv), done.returncode, done.stdout))
    return done.stdout


class Installed(EndToEndTest):
    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.mkdtemp(prefix="quartet-installed-")
        cls.addClassCleanup(shutil.rmtree, cls.root, ignore_errors=True)
        cls.prefix = os.path.join(cls.root, "prefix")
        say([CMAKE, "--install", BUILD, "--prefix", cls.prefix])
        # The whole package is somewhere below; where exactly is for the system to say (lib, lib64, lib/x86_64-linux-gnu).
        cls.pkgconfig = cls.find("quartet.pc")
        cls.worker = os.path.join(cls.prefix, "bin", "quartet-worker")
        cls.built = os.path.join(cls.root, "examples")
        say([CMAKE, "-S", os.path.join(SOURCE, "examples"), "-B", cls.built,
             "-DCMAKE_PREFIX_PATH=" + cls.prefix])
        say([CMAKE, "--build", cls.built])

    @classmethod
    def find(cls, name, root=None):
        """The folder of the one file of that name that was installed."""
        folders = [at for at, _, files in os.walk(root or cls.prefix) if name in files]
        if len(folders) != 1:
            raise AssertionError("%s is in %r" % (name, folders))
        return folders[0]

    def describe(self, path):
        result = self.start([self.worker, "--describe", path]).finish(20)
        self.assert_status(result, EXIT_OK)
        self.assertEqual(result.err, "")
        self.assertEqual(result.out.count("\n"), 1)
        return json.loads(result.out)

    def pkg_config(self, *arguments, folder=None):
        env = dict(os.environ, PKG_CONFIG_PATH=folder or self.pkgconfig)
        return say(["pkg-config", *arguments], env).split()

    # --- what is installed ---

    def test_programs_and_the_one_header_are_installed(self):
        installed = {os.path.relpath(os.path.join(at, file), self.prefix)
                     for at, _, files in os.walk(self.prefix) for file in files}
        for path in ("bin/quartet", "bin/quartet-worker", "include/quartet/workload.h"):
            self.assertIn(path, installed)
        self.assertEqual(
            {os.path.basename(path) for path in installed if not path.startswith("libexec/quartet/quartet-bundle-")},
            {"quartet", "quartet-worker", "workload.h", "quartet.pc", "quartetConfig.cmake",
             "quartetConfigVersion.cmake"})

    def test_installed_coordinator_finds_the_installed_worker(self):
        quartet = os.path.join(self.prefix, "bin", "quartet")
        result = self.start([quartet, "run", "squares", "--range", "1:100", "--workers", "1",
                             "--quiet"]).finish(30)
        self.assert_status(result, EXIT_OK)

    def test_package_may_be_moved(self):
        # As a packager does it: installed for /usr into a staging area.
        stage = os.path.join(self.root, "stage")
        say([CMAKE, "--install", BUILD, "--prefix", "/usr"], dict(os.environ, DESTDIR=stage))
        flags = self.pkg_config("--cflags", "--define-prefix", "quartet",
                                folder=self.find("quartet.pc", stage))
        (include,) = [flag[2:] for flag in flags if flag.startswith("-I")]
        self.assertEqual(os.path.realpath(include), os.path.realpath(stage + "/usr/include"))
        say([CMAKE, "-S", os.path.join(SOURCE, "examples"), "-B", os.path.join(self.root, "staged"),
             "-Dquartet_DIR=" + self.find("quartetConfig.cmake", stage)])
        say([CMAKE, "--build", os.path.join(self.root, "staged"), "--target", "linecount"])

    # --- what is built with it ---

    def test_examples_describe_themselves(self):
        forms = {"linecount": ["run"], "collatz": ["run", "run_numbers"], "durable": ["run_batch"],
                 "filesize": ["run", "async"], "matches": ["run"]}
        for name, expected in forms.items():
            with self.subTest(name=name):
                description = self.describe(os.path.join(self.built, "lib%s.so" % name))
                self.assertEqual(description["name"], name)
                self.assertEqual(description["abi"], "1.0")
                self.assertEqual(description["forms"], expected)

    def test_description_has_all_that_a_user_is_told(self):
        self.assertEqual(self.describe(os.path.join(self.built, "liblinecount.so")), {
            "name": "linecount", "summary": "counts the lines of the file that an item names",
            "abi": "1.0", "traits": ["idempotent", "bytes"], "forms": ["run"],
            "default_range": None,
            "parameters": [{
                "name": "longer-than", "kind": "count", "unit": "bytes", "default": "0",
                "max": 2.0 ** 30, "choices": None,
                "help": "count only lines of more bytes than this; 0: count all"}]})

    def test_one_line_with_pkg_config_builds_a_plugin(self):
        # What the header has warnings of would be its users' to silence.
        strict = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-O2", "-fPIC", "-shared"]
        cflags = self.pkg_config("--cflags", "quartet")
        for name, packages in C_EXAMPLES.items():
            with self.subTest(name=name):
                library = self.path("lib%s.so" % name)
                libs = self.pkg_config("--libs", *packages) if packages else []
                say(["cc", *strict, *cflags, os.path.join(SOURCE, "examples", name + ".c"),
                     "-o", library, *libs])
                self.assertEqual(self.describe(library)["name"], name)

    # --- what a user asks ---

    def test_workloads_describes_a_plugin(self):
        path = os.path.join(self.built, "liblinecount.so")
        result = self.start([QUARTET, "workloads", path]).finish(20)
        self.assert_status(result, EXIT_OK)
        self.assertIn("linecount: counts the lines", result.out)
        self.assertIn("--param longer-than=bytes", result.out)
        self.assertIn("(default 0)", result.out)
        self.assertRegex(result.out, r"asynchronous +no")
        path = os.path.join(self.built, "libfilesize.so")
        result = self.start([QUARTET, "workloads", path]).finish(20)
        self.assertRegex(result.out, r"asynchronous +yes")

    def test_what_is_no_plugin_is_refused_in_one_line(self):
        whole = self.path("whole.so")
        shutil.copy(os.path.join(self.built, "libcollatz.so"), whole)
        with open(whole, "rb") as file:
            content = file.read()
        text = self.write_file("text.so", "hello\n")
        empty = self.write_file("empty.so", "")
        half = self.write_file("half.so", content[:len(content) // 2])
        for path, words in ((text, "begins with 'hello"), (empty, "it is empty"),
                            (half, "it is cut off"), (self.path("absent.so"), "No such file"),
                            (self.directory, "a directory")):
            with self.subTest(path=path):
                for argv in ([self.worker, "--describe", path], [QUARTET, "workloads", path]):
                    result = self.start(argv).finish(20)
                    self.assert_refused(result, "plugin '%s'" % path, words, status=EXIT_USAGE)


class Running(EndToEndTest):
    """Plugins as built beside the programs: one of each form, here and across workers that have to be sent them."""

    def setUp(self):
        super().setUp()
        self.cache = {"XDG_CACHE_HOME": self.path("cache")}
        self.files = []
        for i in range(40):
            self.files.append(self.write_file("file-%d" % i, "x\n" * i))
        self.items = self.write_file("items", "".join(path + "\n" for path in self.files))

    def plugin(self, name):
        return os.path.join(BUILD, "examples", "lib%s.so" % name)

    def records(self, *arguments, status=EXIT_OK):
        out = self.path("out.ndjson")
        result = self.quartet("run", *arguments, "--out", out, env=self.cache)
        self.assert_status(result, status)
        with open(out, encoding="utf-8") as file:
            return {record["index"]: record for record in map(json.loads, file)}

    def test_plugin_gives_the_same_in_every_strategy_and_placement(self):
        for strategy in STRATEGIES:
            for placement in ((), ("--workers", "2")):
                records = self.records(self.plugin("linecount"), "--items", self.items, "--strategy", strategy, *placement)
                self.assertEqual([records[i]["value"] for i in range(40)], list(range(40)))
        cached = os.listdir(os.path.join(self.path("cache"), "quartet", "plugins"))
        self.assertEqual(len(cached), 1, "sent once, then found: %s" % cached)

    def test_every_form_is_compared_and_agrees(self):
        for name, items in (("linecount", ("--items", self.items)), ("collatz", ("--range", "1:3000")),
                            ("filesize", ("--items", self.items))):
            report = self.report("compare", self.plugin(name), *items, "--rounds", "1", "--warmup", "0", env=self.cache)
            comparison = report["comparisons"][0]
            self.assertEqual(comparison["workload"]["name"], name)
            self.assertTrue(comparison["agreement"]["agree"])
            self.assertEqual(len(comparison["cells"]), 8)

    def test_plugin_that_is_not_idempotent_is_run_many_times_only_with_yes_on_a_terminal(self):
        master, tty = os.openpty()
        self.addCleanup(os.close, master)
        program = self.start_quartet("compare", self.plugin("durable"), "--items", self.items, "--rounds", "1", stdin=tty)
        os.close(tty)
        self.assert_refused(program.finish(20), "durable", "--yes")

    def test_failed_items_have_their_reason(self):
        items = self.write_file("missing", self.files[3] + "\n" + self.path("absent") + "\n")
        records = self.records(self.plugin("linecount"), "--items", items, "--workers", "1", status=EXIT_ITEMS_FAILED)
        self.assertEqual(records[0]["value"], 3)
        self.assertEqual(records[1]["status"], "failed")
        self.assertIn("absent", records[1]["reason"])

    def test_worker_of_somebody_else_loads_plugins_only_when_it_was_told_so(self):
        for flags in ((), ("--allow-plugins",)):
            coordinator, at = self.listen("run", self.plugin("collatz"), "--range", "1:100", "--listen",
                                          "tcp://127.0.0.1:*", "--json", "-")
            worker = self.start_worker(at, *flags, env=self.cache)
            result = coordinator.finish(20)
            if flags:
                self.assert_status(result, EXIT_OK)
                self.assertEqual(only_sample(result.report())["ok"], 100)
            else:
                self.assertIn(result.status, (EXIT_CANNOT_GO_ON, EXIT_USAGE))
                self.assertIn("--allow-plugins", result.err)
            worker.finish(20)

    def test_cached_plugin_that_was_damaged_is_fetched_anew(self):
        self.records(self.plugin("linecount"), "--items", self.items, "--workers", "1")
        folder = os.path.join(self.path("cache"), "quartet", "plugins")
        (name,) = os.listdir(folder)
        with open(os.path.join(folder, name), "r+b") as file:
            file.seek(5000)
            file.write(b"\0" * 100)
        records = self.records(self.plugin("linecount"), "--items", self.items, "--workers", "1")
        self.assertEqual(len(records), 40)

    def test_what_is_no_plugin_is_refused_before_anything_is_run(self):
        text = self.write_file("text.so", "hello\n")
        result = self.quartet("run", text, "--range", "1:3")
        self.assert_refused(result, "text.so")


if __name__ == "__main__":
    main()
