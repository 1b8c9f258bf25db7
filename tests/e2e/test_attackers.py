"""Attackers against a coordinator with keys, in the middle of a run: each is refused, and told of once; the honest worker that was there before
goes on in the session that it has, one that comes meanwhile is let in, and the results are whole."""

import os
import random
import signal
import socket
import struct

import results
from harness import (EXIT_CANNOT_GO_ON, EXIT_OK, EXIT_USAGE, WORKER, main, test_program, wait_until)
from test_keys import EXIT_REFUSED, KeysTest, Wiretap, make_room_for_sockets

STRANGE_PEER = test_program("strange_peer")
MANY = 1000
LINES_MAX = 20

# ZMTP 3.1 (rfc.zeromq.org/spec/37): a greeting of 64 bytes with the mechanism in it, then commands: flags, length, a name with its length.
GREETING = b"\xff" + 8 * b"\0" + b"\x7f\x03\x01" + b"CURVE".ljust(20, b"\0") + b"\0" + 31 * b"\0"
HELLO = b"\x04\xc8" + b"\x05HELLO" + b"\x01\x00" + 72 * b"\0"


class AttackTest(KeysTest):
    """Begins a run with one honest worker that has work; `assert_undisturbed` ends it."""

    items = 400  # of 10 ms, one after the other

    def setUp(self):
        super().setUp()
        self.keygen("ada", "bob", "eve")
        work = ("sleep", "--param", "seconds=0.01", "--strategy", "serial", "--range", "1:%d" % self.items)
        self.coordinator, self.at = self.serve("--access-for", "ada", "--out", self.path("out"), work=work)
        host, port = self.at[len("tcp://"):].rsplit(":", 1)
        self.address = (host, int(port))
        self.honest = self.come("--name", "honest")
        wait_until(lambda: results.bytes_in(self.path("out")) > 0, 20, "the first results")

    def access_of(self, name, **changed):
        return self.write_access(name + ".json", name=name, public_key=self.secret("authorized/%s.pub" % name),
                                 secret_key=self.secret("workers/%s.key" % name), **changed)

    def connect(self, *says, reset=False):
        """A connection that says so much, and is left to the test."""
        connection = socket.create_connection(self.address)
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for text in says:
            try:
                connection.sendall(text)
            except OSError:
                pass  # it was hung up on before all was said
        return connection

    def assert_said_once(self, part, text):
        lines = [line for line in text.splitlines() if part in line]
        # Whoever hangs up before the coordinator looks has no address any more, and is another one to it.
        with_address = [line for line in lines if " from " in line]
        self.assertTrue(lines, text)
        self.assertLessEqual(len(with_address), 1, text)
        self.assertLessEqual(len(lines) - len(with_address), 1, text)

    def assert_undisturbed(self, *parts, lost=0):
        """`parts`: of what is said about the attack, each once. `lost`: workers that were attackers."""
        late = self.come("--name", "late", access=self.access_of("bob"))
        late.err.wait_for("connected to", 30)
        result = self.assert_all_done(self.coordinator, items=self.items, lost=lost)
        for worker in (self.honest, late):
            self.assert_status(worker.finish(10), EXIT_OK)
            self.assertNotIn("again", worker.err.text())
            self.assertNotIn("lost", worker.err.text())
        lines = self.read_file("out").splitlines()
        self.assertEqual((len(lines), len(set(lines))), (self.items, self.items))
        for part in parts:
            self.assert_said_once(part, result.err)
        self.assertLess(len(result.err.splitlines()), LINES_MAX, result)
        return result


class WithoutTheKey(AttackTest):
    def test_plaintext_client(self):
        plain = [self.start_worker(self.at, "--give-up", "2") for _ in range(3)]
        for worker in plain:
            self.assert_status(worker.finish(30), EXIT_CANNOT_GO_ON)
            self.assertIn("--access", worker.err.text())
        self.assert_undisturbed()
        self.assertRegex(self.coordinator.err.text(), "refused a connection.*(plaintext|did not finish its handshake)")

    def test_random_key(self):
        access = self.stranger()
        for worker in [self.come(access=access) for _ in range(3)]:
            self.assert_status(worker.finish(30), EXIT_REFUSED)
        result = self.assert_undisturbed("its key is not among those authorized")
        self.assertRegex(result.err, r"\d+ connections were refused: (?:[3-9]|\d\d) with a key that is not authorized")

    def test_key_of_another_coordinator(self):
        self.stranger()
        deceived = self.come("--give-up", "1", access=self.write_access(
            "deceived.json", server_key=self.secret("coordinator.pub", self.path("other"))))
        self.assert_status(deceived.finish(20), EXIT_CANNOT_GO_ON)
        self.assertNotIn("connected to", deceived.err.text())
        self.assertEqual(deceived.err.text().count("; trying again"), 1)  # and then, why it ends
        self.assertRegex(deceived.err.text(), "no coordinator answered for .*: the handshake failed: it is not the coordinator")
        self.assert_undisturbed("another one's")


class TakenBack(AttackTest):
    items = 1500  # longer than it takes to be refused three times

    def test_revoked_key(self):
        access = self.access_of("eve")
        eve = self.come("--name", "eve", access=access)
        wait_until(lambda: self.worker_states(self.coordinator).get("eve") == "running", 20, "work of eve's")
        os.unlink(os.path.join(self.keys, "authorized", "eve.pub"))
        self.assert_status(eve.finish(20), EXIT_REFUSED)
        for worker in [self.come("--name", "eve", access=access) for _ in range(2)]:
            self.assert_status(worker.finish(20), EXIT_REFUSED)
        self.assert_undisturbed("its key is not among those authorized", "lost worker eve@", lost=1)


class OverheardAndHalf(AttackTest):
    def test_replayed_handshake(self):
        with Wiretap(self.at) as tap:
            worker = self.come("--name", "tapped", access=self.access_of("eve", endpoints=[tap.endpoint]))
            worker.err.wait_for("connected", 20)
            worker.signal(signal.SIGTERM)
            self.assert_status(worker.finish(20), EXIT_OK)
        self.assertGreater(len(tap.heard), 500)
        thieves = [self.connect(tap.heard) for _ in range(10)]
        self.coordinator.err.wait_for("refused a connection.*no handshake", 20)
        self.assert_undisturbed("no handshake")
        for thief in thieves:
            thief.close()

    def test_half_of_a_handshake(self):
        count = make_room_for_sockets(300)
        halves = [self.connect(GREETING, HELLO[:number % len(HELLO)]) for number in range(count)]
        for half in halves[::2]:
            half.close()
        self.assert_undisturbed()
        for half in halves[1::2]:
            half.close()

    def test_handshake_made_of_nothing(self):
        fakes = [self.connect(GREETING, HELLO + bytes(202 - len(HELLO))) for _ in range(100)]
        self.coordinator.err.wait_for("refused a connection", 20)
        self.assert_undisturbed()
        for fake in fakes:
            fake.close()

    def test_a_thousand_half_open_connections(self):
        halves = [self.connect() for _ in range(make_room_for_sockets(MANY))]
        self.assert_undisturbed()
        for half in halves:
            half.close()


class Scans(AttackTest):
    def test_port_scan(self):
        for number in range(MANY):
            self.connect(reset=number % 2 == 0).close()
        self.assert_undisturbed()

    def test_garbage_of_a_thousand_connections(self):
        rng = random.Random(1)
        texts = [b"GET / HTTP/1.0\r\n\r\n", b"SSH-2.0-x\r\n", b"\xff" * 200, GREETING + b"\x00" * 300]
        for number in range(MANY):
            self.connect(texts[number % 5] if number % 5 < 4 else rng.randbytes(rng.randrange(1, 2000)),
                         reset=number % 3 == 0).close()
        result = self.assert_undisturbed()
        self.assertRegex(result.err, r"connections were refused: 0 with a key that is not authorized, [1-9]\d* without a proper")


class WithAKey(AttackTest):
    def test_worker_that_would_command(self):
        commander = self.start([STRANGE_PEER, "commander", self.at, self.access_of("eve")]).finish(60)
        self.assert_status(commander, EXIT_OK)
        for command in ("WELCOME", "JOB", "CHUNKS", "CANCEL", "DRAIN", "ACK"):
            self.assertEqual(commander.out.count("%s: only a coordinator says that" % command), 2, commander)
        result = self.assert_undisturbed()
        self.assert_said_once("somebody said who is not registered", result.err)
        for command in ("WELCOME", "JOB", "CHUNKS", "CANCEL", "DRAIN", "ACK"):
            self.assert_said_once("lost worker strange@elsewhere: %s: only" % command, result.err)

    def test_worker_that_would_be_a_coordinator_is_not_believed_by_another(self):
        """Whoever has a worker's key knows the coordinator's public one, and cannot show its secret."""
        listener = socket.create_server(("127.0.0.1", 0))
        at = "tcp://127.0.0.1:%d" % listener.getsockname()[1]
        listener.close()
        access = self.read_access()
        fake = self.path("fake")
        self.assert_status(self.quartet("keygen", fake), EXIT_OK)
        for name, content in (("coordinator.key", access["secret_key"]), ("coordinator.pub", access["public_key"])):
            with open(os.path.join(fake, name), "w", encoding="ascii") as file:
                file.write(content + "\n")
        with open(os.path.join(fake, "authorized", "eve.pub"), "w", encoding="ascii") as file:
            file.write(self.secret("authorized/eve.pub") + "\n")
        impostor, _ = self.listen("run", "noop", "--listen", at, "--keys", fake, "--wait-timeout", "3")
        believer = self.start([WORKER, "--give-up", "1", "--access", self.access_of("eve", endpoints=[at])])
        self.assert_status(believer.finish(20), EXIT_CANNOT_GO_ON)
        self.assertNotIn("connected to", believer.err.text())
        self.assert_status(impostor.finish(20), EXIT_CANNOT_GO_ON)
        self.assert_undisturbed()

    def test_access_file_that_others_can_read(self):
        access = self.access_of("eve")
        for mode in (0o640, 0o604, 0o660, 0o606):
            os.chmod(access, mode)
            self.assert_refused(self.come(access=access).finish(10), access, "by others", "chmod 600", status=EXIT_USAGE)
        self.assert_undisturbed()


if __name__ == "__main__":
    main()
