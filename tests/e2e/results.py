"""What must hold whatever happened during a run: its results are those of an undisturbed one, each item once, or it says which are
missing and why.

Items are those of a range; the values they must come to are known here without the programs under test, for the workloads that give
one, and the sums are compared with an undisturbed run of theirs.
"""

import json
import os
import re

from harness import EXIT_ITEMS_FAILED, EXIT_OK, only_sample

MASK = (1 << 64) - 1


class Work:
    """The items FIRST to LAST of one workload, and what one of them must come to: `is_right(item, record)`. `calm`: work that comes
    to the same in less time, for the undisturbed run."""

    def __init__(self, workload, first, last, arguments=(), command=(), is_right=lambda item, record: True, calm=None):
        self.workload = workload
        self.first = first
        self.last = last
        self.arguments = tuple(arguments)
        self.command = tuple(command)
        self.is_right = is_right
        self.calm = calm or self

    @property
    def count(self):
        return self.last - self.first + 1

    def argv(self, *more):
        """What follows `quartet`, with `more` options before the command."""
        command = ("--", *self.command) if self.command else ()
        return ("run", self.workload, "--range", "%d:%d" % (self.first, self.last), *self.arguments,
                *map(str, more), *command)

    def undisturbed(self, test):
        """The sample of an undisturbed run here, whose own results are looked at as well."""
        out = test.path("undisturbed.ndjson")
        sample = only_sample(test.report(*self.calm.argv("--local", "--out", out), seconds=120))
        test.assertEqual((record_differences(self, out), sample["ok"], sample["failed"]), ([], self.count, 0))
        return sample


def squares(first, last):
    return Work("squares", first, last, is_right=lambda item, record: record["value"] == item * item & MASK)


def noop(first, last):
    return Work("noop", first, last)


def sleep(first, last, seconds):
    calm = sleep(first, last, 0) if seconds else None
    return Work("sleep", first, last, ("--param", "seconds=%s" % seconds), calm=calm)


def commands(first, last, script, value, seconds=0):
    """A shell script for each item, which has it as $1 and prints `value(item)`, after so many seconds."""
    def is_right(item, record):
        return record["exit"] == 0 and record["stdout"] == value(item)
    calm = commands(first, last, script, value) if seconds else None
    delay = "sleep %s; " % seconds if seconds else ""
    return Work("exec", first, last, (), ("sh", "-c", delay + script, "sh", "{}"), is_right, calm)


def bytes_in(path):
    """The size of a file of results, which is made when the run begins; 0 before."""
    try:
        return os.path.getsize(path)
    except FileNotFoundError:
        return 0


def record_differences(work, path, ordered=False, may_fail=None, may_miss=False):
    """How the records in a file differ from one right record for each item, in words; an empty list: not at all. The last line must
    be whole as well. `may_fail`: items may have failed for a reason of this pattern. `may_miss`: not every item must be there."""
    said = []
    seen = set()
    last_index = -1
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith("\n"):
                said.append("line %d is cut" % number)
                break
            record = json.loads(line)
            index, item = record["index"], record["item"]
            if index in seen:
                said.append("item %d is there again in line %d" % (index, number))
            seen.add(index)
            if item != work.first + index or item > work.last:
                said.append("index %d has item %s" % (index, item))
            elif record["status"] != "ok":
                if may_fail is None or not re.search(may_fail, record.get("reason", "")):
                    said.append("item %d: %s" % (index, line.strip()))
            elif not work.is_right(item, record):
                said.append("item %d came to something else: %s" % (index, line.strip()[:200]))
            if ordered and index < last_index:
                said.append("item %d comes after %d" % (index, last_index))
            last_index = index
    missing = work.count - len(seen)
    if missing > 0 and not may_miss:
        first = next(index for index in range(work.count) if index not in seen)
        said.append("%d items are missing, the first is %d" % (missing, first))
    return said


def failed_items(path):
    """The items whose records say that they failed, in order."""
    with open(path, encoding="utf-8") as file:
        return sorted(record["item"] for record in map(json.loads, file) if record["status"] != "ok")


def outcome_differences(work, result, out, undisturbed, ordered=False, may_fail=None):
    """How a whole run differs from an undisturbed one: its exit status, its report on standard output, its records."""
    if result.status not in (EXIT_OK, EXIT_ITEMS_FAILED):
        return ["it ended with status %s: %s" % (result.status, result.err.strip()[-400:])]
    said = record_differences(work, out, ordered, may_fail)
    sample = only_sample(result.report())
    if not sample["complete"]:
        said.append("its report says that it is not complete")
    if sample["ok"] + sample["failed"] != work.count:
        said.append("%d succeeded and %d failed of %d" % (sample["ok"], sample["failed"], work.count))
    if (sample["failed"] > 0) != (result.status == EXIT_ITEMS_FAILED):
        said.append("exit status %d with %d failed" % (result.status, sample["failed"]))
    if sample["failed"] == 0 and sample["checksum"] != undisturbed["checksum"]:
        said.append("checksum %s instead of %s" % (sample["checksum"], undisturbed["checksum"]))
    if sample["failed"] > 0 and may_fail is None:
        said.append("%d failed, the first: %s" % (sample["failed"], sample.get("first_error")))
    return said
