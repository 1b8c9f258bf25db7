"""Hosts whose network fails: cut off and healed, half deaf, unplugged, squeezed. The others go on, the results are those of an
undisturbed run, and it takes a bounded while longer."""

import unittest

import netns
import results
from harness import (EXIT_OK, QUARTET, WORKER, EndToEndTest, main, only_sample, wait_until, within)
from storm import LEASE_S

WHY_NOT = netns.unavailable()
WORKERS = 3
SLOTS = 2


@unittest.skipIf(WHY_NOT, WHY_NOT)
class Partition(EndToEndTest):
    def setUp(self):
        super().setUp()
        self.hosts = netns.make_hosts(self, 1 + WORKERS)

    def begin(self, work, *arguments):
        """A run with a worker on each host but the first, where the coordinator is."""
        self.work = work
        self.undisturbed = work.undisturbed(self)
        self.out = self.path("out.ndjson")
        argv = work.argv("--listen", "tcp://%s:*" % self.hosts[0].address, "--insecure", "--wait", WORKERS,
                         "--out", self.out, "--json", "-", *arguments)
        self.coordinator = self.start([*self.hosts[0].enter, QUARTET, *argv])
        at = self.coordinator.err.wait_for(r"listening on (\S+),", 20).group(1)
        self.workers = [self.start([*host.enter, WORKER, "--connect", at, "--insecure", "--name", "h%d" % number,
                                    "--slots", SLOTS, "--allow-exec", "--give-up", "8"])
                        for number, host in enumerate(self.hosts[1:], 1)]
        wait_until(lambda: self.lines() > 0, 20, "the first results")

    def lines(self):
        try:
            with open(self.out, "rb") as file:
                return file.read().count(b"\n")
        except FileNotFoundError:
            return 0

    def finish(self, seconds=40):
        result = self.coordinator.finish(seconds)
        differences = results.outcome_differences(self.work, result, self.out, self.undisturbed)
        self.assertEqual(differences, [], result)
        print(result.seconds, result.err)
        for w in self.workers: print(w.finish(20))
        return only_sample(result.report())

    def wait_cut(self, seconds):
        import time
        time.sleep(seconds)


class Cut(Partition):
    def test_host_cut_off(self):
        self.begin(results.sleep(1, 4800, 0.01))
        self.hosts[1].cut_off()
        self.wait_cut(7)
        self.hosts[1].heal()
        self.finish()

    def test_host_deaf(self):
        self.begin(results.sleep(1, 4800, 0.01))
        self.hosts[1].deafen()
        self.wait_cut(7)
        self.hosts[1].hear()
        self.finish()

    def test_host_mute(self):
        self.begin(results.sleep(1, 4800, 0.01))
        self.hosts[1].mute()
        self.wait_cut(7)
        self.hosts[1].speak()
        self.finish()

    def test_host_unplug(self):
        self.begin(results.sleep(1, 4800, 0.01))
        self.hosts[1].unplug()
        self.wait_cut(2)
        self.hosts[1].plug()
        self.finish()

    def test_squeeze(self):
        self.begin(results.commands(1, 100, "head -c 200000 /dev/zero | tr '\\0' x", lambda item: "x" * 200000))
        self.hosts[1].squeeze("1mbit")
        self.finish()


if __name__ == "__main__":
    main()
