"""Peers that are no workers of ours while an honest run goes on: refused in words, counted, and of no effect."""

from harness import EXIT_OK, SANITIZED, EndToEndTest, Program, main, only_sample, test_program

STRANGE_PEER = test_program("strange_peer")
MANY = 2000 if SANITIZED else 10000

RUN = ("run", "sleep", "--param", "seconds=0.01", "--items", "-", "--strategy", "threads")
ITEMS = [b"item %d\n" % i for i in range(300)]
HALF = len(ITEMS) // 2


class StrangePeer(EndToEndTest):
    """The honest run reads its items from a pipe: it goes on for as long as the test keeps that open."""

    def start_run(self, workers):
        self.coordinator, self.at = self.listen(*RUN, "--listen", "tcp://127.0.0.1:*", "--wait",
                                                workers, "--json", "-", stdin=Program.PIPE)
        self.coordinator.stdin.write(b"".join(ITEMS[:HALF]))
        self.coordinator.stdin.flush()

    def start_honest_worker(self):
        self.worker = self.start_worker(self.at, "--name", "honest")

    def start_strange_peer(self, behaviour, *arguments):
        return self.start([STRANGE_PEER, behaviour, self.at, *arguments])

    def strange_peer(self, *arguments):
        result = self.start_strange_peer(*arguments).finish(40)
        self.assert_status(result, 0)
        return result.out

    def assert_unharmed(self):
        """The honest run ends as it would have alone."""
        self.coordinator.stdin.write(b"".join(ITEMS[HALF:]))
        self.coordinator.stdin.close()
        expected = only_sample(self.report(*RUN, stdin=b"".join(ITEMS)))
        result = self.coordinator.finish(60)
        self.assert_status(result, EXIT_OK)
        sample = only_sample(result.report())
        self.assertEqual((sample["ok"], sample["failed"]), (len(ITEMS), 0))
        self.assertEqual(sample["checksum"], expected["checksum"])
        self.assert_status(self.worker.finish(10), EXIT_OK)

    def test_worker_of_another_protocol_version_is_told_so(self):
        self.start_run(workers=1)
        text = self.strange_peer("version")
        self.assertIn("protocol 1.", text)
        self.assertIn("the worker 2.0", text)
        self.assertIn("install the same version", text)
        self.coordinator.err.wait_for("refused a worker: .*protocol", 5)
        self.start_honest_worker()
        self.assert_unharmed()

    def test_random_messages_change_nothing(self):
        self.start_run(workers=1)
        self.start_honest_worker()
        self.strange_peer("garbage", MANY)
        self.assert_unharmed()

    def test_messages_beyond_every_limit_change_nothing(self):
        self.start_run(workers=1)
        self.start_honest_worker()
        self.strange_peer("oversized", MANY // 20)
        self.strange_peer("version")
        self.assert_unharmed()

    def test_results_of_chunks_that_it_does_not_hold_change_nothing(self):
        self.start_run(workers=2)
        liar = self.start_strange_peer("liar")
        self.start_honest_worker()
        self.assert_status(liar.finish(40), 0)
        self.assert_unharmed()

    def test_chunk_of_a_worker_that_miscounts_it_runs_elsewhere_and_it_is_not_taken_again(self):
        self.start_run(workers=2)
        miscounter = self.start_strange_peer("miscounter")
        self.start_honest_worker()
        result = miscounter.finish(40)
        self.assert_status(result, 0)
        self.assertIn("do not add up", result.out)
        self.assertIn("what this worker said before cannot be true", result.out)
        self.coordinator.err.wait_for("lost worker strange@elsewhere: .*do not add up", 5)
        self.assert_unharmed()


if __name__ == "__main__":
    main()
