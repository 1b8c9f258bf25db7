"""Standard streams that are closed, too few open files, too little memory: an error in words,
never a crash, a hang or a result that nobody got."""

import unittest

from harness import (EXIT_CANNOT_GO_ON, EXIT_ITEMS_FAILED, EXIT_OK, QUARTET, WORKER, EndToEndTest,
                     SANITIZED, main)

NOBODY = "tcp://127.0.0.1:1"
NOT_LOADED = 127  # the dynamic loader had no room for the libraries


class Closed(EndToEndTest):
    def quartet_with(self, redirections, *arguments):
        """Run under a shell that closes streams first."""
        script = 'exec "$0" "$@" ' + redirections
        return self.start(["/bin/sh", "-c", script, QUARTET, *arguments]).finish(20)

    def test_closed_standard_output_is_an_error(self):
        for placement in ((), ("--workers", "2"), ("--strategy", "processes")):
            result = self.quartet_with(">&-", "run", "squares", "--range", "1:1000", *placement)
            self.assert_status(result, EXIT_CANNOT_GO_ON)
            self.assertIn("standard output: Bad file descriptor", result.err)

    def test_closed_standard_error_changes_nothing(self):
        result = self.quartet_with("2>&-", "run", "squares", "--range", "1:1000", "--workers", "2",
                                   "--strategy", "processes")
        self.assert_status(result, EXIT_OK)
        self.assertIn("1,000 succeeded", result.out)

    def test_items_from_closed_standard_input_are_refused(self):
        result = self.quartet_with("<&-", "run", "noop", "--items", "-")
        self.assertNotEqual(result.status, EXIT_OK, result)
        self.assertRegex(result.err, "'-'.*Bad file descriptor")

    def test_report_to_closed_standard_output_is_an_error(self):
        result = self.quartet_with(">&- <&-", "compare", "squares", "--range", "1:1000", "--rounds",
                                   "1", "--json", "-")
        self.assert_status(result, EXIT_CANNOT_GO_ON)
        self.assertIn("cannot write '-': Bad file descriptor", result.err)

    def test_all_closed_ends(self):
        result = self.quartet_with("<&- >&- 2>&-", "run", "squares", "--range", "1:1000",
                                   "--workers", "2", "--strategy", "processes")
        self.assert_status(result, EXIT_CANNOT_GO_ON)


class Few(EndToEndTest):
    def with_limit(self, soft, hard, argv):
        script = "ulimit -Sn %d && ulimit -Hn %d && exec \"$0\" \"$@\"" % (soft, hard)
        return self.start(["/bin/bash", "-c", script, *argv]).finish(30)

    def test_any_limit_ends_in_success_or_in_words(self):
        # libuv and libzmq abort the process when they get no descriptor at the wrong moment.
        for limit in range(5, 26):
            for placement in (("--local",), ("--workers", "1")):
                result = self.with_limit(limit, limit, [
                    QUARTET, "run", "squares", "--range", "1:100", "--strategy", "threads",
                    *placement])
                self.assertIn(result.status, (EXIT_OK, EXIT_CANNOT_GO_ON), (limit, str(result)))
                if result.status != EXIT_OK:
                    self.assertRegex(result.err, "(?i)too (many|few) open files", limit)

    def test_worker_says_that_it_may_open_too_few_files(self):
        for limit in range(5, 20):
            result = self.with_limit(limit, limit, [
                WORKER, "--connect", NOBODY, "--give-up", "1"])
            self.assert_status(result, EXIT_CANNOT_GO_ON)
            self.assertRegex(result.err, r"too few open files.* of %d \(raise ulimit -n\)" % limit)

    def test_soft_limit_is_raised_when_more_are_needed(self):
        result = self.with_limit(64, 1024, [
            QUARTET, "run", "download", "--range", "1:300", "--param", "delay=0.1", "--strategy",
            "async", "--in-flight", "300"])
        self.assert_status(result, EXIT_OK)

    def test_download_that_gets_no_socket_says_so(self):
        origin = self.start([QUARTET, "origin"])
        url = origin.out.wait_for(r"^listening on (http://127\.0\.0\.1:\d+)$", 20).group(1)
        result = self.with_limit(30, 30, [
            QUARTET, "run", "download", "--range", "1:60", "--param", "url=%s/delay/0.1" % url,
            "--strategy", "async"])
        origin.process.terminate()
        origin.finish(5)
        self.assert_status(result, EXIT_ITEMS_FAILED)
        self.assertRegex(result.out, r"could not connect: too many open files \(raise ulimit -n")

    @unittest.skipIf(SANITIZED, "sanitizers need address space without a limit")
    def test_any_limit_of_memory_ends_in_success_or_in_words(self):
        # libzmq aborts the process when it cannot start its threads.
        for limit_kib in range(20000, 120000, 5000):
            script = 'ulimit -v %d && exec "$0" "$@"' % limit_kib
            for argv in ([QUARTET, "run", "squares", "--range", "1:100", "--workers", "1"],
                         [WORKER, "--connect", NOBODY, "--give-up", "0.1"]):
                result = self.start(["/bin/bash", "-c", script, *argv]).finish(30)
                self.assertIn(result.status, (EXIT_OK, EXIT_CANNOT_GO_ON, NOT_LOADED),
                              (limit_kib, str(result)))


if __name__ == "__main__":
    main()
