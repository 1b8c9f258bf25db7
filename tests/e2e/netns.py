"""Hosts of their own on this machine: network namespaces on one bridge, whose links can be cut, unplugged and squeezed.

Every namespace, that of the bridge too, is held by a `cat` that waits on a pipe of the test: when the test ends, however it ends, the
pipe closes and the `cat` with it, the namespace goes with the last program in it, and links, addresses and rules go with the
namespace. Nothing has a name outside, so that any number of such networks can stand at once, all with the same addresses. What runs
elsewhere, the test itself included, cannot reach them.

One kernel, one clock: delay, and disks of their own, cannot be had this way.
"""

import os
import subprocess

from harness import Program

SETUP_TIMEOUT_S = 10
TOOLS = ("ip", "nft", "tc", "nsenter", "unshare")
ENVIRONMENT = {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}

# Dropped on arrival: to the sender nothing is wrong. (A drop on the way out would be an error of its send.)
DROP = 'table netdev cut {\n chain arriving { type filter hook ingress device "%s" priority 0; policy drop; }\n}\n'


def _unshare():
    """Without root a user namespace of our own gives the rights."""
    return ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]


def unavailable():
    """Why there can be no hosts here, in words; None: there can."""
    try:
        for tool in TOOLS:
            subprocess.run([tool, "--version" if tool in ("nsenter", "unshare") else "-V"], env=ENVIRONMENT,
                           check=True, capture_output=True, timeout=SETUP_TIMEOUT_S)
        script = "ip link set lo up && nft -f - && tc qdisc add dev lo root tbf rate 1mbit burst 16kb latency 1s"
        subprocess.run([*_unshare(), "sh", "-c", script], env=ENVIRONMENT, input=(DROP % "lo").encode(), check=True,
                       capture_output=True, timeout=SETUP_TIMEOUT_S)
    except OSError as error:
        return "no hosts can be made here: %s" % error
    except subprocess.SubprocessError as error:
        said = (getattr(error, "stderr", None) or b"").decode("utf-8", "replace").strip()
        return "no hosts can be made here: %s" % (said or error)
    return None


def run_tool(argv, script=None):
    done = subprocess.run(argv, env=ENVIRONMENT, input=script, text=True, capture_output=True, timeout=SETUP_TIMEOUT_S,
                          check=False)
    if done.returncode != 0:
        raise AssertionError("%s: %s\n%s" % (" ".join(argv), done.stderr.strip(), script or ""))


class _Namespace:
    """One network namespace and the `cat` that it belongs to."""

    def __init__(self, test, argv):
        self.holder = test.start([*argv, "cat"], stdin=Program.PIPE, env=ENVIRONMENT)
        test.addCleanup(self._end)
        self.holder.stdin.write(b"here\n")
        self.holder.stdin.flush()
        self.holder.out.wait_for("here", SETUP_TIMEOUT_S)  # by then it has left the namespace it was born in
        self.enter = ["nsenter", "--target", str(self.holder.pid), "--net"]
        if os.geteuid() != 0:
            self.enter += ["--user", "--preserve-credentials"]

    def _end(self):
        self.holder.stdin.close()
        self.holder.process.wait(SETUP_TIMEOUT_S)

    def do(self, *argv, script=None):
        """Run a tool inside; `script` is its standard input."""
        run_tool([*self.enter, *argv], script)


class Links:
    """What can happen to the link of a host. `do` runs a tool in the host, `switch.do` where the bridge is; `port` is the host's
    interface there."""

    def deafen(self):
        """Whatever is sent to it gets lost; what it sends arrives."""
        self.do("nft", "-f", "-", script=DROP % "eth0")

    def mute(self):
        """Whatever it sends gets lost; what is sent to it arrives."""
        self.switch.do("nft", "-f", "-", script=(DROP % self.port).replace("cut", "cut_" + self.port))

    def cut_off(self):
        """Nothing passes any more, and nobody is told."""
        self.deafen()
        self.mute()

    def hear(self):
        self.do("nft", "delete", "table", "netdev", "cut")

    def speak(self):
        self.switch.do("nft", "delete", "table", "netdev", "cut_" + self.port)

    def heal(self):
        """Undo cut_off."""
        self.hear()
        self.speak()

    def unplug(self):
        self.do("ip", "link", "set", "eth0", "down")

    def plug(self):
        self.do("ip", "link", "set", "eth0", "up")

    def squeeze(self, rate):
        """What it sends leaves at no more than `rate`, in tc's words."""
        self.do("tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", rate, "burst", "16kb", "latency", "400ms")

    def release(self):
        """Undo squeeze."""
        self.do("tc", "qdisc", "del", "dev", "eth0", "root")


class Host(_Namespace, Links):
    """One host. `enter` is what goes before a command to run it there; `address` is its own."""

    def __init__(self, test, switch, number):
        super().__init__(test, _unshare() if os.geteuid() == 0 else
                         [*switch.enter, "unshare", "--net"])
        self.switch = switch
        self.port = "port%d" % number
        self.address = "10.0.0.%d" % number
        # Addresses of the hardware that stay the same: others would be looked for in vain for a while.
        switch.do("ip", "-batch", "-", script=(
            "link add {port} address 02:00:00:00:01:{number:02x} type veth peer name eth0 address 02:00:00:00:02:{number:02x}"
            " netns {pid}\n"
            "link set {port} master bridge up\n").format(port=self.port, number=number, pid=self.holder.pid))
        self.do("ip", "-batch", "-", script=(
            "link set lo up\naddress add %s/24 dev eth0\nlink set eth0 up\n" % self.address))


def make_hosts(test, count):
    """So many hosts that reach each other, for as long as the test runs."""
    switch = _Namespace(test, _unshare())
    switch.do("ip", "-batch", "-", script="link add bridge type bridge\nlink set bridge up\n")
    return [Host(test, switch, number) for number in range(1, count + 1)]
