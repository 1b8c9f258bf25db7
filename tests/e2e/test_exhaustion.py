"""Disks that are full, descriptors and memory that run out while work is under way: what was done is right and written once, what
was not done is named with the reason, and running that again completes it.

What a program says that cannot even start so is in test_descriptors.py, single full files are in test_output.py and test_exec.py.
"""

import json
import os
import subprocess
import unittest

import results
from harness import (EXIT_CANNOT_GO_ON, EXIT_ITEMS_FAILED, EXIT_OK, QUARTET, SANITIZED, WORKER, EndToEndTest, main,
                     only_sample, within)

KIBI = 1024


def no_small_disk():
    """Why no small file system can be mounted here, in words; None: it can."""
    done = subprocess.run([*MOUNT_NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False)
    said = done.stderr.decode("utf-8", "replace").strip()
    return None if done.returncode == 0 else "no file system can be mounted here: " + said


MOUNT_NAMESPACE = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
NO_SMALL_DISK = no_small_disk()


class Exhaustion(EndToEndTest):
    def under(self, limits, argv, **how):
        """Start a program with limits of a shell's `ulimit`."""
        return self.start(["/bin/bash", "-c", 'ulimit %s && exec "$0" "$@"' % limits, *argv], **how)

    def assert_accounted_for(self, work, result, reasons, undisturbed):
        """Each item has one record: the right one, or one that says for which of the `reasons` it failed; --failures has exactly those
        that failed, and given back as items they complete the work."""
        differences = results.outcome_differences(work, result, self.path("out"), undisturbed, may_fail=reasons)
        self.assertEqual(differences, [], result)
        failed = results.failed_items(self.path("out"))
        if not failed:
            return
        with open(self.path("failures"), encoding="utf-8") as file:
            self.assertEqual(sorted(map(int, file)), failed)
        again = self.quartet("run", work.workload, "--items", self.path("failures"), "--out", self.path("again"), "--",
                             *work.command)
        self.assert_status(again, EXIT_OK)
        with open(self.path("again"), encoding="utf-8") as file:
            records = {int(record["item"]): record for record in map(json.loads, file)}
        self.assertEqual(sorted(records), failed)
        self.assertEqual([item for item, record in records.items() if not work.is_right(item, record)], [])

    def run_with_crew(self, work, workers, coordinator_limits=None):
        """Run with `workers`, a list of (limits or None, arguments); results go to `out` and `failures`."""
        argv = [QUARTET, *work.argv("--listen", "tcp://127.0.0.1:*", "--wait", 2, "--out", self.path("out"),
                                    "--failures", self.path("failures"), "--json", "-")]
        coordinator = self.under(coordinator_limits, argv) if coordinator_limits else self.start(argv)
        at = coordinator.err.wait_for(r"listening on (\S+),", 20).group(1)
        crew = []
        for limits, arguments in workers:
            argv = [WORKER, "--connect", at, "--allow-exec", "--give-up", str(within(2)), *arguments]
            crew.append(self.under(limits, argv) if limits else self.start(argv))
        return coordinator.finish(40), [worker.finish(20) for worker in crew]


@unittest.skipIf(NO_SMALL_DISK, NO_SMALL_DISK)
class Disk(Exhaustion):
    def run_on_small_disk(self, size, *arguments):
        """Run in a directory with a file system of its own of so many bytes, which only the program sees; what is written there is
        kept."""
        small, kept = self.path("small"), self.path("kept")
        for directory in (small, kept):
            os.makedirs(directory, exist_ok=True)
        script = ('mount -t tmpfs -o size=%d tmpfs "$1" && cd "$1" && kept=$2 && shift 2 && "$@"; status=$?; '
                  'cp -r . "$kept"; exit $status' % size)
        return self.start([*MOUNT_NAMESPACE, "sh", "-c", script, "sh", small, kept, QUARTET, *map(str, arguments)]).finish(30)

    def test_full_disk_under_results_ends_the_run_in_words_after_the_last_whole_record(self):
        work = results.squares(1, 1000000)  # far more than may wait to be written
        for order in ((), ("--keep-order",)):
            result = self.run_on_small_disk(128 * KIBI, *work.argv("--workers", 2, "--out", "out", *order))
            self.assert_status(result, EXIT_CANNOT_GO_ON)
            self.assertRegex(result.err, "cannot write 'out': No space left on device")
            self.assertRegex(result.out, "not run +items ")
            out = self.path("kept/out")
            self.assertGreater(results.bytes_in(out), 100 * KIBI)
            self.assertEqual(results.record_differences(work, out, ordered=bool(order), may_miss=True), [])

    def test_full_disk_under_failures_ends_the_run_in_words_with_whole_items(self):
        result = self.run_on_small_disk(8 * KIBI, "run", "exec", "--range", "1:20000", "--workers", 2, "--failures", "failures",
                                        "--quiet", "--", "false")
        self.assert_status(result, EXIT_CANNOT_GO_ON)
        self.assertRegex(result.err, "cannot write 'failures': No space left on device")
        with open(self.path("kept/failures"), encoding="utf-8") as file:
            lines = file.readlines()
        self.assertTrue(lines[-1].endswith("\n"))
        self.assertEqual(len(set(map(int, lines))), len(lines))


class Descriptors(Exhaustion):
    def test_worker_without_descriptors_for_its_commands_says_so_for_each_item(self):
        work = results.commands(1, 200, "echo $(($1 * 5))", lambda item: "%d\n" % (item * 5), seconds=0.01)
        undisturbed = work.undisturbed(self)
        result, crew = self.run_with_crew(work, [("-n 32", ("--slots", "30")), (None, ("--slots", "4"))])
        self.assert_accounted_for(work, result, r"Too many open files \(.*raise ulimit -n", undisturbed)
        self.assertGreater(only_sample(result.report())["ok"], 0)
        self.assertEqual([worker.status for worker in crew], [EXIT_OK, EXIT_OK])

    def test_coordinator_without_descriptors_for_all_workers_works_with_those_it_has(self):
        work = results.sleep(1, 1000, 0.02)
        undisturbed = work.undisturbed(self)
        result, crew = self.run_with_crew(work, [(None, ("--slots", "1"))] * 24, coordinator_limits="-n 36")
        self.assert_status(result, EXIT_OK)
        self.assert_accounted_for(work, result, None, undisturbed)
        statuses = [worker.status for worker in crew]
        self.assertEqual(set(statuses), {EXIT_OK, EXIT_CANNOT_GO_ON}, "some worked, and some did not get in")


@unittest.skipIf(SANITIZED, "sanitizers need address space without a limit")
class Memory(Exhaustion):
    SIZE = 1000000

    def big_outputs(self, count):
        return results.commands(1, count, "head -c %d /dev/zero | tr '\\0' x" % self.SIZE, lambda item: "x" * self.SIZE)

    def test_worker_that_runs_out_of_memory_says_so_or_is_replaced(self):
        work = self.big_outputs(60)
        undisturbed = work.undisturbed(self)
        for limit_kib in (100000, 140000, 180000):
            limited = ("-v %d" % limit_kib, ("--slots", "8"))
            result, _ = self.run_with_crew(work, [limited, (None, ("--slots", "2"))])
            self.assert_accounted_for(work, result, "(?i)memory|lost together with the worker", undisturbed)

    def test_coordinator_that_runs_out_of_memory_counts_nothing_twice(self):
        work = self.big_outputs(100)
        undisturbed = work.undisturbed(self)
        for limit_kib in (100000, 160000):
            result, _ = self.run_with_crew(work, [(None, ("--slots", "2"))] * 2, coordinator_limits="-v %d" % limit_kib)
            self.assertIn(result.status, (EXIT_OK, EXIT_ITEMS_FAILED), result)
            self.assert_accounted_for(work, result, "lost together with the worker", undisturbed)


if __name__ == "__main__":
    main()
