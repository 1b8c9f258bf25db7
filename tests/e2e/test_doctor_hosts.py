"""quartet doctor --hosts: on hosts with an sshd each, of which some are out of order."""

import json
import unittest

import ssh_hosts
from harness import EXIT_OK, EXIT_SIGINT, SANITIZED, WORKER, EndToEndTest, main, wait_until, within

# ssh does not hand the thread sanitizer's list of libzmq's own races to the doctors there.
WHY_NOT = "doctors over ssh have no suppressions" if "thread" in SANITIZED else ssh_hosts.unavailable()
EXIT_ILL = 1


@unittest.skipIf(WHY_NOT, WHY_NOT)
class OnHosts(EndToEndTest):
    def setUp(self):
        super().setUp()
        self.hosts = ssh_hosts.Hosts(self, 3)

    def over_ssh(self, hosts, worker=WORKER):
        return ["doctor", "--hosts", hosts, "--ssh", self.hosts.ssh, "--remote-path", worker]

    def look(self, *arguments, status):
        result = self.quartet(*arguments, "--json", "-")
        self.assert_status(result, status)
        wait_until(lambda: not [p for p in self.left_over() if p.name in ("quartet-worker", "ssh", "sshd")], 5,
                   "the end of every doctor and every ssh")
        report = result.report()
        return report, {host["host"]: host for host in report["hosts"]}

    def test_all_of_them_get_through(self):
        for arguments in ([], ["--insecure"]):
            report, hosts = self.look(*self.over_ssh("h1,h2-6,h3"), *arguments, status=EXIT_OK)
            self.assertEqual(list(hosts), ["h1", "h2-6", "h3"])
            self.assertEqual(report["health"], "ok", json.dumps(report, indent=1))
            for host in hosts.values():
                self.assertRegex(host["text"], r"round trip .*; .*bit/s to the coordinator")
                self.assertEqual(host["report"]["side"], "worker")
            self.assertEqual(hosts["h1"]["report"]["host"], "h1")

    def test_keys_of_the_coordinator_s_own_and_one_address_to_listen_at(self):
        self.assert_status(self.quartet("keygen", self.path("keys")), EXIT_OK)
        gate = self.hosts[0].address.rsplit(".", 1)[0] + ".1"
        _, hosts = self.look(*self.over_ssh("h1"), "--keys", self.path("keys"), "--listen", "tcp://%s:*" % gate, status=EXIT_OK)
        subjects = {check["subject"] for check in hosts["h1"]["report"]["checks"]}
        self.assertTrue(any(subject.startswith("tcp://%s:" % gate) for subject in subjects), subjects)

    def test_each_that_is_broken_says_why_and_the_others_do_not(self):
        port = 45671
        self.hosts[1].do("nft", "-f", "-", script="table inet wall {\n chain c { type filter hook output priority 0;"
                         " policy accept; }\n}\nadd rule inet wall c tcp dport %d drop\n" % port)
        report, hosts = self.look(*self.over_ssh("h1,h2,h3:2222,nohost.invalid"), "--listen", "tcp://*:%d" % port, status=EXIT_ILL)
        self.assertEqual([host["health"] for host in hosts.values()], ["ok", "FAIL", "FAIL", "FAIL"])
        self.assertRegex(hosts["h2"]["text"], "^port: ")
        self.assertTrue(hosts["h2"]["advice"])
        self.assertEqual(hosts["h2"]["report"]["health"], "FAIL")
        self.assertRegex(hosts["h3:2222"]["text"], "port 2222: Connection refused")
        self.assertRegex(hosts["nohost.invalid"]["text"], "Could not resolve hostname")
        self.assertIsNone(hosts["nohost.invalid"]["report"])

    def test_text_is_a_table_with_what_each_broken_host_saw(self):
        gate = "192.0.2.1"
        result = self.quartet(*self.over_ssh("h1,h2"), "--advertise", gate)
        self.assert_status(result, EXIT_ILL)
        self.assertRegex(result.out, r"(?m)^on h1:$")
        self.assertRegex(result.out, r"(?m)^FAIL  h1 +route: there is none from this host to 192\.0\.2\.1")
        self.assertRegex(result.out, r"(?m)^0 of 2 hosts get through to tcp://192\.0\.2\.1:\d+$")

    def test_host_without_quartet_and_one_with_another_program(self):
        _, hosts = self.look(*self.over_ssh("h1", worker="/nowhere/quartet-worker"), status=EXIT_ILL)
        self.assertRegex(hosts["h1"]["text"], "'/nowhere/quartet-worker' cannot be run there")
        path = self.write_file("other", "#!/bin/sh\necho '{ \"schema\": 1'\nexit 2\n")
        self.run_tool("chmod", "755", path)
        _, hosts = self.look(*self.over_ssh("h1", worker=path), status=EXIT_ILL)
        self.assertRegex(hosts["h1"]["text"], "what its doctor said cannot be read")

    def run_tool(self, *argv):
        self.assert_status(self.start(argv).finish(10), 0)

    def test_time_is_kept_and_an_interrupt_ends_it(self):
        self.hosts[1].cut_off()
        report, hosts = self.look(*self.over_ssh("h1,h2"), "--timeout", "4", status=EXIT_ILL)
        self.assertEqual(hosts["h1"]["health"], "ok")
        self.assertRegex(hosts["h2"]["text"], "there was no time left: ssh has not got through")
        program = self.start_quartet(*self.over_ssh("h2"))
        wait_until(lambda: self.named("ssh"), 20, "ssh being under way")
        program.signal(2)
        result = program.finish(15)
        self.assert_status(result, EXIT_SIGINT)
        self.assertLess(result.seconds, within(15))


if __name__ == "__main__":
    main()
