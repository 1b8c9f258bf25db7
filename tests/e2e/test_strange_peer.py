"""Peers that are no workers of ours while an honest run goes on: refused in words, counted, and of no effect."""

import os

from harness import EXIT_OK, SANITIZED, EndToEndTest, main, only_sample

STRANGE_PEER = os.environ.get("QUARTET_STRANGE_PEER", "")
MANY = 2000 if SANITIZED else 10000


class StrangePeer(EndToEndTest):
    def setUp(self):
        super().setUp()
        self.coordinator, self.at = self.listen(
            "run", "sleep", "--param", "seconds=0.1", "--range", "1:300", "--strategy", "threads",
            "--threads", "8", "--listen", "tcp://127.0.0.1:*", "--wait", "1", "--json", "-")

    def start_honest_worker(self):
        self.worker = self.start_worker(self.at, "--name", "honest")

    def strange_peer(self, behaviour, *arguments):
        result = self.start([STRANGE_PEER, behaviour, self.at, *arguments]).finish(40)
        self.assert_status(result, 0)
        return result.out

    def assert_unharmed(self):
        """The honest run ends as it would have alone."""
        expected = only_sample(self.report("run", "sleep", "--param", "seconds=0", "--range", "1:300"))
        result = self.coordinator.finish(60)
        self.assert_status(result, EXIT_OK)
        sample = only_sample(result.report())
        self.assertEqual((sample["ok"], sample["failed"]), (300, 0))
        self.assertEqual(sample["checksum"], expected["checksum"])
        self.assert_status(self.worker.finish(10), EXIT_OK)

    def test_worker_of_another_protocol_version_is_told_so(self):
        text = self.strange_peer("version")
        self.assertIn("protocol 1.", text)
        self.assertIn("the worker 2.0", text)
        self.assertIn("install the same version", text)
        self.coordinator.err.wait_for("refused a worker: .*protocol", 5)
        self.start_honest_worker()
        self.assert_unharmed()

    def test_random_messages_change_nothing(self):
        self.start_honest_worker()
        self.strange_peer("garbage", MANY)
        self.assert_unharmed()

    def test_messages_beyond_every_limit_change_nothing(self):
        self.start_honest_worker()
        self.strange_peer("oversized", MANY // 20)
        self.strange_peer("version")
        self.assert_unharmed()

    def test_results_of_chunks_that_it_does_not_hold_change_nothing(self):
        self.start_honest_worker()
        self.strange_peer("liar")
        self.assert_unharmed()


if __name__ == "__main__":
    main()
