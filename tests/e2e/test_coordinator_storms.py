"""A coordinator that is killed and resumed again and again: what was finished is neither lost nor run again, nothing is written
twice, and the results are those of an undisturbed run."""

import random

import results
from harness import EXIT_OK, EXIT_USAGE, EndToEndTest, main, only_sample, wait_until
from servers import free_port
from storm import KILL, Coordinator, Crew, Storm, blaming_nobody, plan

WORKERS = 2
SLOTS = 2


class CoordinatorStorms(EndToEndTest):
    def begin(self, work, *arguments, local=False):
        """A run with a journal. Its workers came by themselves and outlive it, or are its own and end with it."""
        self.work = work
        self.undisturbed = work.undisturbed(self)
        self.out, self.journal = self.path("out.ndjson"), self.path("run.journal")
        options, self.may_fail = blaming_nobody()
        place = ("--workers", WORKERS, "--threads", SLOTS) if local else (
            "--listen", "tcp://127.0.0.1:%d" % free_port(), "--wait", WORKERS)
        argv = work.argv(*place, "--journal", self.journal, "--out", self.out, "--json", self.path("report.json"),
                         *options, *arguments)
        self.coordinator = Coordinator(self, argv, self.journal, listens=not local)
        self.crew = Crew(self, self.coordinator.endpoint, 0 if local else WORKERS, "--slots", SLOTS, "--allow-exec")
        wait_until(lambda: results.bytes_in(self.out) > 0, 20, "the first results")

    def rage(self, kills, seconds, faults=(), seed=1):
        choose = random.Random(seed)
        moments = [(choose.uniform(0.1, seconds), self.coordinator.kill) for _ in range(kills)]
        self.storm = Storm(self.crew, faults, moments)
        self.storm.rage(lambda: not self.coordinator.is_running())
        self.assertGreater(self.coordinator.kills, 0)

    def finish(self, ordered=False):
        """The end of the run; everything that it came to must be as if nothing had happened."""
        result = self.coordinator.program.finish(60)
        self.crew.dismiss()
        result.out = self.read_file("report.json")
        differences = results.outcome_differences(self.work, result, self.out, self.undisturbed, ordered, self.may_fail)
        self.assertEqual(differences, [], "after %d kills of the coordinator, %s: %s" % (
            self.coordinator.kills, self.storm.told(), result))
        return only_sample(result.report())


class Kills(CoordinatorStorms):
    def test_results_are_whole_when_workers_outlive_their_coordinator(self):
        self.begin(results.sleep(1, 1500, 0.01))
        self.rage(5, 4)
        self.finish()

    def test_results_are_whole_when_workers_end_with_their_coordinator(self):
        self.begin(results.sleep(1, 1500, 0.01), local=True)
        self.rage(5, 4, seed=2)
        self.finish()

    def test_results_are_whole_when_small_items_pour_in(self):
        self.begin(results.squares(1, 300000), "--keep-order", "--chunk", "20")
        self.rage(20, 4, seed=3)
        self.finish(ordered=True)

    def test_results_are_whole_when_workers_are_killed_too(self):
        self.begin(results.sleep(1, 1500, 0.01))
        self.rage(4, 4, plan(5, 4, 0.3, WORKERS, kinds=(KILL,)), seed=4)
        self.finish()

    def test_what_was_finished_is_not_run_again(self):
        log = self.path("ran")
        self.begin(results.commands(1, 600, "echo $1 >> %s; echo $(($1 * 3))" % log, lambda item: "%d\n" % (item * 3),
                                    seconds=0.02))
        self.rage(4, 3, seed=5)
        self.assertEqual(self.finish()["failed"], 0)
        ran = len(self.read_file("ran").splitlines()) - self.work.count  # without those of the undisturbed run
        # What the workers held when the coordinator died may run twice: four chunks in a slot, at 20 ms an item.
        self.assertLessEqual(ran - self.work.count, self.coordinator.kills * WORKERS * SLOTS * 4)

    def test_run_that_is_complete_is_not_run_again(self):
        self.begin(results.sleep(1, 300, 0.01))
        self.rage(1, 0.2)
        self.finish()
        with open(self.out, "rb") as file:
            content = file.read()
        result = self.quartet("resume", self.journal)
        self.assertIn(result.status, (EXIT_OK, EXIT_USAGE), result)
        with open(self.out, "rb") as file:
            self.assertEqual(file.read(), content)


if __name__ == "__main__":
    main()
