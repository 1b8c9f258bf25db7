"""quartet doctor: between hosts whose network, firewall, keys or versions are wrong in one place, it names that place and says what to
change; where all is well it says so, with figures; and a run that is looked at does not notice."""

import json
import os
import re
import signal
import socket
import threading
import time
import unittest

import netns
from harness import (EXIT_CANNOT_GO_ON, EXIT_OK, EXIT_USAGE, QUARTET, WORKER, EndToEndTest, Program, main, only_sample,
                     test_program, wait_until, within)
from servers import free_port, start_origin
from terminal import Terminal

EXIT_ILL = 1
WHY_NOT = netns.unavailable()
FREE_PORT = "tcp://127.0.0.1:*"
IDLE = ("noop", "--range", "1:10")
ALL_CHECKS = ["files", "cores", "route", "port", "handshake", "protocol", "round trip", "clock", "bandwidth", "room"]


def checks_of(report):
    """What a report found, by what was looked at; of several endpoints the last."""
    return {check["check"]: check for check in report["checks"]}


class DoctorTest(EndToEndTest):
    def doctor(self, *arguments, status=EXIT_OK, enter=(), program=(WORKER, "--doctor"), seconds=60, **how):
        """The report of a doctor, after a look at its exit status."""
        argv = [*enter, *program, *arguments, "--json", "-"]
        result = self.start(argv, **how).finish(seconds)
        self.assert_status(result, status)
        return result.report()

    def assert_ends_at(self, report, check, text, advice):
        """Only that check fails, everything before it is well, and it says what to change."""
        found = report["checks"]
        self.assertEqual([c["check"] for c in found if c["health"] == "FAIL"], [check], json.dumps(report, indent=1))
        last = checks_of(report)[check]
        self.assertRegex(last["text"], text)
        if advice:  # "": the text says it itself
            self.assertRegex(last["advice"] or "", advice)
        self.assertEqual(report["health"], "FAIL")

    def coordinator(self, *arguments, enter=(), wait=9, work=IDLE):
        program = self.start([*enter, QUARTET, "run", *work, "--wait", wait, "--wait-timeout", "120", *arguments])
        return program, program.err.wait_for(r"listening on (\S+),", 20).group(1)

    def end(self, program):
        program.signal(signal.SIGINT)
        return program.finish(20)

    def keygen(self, name="keys", *names):
        directory = self.path(name)
        self.assert_status(self.quartet("keygen", directory, *[w for n in names for w in ("--worker", n)]), EXIT_OK)
        return directory

    def write_access(self, name, **changes):
        """The access file `access`, with changes."""
        with open(self.path("access"), encoding="utf-8") as file:
            access = json.load(file)
        path = self.write_file(name, json.dumps({**access, **changes}))
        os.chmod(path, 0o600)
        return path


class AllIsWell(DoctorTest):
    def test_both_programs_say_so_with_figures_and_nobody_is_registered(self):
        keys = self.keygen()
        access = self.path("access")
        coordinator, at = self.coordinator("--listen", FREE_PORT, "--keys", keys, "--access", access)
        for program in ((WORKER, "--doctor"), (QUARTET, "doctor")):
            report = self.doctor("--access", access, program=program)
            found = checks_of(report)
            self.assertEqual(report["health"], "ok")
            self.assertEqual(report["schema"], "quartet.doctor/1")
            self.assertEqual(list(found), ["files", "cores", "access", *ALL_CHECKS[2:]])
            self.assertEqual(found["port"]["subject"], at)
            self.assertGreater(found["round trip"]["figures"]["median_s"], 0)
            self.assertGreaterEqual(found["round trip"]["figures"]["median_s"], found["round trip"]["figures"]["least_s"])
            self.assertLess(abs(found["clock"]["figures"]["offset_s"]), 0.5)
            for way in ("up_bytes_per_s", "down_bytes_per_s"):
                self.assertGreater(found["bandwidth"]["figures"][way], 1e6)
            self.assertEqual(found["room"]["figures"]["workers"], 0)
        with open(access, "rb") as file:
            self.assertEqual(self.doctor("--access", "-", stdin=file.read())["health"], "ok")
        coordinator.err.wait_for("a doctor on host .* got through and is answered", 10)
        result = self.end(coordinator)
        self.assertNotRegex(result.err, r"worker \S+@")
        self.assertNotIn("refused", result.err)

    def test_many_doctors_at_once_and_in_a_row_are_all_answered(self):
        coordinator, at = self.coordinator("--listen", FREE_PORT)
        for _ in range(2):
            doctors = [self.start([WORKER, "--doctor", "--connect", at, "--load", "1048576", "--json", "-"]) for _ in range(12)]
            for doctor in doctors:
                result = doctor.finish(60)
                self.assert_status(result, EXIT_OK)
                self.assertEqual(len(checks_of(result.report())), len(ALL_CHECKS))
        self.end(coordinator)

    def test_plaintext_and_ipc(self):
        for listen in (FREE_PORT, "ipc://" + self.path("socket")):
            coordinator, at = self.coordinator("--listen", listen)
            found = checks_of(self.doctor("--connect", at))
            self.assertIn("in plaintext", found["handshake"]["text"])
            self.end(coordinator)

    def test_text_is_plain_in_a_pipe_and_colored_on_a_terminal(self):
        coordinator, at = self.coordinator("--listen", FREE_PORT)
        result = self.quartet("doctor", "--connect", at)
        self.assert_status(result, EXIT_OK)
        self.assertNotIn("\x1b", result.out)
        self.assertEqual(re.findall(r"(?m)^(?:ok|warn|FAIL) +([a-z ]+?)  ", result.out), ALL_CHECKS)
        self.assertEqual(result.out.splitlines()[-1], "all is well: a worker on this host gets through to the coordinator")
        for environment, colored in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
            terminal = Terminal(self, 70)
            program = terminal.start_quartet("doctor", "--connect", at, env=environment, whole=True)
            terminal.stream.wait_for("all is well", 30)
            program.process.wait()
            self.assertEqual("\x1b[" in terminal.stream.text(), colored)
            lines = re.sub(r"\x1b\[[0-9;]*m", "", terminal.stream.text()).splitlines()
            self.assertLessEqual(max(map(len, lines)), 70)
        self.end(coordinator)

    def test_report_goes_to_a_file_beside_the_text(self):
        coordinator, at = self.coordinator("--listen", FREE_PORT)
        result = self.quartet("doctor", "--connect", at, "--json", self.path("report"), "--load", "0")
        self.assert_status(result, EXIT_OK)
        self.assertIn("all is well", result.out)
        self.assertNotIn("bandwidth", checks_of(json.loads(self.read_file("report"))))
        result = self.quartet("doctor", "--connect", at, "--json", "/nonexistent/report")
        self.assert_status(result, EXIT_CANNOT_GO_ON)
        self.assertIn("/nonexistent/report", result.err)
        self.end(coordinator)

    def test_run_that_is_looked_at_over_and_over_comes_to_what_it_comes_to(self):
        work = ("sleep", "--range", "1:1500", "--param", "seconds=0.002", "--json", "-")
        coordinator, at = self.coordinator("--listen", FREE_PORT, wait=2, work=work)
        workers = [self.start_worker(at) for _ in range(2)]
        seen = []
        while coordinator.is_running():
            result = self.start([WORKER, "--doctor", "--connect", at, "--json", "-"]).finish(60)
            if result.status == EXIT_OK:
                seen.append(checks_of(result.report())["room"])
        result = coordinator.finish(60)
        self.assert_status(result, EXIT_OK)
        sample = only_sample(result.report())
        self.assertEqual((sample["ok"], sample["failed"], sample["workers_lost"], sample["retried"]), (1500, 0, 0, 0))
        for worker in workers:
            self.assert_status(worker.finish(20), EXIT_OK)
        self.assertTrue(any("and a run going on" in room["text"] for room in seen), seen)
        self.assertLessEqual(max(room["figures"]["workers"] for room in seen), 2)


class WrongCoordinator(DoctorTest):
    def test_keys_against_plaintext_and_plaintext_against_keys(self):
        keys = self.keygen()
        with_keys, at = self.coordinator("--listen", FREE_PORT, "--keys", keys, "--access", self.path("access"))
        without, plain_at = self.coordinator("--listen", FREE_PORT)
        self.assert_ends_at(self.doctor("--connect", at, status=EXIT_ILL), "handshake", "wants keys, and none were given",
                            "--access FILE")
        access = self.write_access("plain", endpoints=[plain_at])
        self.assert_ends_at(self.doctor("--access", access, status=EXIT_ILL), "handshake", "has no keys, and this access file",
                            "--keys DIR")
        self.assertRegex(self.end(with_keys).err, "refused a connection( from 127.0.0.1)?: it (wants to talk in plaintext|did not finish)")
        self.assertRegex(self.end(without).err, "refused a connection( from 127.0.0.1)?: it (wants to encrypt|did not finish)")

    def test_other_coordinator_and_key_that_was_taken_back(self):
        keys = self.keygen("keys", "ada", "bob")
        coordinator, at = self.coordinator("--listen", FREE_PORT, "--keys", keys, "--access", self.path("access"))
        other, other_at = self.coordinator("--listen", FREE_PORT, "--keys", self.keygen("others"))
        access = self.write_access("other", endpoints=[other_at])
        self.assert_ends_at(self.doctor("--access", access, status=EXIT_ILL), "handshake",
                            "does not have the coordinator's key of this access file", "take its access file anew")
        os.remove(os.path.join(keys, "authorized", "ada.pub"))
        report = {}

        def refused():
            report.update(self.start([WORKER, "--doctor", "--access", self.path("access"), "--json", "-"]).finish(60).report())
            return report["health"] == "FAIL"
        wait_until(refused, 10, "the key being taken back")
        self.assert_ends_at(report, "key", "does not accept the key of worker 'ada'", "quartet keygen DIR --worker NAME")
        self.assertRegex(self.end(other).err, "it does not have this coordinator's key, but another one's|it did not finish")
        coordinator.err.wait_for("its key is not among those authorized", 10)
        self.end(coordinator)

    def test_coordinator_that_waited_in_vain_says_who_was_refused_and_why(self):
        keys = self.keygen()
        other, _ = self.coordinator("--listen", FREE_PORT, "--keys", keys, "--access", self.path("access"))
        # Who notices first that the two do not fit, and hangs up, is anybody's guess.
        for listen, come, why in (
                (["--keys", keys], lambda at: self.start([WORKER, "--give-up", "2", "--connect", at]),
                 "refused a connection( from 127.0.0.1)?: (it wants to talk in plaintext, without a key|it did not finish)"),
                ([], lambda at: self.start([WORKER, "--give-up", "2", "--access", self.write_access("plain", endpoints=[at])]),
                 "refused a connection( from 127.0.0.1)?: (it wants to encrypt, and this coordinator has no keys|it did not finish)"),
                ([], lambda at: self.start([test_program("strange_peer"), "version", at]),
                 "refused a worker: this coordinator speaks protocol")):
            program = self.start_quartet("run", *IDLE, "--listen", FREE_PORT, "--wait", "1", "--wait-timeout", "3", *listen)
            at = program.err.wait_for(r"listening on (\S+),", 20).group(1)
            come(at).finish(40)
            result = program.finish(40)
            self.assert_status(result, EXIT_CANNOT_GO_ON)
            (line,) = [line for line in result.err.splitlines() if "waited 3 s for 1 workers" in line]
            self.assertRegex(line, why)
            self.assertIn("'quartet-worker --doctor' there says more", line)
        self.end(other)

    def test_coordinator_that_stands_still(self):
        coordinator, at = self.coordinator("--listen", FREE_PORT)
        coordinator.signal(signal.SIGSTOP)
        self.assert_ends_at(self.doctor("--connect", at, status=EXIT_ILL), "answer", "taken and nobody says a word", "SIGSTOP")
        coordinator.signal(signal.SIGCONT)
        self.end(coordinator)

    def other(self, mode):
        program = self.start([test_program("other_coordinator"), mode], stdin=Program.PIPE)
        return program, program.err.wait_for(r"listening on (\S+),", 20).group(1)

    def test_coordinator_of_another_version(self):
        for mode, text, advice in (("future", r"1\.\d here, and 2\.7 on tomorrow \(quartet 9\.9\.9\)", "install the same version"),
                                   ("garbage", "not quartet's", "another program"),
                                   ("worker", "not quartet's: READY", "another program"),
                                   ("mute", "no question is answered", "stopped or starved")):
            with self.subTest(mode):
                program, at = self.other(mode)
                self.assert_ends_at(self.doctor("--connect", at, status=EXIT_ILL), "protocol", text, advice)
                program.stdin.close()
                self.assert_status(program.finish(10), EXIT_OK)

    def test_hostile_coordinator_is_survived(self):
        for seed in range(4):
            at = "ipc://" + self.path("hostile%d" % seed)
            hostile = self.start([test_program("hostile_coordinator"), at, 2000, seed])
            hostile.out.wait_for("^listening$", 10)
            report = self.doctor("--connect", at, "--timeout", "20", status=EXIT_ILL)
            self.assertEqual([c["check"] for c in report["checks"] if c["health"] == "FAIL"], ["protocol"])
            hostile.signal(signal.SIGKILL)
            hostile.finish(10)

    def test_coordinator_that_is_older_than_doctors_is_no_failure(self):
        program, at = self.other("old")
        found = checks_of(self.doctor("--connect", at))
        self.assertEqual(found["protocol"]["health"], "warn")
        self.assertRegex(found["protocol"]["text"], "does not know doctors")
        program.stdin.close()
        self.assert_status(program.finish(10), EXIT_OK)

    def test_another_service_at_the_port(self):
        url = start_origin(self)
        self.assert_ends_at(self.doctor("--connect", url.replace("http", "tcp"), status=EXIT_ILL), "answer",
                            "an HTTP server: 'HTTP/1.. 4", "compare the port")
        with socket.create_server(("127.0.0.1", 0)) as server:
            def greet():
                for _ in range(2):
                    connection = server.accept()[0]
                    with connection:
                        connection.sendall(b"SSH-2.0-Test\r\n")
                        connection.shutdown(socket.SHUT_WR)
                        while connection.recv(4096):
                            pass
            thread = threading.Thread(target=greet, daemon=True)
            thread.start()
            self.assert_ends_at(self.doctor("--connect", "tcp://127.0.0.1:%d" % server.getsockname()[1], status=EXIT_ILL), "answer",
                                "an SSH server: 'SSH-2.0-Test'", "compare the port")

    def test_nobody_there(self):
        self.assert_ends_at(self.doctor("--connect", "tcp://127.0.0.1:%d" % free_port(), status=EXIT_ILL), "port",
                            "refuses connections to port", "is the coordinator running")
        self.assert_ends_at(self.doctor("--connect", "ipc://" + self.path("nothing"), status=EXIT_ILL), "port",
                            "No such file or directory", "is the coordinator running")


@unittest.skipIf(WHY_NOT, WHY_NOT)
class BetweenHosts(DoctorTest):
    count = 2

    def setUp(self):
        super().setUp()
        self.hosts = netns.make_hosts(self, self.count)
        self.there, self.here = self.hosts[0], self.hosts[1]

    def begin(self, *arguments, address=None):
        _, at = self.coordinator("--listen", "tcp://%s:*" % (address or self.there.address), "--insecure", *arguments,
                                 enter=self.there.enter)
        self.coordinator_program = self.programs[-1]
        self.port = int(at.rsplit(":", 1)[1])
        return at

    def look(self, at, *arguments, **how):
        return self.doctor("--connect", at, "--insecure", *arguments, enter=self.here.enter, **how)

    def rules(self, host, hook, *rules):
        host.do("nft", "-f", "-", script="table inet wall {\n chain c { type filter hook %s priority 0; policy accept; }\n}\n%s"
                % (hook, "".join("add rule inet wall c %s\n" % rule for rule in rules)))

    def tearDown(self):
        program = getattr(self, "coordinator_program", None)
        if program is not None and program.is_running():
            self.end(program)
        super().tearDown()


class Network(BetweenHosts):
    def test_all_is_well_and_says_by_which_address(self):
        found = checks_of(self.look(self.begin()))
        self.assertEqual(found["route"]["text"], "10.0.0.1 is reached from 10.0.0.2")

    def test_name_that_leads_nowhere(self):
        self.assert_ends_at(self.look("tcp://nohost.invalid:5555", status=EXIT_ILL), "name", "'nohost.invalid' leads to no address",
                            "--advertise ADDRESS")

    def test_name_of_which_a_worker_takes_the_address_that_does_not_work(self):
        at = self.begin()
        names = self.write_file("names", "10.0.0.1 dual\nfd00::1 dual\n")
        program = ("unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', names, WORKER, "--doctor")
        report = self.look(at.replace("10.0.0.1", "dual"), program=program, status=EXIT_ILL)
        self.assert_ends_at(report, "route", "none from this host to fd00::1", "IPv6 before IPv4, .*--advertise '10.0.0.1'")
        self.assertRegex(checks_of(report)["name"]["text"], "dual is fd00::1 and 10.0.0.1")

    def test_no_route(self):
        self.assert_ends_at(self.look("tcp://192.0.2.1:5555", status=EXIT_ILL), "route",
                            "none from this host to 192.0.2.1: Network is unreachable", "ip route get 192.0.2.1")

    def test_refused_dropped_and_rejected_are_told_apart(self):
        at = self.begin()
        self.assert_ends_at(self.look("tcp://10.0.0.1:1", status=EXIT_ILL), "port", "10.0.0.1 refuses connections to port 1", "ss -ltn")
        for rule, text, advice in (
                ("drop", "packets are dropped; that host answers otherwise, so it is up", "a firewall drops this port: open TCP port"),
                ("reject with icmp type admin-prohibited", "10.0.0.1 is up, and a firewall there or on the way rejects", "allow TCP port"),
                ("reject with tcp reset", "nobody listens there, or a firewall says so", "reset")):
            with self.subTest(rule):
                self.rules(self.there, "input", "tcp dport %d %s" % (self.port, rule))
                self.assert_ends_at(self.look(at, status=EXIT_ILL), "port", text, advice)
                self.there.do("nft", "delete", "table", "inet", "wall")
        self.assertEqual(self.look(at)["health"], "ok")

    def test_own_firewall(self):
        at = self.begin()
        self.rules(self.here, "output", "tcp dport %d reject with icmp type admin-prohibited" % self.port)
        report = self.look(at, status=EXIT_ILL)
        self.assertEqual([c["check"] for c in report["checks"] if c["health"] == "FAIL"], ["port"])

    def test_connection_that_is_cut_by_a_middle_man_after_it_stands(self):
        at = self.begin()
        # What carries data is answered with a reset: only the handshake of TCP goes through.
        self.rules(self.there, "input", "tcp dport %d tcp flags psh reject with tcp reset" % self.port)
        report = self.look(at, status=EXIT_ILL)
        self.assert_ends_at(report, "answer", "reset|closed without a word|nobody says a word|begins to greet", ".")

    def test_host_that_is_down_or_cut_off(self):
        at = self.begin()
        self.there.unplug()
        self.assert_ends_at(self.look(at, status=EXIT_ILL), "port", "nobody on this network has the address 10.0.0.1: No route to host",
                            "is the host up")
        self.there.plug()

    def test_slow_line_is_measured(self):
        at = self.begin()
        for host in self.hosts:
            host.squeeze("10mbit")
        found = checks_of(self.look(at))
        for way in ("up_bytes_per_s", "down_bytes_per_s"):
            self.assertGreater(found["bandwidth"]["figures"][way] * 8, 5e6)
            self.assertLess(found["bandwidth"]["figures"][way] * 8, 15e6)

    def test_very_slow_line_is_warned_of(self):
        at = self.begin()
        self.here.squeeze("400kbit")
        found = checks_of(self.look(at))
        self.assertEqual(found["bandwidth"]["health"], "warn")
        self.assertRegex(found["bandwidth"]["text"], r"kbit/s to the coordinator, \S+ [MG]bit/s from it")

    def test_line_that_loses_long_packets_is_warned_of(self):
        at = self.begin()
        # Handshake and questions get through, as through a tunnel whose MTU nobody knows.
        self.rules(self.there, "input", "tcp dport %d meta length gt 1000 drop" % self.port)
        found = checks_of(self.look(at))
        self.assertEqual(found["round trip"]["health"], "ok")
        self.assertEqual(found["bandwidth"]["health"], "warn")
        self.assertRegex(found["bandwidth"]["text"], "not measured to the coordinator")
        self.assertIn("MTU", found["bandwidth"]["advice"])

    def test_several_addresses_of_which_one_works(self):
        keys = self.keygen()
        coordinator, at = self.coordinator("--listen", "tcp://%s:*" % self.there.address, "--keys", keys, "--access",
                                           self.path("access"), enter=self.there.enter)
        self.coordinator_program = coordinator
        access = self.write_access("several", endpoints=["tcp://192.0.2.1:1", "tcp://10.0.0.1:1", at])
        report = self.doctor("--access", access, enter=self.here.enter)
        health = {(c["subject"], c["check"]): c["health"] for c in report["checks"]}
        self.assertEqual(report["health"], "warn")
        self.assertEqual(health[("tcp://192.0.2.1:1", "route")], "warn")
        self.assertEqual(health[("tcp://10.0.0.1:1", "port")], "warn")
        self.assertEqual(health[(at, "handshake")], "ok")
        self.assertRegex(checks_of(report)["bandwidth"]["text"], "bit/s")

    def test_time_is_kept_whatever_is_left(self):
        at = self.begin()
        self.rules(self.there, "input", "tcp dport %d drop" % self.port)
        keys = self.keygen()
        self.assert_status(self.quartet("doctor", "--listen", FREE_PORT, "--keys", keys, "--access", self.path("access"),
                                        "--wait", "0.1"), EXIT_ILL)
        access = self.write_access("many", endpoints=[at] * 1 + ["tcp://10.0.0.%d:%d" % (number, self.port) for number in range(50, 80)])
        begun = time.monotonic()
        report = self.doctor("--access", access, "--timeout", "4", enter=self.here.enter, status=EXIT_ILL)
        self.assertLess(time.monotonic() - begun, within(12))
        self.assertRegex(checks_of(report)["time"]["text"], r"no time was left for \d+ of 31 addresses")
        self.assertIn("--timeout", checks_of(report)["time"]["advice"])


class Hop(BetweenHosts):
    """A coordinator behind a router, and what goes wrong there."""
    count = 3

    def setUp(self):
        super().setUp()
        router = self.hosts[1]
        self.here = self.hosts[2]
        script = "for f in ip_forward:1 conf/all/send_redirects:0 conf/eth0/send_redirects:0; do echo ${f#*:} > " \
                 "/proc/sys/net/ipv4/${f%:*}; done"
        try:
            router.do("sh", "-c", script)
        except AssertionError as error:
            self.skipTest("no router can be made here: %s" % error)
        self.there.do("ip", "address", "add", "10.1.0.1/32", "dev", "lo")
        router.do("ip", "route", "add", "10.1.0.1/32", "via", "10.0.0.1")
        self.here.do("ip", "route", "add", "10.1.0.1/32", "via", "10.0.0.2")
        self.router = router

    def test_router_that_forbids_is_named(self):
        at = self.begin(address="10.1.0.1")
        self.assertEqual(self.look(at)["health"], "ok")
        self.rules(self.router, "forward", "reject with icmp type admin-prohibited")
        self.assert_ends_at(self.look(at, status=EXIT_ILL), "port",
                            "10.0.0.2, on the way, refuses what is sent to 10.1.0.1 port .*a rule of a firewall forbids", "allow TCP port")

    def test_last_hop_that_is_heard_of_is_named(self):
        at = self.begin(address="10.1.0.1")
        self.rules(self.router, "forward", "drop")
        self.assert_ends_at(self.look(at, status=EXIT_ILL), "port", "the last that is heard of on the way is hop 1, 10.0.0.2", "open TCP")

    def test_router_that_knows_no_way_is_named(self):
        at = self.begin(address="10.1.0.1")
        self.router.do("ip", "route", "del", "10.1.0.1/32")
        self.assert_ends_at(self.look(at, status=EXIT_ILL), "port", "10.0.0.2, on the way, refuses .*knows no way there", "a router")


class Limits(DoctorTest):
    def test_few_open_files_are_warned_of(self):
        coordinator, at = self.coordinator("--listen", FREE_PORT)
        found = checks_of(self.doctor("--connect", at, program=("sh", "-c", 'ulimit -n 100 && exec "$0" "$@"', WORKER, "--doctor")))
        self.assertEqual(found["files"]["health"], "warn")
        self.assertRegex(found["files"]["text"], "^100 may be open")
        self.assertIn("ulimit -Hn", found["files"]["advice"])
        self.end(coordinator)

    def test_coordinator_that_is_short_of_files_is_said(self):
        coordinator, at = self.coordinator("--listen", FREE_PORT, enter=("sh", "-c", 'ulimit -n 64 && exec "$0" "$@"'))
        found = checks_of(self.doctor("--connect", at))
        self.assertEqual(found["room"]["health"], "warn")
        self.assertIn("ulimit -Hn", found["room"]["advice"])
        self.end(coordinator)

    def test_access_file_that_others_can_read_or_that_is_none(self):
        path = self.write_file("open", "{}")
        os.chmod(path, 0o644)
        self.assert_ends_at(self.doctor("--access", path, status=EXIT_ILL), "access", re.escape(path), "chmod 600")
        os.chmod(path, 0o600)
        self.assert_ends_at(self.doctor("--access", path, status=EXIT_ILL), "access", ".", "the coordinator writes it")
        self.assert_ends_at(self.doctor("--access", self.path("none"), status=EXIT_ILL), "access", "No such file", "writes it")


class CoordinatorsSide(DoctorTest):
    def listen_as(self, *arguments, status, seconds=60):
        return self.doctor(*arguments, program=(QUARTET, "doctor"), status=status, seconds=seconds)

    def test_answers_doctors_and_workers_that_come(self):
        keys = self.keygen()
        access = self.path("access")
        program = self.start_quartet("doctor", "--listen", FREE_PORT, "--keys", keys, "--access", access, "--json", self.path("report"))
        program.err.wait_for(r"listening on tcp://127\.0\.0\.1:\d+, until Ctrl-C; on the other host: quartet-worker --doctor --access",
                             20)
        self.assertEqual(self.doctor("--access", access)["health"], "ok")
        worker = self.start([WORKER, "--access", access])
        # One that is not registered yet would not hear of the end.
        wait_until(lambda: checks_of(self.doctor("--access", access, "--load", "0"))["room"]["figures"]["workers"] == 1, 20,
                   "the worker being registered")
        program.signal(signal.SIGINT)
        self.assert_status(program.finish(20), EXIT_OK)
        self.assert_status(worker.finish(20), EXIT_OK)
        program.err.wait_for("a doctor on host .* got through", 10)
        report = json.loads(self.read_file("report"))
        self.assertEqual(report["side"], "coordinator")
        came = checks_of(report)["came"]["figures"]
        self.assertGreaterEqual(came["doctors"], 2)
        self.assertEqual((came["workers"], came["refused"]), (1, 0))

    def test_nobody_coming_is_a_failure_when_waiting_was_asked_for(self):
        report = self.listen_as("--listen", FREE_PORT, "--wait", "0.2", status=EXIT_ILL)
        self.assert_ends_at(report, "came", "0 visits of doctors and 0 workers", "quartet-worker --doctor")
        self.assertEqual(checks_of(report)["addresses"]["health"], "warn")

    def test_port_that_is_taken_and_by_whom(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            report = self.listen_as("--listen", "tcp://127.0.0.1:%d" % server.getsockname()[1], status=EXIT_ILL)
        self.assert_ends_at(report, "listen", r"in use.*by python3.* \(pid %d\)" % os.getpid(), "another port")

    def test_keys_that_are_not_as_they_have_to_be(self):
        keys = self.keygen("keys", "ada", "bob")
        report = self.listen_as("--listen", FREE_PORT, "--keys", keys, "--wait", "0.1", status=EXIT_ILL)
        self.assertEqual(checks_of(report)["keys"]["text"], "whose workers may come: ada, bob")
        self.assertEqual(checks_of(report)["strangers"]["health"], "ok")
        os.chmod(os.path.join(keys, "authorized", "bob.pub"), 0o666)
        report = self.listen_as("--listen", FREE_PORT, "--keys", keys, "--wait", "0.1", status=EXIT_ILL)
        self.assertRegex(" ".join(c["text"] for c in report["checks"] if c["health"] == "warn"), "bob.pub")
        os.chmod(os.path.join(keys, "coordinator.key"), 0o644)
        report = self.listen_as("--listen", FREE_PORT, "--keys", keys, status=EXIT_ILL)
        self.assert_ends_at(report, "keys", "coordinator.key", "chmod 600")
        for name in ("ada", "bob"):
            os.remove(os.path.join(keys, "authorized", name + ".pub"))
        os.chmod(os.path.join(keys, "coordinator.key"), 0o600)
        report = self.listen_as("--listen", FREE_PORT, "--keys", keys, status=EXIT_ILL)
        self.assert_ends_at(report, "keys", "nobody may come", "quartet keygen")

    def test_address_that_is_not_of_this_machine(self):
        report = self.listen_as("--listen", "tcp://192.0.2.1:5555", "--insecure", status=EXIT_ILL)
        self.assert_ends_at(report, "listen", "192.0.2.1:5555: this machine has no such address", "")
        report = self.listen_as("--listen", "tcp://*:5555", status=EXIT_ILL)
        self.assert_ends_at(report, "listen", "refusing to listen on 'tcp://..5555' without keys.*keygen", "")


class Usage(DoctorTest):
    def test_what_is_no_question_is_refused_in_one_line(self):
        for arguments, parts in (
                ([], ("--access", "--listen", "--hosts")),
                (["--connect", "tcp://h:1"], ("'tcp://h:1'", "--insecure")),
                (["--connect", "here"], ("'here'", "tcp://HOST:5555")),
                (["--access", "a", "--connect", "tcp://127.0.0.1:1"], ("--connect", "give one")),
                (["--connect", "tcp://127.0.0.1:1", "--listen", "tcp://127.0.0.1:1"], ("--connect", "--listen")),
                (["--connect", "tcp://127.0.0.1:1", "--wait", "3"], ("--wait", "--timeout")),
                (["--connect", "tcp://127.0.0.1:1", "--keys", "d"], ("--keys", "--listen")),
                (["--hosts", "h1", "--access", "a"], ("'a'", "--hosts")),
                
                (["--listen", "here"], ("'here'",)),
                (["--listen", FREE_PORT, "--access", "a"], ("--access 'a'", "--keys")),
                (["--listen", FREE_PORT, "--keys", "d", "--insecure"], ("--keys 'd'", "--insecure")),
                (["--timeout", "0", "--connect", FREE_PORT], ("--timeout",)),
                (["--load", "99999999999", "--connect", FREE_PORT], ("--load",)),
                (["--hosts", "-x"], ("-x",))):
            with self.subTest(arguments):
                self.assert_refused(self.quartet("doctor", *arguments), *parts)

    def test_worker_refuses_what_is_a_doctor_s_or_not_enough(self):
        refused = self.start([WORKER, "--connect", "tcp://127.0.0.1:1", "--json", "x"]).finish(20)
        self.assert_refused(refused, "--json 'x'", "--doctor")
        self.assert_refused(self.start([WORKER, "--doctor"]).finish(20), "--access FILE or --connect ENDPOINT", status=EXIT_USAGE)


if __name__ == "__main__":
    main()
