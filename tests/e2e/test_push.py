"""Workers on hosts that have nothing of quartet (--push): what is copied runs there by itself, is copied once, is there whole or not at
all, and what keeps it from being there is said. The hosts have roots of their own, without quartet and without its libraries."""

import json
import os
import re
import shutil
import signal
import subprocess
import unittest

import results
import servers
from harness import (BIN, EXIT_CANNOT_GO_ON, EXIT_ITEMS_FAILED, EXIT_OK, QUARTET, SANITIZED, SLOW, EndToEndTest, main, only_sample, wait_until)
from test_hosts import WHY_NOT, OnHosts

KEPT = "/root/.cache/quartet/bundle"
COPYING = "copying quartet-worker"


def bundle():
    (name,) = [name for name in os.listdir(BIN) if re.fullmatch(r"quartet-bundle-\w+\.tar\.gz", name)]
    return os.path.join(BIN, name)


@unittest.skipIf(WHY_NOT, WHY_NOT)
class OnBareHosts(OnHosts):
    count = 2
    kind = ("--bare",)

    def push(self, hosts="h1,h2", *arguments):
        return ["--hosts", hosts, "--ssh", self.hosts.ssh, "--push", *arguments]

    def run_there(self, *arguments, hosts="h1,h2", seconds=60):
        return self.quartet("run", "noop", "--range", "1:100", *self.push(hosts), *arguments, seconds=seconds)

    def kept(self, index=0):
        """Names in the cache of a host, hidden ones too."""
        return self.hosts[index].ask("ls", "-A", KEPT).split()

    def assert_copied(self, result, *hosts):
        self.assertEqual(re.findall(r"host (\S+): copying", result.err), list(hosts), result)

    def fail_there(self, *parts, hosts="h1"):
        result = self.run_there(hosts=hosts)
        self.assert_status(result, EXIT_CANNOT_GO_ON)
        line = result.err.splitlines()[-1]
        for part in parts:
            self.assertIn(part, line)
        self.assert_none_left(3)
        return result


class Work(OnBareHosts):
    def test_bare_host_has_nothing_of_quartet(self):
        result = self.quartet("run", "noop", "--range", "1:10", *self.over_ssh("h1", "quartet-worker"))
        self.assert_status(result, EXIT_CANNOT_GO_ON)
        self.assertIn("'quartet-worker' cannot be run there", result.err)
        self.assertIn("--push", result.err)
        self.assertNotIn("libzmq", self.hosts[0].ask("sh", "-c", "find / -xdev -name 'libzmq*' -size +0"))

    def test_worker_is_copied_to_a_bare_host_once(self):
        arguments = ["run", "squares", "--range", "1:300000"]
        here = only_sample(self.report(*arguments))
        first = self.quartet(*arguments, *self.push(), "--json", self.path("first"))
        self.assert_status(first, EXIT_OK)
        self.assertEqual(sorted(re.findall(r"host (\S+): copying", first.err)), ["h1", "h2"])
        second = self.quartet(*arguments, *self.push(), "--json", self.path("second"))
        self.assert_status(second, EXIT_OK)
        self.assert_copied(second)
        for name in ("first", "second"):
            there = only_sample(json.loads(self.read_file(name)))
            for key in ("ok", "failed", "checksum"):
                self.assertEqual(here[key], there[key], key)
        self.assertEqual((len(self.kept(0)), len(self.kept(1))), (1, 1))
        self.assert_none_left(2)

    def test_copied_worker_loads_nothing_of_that_host(self):
        program = self.start_quartet("run", "sleep", "--range", "1:100000", "--param", "seconds=0.05", "--out", self.path("out"),
                                     *self.push("h1"))
        wait_until(lambda: results.bytes_in(self.path("out")) > 0, 30, "the first results")
        mapped = set()
        for pid in self.named("quartet-worker"):
            with open("/proc/%d/maps" % pid, encoding="utf-8") as file:
                mapped |= {line.split()[5] for line in file if len(line.split()) > 5}
        libraries = {path for path in mapped if ".so" in path}
        self.assertGreater(len(libraries), 10, mapped)
        self.assertEqual([path for path in libraries if not path.startswith(KEPT)], [])
        program.signal(signal.SIGINT)
        program.finish(10)
        self.assert_none_left(3)

    def test_every_strategy_and_every_command_does_it(self):
        result = self.quartet("compare", "sleep", "--range", "1:40", "--param", "seconds=0.002", "--rounds", "1", "--warmup", "0",
                              *self.push())
        self.assert_status(result, EXIT_OK)
        self.assertIn("2 workers on 2 hosts", result.out)
        said = self.quartet("run", "exec", "--range", "1:20", *self.push(), "--", "sh", "-c", "hostname; umask")
        self.assert_status(said, EXIT_OK)
        self.assertEqual(set(said.out.split()) - {"h1", "h2"}, {"0022"})

    def test_installed_coordinator_pushes_what_was_installed_with_it(self):
        prefix = self.path("prefix")
        subprocess.run([os.environ["QUARTET_CMAKE"], "--install", os.environ["QUARTET_BUILD"], "--prefix", prefix], check=True,
                       capture_output=True)
        os.remove(prefix + "/bin/quartet-worker")  # not what is copied
        result = self.start([prefix + "/bin/quartet", "run", "noop", "--range", "1:100", *self.push("h1")]).finish(60)
        self.assert_status(result, EXIT_OK)
        self.assert_copied(result, "h1")

    def test_bundle_that_was_named_is_what_is_pushed(self):
        named = self.path(os.path.basename(bundle()))
        shutil.copy(bundle(), named)  # without its .sha256
        self.assert_status(self.run_there("--bundle", named, hosts="h1"), EXIT_OK)
        with open(bundle() + ".sha256", encoding="ascii") as file:
            self.assertEqual(self.kept(), [file.read().split()[0]])
        self.write_file(os.path.basename(named) + ".sha256", "0" * 64 + "  x\n")
        result = self.run_there("--bundle", named, hosts="h1")
        self.assert_status(result, EXIT_CANNOT_GO_ON)
        self.assertIn("is not the one that its .sha256 is of", result.err)

    @unittest.skipIf(SANITIZED, "the leak sanitizer takes what a loader allocates that was asked for by name for a leak")
    def test_doctor_looks_from_a_bare_host(self):
        result = self.quartet("doctor", *self.push("h1"), "--load", "0")
        self.assert_status(result, EXIT_OK)
        self.assert_copied(result, "h1")
        self.assertRegex(result.out, r"h1 .*round trip")

    def test_resumed_run_pushes_too(self):
        program = self.start_quartet("run", "sleep", "--range", "1:300", "--param", "seconds=0.05", "--journal", self.path("journal"),
                                     "--out", self.path("out"), *self.push("h1"))
        wait_until(lambda: results.bytes_in(self.path("out")) > 0, 30, "the first results")
        program.signal(signal.SIGKILL)
        program.process.wait()
        self.assert_none_left(5)
        self.hosts[0].do("rm", "-r", KEPT)
        result = self.quartet("resume", self.path("journal"), seconds=60)
        self.assert_status(result, EXIT_OK)
        self.assert_copied(result, "h1")
        self.assertEqual(len(self.read_file("out").splitlines()), 300)


class Whole(OnBareHosts):
    def kept_library(self):
        """One that only our worker needs."""
        (name,) = self.kept()
        return "%s/%s/lib/libprotobuf-c.so.1" % (KEPT, name)

    def test_what_was_damaged_there_is_mended(self):
        self.assert_status(self.run_there(hosts="h1"), EXIT_OK)
        self.hosts[0].do("rm", self.kept_library())
        result = self.run_there(hosts="h1")
        self.assert_status(result, EXIT_OK)
        self.assert_copied(result, "h1")
        self.hosts[0].do("truncate", "-s", "100", self.kept_library())
        result = self.run_there(hosts="h1")
        self.assert_status(result, EXIT_OK)
        self.assertIn("host h1: copying quartet-worker anew", result.err)
        result = self.run_there(hosts="h1")
        self.assert_status(result, EXIT_OK)
        self.assert_copied(result)
        self.assertEqual(len(self.kept()), 1)

    def test_copy_that_is_cut_short_by_a_kill_leaves_nothing_and_the_next_one_is_whole(self):
        self.hosts[0].narrow("16mbit")
        program = self.start_quartet("run", "noop", "--range", "1:10", *self.push("h1"))
        program.err.wait_for(COPYING, 20)
        wait_until(self.kept, 10, "the first bytes there")
        program.signal(signal.SIGKILL)
        program.process.wait()
        self.assert_none_left(5)
        wait_until(lambda: self.kept() == [], 5, "the end of what was begun there")
        self.hosts[0].widen()
        self.assert_status(self.run_there(hosts="h1"), EXIT_OK)
        self.assertEqual(len(self.kept()), 1)

    def test_connection_that_breaks_in_the_middle_is_made_again(self):
        self.hosts[0].narrow("16mbit")
        program = self.start_quartet("run", "noop", "--range", "1:10", *self.push("h1"))
        program.err.wait_for(COPYING, 20)
        wait_until(self.kept, 10, "the first bytes there")
        (ssh,) = self.named("ssh")
        self.hosts[0].widen()
        os.kill(ssh, signal.SIGKILL)  # the test's own: found by its marker
        result = program.finish(40)
        self.assert_status(result, EXIT_OK)
        self.assert_copied(result, "h1", "h1")
        self.assertEqual(len(self.kept()), 1)

    def test_interrupt_in_the_middle_leaves_nothing(self):
        self.hosts[0].narrow("16mbit")
        program = self.start_quartet("run", "noop", "--range", "1:10", *self.push("h1"))
        program.err.wait_for(COPYING, 20)
        program.signal(signal.SIGINT)
        self.assertNotEqual(program.finish(10).status, EXIT_OK)
        self.assert_none_left(5)
        wait_until(lambda: self.kept() == [], 5, "the end of what was begun there")

    def test_how_far_a_slow_copy_is_is_said(self):
        self.hosts[0].narrow("4mbit")
        program = self.start_quartet("run", "noop", "--range", "1:10", *self.push("h1,h2"))
        program.err.wait_for(r"waiting for 1 of 2 workers to start; host h1: copying [\d.]+ of [\d.]+ MB", 20)
        program.signal(signal.SIGINT)
        self.assertNotEqual(program.finish(10).status, EXIT_OK)
        result = self.run_there("--wait-timeout", "4", hosts="h1")
        self.assert_status(result, EXIT_CANNOT_GO_ON)
        self.assertRegex(result.err, r"host h1: copying [\d.]+ of [\d.]+ MB of quartet-worker")
        self.assert_none_left(5)

    def test_launches_at_once_all_work_also_when_they_mend(self):
        programs = [self.start_quartet("run", "noop", "--range", "1:100", *self.push()) for _ in range(3)]
        for program in programs:
            self.assert_status(program.finish(60), EXIT_OK)
        self.assertEqual((len(self.kept(0)), len(self.kept(1))), (1, 1))
        for host, name in zip(self.hosts.list, (self.kept(0)[0], self.kept(1)[0])):
            host.do("rm", "%s/%s/FILES" % (KEPT, name))
        programs = [self.start_quartet("run", "noop", "--range", "1:100", *self.push()) for _ in range(3)]
        for program in programs:
            self.assert_status(program.finish(60), EXIT_OK)
        result = self.run_there()
        self.assert_status(result, EXIT_OK)
        self.assert_copied(result)


class Elsewhere(OnBareHosts):
    """What other distributions have elsewhere than the one that the bundle was made on."""

    count = 1

    def test_https_is_trusted_as_that_host_trusts_it(self):
        gate = self.hosts[0].address.rsplit(".", 1)[0] + ".1"
        server = servers.Https(self, gate)
        download = ["run", "download", "--items", self.write_file("urls", (server.url + "\n") * 4), "--retries", "0", *self.push("h1")]
        self.hosts[0].do("mount", "-t", "tmpfs", "none", "/etc/ssl")
        result = self.quartet(*download)
        self.assert_status(result, EXIT_ITEMS_FAILED)
        with open(server.certificate, encoding="ascii") as file:
            self.hosts[0].do("sh", "-c", "cat >/etc/ssl/ca-bundle.pem", script=file.read())  # as SUSE has it
        self.assert_status(self.quartet(*download), EXIT_OK)


@unittest.skipIf(WHY_NOT, WHY_NOT)
class Start(OnHosts):
    """Hosts that have quartet, each with a home of its own: what is there once is started as soon as what is installed."""

    def test_what_is_there_starts_as_soon_as_what_is_installed(self):
        for host in self.hosts.list:
            host.do("mount", "-t", "tmpfs", "none", "/root")
        pushed = ["--hosts", "h1,h2,h3,h4", "--ssh", self.hosts.ssh, "--push"]
        self.assert_status(self.quartet("run", "noop", "--range", "1:4", *pushed), EXIT_OK)
        first_s = {"pushed": [], "installed": []}
        for _ in range(5):
            for name, arguments in (("pushed", pushed), ("installed", self.over_ssh())):
                result = self.quartet("run", "noop", "--range", "1:4", *arguments)
                self.assert_status(result, EXIT_OK)
                self.assertNotIn(COPYING, result.err)
                first_s[name].append(result.seconds)
        best = {name: min(seconds) for name, seconds in first_s.items()}
        print("\na run on 4 hosts: %.2f s pushed, %.2f s installed" % (best["pushed"], best["installed"]))
        self.assertLess(best["pushed"], best["installed"] + 0.5 * SLOW)


class Unfit(OnBareHosts):
    """What keeps a bundle from being there is said in a line, once, and nothing of it stays."""

    count = 1

    def mount_home(self, options):
        self.hosts[0].do("mount", "-t", "tmpfs", "-o", options, "none", "/root")

    def cover(self, name, script):
        """Another program under that name."""
        self.hosts[0].do("sh", "-c", "cat >/tmp/%s && chmod 755 /tmp/%s && mount --bind /tmp/%s /usr/bin/%s" % (
            name, name, name, name), script=script)

    def test_home_that_is_full_is_said(self):
        for size in ("4m", "16m"):  # the archive does not fit; what is in it does not
            self.mount_home("size=" + size)
            result = self.fail_there("--push: cannot ", " kB free there): ")
            self.assert_copied(result, "h1")
            self.assertEqual(self.kept(), [])

    def test_home_that_nothing_runs_from_is_said(self):
        self.mount_home("noexec")
        self.fail_there("its worker cannot be run in /root/.cache/quartet/bundle", "noexec", "XDG_CACHE_HOME")
        self.assertEqual(self.kept(), [])

    def test_home_that_cannot_be_written_is_said(self):
        self.mount_home("ro")
        self.fail_there("--push: mkdir: ", "Read-only file system")

    def test_machine_of_another_kind_is_said(self):
        self.cover("uname", "#!/bin/sh\necho riscv64\n")
        result = self.fail_there("--push: it is a machine of kind riscv64, and the bundle is for", "quartet-bundle-riscv64.tar.gz")
        self.assert_copied(result)

    def test_host_without_tar_is_said(self):
        self.hosts[0].do("mount", "--bind", "/dev/null", "/usr/bin/tar")
        self.fail_there("--push: it has no tar")

    def test_host_without_sha256sum_does(self):
        self.hosts[0].do("mount", "--bind", "/dev/null", "/usr/bin/sha256sum")
        self.assert_status(self.run_there(hosts="h1"), EXIT_OK)

    def test_host_that_speaks_csh_does(self):
        if not os.access("/bin/tcsh", os.X_OK):
            self.skipTest("tcsh is missing: deploy/install-packages.sh test")
        self.hosts[0].do("sh", "-c", "sed 's,^\\(root:.*\\):[^:]*$,\\1:/bin/tcsh,' /etc/passwd >/tmp/passwd"
                         " && mount --bind /tmp/passwd /etc/passwd")
        for copied in (["h1"], []):
            result = self.run_there(hosts="h1")
            self.assert_status(result, EXIT_OK)
            self.assert_copied(result, *copied)


class Usage(EndToEndTest):
    def refuse(self, *arguments):
        return self.quartet("run", "noop", "--range", "1:10", *arguments, seconds=10)

    def test_what_makes_no_sense_is_refused(self):
        self.assert_refused(self.refuse("--push"), "--push is about --hosts")
        self.assert_refused(self.refuse("--bundle", "x", "--hosts", "h1"), "--bundle 'x'", "--push")
        self.assert_refused(self.refuse("--push", "--hosts", "h1", "--remote-path", "/opt/q"), "--remote-path '/opt/q'")
        self.assert_refused(self.refuse("--push", "--hosts", "h1", "--bundle", "./quartet-bundle-x86_64.tar.gz"),
                            "cannot open the bundle './quartet-bundle-x86_64.tar.gz'", "No such file")
        path = self.write_file("worker.tar.gz", b"\x1f\x8b")
        self.assert_refused(self.refuse("--push", "--hosts", "h1", "--bundle", path), path, "quartet-bundle-MACHINE.tar.gz")
        path = self.write_file("quartet-bundle-x86_64.tar.gz", b"PK")
        self.assert_refused(self.refuse("--push", "--hosts", "h1", "--bundle", path), path, "no archive")

    def test_program_without_its_bundle_says_where_it_would_be(self):
        alone = self.path("quartet")
        with open(QUARTET, "rb") as file:
            self.write_file("quartet", file.read())
        os.chmod(alone, 0o755)
        result = self.start([alone, "run", "noop", "--range", "1:10", "--hosts", "h1", "--push"]).finish(10)
        self.assert_refused(result, "there is no quartet-bundle-", self.directory, "--bundle FILE")


@unittest.skipIf("thread" in SANITIZED, "the thread sanitizer starts the program anew, without the loader that was asked for")
class Bundle(EndToEndTest):
    """The bundle itself."""

    def unpack(self, where):
        os.makedirs(where)
        subprocess.run(["tar", "xzf", bundle(), "-C", where], check=True)
        return os.path.join(where, "quartet-bundle")

    def test_nothing_but_a_shell_is_needed_to_run_it(self):
        busybox = "/bin/busybox"
        if os.geteuid() != 0 or not os.access(busybox, os.X_OK):
            self.skipTest("needs root for chroot, and busybox-static: deploy/install-packages.sh test")
        if SANITIZED:
            self.skipTest("sanitizers need /proc, which is more than a shell")
        root = self.path("root")
        self.unpack(os.path.join(root, "opt"))
        os.makedirs(root + "/bin")
        subprocess.run(["cp", busybox, root + "/bin/sh"], check=True)
        self.assertEqual(sorted(os.listdir(root)), ["bin", "opt"])
        result = self.start(["chroot", root, "/opt/quartet-bundle/bin/quartet-worker", "--version"]).finish(20)
        self.assert_status(result, EXIT_OK)
        self.assertIn("libzmq", result.out)

    def test_it_is_found_by_a_link(self):
        directory = self.unpack(self.path("opt"))
        os.symlink(directory + "/bin/quartet-worker", self.path("quartet-worker"))
        self.assert_status(self.start([self.path("quartet-worker"), "--version"]).finish(20), EXIT_OK)

    def test_every_file_is_listed_and_every_library_has_its_copyright(self):
        directory = self.unpack(self.path("opt"))
        with open(directory + "/FILES", encoding="ascii") as file:
            listed = file.read().split()
        there = [os.path.relpath(os.path.join(path, name), directory) for part in ("bin", "lib")
                 for path, _, names in os.walk(os.path.join(directory, part)) for name in names]
        self.assertEqual(sorted(there), sorted(listed))
        with open(directory + "/LIBRARIES", encoding="utf-8") as file:
            rows = [line.rstrip("\n").split("\t") for line in file]
        self.assertEqual(sorted(row[0] for row in rows), sorted(set(listed) - {"bin/quartet-worker", "lib/quartet-worker"}))
        for library, package, version, copyright_path in rows:
            self.assertTrue(package and version, library)
            self.assertGreater(os.path.getsize(os.path.join(directory, copyright_path)), 0, library)

    def test_it_is_the_same_to_the_byte_whenever_it_is_made(self):
        again = self.path("again.tar.gz")
        script = os.path.join(os.environ["QUARTET_SOURCE"], "deploy", "bundle.sh")
        worker = os.path.join(BIN, "quartet-worker")
        made = self.start([script, worker, self.path("quartet-bundle"), again]).finish(120)
        self.assert_status(made, EXIT_OK)
        self.assertRegex(made.out, r"again\.tar\.gz: [\d.]+ MB, unpacked [\d.]+ MB, \d+ libraries, sha256 [0-9a-f]{64}")
        with open(again + ".sha256", encoding="ascii") as first, open(bundle() + ".sha256", encoding="ascii") as second:
            self.assertEqual(first.read().split()[0], second.read().split()[0])
        checked = subprocess.run(["sha256sum", "-c", os.path.basename(again) + ".sha256"], cwd=self.directory, check=False)
        self.assertEqual(checked.returncode, 0)


if __name__ == "__main__":
    main()
