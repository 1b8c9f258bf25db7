"""Hosts whose network fails: cut off and healed, deaf, mute, unplugged, squeezed. The others go on, the results are those of an
undisturbed run, and it takes no longer than it would have without the host that failed."""

import time
import unittest

import netns
import results
from harness import EXIT_OK, QUARTET, WORKER, EndToEndTest, main, only_sample, wait_until, within
from storm import LEASE_S

WHY_NOT = netns.unavailable()
WORKERS = 3
SLOTS = 2
ITEM_S = 0.01
GRACE_S = 2  # for what was under way on a host that failed


@unittest.skipIf(WHY_NOT, WHY_NOT)
class Partition(EndToEndTest):
    def setUp(self):
        super().setUp()
        self.hosts = netns.make_hosts(self, 1 + WORKERS)

    def begin(self, work, *arguments):
        """A run with a worker on each host but the first, where the coordinator is; they are at it already."""
        self.work = work
        self.undisturbed = work.undisturbed(self)
        self.out = self.path("out.ndjson")
        argv = work.argv("--listen", "tcp://%s:*" % self.hosts[0].address, "--insecure", "--wait", WORKERS,
                         "--out", self.out, "--json", "-", *arguments)
        self.coordinator = self.start([*self.hosts[0].enter, QUARTET, *argv])
        at = self.coordinator.err.wait_for(r"listening on (\S+),", 20).group(1)
        self.workers = [self.start([*host.enter, WORKER, "--connect", at, "--insecure", "--name", "host%d" % number,
                                    "--slots", SLOTS, "--allow-exec", "--give-up", "30"])
                        for number, host in enumerate(self.hosts[1:], 1)]
        wait_until(lambda: results.bytes_in(self.out) > 0, 20, "the first results")

    def finish(self):
        """The end of the run; everything that it came to must be as without the fault. Returns its sample."""
        result = self.coordinator.finish(40)
        differences = results.outcome_differences(self.work, result, self.out, self.undisturbed)
        self.assertEqual(differences, [], result)
        for worker in self.workers:
            self.assert_status(worker.finish(10), EXIT_OK)
        return only_sample(result.report())

    def came_back(self):
        """Which workers had to register again."""
        return ["registered again" in worker.err.text() for worker in self.workers]

    def assert_bounded(self, sample, working):
        """It took no longer than the hosts that were well the whole time needed for all of it, and a while."""
        self.assertLess(sample["wall_s"], within(self.work.count * ITEM_S / (working * SLOTS) + GRACE_S))


class Links(Partition):
    def test_host_cut_off_for_longer_than_its_lease_is_replaced_and_comes_back(self):
        self.begin(results.sleep(1, 4800, ITEM_S))
        self.hosts[1].cut_off()
        self.coordinator.err.wait_for("lost worker host1@.*nothing was heard of it", LEASE_S + 5)
        self.hosts[1].heal()
        sample = self.finish()
        self.assert_bounded(sample, WORKERS - 1)
        self.assertEqual(sample["workers_lost"], 1)
        self.assertEqual(self.came_back(), [True, False, False])

    def test_host_that_hears_nothing_and_one_that_is_not_heard_are_replaced_and_come_back(self):
        self.begin(results.sleep(1, 3600, ITEM_S))
        self.hosts[1].deafen()
        self.hosts[2].mute()
        for name in ("host1", "host2"):
            self.coordinator.err.wait_for("lost worker %s@" % name, LEASE_S + 5)
        self.hosts[1].hear()
        self.hosts[2].speak()
        sample = self.finish()
        self.assert_bounded(sample, WORKERS - 2)
        self.assertEqual(sample["workers_lost"], 2)
        self.assertEqual(self.came_back(), [True, True, False])

    def test_link_that_is_down_for_a_moment_is_not_missed(self):
        self.begin(results.sleep(1, 2400, ITEM_S))
        self.hosts[1].unplug()
        time.sleep(1.5)  # the fault itself, not a wait for something
        self.hosts[1].plug()
        sample = self.finish()
        self.assert_bounded(sample, WORKERS - 1)
        self.assertEqual(sample["workers_lost"], 0)
        self.assertEqual(self.came_back(), [False, False, False])


class Bandwidth(Partition):
    def test_host_that_can_send_little_is_slow_and_not_lost(self):
        size = 200000
        self.begin(results.commands(1, 100, "head -c %d /dev/zero | tr '\\0' x" % size, lambda item: "x" * size),
                   "--chunk", "1")
        self.hosts[1].squeeze("1mbit")
        sample = self.finish()
        self.assertEqual(sample["workers_lost"], 0)
        # At most what it may hold, four chunks in each slot, at 1.6 s an item, is on that host.
        self.assertLess(sample["wall_s"], within(4 * SLOTS * size * 8 / 1e6 + GRACE_S))

    def test_message_that_takes_longer_than_the_lease_is_waited_for(self):
        size = 600000  # 4.8 s at 1 Mbit/s
        self.begin(results.commands(1, 60, "head -c %d /dev/zero | tr '\\0' x; sleep 0.1" % size, lambda item: "x" * size),
                   "--chunk", "1")
        self.hosts[1].squeeze("1mbit")
        sample = self.finish()
        self.assertEqual(sample["workers_lost"], 0)


if __name__ == "__main__":
    main()
