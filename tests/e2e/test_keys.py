"""Keys: who is let in and who is not, over loopback and between hosts; attackers, and that nothing secret can be seen from outside."""

import json
import os
import resource
import select
import signal
import socket
import stat
import subprocess
import threading
import unittest

import netns
import results
from harness import (EXIT_CANNOT_GO_ON, EXIT_OK, EXIT_USAGE, QUARTET, WORKER, EndToEndTest, main, only_sample,
                     wait_until, within)
from servers import free_port

FREE_PORT = "tcp://127.0.0.1:*"
EXIT_REFUSED = 4
WHY_NOT = netns.unavailable()
ITEMS = 200
SLEEP = ("sleep", "--param", "seconds=0.01", "--strategy", "serial")
WORK = (*SLEEP, "--range", "1:%d" % ITEMS)


def make_room_for_sockets(count):
    """How many this process may open, `count` at most."""
    spare = 100
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return count if hard == resource.RLIM_INFINITY else min(count, (hard - spare) // 4)


class Wiretap:
    """Passes one connection on to `endpoint`, and keeps what its client said."""

    def __init__(self, endpoint):
        host, port = endpoint[len("tcp://"):].rsplit(":", 1)
        self.to = (host, int(port))
        self.heard = b""
        self.server = socket.create_server(("127.0.0.1", 0))
        self.endpoint = "tcp://127.0.0.1:%d" % self.server.getsockname()[1]
        self.thread = threading.Thread(target=self._pass_on, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *what):
        self.thread.join(within(10))
        self.server.close()

    def _pass_on(self):
        client, _ = self.server.accept()
        with client, socket.create_connection(self.to) as server:
            while True:
                ready, _, _ = select.select([client, server], [], [])
                for side in ready:
                    data = side.recv(65536)
                    if not data:
                        return
                    if side is client:
                        self.heard += data
                    (server if side is client else client).sendall(data)


class KeysTest(EndToEndTest):
    def setUp(self):
        super().setUp()
        self.keys = self.path("keys")
        self.access = self.path("access.json")

    def keygen(self, *names):
        workers = [word for name in names for word in ("--worker", name)]
        self.assert_status(self.quartet("keygen", self.keys, *workers), EXIT_OK)

    def serve(self, *arguments, work=WORK, endpoint=FREE_PORT, **how):
        """A coordinator with keys that has written its access file; and where it listens."""
        return self.listen("run", *work, "--listen", endpoint, "--keys", self.keys, "--access", self.access,
                           "--json", "-", *arguments, **how)

    def come(self, *arguments, access=None, **how):
        return self.start([WORKER, "--access", access or self.access, *arguments], **how)

    def read_access(self):
        return json.loads(self.read_file("access.json"))

    def write_access(self, file_name, **changed):
        """Another access file: as the coordinator wrote it, but for what is changed."""
        path = self.path(file_name)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump({**self.read_access(), **changed}, file)
        return path

    def secret(self, name, directory=None):
        with open(os.path.join(directory or self.keys, name), encoding="ascii") as file:
            return file.read().strip()

    def stranger(self, name="stranger.json"):
        """The access of somebody who knows the coordinator, and whom it does not know."""
        other = self.path("other")
        self.assert_status(self.quartet("keygen", other), EXIT_OK)
        return self.write_access(name, public_key=self.secret("authorized/worker.pub", other),
                                 secret_key=self.secret("workers/worker.key", other))

    def wait_for_results(self):
        """Until the first of --out are there."""
        wait_until(lambda: results.bytes_in(self.path("out")) > 0, 20, "results")

    def assert_all_done(self, coordinator, lost=0, items=ITEMS):
        result = coordinator.finish(60)
        self.assert_status(result, EXIT_OK)
        sample = only_sample(result.report())
        self.assertEqual((sample["ok"], sample["failed"], sample["workers_lost"]), (items, 0, lost), result)
        return result


class Keygen(KeysTest):
    def test_keys_are_for_their_owner_only_and_kept_when_more_are_made(self):
        self.keygen()
        modes = {"": 0o700, "coordinator.key": 0o600, "workers": 0o700, "workers/worker.key": 0o600, "authorized": 0o700}
        for name, mode in modes.items():
            self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.keys, name)).st_mode), mode, name)
        before = self.secret("coordinator.key"), self.secret("workers/worker.key")
        result = self.quartet("keygen", self.keys, "--worker", "ada", "--worker", "worker")
        self.assert_status(result, EXIT_OK)
        self.assertRegex(result.out, "kept .*coordinator.key\nmade .*ada.pub\nkept .*worker.pub")
        self.assertEqual(before, (self.secret("coordinator.key"), self.secret("workers/worker.key")))
        self.assertEqual(sorted(os.listdir(os.path.join(self.keys, "authorized"))), ["ada.pub", "worker.pub"])

    def test_keygen_refuses_in_one_line(self):
        self.assert_refused(self.quartet("keygen"), "which DIR")
        self.assert_refused(self.quartet("keygen", self.keys, "--worker", "../x"), "../x")
        os.mkdir(self.keys, 0o755)
        os.chmod(self.keys, 0o777)
        self.assert_refused(self.quartet("keygen", self.keys), self.keys, "by others")
        self.assert_refused(self.quartet("keygen", "/proc/keys-nowhere"), "/proc", status=EXIT_CANNOT_GO_ON)

    def test_what_does_not_fit_together_is_refused(self):
        self.keygen()
        listen = ("run", "noop", "--listen", FREE_PORT)
        for arguments, parts in (
                ((*listen, "--access", "a"), ("--keys", "keygen")),
                (("run", "noop", "--keys", self.keys, "--access", "a"), ("--listen",)),
                ((*listen, "--keys", self.keys, "--access", "-"), ("secret",)),
                ((*listen, "--keys", self.keys, "--insecure"), ("--insecure",)),
                ((*listen, "--keys", self.keys, "--access-for", "a"), ("--access FILE",)),
                ((*listen, "--keys", self.keys, "--advertise", "a"), ("--access FILE",)),
                ((*listen, "--keys", self.keys, "--access", self.access, "--access-for", "eve"), ("'eve'",)),
                ((*listen, "--keys", self.keys, "--access", self.access, "--advertise", "tcp://x"), ("tcp://x",)),
                ((*listen, "--keys", self.path("nothing")), ("nothing", "quartet keygen"))):
            self.assert_refused(self.quartet(*arguments, seconds=10), *parts)
        self.assert_refused(self.start([WORKER]).finish(10), "--access FILE or --connect")
        self.assert_refused(self.start([WORKER, "--access", "a", "--connect", "ipc:///b"]).finish(10), "give one")

    def test_refusal_of_a_public_endpoint_says_how_keys_are_made(self):
        result = self.quartet("run", "noop", "--listen", "tcp://0.0.0.0:*", seconds=10)
        self.assert_refused(result, "quartet keygen", "--keys", "--insecure")

    def test_insecure_is_warned_of_at_each_start_even_when_quiet(self):
        result = self.quartet("run", "noop", "--listen", "tcp://0.0.0.0:*", "--insecure", "--quiet",
                              "--wait-timeout", "0.2", seconds=10)
        self.assertRegex(result.err, "warning: tcp://0.0.0.0:.* open to everybody")
        worker = self.start([WORKER, "--connect", "tcp://0.0.0.0:%d" % free_port(), "--insecure", "--quiet", "--give-up",
                             "0.2"])
        self.assertRegex(worker.finish(10).err, "warning: .*tcp://0.0.0.0:.* whoever answers there is obeyed")


class LetIn(KeysTest):
    def test_worker_comes_with_its_access_file(self):
        self.keygen("ada")
        for endpoint in (FREE_PORT, "tcp://*:*", "ipc://" + self.path("socket")):
            coordinator, _ = self.serve(endpoint=endpoint)
            self.assertEqual(stat.S_IMODE(os.stat(self.access).st_mode), 0o600)
            worker = self.come()
            worker.err.wait_for(r"quartet-worker ada-\d+: connected", 20)
            result = self.assert_all_done(coordinator)
            self.assertNotIn("refused", result.err)
            self.assert_status(worker.finish(5), EXIT_OK)

    def test_worker_reads_its_access_from_standard_input(self):
        self.keygen()
        coordinator, _ = self.serve()
        worker = self.come(access="-", stdin=self.read_file("access.json").encode())
        self.assert_all_done(coordinator)
        self.assert_status(worker.finish(5), EXIT_OK)

    def test_access_is_for_the_worker_that_was_named_and_begins_with_what_is_advertised(self):
        self.keygen("ada", "bob")
        coordinator, at = self.serve("--access-for", "bob", "--advertise", "gate.example", "--advertise", "[fd00::1]:7")
        access = self.read_access()
        port = at.rsplit(":", 1)[1]
        self.assertEqual(access["name"], "bob")
        self.assertEqual(access["secret_key"], self.secret("workers/bob.key"))
        self.assertEqual(access["endpoints"], ["tcp://gate.example:" + port, "tcp://[fd00::1]:7", at])
        self.come()  # and goes on to the address that leads here
        self.assert_all_done(coordinator)

    def test_worker_goes_through_the_addresses_until_one_answers(self):
        self.keygen()
        coordinator, at = self.serve()
        nobody = ["tcp://127.0.0.1:%d" % free_port(), "ipc://" + self.path("nobody"), "tcp://198.51.100.1:9"]
        worker = self.come(access=self.write_access("many.json", endpoints=[*nobody, at]))
        worker.err.wait_for("connected to " + at, 20)
        self.assert_all_done(coordinator)

    def test_local_workers_have_keys_of_their_own(self):
        self.keygen()
        result = self.quartet("run", "noop", "--range", "1:1000", "--workers", "2", "--keys", self.keys, "--json", "-")
        self.assert_status(result, EXIT_OK)
        self.assertEqual(result.report()["comparisons"][0]["cells"][0]["workers"], 2)
        result = self.quartet("compare", "noop", "--range", "1:100", "--workers", "2", "--keys", self.keys, "--rounds", "1")
        self.assert_status(result, EXIT_OK)

    def test_local_worker_that_died_is_replaced_and_let_in(self):
        self.keygen()
        coordinator = self.start_quartet("run", *WORK, "--workers", "2", "--keys", self.keys, "--json", "-", "--out",
                                         self.path("out"))
        self.wait_for_results()
        os.kill(coordinator.children("quartet-worker")[0], signal.SIGKILL)
        coordinator.err.wait_for("started again", 20)
        self.assert_all_done(coordinator, lost=1)


class Refused(KeysTest):
    def test_strangers_are_refused_and_told_of_and_the_honest_are_not_disturbed(self):
        self.keygen()
        coordinator, at = self.serve()
        host, port = at[len("tcp://"):].rsplit(":", 1)
        plain = self.start_worker(at, "--give-up", "1")
        unknown = self.come(access=self.stranger())
        deceived = self.come("--give-up", "1", access=self.write_access(
            "deceived.json", server_key=self.secret("coordinator.pub", self.path("other"))))
        scans = [socket.create_connection((host, int(port))) for _ in range(60)]
        for number, scan in enumerate(scans):
            scan.sendall((b"GET / HTTP/1.0\r\n\r\n", b"\xff" * 200, b"", b"SSH-2.0-x\r\n")[number % 4])
        self.assert_status(plain.finish(20), EXIT_CANNOT_GO_ON)
        self.assertIn("--access", plain.err.text())
        self.assert_status(unknown.finish(20), EXIT_REFUSED)
        self.assertIn("does not accept the key", unknown.err.text())
        self.assert_status(deceived.finish(20), EXIT_CANNOT_GO_ON)
        self.assertNotIn("connected to", deceived.err.text())
        for part in ("plaintext|did not finish", "not among those authorized", "another one's"):
            # Who has closed the connection before it is looked at has no address any more.
            coordinator.err.wait_for("refused a connection(?: from 127.0.0.1)?: .*(?:%s)" % part, 10)
        worker = self.come()
        result = self.assert_all_done(coordinator)
        self.assert_status(worker.finish(5), EXIT_OK)
        for scan in scans:
            scan.close()
        self.assertRegex(result.err, r"\d+ connections were refused: [1-9]\d* with a key that is not")
        self.assertLess(len(result.err.splitlines()), 16, "each is told of once")

    def test_half_open_connections_keep_nobody_out(self):
        self.keygen()
        coordinator, at = self.serve()
        host, port = at[len("tcp://"):].rsplit(":", 1)
        halves = [socket.create_connection((host, int(port))) for _ in range(make_room_for_sockets(1000))]
        worker = self.come()
        result = self.assert_all_done(coordinator)
        self.assert_status(worker.finish(5), EXIT_OK)
        for half in halves:
            half.close()
        self.assertLess(len(result.err.splitlines()), 16)

    def test_handshake_that_was_listened_to_is_of_no_use_again(self):
        self.keygen()
        coordinator, at = self.serve()
        with Wiretap(at) as tap:
            worker = self.come(access=self.write_access("tapped.json", endpoints=[tap.endpoint]))
            worker.err.wait_for("connected", 20)
            self.assert_all_done(coordinator)
            self.assert_status(worker.finish(10), EXIT_OK)
        self.assertGreater(len(tap.heard), 500)
        self.assertNotIn(b"quartet.", tap.heard)
        coordinator, at = self.serve()
        host, port = at[len("tcp://"):].rsplit(":", 1)
        with socket.create_connection((host, int(port))) as thief:
            thief.sendall(tap.heard)
            coordinator.err.wait_for("refused a connection.*no handshake", 20)
        self.come()
        self.assert_all_done(coordinator)

    def test_access_file_that_others_can_read_is_refused(self):
        self.keygen()
        coordinator, _ = self.serve()
        os.chmod(self.access, 0o640)
        self.assert_refused(self.come().finish(10), self.access, "by others")
        os.chmod(self.access, 0o600)
        self.come()
        self.assert_all_done(coordinator)

    def test_key_that_is_taken_back_ends_its_session_and_does_not_come_back(self):
        self.keygen("ada", "bob")
        items = 5 * ITEMS  # longer than it takes to be refused three times
        coordinator, _ = self.serve("--wait", "2", "--access-for", "ada", work=(*SLEEP, "--range", "1:%d" % items))
        ada = self.come("--name", "ada")
        bob = self.come("--name", "bob", access=self.write_access(
            "bob.json", name="bob", public_key=self.secret("authorized/bob.pub"), secret_key=self.secret("workers/bob.key")))
        wait_until(lambda: self.worker_states(coordinator) == {"ada": "running", "bob": "running"}, 20, "both at work")
        os.unlink(os.path.join(self.keys, "authorized", "ada.pub"))
        coordinator.err.wait_for("lost worker ada@.*not authorized any more", 10)
        self.assert_status(ada.finish(10), EXIT_REFUSED)
        self.assertIn("not authorized any more", ada.err.text())
        again = self.come("--name", "again")
        self.assert_status(again.finish(10), EXIT_REFUSED)
        self.assert_all_done(coordinator, lost=1, items=items)
        self.assert_status(bob.finish(5), EXIT_OK)

    def test_key_that_is_authorized_later_is_let_in(self):
        self.keygen("ada")
        coordinator, _ = self.serve()
        late = os.path.join(self.keys, "authorized", "late.pub")
        access = self.stranger()
        self.assert_status(self.come(access=access).finish(10), EXIT_REFUSED)
        with open(late, "w", encoding="ascii") as file:
            file.write(self.secret("authorized/worker.pub", self.path("other")))
        # A file of that name is there at once, its content and the coordinator's look at it a moment later.
        wait_until(lambda: self.come(access=access).finish(60).status == EXIT_OK, 20, "a worker that is let in")
        self.assert_all_done(coordinator)


class Secrets(KeysTest):
    def seen(self, pid):
        """What others may see of a process."""
        texts = []
        for name in ("cmdline", "environ"):
            with open("/proc/%d/%s" % (pid, name), "rb") as file:
                texts.append(file.read())
        return b"\n".join(texts)

    def test_nothing_secret_is_in_arguments_environment_output_status_report_or_journal(self):
        self.keygen()
        journal = self.path("run.journal")
        coordinator, _ = self.serve("--workers", "1", "--control", self.path("control"), "--journal", journal,
                                    "--out", self.path("out"))
        secrets = [self.secret("coordinator.key").encode(), self.secret("workers/worker.key").encode()]
        worker = self.come()
        worker.err.wait_for("connected", 20)
        local = wait_until(lambda: coordinator.children("quartet-worker"), 20, "the local worker")
        looks = [self.seen(pid) for pid in (coordinator.pid, worker.pid, *local)]
        status = self.quartet("status", "--json", "--control", self.path("control"))
        result = self.assert_all_done(coordinator)
        self.assert_status(worker.finish(5), EXIT_OK)
        looks += [result.out.encode(), result.err.encode(), worker.err.text().encode(), status.out.encode()]
        looks += [subprocess.run(["cat", journal], capture_output=True, check=True).stdout]
        for look in looks:
            for secret in secrets:
                self.assertNotIn(secret, look)
            self.assertNotIn(b"secret_key", look)
        self.assertIn(b"--access\0-\0", looks[2])  # the local one has its key through its standard input


class Resume(KeysTest):
    def test_workers_come_back_to_a_coordinator_that_goes_on_with_its_keys(self):
        self.keygen()
        journal = self.path("run.journal")
        endpoint = "tcp://127.0.0.1:%d" % free_port()
        first, _ = self.serve("--journal", journal, "--out", self.path("out"), endpoint=endpoint)
        worker = self.come()
        self.wait_for_results()
        first.signal(signal.SIGKILL)
        first.finish()
        second = self.start_quartet("resume", journal)
        worker.err.wait_for("registered again", 30)
        self.assert_all_done(second)
        self.assert_status(worker.finish(5), EXIT_OK)


@unittest.skipIf(WHY_NOT, WHY_NOT)
class Hosts(KeysTest):
    def test_workers_come_from_other_hosts_to_every_address_and_plaintext_does_not(self):
        hosts = netns.make_hosts(self, 3)
        self.keygen()
        coordinator = self.start([*hosts[0].enter, QUARTET, "run", *WORK, "--listen", "tcp://*:*", "--wait", "2", "--keys",
                                  self.keys, "--access", self.access, "--json", "-"])
        at = coordinator.err.wait_for(r"listening on (\S+),", 20).group(1)
        port = at.rsplit(":", 1)[1]
        self.assertEqual(self.read_access()["endpoints"], ["tcp://%s:%s" % (hosts[0].address, port)])
        plain = self.start([*hosts[1].enter, WORKER, "--connect", "tcp://%s:%s" % (hosts[0].address, port), "--insecure",
                            "--give-up", "1"])
        self.assert_status(plain.finish(20), EXIT_CANNOT_GO_ON)
        # Both sides notice; when the other one hangs up first, nobody knows why.
        coordinator.err.wait_for("refused a connection(?: from %s)?: .*(plaintext|did not finish its handshake)" %
                                 hosts[1].address, 10)
        workers = [self.start([*host.enter, WORKER, "--access", self.access]) for host in hosts[1:]]
        self.assert_all_done(coordinator)
        for worker in workers:
            self.assert_status(worker.finish(5), EXIT_OK)


if __name__ == "__main__":
    main()
