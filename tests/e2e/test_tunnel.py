"""Workers that connect back through their own ssh (--tunnel): behind a firewall that lets them begin no connection, with keys, alone or
with what was copied there; what forbids it is said; no port stays open on any host."""

import os
import re
import signal
import subprocess
import unittest

import results
from harness import EXIT_CANNOT_GO_ON, EXIT_OK, EXIT_SIGINT, EndToEndTest, main, only_sample, wait_until
from test_hosts import WHY_NOT, OnHosts

SSHD_ONLY = {"0.0.0.0:22", "[::]:22"}


@unittest.skipIf(WHY_NOT, WHY_NOT)
class OnKeptInHosts(OnHosts):
    """Hosts that are reached, and reach nobody by themselves."""

    count = 2

    def setUp(self):
        super().setUp()
        for host in self.hosts.list:
            host.keep_in()

    def tunnel(self, *arguments, hosts="h1,h2"):
        return [*self.over_ssh(hosts), "--tunnel", *arguments]

    def assert_no_port_left(self, seconds=3):
        for host in self.hosts.list:
            wait_until(lambda: set(host.listening()) == SSHD_ONLY, seconds, "the end of other ports than sshd's on " + host.name)


class Work(OnKeptInHosts):
    def test_without_a_tunnel_the_way_back_is_missed_and_the_tunnel_is_named(self):
        result = self.quartet("run", "noop", "--range", "1:10", *self.over_ssh("h1"), "--wait-timeout", "3")
        self.assert_status(result, EXIT_CANNOT_GO_ON)
        self.assertRegex(result.err, r"host h1: ssh got through, but its worker did not reach tcp://198\.18\.\d+\.1:\d+ .*--tunnel")

    def test_run_through_tunnels_comes_to_what_it_comes_to_here(self):
        arguments = ["run", "squares", "--range", "1:300000"]
        here = only_sample(self.report(*arguments))
        report = self.report(*arguments, *self.tunnel())
        there = only_sample(report)
        for key in ("ok", "failed", "checksum"):
            self.assertEqual(here[key], there[key], key)
        (cell,) = report["comparisons"][0]["cells"]
        self.assertEqual((cell["workers"], cell["hosts"]), (2, 2))
        self.assert_none_left(2)
        self.assert_no_port_left()

    def test_doctor_looks_through_the_tunnel(self):
        result = self.quartet("doctor", *self.tunnel(hosts="h1"), "--load", "0")
        self.assert_status(result, EXIT_OK)
        self.assertRegex(result.out, r"h1 .*round trip")
        self.assert_none_left(3)
        self.assert_no_port_left()

    def test_comparison_says_where_it_ran(self):
        result = self.quartet("compare", "sleep", "--range", "1:40", "--param", "seconds=0.002", "--rounds", "1", "--warmup", "0",
                              *self.tunnel())
        self.assert_status(result, EXIT_OK)
        self.assertIn("2 workers on 2 hosts", result.out)

    def test_only_the_loopback_is_listened_on_at_both_ends(self):
        program = self.begin("--tunnel", hosts="h1,h2")
        listening = subprocess.run(["ss", "-ltnpH"], text=True, capture_output=True, check=True).stdout
        mine = [line.split()[3] for line in listening.splitlines() if "pid=%d," % program.pid in line]
        self.assertEqual([re.sub(r":\d+$", "", address) for address in mine], ["127.0.0.1"])
        for host in self.hosts.list:
            others = set(host.listening()) - SSHD_ONLY
            self.assertTrue(others)
            self.assertEqual({re.sub(r":\d+$", "", address) for address in others} - {"127.0.0.1", "[::1]"}, set())
        program.signal(signal.SIGINT)
        self.assert_status(program.finish(10), EXIT_SIGINT)
        self.assert_none_left(3)
        self.assert_no_port_left()

    def test_listening_elsewhere_too_is_possible(self):
        for listen in ("tcp://0.0.0.0:*", "tcp://[::1]:*"):
            self.assert_status(self.quartet("run", "noop", "--range", "1:100", *self.tunnel("--listen", listen)), EXIT_OK)

    def test_keys_of_a_directory_and_no_keys(self):
        keys = self.path("keys")
        self.assert_status(self.quartet("keygen", keys), EXIT_OK)
        self.assert_status(self.quartet("run", "noop", "--range", "1:100", *self.tunnel("--keys", keys)), EXIT_OK)
        result = self.quartet("run", "noop", "--range", "1:100", *self.tunnel("--insecure"))
        self.assert_status(result, EXIT_OK)
        self.assertIn("the tunnel's end on each host is open to all of its users", result.err)

    def test_stranger_on_a_host_is_not_let_in_by_the_tunnel(self):
        program = self.begin("--tunnel", hosts="h1")
        (port,) = {address.rsplit(":", 1)[1] for address in set(self.hosts[0].listening()) - SSHD_ONLY}
        worker = self.start([*self.hosts[0].enter, os.path.join(os.environ["QUARTET_BIN"], "quartet-worker"), "--connect",
                             "tcp://127.0.0.1:" + port, "--give-up", "2"])
        self.assertNotEqual(worker.finish(20).status, EXIT_OK)
        program.signal(signal.SIGINT)
        self.assertNotIn("2 workers", program.finish(10).err)


class Ends(OnKeptInHosts):
    def test_broken_tunnel_is_made_again(self):
        work = results.sleep(1, 3000, 0.01)
        undisturbed = work.undisturbed(self)
        out = self.path("out.ndjson")
        program = self.start_quartet(*work.argv("--out", out, "--json", "-", "--threads", "2", *self.tunnel()))
        wait_until(lambda: results.bytes_in(out) > 0, 20, "the first results")
        os.kill(self.named("ssh")[0], signal.SIGKILL)  # the test's own: found by its marker
        program.err.wait_for("ssh was killed by signal 9 .*; started again", 10)
        result = program.finish(60)
        self.assertEqual(results.outcome_differences(work, result, out, undisturbed), [], result)
        self.assert_none_left(3)
        self.assert_no_port_left()

    def test_no_port_outlives_a_coordinator_that_is_killed(self):
        program = self.begin("--tunnel", hosts="h1,h2")
        program.signal(signal.SIGKILL)
        program.process.wait()
        self.assert_none_left(5)
        self.assert_no_port_left()

    def test_no_port_stays_in_a_connection_that_the_user_shares(self):
        with open(self.hosts.directory + "/ssh_config", encoding="utf-8") as file:
            mine = self.write_file("ssh_config", "ControlMaster auto\nControlPath %s/%%C\nControlPersist 60\n" % self.directory + file.read())
        ssh = "ssh -F " + mine
        self.assert_status(self.quartet("run", "noop", "--range", "1:100", "--hosts", "h1", "--ssh", ssh, "--remote-path",
                                        self.over_ssh()[-1], "--tunnel"), EXIT_OK)
        self.assert_none_left(3)
        self.assert_no_port_left()


class Forbidden(OnKeptInHosts):
    count = 1

    def test_host_that_allows_no_tunnel_is_named_with_the_setting(self):
        config = "%s/h1/sshd_config" % self.hosts.directory
        with open(config, encoding="utf-8") as file:
            text = file.read()
        for setting in ("AllowTcpForwarding no", "AllowTcpForwarding local", "PermitListen 7777", "DisableForwarding yes"):
            with open(config, "w", encoding="utf-8") as file:
                file.write(setting + "\n" + text)
            self.hosts[0].do("kill", "-HUP", "1")  # the sshd of that host
            wait_until(self.hosts[0].listening, 10, "its sshd again")
            result = self.quartet("run", "noop", "--range", "1:10", *self.tunnel(hosts="h1"))
            self.assert_status(result, EXIT_CANNOT_GO_ON)
            self.assertRegex(result.err, r"host h1: its sshd does not allow the way back of --tunnel \(AllowTcpForwarding.*"
                             "remote port forwarding failed")
            self.assertLess(result.seconds, 10, "it was not tried again")
            self.assert_none_left(3)

    def test_ssh_that_does_not_say_the_port_is_told_of(self):
        result = self.quartet("run", "noop", "--range", "1:10", "--hosts", "h1", "--ssh", self.hosts.ssh + " -q", "--tunnel",
                              "--remote-path", self.over_ssh()[-1], "--wait-timeout", "3")
        self.assert_status(result, EXIT_CANNOT_GO_ON)
        self.assertIn("host h1: ssh got through, but does not say which port its tunnel has", result.err)
        self.assert_none_left(3)


class Bare(OnKeptInHosts):
    kind = ("--bare",)

    def test_copied_worker_comes_back_through_its_tunnel(self):
        arguments = ["run", "exec", "--range", "1:40", "--hosts", "h1,h2", "--ssh", self.hosts.ssh, "--push", "--tunnel", "--", "sh",
                     "-c", "hostname"]
        for copied in (["h1", "h2"], []):
            result = self.quartet(*arguments)
            self.assert_status(result, EXIT_OK)
            self.assertEqual((len(result.out.split()), set(result.out.split()) - {"h1", "h2"}), (40, set()))
            self.assertEqual(sorted(re.findall(r"host (\S+): copying", result.err)), copied)
        self.assert_none_left(3)
        self.assert_no_port_left()


class Usage(EndToEndTest):
    def test_what_makes_no_sense_is_refused(self):
        for arguments, parts in (
                (["--tunnel"], ["--tunnel is about --hosts"]),
                (["--tunnel", "--hosts", "h1", "--advertise", "gate"], ["--tunnel", "--advertise 'gate'"]),
                (["--tunnel", "--hosts", "h1", "--listen", "ipc:///tmp/x"], ["--tunnel", "--listen 'ipc:///tmp/x'"])):
            self.assert_refused(self.quartet("run", "noop", "--range", "1:10", *arguments, seconds=10), *parts)


if __name__ == "__main__":
    main()
