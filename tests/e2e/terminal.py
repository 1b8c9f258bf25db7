"""A terminal of so many columns, and what a person would see on it."""

import fcntl
import os
import pty
import re
import struct
import termios

from harness import Stream

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class _Screen:
    """The master side of a pseudo-terminal as a stream."""

    def __init__(self, descriptor):
        self.descriptor = descriptor

    def fileno(self):
        return self.descriptor


class Terminal:
    """Give `tty` to a program as its output, call started() once it runs, and read `stream`."""

    def __init__(self, test, columns, rows=24):
        self.master, self.tty = pty.openpty()
        test.addCleanup(os.close, self.master)
        fcntl.ioctl(self.tty, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.stream = Stream(_Screen(self.master))

    def started(self):
        """From now on the programs alone hold the terminal: its stream ends with them."""
        os.close(self.tty)

    def text(self):
        return self.stream.text()

    def drawn_lines(self):
        """Every line as it was drawn, once per redraw: how long each was is what decides whether the terminal wrapped it."""
        plain = CONTROL.sub("", self.text())
        return [line for line in re.split(r"[\r\n]+", plain) if line]
