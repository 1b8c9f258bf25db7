"""Hosts with an sshd each, made by tests/hosts.sh for as long as a test runs, and joined to this machine. Their links can be cut as
those of netns.py. Whatever a test starts on them by ssh carries its marker, and is found by harness.py: it is one kernel."""

import os
import signal
import subprocess

from harness import Program
from netns import ENVIRONMENT, Links, run_tool

SCRIPT = os.path.join(os.environ.get("QUARTET_SOURCE", ""), "tests", "hosts.sh")
SETUP_TIMEOUT_S = 30

KEPT_IN = """table netdev %s {
 chain arriving {
  type filter hook ingress device "%s" priority 0; policy accept;
  tcp flags & (syn | ack) == syn drop
 }
}
"""
SKIPPED = 77


def unavailable():
    """Why there can be no such hosts here, in words; None: there can."""
    directory = "/tmp/quartet-hosts-try-%d" % os.getpid()
    environment = {**ENVIRONMENT, "QUARTET_HOSTS_DIR": directory}
    done = subprocess.run([SCRIPT, "hold", "1"], env=environment, stdin=subprocess.DEVNULL, text=True, capture_output=True,
                          timeout=SETUP_TIMEOUT_S, check=False)
    return None if done.returncode == 0 else "no hosts with an sshd can be made here: " + done.stderr.strip()


class _Here:
    """This machine, where the bridge is."""

    @staticmethod
    def do(*argv, script=None):
        run_tool(argv, script)


class Host(Links):
    """One host. `enter` is what goes before a command to run it there; `address` is its own."""

    switch = _Here()

    def __init__(self, line):
        self.name, self.address, self.address6, self.pid, self.port = line.split()
        self.enter = ["nsenter", "--target", self.pid, "--net", "--uts", "--pid", "--mount"]

    def ask(self, *argv):
        """What a command there prints."""
        return subprocess.run([*self.enter, *argv], env=ENVIRONMENT, stdin=subprocess.DEVNULL, text=True, capture_output=True,
                              timeout=SETUP_TIMEOUT_S, check=False).stdout

    def listening(self):
        """The local addresses and ports that somebody listens on there."""
        return [line.split()[3] for line in self.ask("ss", "-ltnH").splitlines()]

    def keep_in(self):
        """It is reached, and reaches nobody by itself: a firewall drops what begins a connection of its own."""
        self.switch.do("nft", "-f", "-", script=KEPT_IN % ("cut_" + self.port, self.port))

    def narrow(self, rate):
        """What is sent to it arrives at no more than `rate`, in tc's words."""
        self.switch.do("tc", "qdisc", "add", "dev", self.port, "root", "tbf", "rate", rate, "burst", "16kb", "latency", "400ms")

    def widen(self):
        """Undo narrow."""
        self.switch.do("tc", "qdisc", "del", "dev", self.port, "root")

    def vanish(self):
        """As when its power fails: everything in it is gone, and no connection is closed."""
        self.cut_off()
        os.kill(int(self.pid), signal.SIGKILL)  # made for this test

    def do(self, *argv, script=None):
        run_tool([*self.enter, *argv], script)


class Hosts:
    """`hosts[i]` is h(i + 1); `ssh` is the command that reaches them by name; `here` is this machine's address on their bridge."""

    def __init__(self, test, count, *arguments):
        self.directory = test.path("hosts")
        self.keeper = test.start([SCRIPT, "hold", count, *arguments], stdin=Program.PIPE,
                                 env={**ENVIRONMENT, "QUARTET_HOSTS_DIR": self.directory})
        test.addCleanup(self._end)
        self.keeper.out.wait_for("hosts are up", SETUP_TIMEOUT_S)
        self.ssh = "ssh -F %s/ssh_config" % self.directory
        with open(self.directory + "/list", encoding="utf-8") as file:
            self.list = [Host(line) for line in file]
        self.here = self.list[0].address.rsplit(".", 1)[0] + ".1"

    def __getitem__(self, index):
        return self.list[index]

    def _end(self):
        self.keeper.stdin.close()
        self.keeper.process.wait(SETUP_TIMEOUT_S)
