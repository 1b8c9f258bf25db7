"""A host of its own with a real systemd as its first process, on this machine: namespaces, and this machine's own root file system with
everything that is written to it kept apart (overlay) and nothing of it started but what a test starts. The network is this machine's.

It ends with the test, however that ends: its first process dies with the pipe that the test holds."""

import os
import subprocess

import procfs
from harness import wait_until

SYSTEMD = "/lib/systemd/systemd"

# $1: a folder that the host shares with this machine, under the same name; $2: others. Root's mounts must be shared ones, as on any host with
# systemd: a credential is mounted by a helper. Nothing but the units of a test and what they need: no target wants anything.
BOOT = """
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
root=/mnt/root
rm -rf $root/etc/systemd/system $root/lib/systemd/system-generators $root/etc/fstab
rm -rf $root/lib/systemd/system/*.wants $root/lib/systemd/system/*.requires
mkdir $root/etc/systemd/system
mount -t proc proc $root/proc
mount --bind $root/proc/sys $root/proc/sys
mount -o remount,bind,ro $root/proc/sys
mount -t sysfs -o ro sysfs $root/sys
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    mount -t cgroup2 cgroup2 $root/sys/fs/cgroup
else
    mount -t tmpfs tmpfs $root/sys/fs/cgroup
fi
mount -t tmpfs -o mode=755 tmpfs $root/dev
for device in null zero full random urandom tty; do
    touch $root/dev/$device
    mount --bind /dev/$device $root/dev/$device
done
mkdir $root/dev/shm $root/dev/pts
ln -s pts/ptmx $root/dev/ptmx
mount -t tmpfs tmpfs $root/dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts $root/dev/pts
mount -t tmpfs -o mode=755 tmpfs $root/run
mount -t tmpfs -o mode=1777 tmpfs $root/tmp
mkdir -p $root$1
mount --bind $1 $root$1
for tree in $2; do
    mkdir -p $root$tree
    mount --rbind $tree $root$tree
done
mount --make-rshared $root
export container=other
exec setpriv --bounding-set=-sys_module,-sys_time,-sys_boot,-sys_rawio chroot $root %s --unit=basic.target --log-target=null --show-status=0
""" % SYSTEMD


def _hierarchies():
    """Folders of the control groups that this process is in, one for each tree: systemd mounts all of them, and begins where its own
    namespace does."""
    places = {}
    with open("/proc/self/cgroup", encoding="ascii") as file:
        for line in file:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            places[controllers] = path
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        for line in file:
            before, after = line.split(" - ")
            kind, _, options = after.split()[:3]
            if kind == "cgroup2":
                yield before.split()[4] + places.get("", "/")
            elif kind == "cgroup":
                names = [name for name in places if name and set(name.split(",")) <= set(options.split(","))]
                if names:
                    yield before.split()[4] + places[names[0]]


def _make_group(parent, name):
    """A group; one for processors takes nobody in until it has some."""
    group = os.path.join(parent, name)
    os.mkdir(group)
    for file in ("cpuset.cpus", "cpuset.mems"):
        if os.path.exists(os.path.join(parent, "cpuset.sched_load_balance")):
            with open(os.path.join(parent, file), encoding="ascii") as source:
                of_parent = source.read()
            with open(os.path.join(group, file), "w", encoding="ascii") as target:
                target.write(of_parent)
    return group


def unavailable():
    """Why there can be no such host here, in words; None: there can."""
    if os.geteuid() != 0:
        return "no host with systemd can be made here: this is not root"
    if not os.access(SYSTEMD, os.X_OK):
        return "no host with systemd can be made here: deploy/install-packages.sh test"
    hierarchies = list(_hierarchies())
    if not hierarchies or not all(os.access(folder + "/cgroup.procs", os.W_OK) for folder in hierarchies):
        return "no host with systemd can be made here: control groups cannot be written"
    script = ("mount -t tmpfs tmpfs /mnt && mkdir /mnt/u /mnt/w /mnt/r && "
              "mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w /mnt/r")
    done = subprocess.run(["unshare", "--mount", "--pid", "--fork", "--cgroup", "sh", "-ec", script], capture_output=True, text=True,
                          timeout=20, check=False)
    return None if done.returncode == 0 else "no host with systemd can be made here: " + done.stderr.strip()


# A manager of a user's own services, as user@.service starts it, without a login.
USER_MANAGER = """
[Service]
User=%(user)s
Type=notify
Delegate=yes
RuntimeDirectory=user-manager
Environment=XDG_RUNTIME_DIR=/run/user-manager HOME=/run/user-manager
ExecStart=%(systemd)s --user --unit=basic.target --log-target=null
"""


class SystemdHost:
    """`shared` is a folder that it has too. `trees`: others, such as where the programs are."""

    def __init__(self, test, shared, trees=()):
        self.test = test
        self.groups = []
        # Cleanups run last to first, and the groups can go when everything in them has ended.
        test.addCleanup(self._remove_groups)
        for folder in _hierarchies():
            self.groups.append(_make_group(folder, "quartet-" + test.marker[-12:]))
        enter = ('for group in $0; do echo $$ >"$group/cgroup.procs"; done; '
                 'exec unshare --mount --pid --fork --cgroup --ipc --uts --kill-child sh -ec "$1" sh "$2" "$3"')
        self.program = test.start(["sh", "-ec", enter, " ".join(self.groups), BOOT, shared, " ".join(trees)])
        test.addCleanup(self._end)
        self.first = wait_until(self._first, 20, "the host's first process")
        self.enter = ["nsenter", "--target", str(self.first), "--all", "--root", "--wdns=/"]
        wait_until(lambda: self.ask("is-active", "basic.target").stdout.strip() == "active", 30, "its systemd")

    def _first(self):
        if not self.program.is_running():
            raise AssertionError("it ended:\n" + self.program.output())
        found = [p.pid for p in procfs.children(self.program.pid) if p.name == "systemd"]
        return found[0] if found else None

    def _end(self):
        procfs.kill(self.program.pid)  # and its first process with it
        self.program.process.wait()

    def _remove_groups(self):
        for group in self.groups:
            for folder, _, _ in os.walk(group, topdown=False):
                wait_until(lambda folder=folder: _removed(folder), 10, "an empty control group: " + folder)

    def ask(self, *arguments):
        """systemctl there."""
        return subprocess.run([*self.enter, "systemctl", "--no-pager", *arguments], capture_output=True, text=True, timeout=60, check=False)

    def start_user_manager(self, user):
        """What goes before a command of that user, who has a manager; its home is /run/user-manager."""
        script = "rm -rf /usr/lib/systemd/user/*.wants /etc/systemd/user; cat >/etc/systemd/system/user-manager.service"
        subprocess.run([*self.enter, "sh", "-c", script], input=USER_MANAGER % {"user": user, "systemd": SYSTEMD}, text=True, timeout=20,
                       check=True)
        self.ask("daemon-reload")
        started = self.ask("start", "user-manager.service")
        if started.returncode != 0:
            raise AssertionError("no manager of %s: %s" % (user, started.stderr))
        return [*self.enter, "setpriv", "--reuid", user, "--regid", user, "--clear-groups", "env", "HOME=/run/user-manager",
                "XDG_RUNTIME_DIR=/run/user-manager"]

    def property_of(self, unit, name):
        return self.ask("show", "--property", name, "--value", unit).stdout.strip()


def _removed(folder):
    try:
        os.rmdir(folder)
    except OSError:
        return not os.path.exists(folder)
    return True
