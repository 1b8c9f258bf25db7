"""Servers that misbehave: every item fails with a reason that a person understands, the run ends, the exit status is 1."""

from harness import EXIT_ITEMS_FAILED, STRATEGIES, EndToEndTest, cells_of, main, only_sample
from servers import free_port, start_origin

ITEMS = 4


class BadServers(EndToEndTest):
    def expect_reason(self, url, reason, *params):
        """Every strategy, and workers too, fail all items for that reason."""
        for strategy in STRATEGIES:
            placement = ("--workers", "1") if strategy in ("serial", "async") else ()
            with self.subTest(url=url, strategy=strategy):
                result = self.quartet("run", "download", "--range", "1:%d" % ITEMS, "--param",
                                      "url=" + url, "--strategy", strategy, *placement, "--json", "-",
                                      *(word for p in params for word in ("--param", p)))
                self.assert_status(result, EXIT_ITEMS_FAILED)
                sample = only_sample(result.report())
                self.assertEqual((sample["ok"], sample["failed"]), (0, ITEMS))
                self.assertTrue(sample["complete"])
                self.assertIn(url, sample["first_error"])
                self.assertIn(reason, sample["first_error"])
                self.assertIn("item 0: " + url, result.err)

    def test_nobody_listens(self):
        self.expect_reason("http://127.0.0.1:%d/x" % free_port(),
                           "could not connect: Connection refused")

    def test_host_has_no_address(self):
        self.expect_reason("http://no-such-host.invalid/", "could not find the host's address")

    def test_server_closes_without_an_answer(self):
        self.expect_reason(start_origin(self) + "/close",
                           "the server closed the connection without an answer")

    def test_server_stalls(self):
        self.expect_reason(start_origin(self) + "/stall", "stalled: under 1 B/s for 1 s",
                           "stall-timeout=1")

    def test_server_takes_longer_than_an_item_may(self):
        self.expect_reason(start_origin(self) + "/delay/30", "timed out after 0.3 s", "timeout=0.3")

    def test_server_sends_data_without_end(self):
        self.expect_reason(start_origin(self) + "/drip", "body larger than", "body-max=1M")

    def test_server_redirects_for_ever(self):
        self.expect_reason(start_origin(self) + "/redirect/-1", "more than 5 redirects")

    def test_server_answers_with_an_error(self):
        url = start_origin(self)
        self.expect_reason(url + "/status/404", "HTTP status 404")
        self.expect_reason(url + "/status/500", "HTTP status 500")

    def test_redirects_that_end_are_followed(self):
        report = self.report("run", "download", "--range", "1:3", "--param",
                             "url=" + start_origin(self) + "/redirect/5")
        self.assertEqual(only_sample(report)["ok"], 3)

    def test_compare_of_an_unreachable_server_shows_failures_and_no_success(self):
        result = self.quartet("compare", "download", "--range", "1:4", "--param",
                              "url=http://127.0.0.1:%d/" % free_port(), "--rounds", "1", "--json", "-")
        self.assert_status(result, EXIT_ITEMS_FAILED)
        for key, cell in cells_of(result.report()).items():
            sample = cell["samples"][0]
            self.assertEqual((sample["ok"], sample["failed"]), (0, 4), key)
        self.assertIn("4 of them FAILED", result.err)


if __name__ == "__main__":
    main()
