"""A terminal of so many columns, and what a person would see on it."""

import fcntl
import os
import pty
import re
import struct
import termios

from harness import QUARTET, Stream

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
SETTINGS = {"TERM": "xterm", "LC_ALL": "C.UTF-8"}


class _Screen:
    """The master side of a pseudo-terminal as a pipe to read."""

    def __init__(self, descriptor):
        self.descriptor = descriptor

    def fileno(self):
        return self.descriptor


class Terminal:
    def __init__(self, test, columns, rows=24):
        self.test = test
        self.master, self.tty = pty.openpty()
        test.addCleanup(os.close, self.master)
        fcntl.ioctl(self.tty, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.stream = Stream(_Screen(self.master))

    def start_quartet(self, *arguments, env=None, whole=False, program=QUARTET):
        """Start with standard error here; with `whole`, standard output too. The terminal ends with the program."""
        program = self.test.start([program, *arguments], stderr=self.tty,
                                  stdout=self.tty if whole else None, env={**SETTINGS, **(env or {})})
        os.close(self.tty)
        program.err = self.stream
        return program

    def text(self):
        return self.stream.text()

    def drawn_lines(self):
        """Every line as it was drawn, once per redraw: how long each was is what decides whether the terminal wrapped it."""
        plain = CONTROL.sub("", self.text())
        return [line for line in re.split(r"[\r\n]+", plain) if line]

    def items_done(self):
        """What the progress bar says last."""
        shown = re.findall(r"(\d+)/\d+ ", CONTROL.sub("", self.text()))
        return int(shown[-1]) if shown else 0
