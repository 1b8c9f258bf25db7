"""Memory follows what is in flight, never how many items there are."""

import time
import unittest

import procfs
from harness import EXIT_OK, SANITIZED, EndToEndTest, main, only_sample

MEBI = 1024 * 1024
LIMIT = 64 * MEBI


@unittest.skipIf(SANITIZED, "sanitizers keep memory of their own")
class Memory(EndToEndTest):
    def peaks(self, last, chunk):
        """Largest peak of the coordinator and of its workers over one run of `last` items, in bytes."""
        program = self.start_quartet("run", "noop", "--range", "1:%d" % last, "--workers", "2",
                                     "--chunk", chunk, "--json", "-")
        peaks = {"quartet": 0, "worker": 0}
        while program.is_running():
            pids = [("quartet", program.pid)]
            pids += [("worker", pid) for pid in program.children("quartet-worker")]
            for name, pid in pids:
                peaks[name] = max(peaks[name], procfs.peak_memory_bytes(pid) or 0)
            time.sleep(0.002)
        result = program.finish()
        self.assert_status(result, EXIT_OK)
        self.assertEqual(only_sample(result.report())["ok"], last)
        return peaks

    def test_thousand_million_items_run_in_the_memory_of_a_tenth(self):
        # In chunks of their own size, which are few, and in a million small ones.
        for chunk in ("auto", "1000"):
            few = self.peaks(10 ** 8, chunk)  # long enough for windows and buffers to be as large as they get
            many = self.peaks(10 ** 9, chunk)
            for name, peak in many.items():
                self.assertGreater(peak, 0, "%s was seen" % name)
                self.assertLess(peak, LIMIT, name)
                self.assertLess(peak, max(few[name] * 1.1, few[name] + 4 * MEBI), name)


if __name__ == "__main__":
    main()
