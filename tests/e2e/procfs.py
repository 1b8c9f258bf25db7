"""What /proc tells about processes: whose child, which name, how much memory and processor time, with which environment.

A process may end between two reads: whatever is asked about it then, the answer is None or it is not in the list.
"""

import os
import signal


class Process:
    def __init__(self, pid, name, state, parent):
        self.pid = pid
        self.name = name
        self.state = state
        self.parent = parent

    def __str__(self):
        return "%d (%s, state %s, child of %d)" % (self.pid, self.name, self.state, self.parent)


def _read(pid, file):
    try:
        with open("/proc/%d/%s" % (pid, file), "rb") as stream:
            return stream.read()
    except OSError:
        return None


def _stat_fields(pid):
    """Name, then the fields behind it from the state on. A name may hold spaces and parentheses."""
    content = _read(pid, "stat")
    if not content:
        return None
    text = content.decode("utf-8", "replace")
    name = text[text.index("(") + 1:text.rindex(")")]
    return name, text[text.rindex(")") + 2:].split()


def look_at(pid):
    fields = _stat_fields(pid)
    if fields is None:
        return None
    name, rest = fields
    return Process(pid, name, rest[0], int(rest[1]))


def is_alive(pid):
    process = look_at(pid)
    return process is not None and process.state not in "ZX"


def is_stopped(pid):
    process = look_at(pid)
    return process is not None and process.state == "T"


def _pids():
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def children(pid):
    found = (look_at(p) for p in _pids())
    return [p for p in found if p is not None and p.parent == pid and p.state not in "ZX"]


def zombies(pid):
    """Its child processes that have ended and that nobody has waited for."""
    found = (look_at(p) for p in _pids())
    return [p for p in found if p is not None and p.parent == pid and p.state == "Z"]


def find_by_environment(name, value):
    """Living processes that were started with name=value."""
    wanted = ("%s=%s" % (name, value)).encode()
    found = []
    for pid in _pids():
        environment = _read(pid, "environ")
        if environment and wanted in environment.split(b"\0"):
            process = look_at(pid)
            if process is not None and process.state not in "ZX":
                found.append(process)
    return found


def peak_memory_bytes(pid):
    """The largest resident size so far."""
    for line in (_read(pid, "status") or b"").splitlines():
        if line.startswith(b"VmHWM:"):
            return int(line.split()[1]) * 1024
    return None


def memory_bytes(pid):
    """The resident size now."""
    for line in (_read(pid, "status") or b"").splitlines():
        if line.startswith(b"VmRSS:"):
            return int(line.split()[1]) * 1024
    return None


def cpu_seconds(pid):
    """User and system time of all its threads."""
    fields = _stat_fields(pid)
    if fields is None:
        return None
    user, system = fields[1][11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def kill(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
