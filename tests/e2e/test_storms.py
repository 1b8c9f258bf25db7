"""Workers that are killed and frozen again and again while others take their places: the results are those of an undisturbed run."""

import json
import time

import results
from harness import EndToEndTest, main, only_sample, wait_until
from storm import BLINK, FREEZE, KILL, LEASE_S, Crew, Fault, Storm, blaming_nobody, plan

FREE_PORT = "tcp://127.0.0.1:*"
WORKERS = 4
TWO_SLOTS = ("--slots", "2", "--allow-exec")


class Storms(EndToEndTest):
    def begin(self, work, *arguments):
        """A run of `work` with workers that are at it already."""
        self.work = work
        self.undisturbed = work.undisturbed(self)
        self.out = self.path("out.ndjson")
        options, self.may_fail = blaming_nobody()
        argv = work.argv("--listen", FREE_PORT, "--wait", WORKERS, "--out", self.out, "--json", "-", *options, *arguments)
        self.coordinator, at = self.listen(*argv)
        self.crew = Crew(self, at, WORKERS, *TWO_SLOTS)
        wait_until(lambda: results.bytes_in(self.out) > 0, 20, "the first results")

    def rage(self, faults):
        self.storm = Storm(self.crew, faults)
        self.storm.rage(lambda: not self.coordinator.is_running())

    def finish(self, ordered=False):
        """The end of the run; everything that it came to must be as without the storm. Returns its sample."""
        result = self.coordinator.finish(60)
        self.crew.dismiss()
        differences = results.outcome_differences(self.work, result, self.out, self.undisturbed, ordered, self.may_fail)
        self.assertEqual(differences, [], "after %s: %s" % (self.storm.told(), result))
        return only_sample(result.report())

    def records_of(self, name):
        with open(self.out, encoding="utf-8") as file:
            return [record for record in map(json.loads, file) if record["worker"].startswith(name)]


class Kills(Storms):
    def test_kills_every_200_ms_lose_nothing_and_double_nothing(self):
        self.begin(results.sleep(1, 2000, 0.01))
        self.rage(plan(1, 4, 0.2, WORKERS, kinds=(KILL,)))
        sample = self.finish()
        self.assertGreater(sample["workers_lost"], 5)
        self.assertGreater(sample["retried"], 0)

    def test_kills_while_small_items_pour_in_leave_them_in_order(self):
        self.begin(results.squares(1, 400000), "--keep-order", "--chunk", "20")
        self.rage(plan(2, 4, 0.05, WORKERS, kinds=(KILL,)))
        self.finish(ordered=True)

    def test_kills_under_commands_lose_none_of_their_output(self):
        self.begin(results.commands(1, 800, "echo $(($1 * 3))", lambda item: "%d\n" % (item * 3), seconds=0.02))
        self.rage(plan(3, 3, 0.2, WORKERS, kinds=(KILL,)))
        self.assertGreater(self.finish()["workers_lost"], 5)


class Freezes(Storms):
    def test_worker_frozen_for_longer_than_its_lease_is_fenced_and_works_on_when_it_wakes(self):
        self.begin(results.sleep(1, 7000, 0.01))
        frozen = self.crew.members[0]
        self.rage([Fault(0.5, FREEZE, 0, LEASE_S + 1.5)])
        woken = time.time()
        sample = self.finish()
        self.assertEqual(sample["workers_lost"], 1)
        self.assertGreater(sample["retried"], 0, "what it held ran elsewhere")
        self.assertGreater(sample["duplicates"], 0, "what it had finished meanwhile came too late")
        self.assertEqual(frozen.err.text().count("connected to"), 2, "it registered again")
        later = [r for r in self.records_of("w0.1") if r["start"] > time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(woken + 1))]
        self.assertGreater(len(later), 0, "and was given work again")

    def test_worker_frozen_for_a_moment_is_not_missed(self):
        self.begin(results.sleep(1, 1500, 0.01))
        self.rage(plan(4, 2, 0.2, WORKERS, kinds=(BLINK,)))
        self.assertEqual(self.finish()["workers_lost"], 0)
        self.assertGreater(self.storm.done[BLINK], 5)
        self.assertEqual([worker.err.text().count("connected to") for worker in self.crew.members], [1] * WORKERS)


if __name__ == "__main__":
    main()
