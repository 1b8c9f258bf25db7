"""Workers that quartet starts itself on other hosts, over ssh: what comes of it is what comes of it here, what is wrong with a host is
said, and nothing is left on any of them however the run ends."""

import json
import os
import signal
import time
import unittest

import results
import ssh_hosts
from harness import (EXIT_CANNOT_GO_ON, EXIT_OK, EXIT_SIGINT, SANITIZED, SLOW, WORKER, EndToEndTest, main, only_sample,
                     wait_until, within)
from storm import LEASE_S

# ssh does not hand the thread sanitizer's list of libzmq's own races to the workers there.
WHY_NOT = "workers over ssh have no suppressions" if "thread" in SANITIZED else ssh_hosts.unavailable()
COUNT = 4
ALL = "h1,h2,h3,h4"


@unittest.skipIf(WHY_NOT, WHY_NOT)
class OnHosts(EndToEndTest):
    count = COUNT
    kind = ()  # further arguments of tests/hosts.sh

    def setUp(self):
        super().setUp()
        self.hosts = ssh_hosts.Hosts(self, self.count, *self.kind)

    def over_ssh(self, hosts=ALL, worker=WORKER):
        return ["--hosts", hosts, "--ssh", self.hosts.ssh, "--remote-path", worker]

    def workers_left(self):
        """Of this test, wherever: workers and what leads to them."""
        return [p for p in self.left_over() if p.name in ("quartet-worker", "ssh", "sshd", "quartet")]

    def assert_none_left(self, seconds):
        wait_until(lambda: not self.workers_left(), seconds, "the end of every worker and every ssh")

    def begin(self, *arguments, hosts=ALL, item_s=0.05, items=100000):
        """A run that does not end by itself soon; its items are running."""
        program = self.start_quartet("run", "sleep", "--range", "1:%d" % items, "--param", "seconds=%s" % item_s, "--out",
                                     self.path("out"), *self.over_ssh(hosts), *arguments)
        wait_until(lambda: results.bytes_in(self.path("out")) > 0, 20, "the first results")
        return program


class Work(OnHosts):
    def test_run_comes_to_what_it_comes_to_here(self):
        arguments = ["run", "squares", "--range", "1:300000"]
        here = only_sample(self.report(*arguments))
        report = self.report(*arguments, *self.over_ssh("h1 2/h2,h3-6,root@h4:22"))
        there = only_sample(report)
        for key in ("ok", "failed", "checksum", "bytes_out"):
            self.assertEqual(here[key], there[key], key)
        (cell,) = report["comparisons"][0]["cells"]
        self.assertEqual((cell["workers"], cell["hosts"]), (4, 4))
        self.assertEqual([host["name"] for host in report["hosts"]], ["h1", "h2", "h3", "h4"])
        self.assert_none_left(2)

    def test_hosts_come_from_a_file_and_a_worker_has_the_slots_of_its_host(self):
        path = self.write_file("two", "# two of them\n3/h1\nh2 # and this\n")
        report = self.report("run", "noop", "--range", "1:1000", "--threads", "5", *self.over_ssh(path))
        (cell,) = report["comparisons"][0]["cells"]
        self.assertEqual((cell["workers"], cell["concurrency"]), (2, 3 + 5))

    def test_commands_run_there(self):
        result = self.quartet("run", "exec", "--range", "1:40", *self.over_ssh(), "--", "sh", "-c", "hostname")
        self.assert_status(result, EXIT_OK)
        said = result.out.split()
        self.assertEqual((len(said), set(said) - {"h1", "h2", "h3", "h4"}), (40, set()))

    def test_comparison_agrees_and_says_where_it_ran_and_how_far_that_is(self):
        result = self.quartet("compare", "sleep", "--range", "1:200", "--param", "seconds=0.002", "--rounds", "1", "--warmup", "0",
                              "--json", self.path("json"), *self.over_ssh())
        self.assert_status(result, EXIT_OK)
        self.assertIn("4 workers on 4 hosts", result.out)
        self.assertRegex(result.out, r"workers: 4 on 4 hosts; round trip \S+ [um]?s \(h\d\)")
        self.assertNotIn("loopback is not a network", " ".join(result.out.split()))

    def test_some_of_the_hosts_take_part_and_each_is_named_with_its_share(self):
        report = self.path("json")
        result = self.quartet("compare", "sleep", "--range", "1:200", "--param", "seconds=0.002", "--rounds", "1", "--warmup", "0",
                              "--strategies", "serial", "--workers", "1,2,4", "--json", report, *self.over_ssh())
        self.assert_status(result, EXIT_OK)
        with open(report, encoding="utf-8") as file:
            said = json.load(file)
        self.assertEqual([(c["workers"], c["hosts"]) for c in said["comparisons"][0]["cells"]], [(0, 0), (1, 1), (2, 2), (4, 4)])
        self.assertEqual(sum(host["items_run"] for host in said["hosts"]), 600)
        self.assertRegex(" ".join(result.out.split()), r"hosts: h1: \d cores?, \S+ [um]?s away, \d+ % of the items; h2: ")

    def test_workers_that_share_one_other_machine_are_told_of(self):
        result = self.quartet("compare", "sleep", "--range", "1:20", "--rounds", "1", "--warmup", "0", *self.over_ssh("h1,root@h1"))
        self.assert_status(result, EXIT_OK)
        self.assertIn("All workers were on one other machine", " ".join(result.out.split()))

    def test_listening_where_told_and_being_found_where_advertised(self):
        gate = self.hosts[0].address.rsplit(".", 1)[0] + ".1"
        for arguments in (["--listen", "tcp://%s:*" % gate], ["--advertise", gate]):
            self.assert_status(self.quartet("run", "noop", "--range", "1:100", *self.over_ssh("h1,h2"), *arguments), EXIT_OK)

    def test_local_workers_and_those_of_hosts_work_together(self):
        report = self.report("run", "noop", "--range", "1:1000", "--workers", "1", *self.over_ssh("h1"))
        (cell,) = report["comparisons"][0]["cells"]
        self.assertEqual((cell["workers"], cell["hosts"]), (2, 2))


class Refused(OnHosts):
    def fail(self, *arguments, seconds=30):
        result = self.quartet("run", "noop", "--range", "1:10", *arguments, seconds=seconds)
        self.assert_status(result, EXIT_CANNOT_GO_ON)
        self.assert_none_left(2)
        return result.err.splitlines()[-1], result

    def test_host_that_refuses_ssh_is_named_with_what_ssh_said(self):
        line, result = self.fail(*self.over_ssh("h1,h2:2222"))
        self.assertRegex(line, r"1 of 2 hosts did not come; host h2:2222: ssh exited with status 255: .*port 2222: Connection refused")
        self.assertGreater(result.seconds, 1, "it was tried again")

    def test_host_without_quartet_is_told_from_one_that_is_not_there(self):
        line, result = self.fail(*self.over_ssh("h1", worker="/nowhere/quartet-worker"))
        self.assertIn("host h1: '/nowhere/quartet-worker' cannot be run there", line)
        self.assertIn("--remote-path", line)
        line, result = self.fail(*self.over_ssh("nohost.invalid"))
        self.assertIn("Could not resolve hostname", line)
        self.assertLess(result.seconds, within(3), "it was not tried again")

    def test_every_host_that_is_out_of_order_is_named_at_once(self):
        _, result = self.fail(*self.over_ssh("h1,no1.invalid,no2.invalid,no3.invalid"))
        for name in ("no1", "no2", "no3"):
            self.assertIn("host %s.invalid: ssh exited" % name, result.err)
        self.assertNotIn("host h1:", result.err)

    def test_key_that_is_not_known_is_refused_once_and_not_tried_again(self):
        ssh = self.hosts.ssh + " -i /dev/null -o IdentitiesOnly=yes -o IdentityAgent=none -o PubkeyAuthentication=no"
        line, result = self.fail("--hosts", "h1", "--ssh", ssh, "--remote-path", WORKER)
        self.assertIn("Permission denied", line)
        self.assertLess(result.seconds, within(3))

    def test_worker_that_cannot_find_back_is_told_of(self):
        line, _ = self.fail(*self.over_ssh("h1"), "--advertise", "192.0.2.1", "--wait-timeout", "3")
        self.assertIn("host h1: ssh got through, but its worker did not reach tcp://192.0.2.1:", line)
        self.assertIn("--advertise", line)

    def test_ssh_that_is_not_there_is_said(self):
        line, _ = self.fail("--hosts", "h1", "--ssh", "/nowhere/ssh")
        self.assertRegex(line, "host h1: ssh exited with status 127: .*/nowhere/ssh")


class Ends(OnHosts):
    def test_run_ends_when_no_host_has_a_worker_any_more(self):
        program = self.begin(hosts="h1,h2")
        for host in ("h1", "h2"):
            (worker,) = self.workers_of(host)
            os.kill(worker, signal.SIGTERM)  # leaves on purpose: nobody starts it again
        result = program.finish(30)
        self.assert_status(result, EXIT_CANNOT_GO_ON)
        self.assertIn("host h1: its worker exited with status 0; not started again", result.err)
        self.assert_none_left(2)

    def test_interrupt_ends_the_workers_on_every_host(self):
        program = self.begin()
        program.signal(signal.SIGINT)
        self.assert_status(program.finish(10), EXIT_SIGINT)
        self.assert_none_left(3)

    def test_no_worker_outlives_a_coordinator_that_is_killed(self):
        for _ in range(2):
            program = self.begin("--strategy", "processes", "--processes", "2")
            program.signal(signal.SIGKILL)
            program.process.wait()
            self.assert_none_left(5)

    def test_coordinator_killed_while_it_connects_leaves_nothing(self):
        program = self.start_quartet("run", "noop", "--range", "1:10", *self.over_ssh())
        wait_until(lambda: self.named("ssh"), 10, "the first ssh")
        program.signal(signal.SIGKILL)
        program.process.wait()
        self.assert_none_left(5)

    def test_worker_that_is_killed_is_started_again(self):
        program = self.begin("--json", self.path("json"), items=6000, item_s=0.02)
        (victim,) = self.workers_of("h2")
        os.kill(victim, signal.SIGKILL)  # the test's own: found by its marker
        program.err.wait_for("host h2: ssh exited with status 255; started again", 10)
        wait_until(lambda: set(self.workers_of("h2")) - {victim}, 10, "another worker on h2")
        self.assert_status(program.finish(60), EXIT_OK)

    def workers_of(self, host):
        """Pids of the workers of that host, without their zygotes."""
        pids = []
        for pid in self.named("quartet-worker"):
            try:
                with open("/proc/%d/cmdline" % pid, "rb") as file:
                    named = b"\0--name\0%s\0" % host.encode() in file.read()
                with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as file:
                    pids += [pid] if named and file.read() else []
            except OSError:
                pass  # it has just ended
        return pids

    def test_host_that_is_cut_off_is_replaced_and_comes_back(self):
        work = results.sleep(1, 6000, 0.01)
        undisturbed = work.undisturbed(self)
        out = self.path("out.ndjson")
        program = self.start_quartet(*work.argv("--out", out, "--json", "-", "--threads", "2", *self.over_ssh("h1,h2,h3")))
        wait_until(lambda: results.bytes_in(out) > 0, 20, "the first results")
        self.hosts[1].cut_off()
        program.err.wait_for("lost worker h2@.*nothing was heard of it", LEASE_S + 5)
        self.hosts[1].heal()
        result = program.finish(60)
        self.assertEqual(results.outcome_differences(work, result, out, undisturbed), [], result)
        self.assert_none_left(3)


    def test_host_that_vanishes_is_done_without(self):
        work = results.sleep(1, 3000, 0.01)
        undisturbed = work.undisturbed(self)
        out = self.path("out.ndjson")
        program = self.start_quartet(*work.argv("--out", out, "--json", "-", "--threads", "2", *self.over_ssh("h1,h2,h3")))
        wait_until(lambda: results.bytes_in(out) > 0, 20, "the first results")
        self.hosts[2].vanish()
        program.err.wait_for("lost worker h3@", LEASE_S + 5)
        result = program.finish(40)
        self.assertEqual(results.outcome_differences(work, result, out, undisturbed), [], result)
        self.assertLess(result.seconds, within(3000 * 0.01 / 4 + LEASE_S + 8), "its ssh is not waited for")
        self.assert_none_left(3)


class Unequal(OnHosts):
    """Each host has a quota of 0.2 cores; h1 is relieved of it."""

    kind = ("--quota", "0.2")

    def test_host_with_more_cores_gets_more_items(self):
        with open(self.hosts.directory + "/groups", encoding="ascii") as file:
            first = file.readline().strip()
        for name, unlimited in (("cpu.cfs_quota_us", "-1"), ("cpu.max", "max")):
            if os.path.exists("%s/%s" % (first, name)):
                with open("%s/%s" % (first, name), "w", encoding="ascii") as file:
                    file.write(unlimited)
        result = self.quartet("run", "exec", "--range", "1:400", "--threads", "1", *self.over_ssh("h1,h2"), "--", "sh", "-c",
                              "i=0; while [ $i -lt 10000 ]; do i=$((i + 1)); done; hostname", seconds=60)
        self.assert_status(result, EXIT_OK)
        done = result.out.split()
        self.assertEqual(len(done), 400)
        self.assertGreater(done.count("h1"), 2 * done.count("h2"), "of 0.2 cores and of one")


class Start(OnHosts):
    def test_first_item_runs_soon_after_ssh_would_have_got_through(self):
        began = time.monotonic()
        alone = [self.start([*self.hosts.ssh.split(), "h%d" % n, "true"]) for n in range(1, COUNT + 1)]
        for program in alone:
            self.assert_status(program.finish(30), EXIT_OK)
        ssh_s = time.monotonic() - began
        began = time.monotonic()
        program = self.start_quartet("run", "exec", "--range", "1:4", *self.over_ssh(), "--", "echo", "here")
        program.out.wait_for("here", 30)
        first_s = time.monotonic() - began
        self.assert_status(program.finish(30), EXIT_OK)
        print("\nfirst item on 4 hosts after %.2f s; ssh alone to all of them: %.2f s" % (first_s, ssh_s))
        self.assertLess(first_s, ssh_s + 2 * SLOW)


if __name__ == "__main__":
    main()
