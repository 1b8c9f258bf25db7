"""Downloads from a real web server: nginx as Debian packages it, over loopback."""

import collections

from harness import EXIT_ITEMS_FAILED, EXIT_OK, STRATEGIES, EndToEndTest, cells_of, main, only_sample
from servers import Nginx

SMALL, LARGE = 1024, 1024 * 1024


class Files(EndToEndTest):
    def setUp(self):
        super().setUp()
        self.nginx = Nginx(self, {"small": b"s" * SMALL, "large": bytes(range(256)) * 4096})

    def urls(self, *names):
        return self.write_file("urls.txt", "".join(self.nginx.url(name) + "\n" for name in names))

    def test_compare_downloads_files_of_both_sizes_alike_in_every_cell(self):
        names = ("small", "large") * 10
        report = self.report("compare", "download", "--items", self.urls(*names), "--rounds", "1")
        comparison = report["comparisons"][0]
        self.assertTrue(comparison["agreement"]["agree"])
        self.assertEqual(comparison["items"], 20)
        for key, cell in cells_of(report).items():
            sample = cell["samples"][0]
            self.assertEqual((sample["ok"], sample["failed"]), (20, 0), key)
            self.assertEqual(sample["bytes_out"], 10 * (SMALL + LARGE), key)
        self.assertEqual(len(cells_of(report)), 2 * len(STRATEGIES))

    def test_missing_files_are_failed_items_and_never_successes(self):
        names = ["small"] * 12 + ["missing"] * 3 + ["large"] * 5
        result = self.quartet("compare", "download", "--items", self.urls(*names), "--rounds", "1",
                              "--json", "-")
        self.assert_status(result, EXIT_ITEMS_FAILED)
        report = result.report()
        self.assertTrue(report["comparisons"][0]["agreement"]["agree"],
                        "all cells fail the same items: that is agreement")
        for key, cell in cells_of(report).items():
            sample = cell["samples"][0]
            self.assertEqual((sample["ok"], sample["failed"]), (17, 3), key)
            self.assertEqual(sample["bytes_out"], 12 * SMALL + 5 * LARGE, key)
            self.assertIn("HTTP status 404", sample["first_error"])
            self.assertIn("/missing", sample["first_error"])
        self.assertIn("3 of them FAILED", result.err)

    def test_connections_are_kept_and_used_again(self):
        for strategy, at_once in (("serial", 1), ("threads", 4), ("async", 4), ("processes", 4)):
            before = len(self.nginx.requests())
            result = self.quartet("run", "download", "--items", self.urls(*["small"] * 80),
                                  "--strategy", strategy, "--threads", "4", "--processes", "4",
                                  "--in-flight", "4")
            self.assert_status(result, EXIT_OK)
            requests = self.nginx.requests()[before:]
            self.assertEqual([r[1] for r in requests], ["200"] * 80)
            connections = collections.Counter(r[0] for r in requests)
            # libcurl may open one more than there are items at once, when an answer and a request cross.
            self.assertLessEqual(len(connections), at_once + 1, strategy)

    def test_every_url_is_asked_for_once_in_a_run(self):
        names = ["small?%d" % i for i in range(200)]
        result = self.quartet("run", "download", "--items", self.urls(*names), "--strategy",
                              "async", "--workers", "2")
        self.assert_status(result, EXIT_OK)
        asked = collections.Counter(path for _, _, path in self.nginx.requests())
        self.assertEqual(asked, collections.Counter("/" + name for name in names))

    def test_numbers_go_into_the_url_where_it_has_braces(self):
        report = self.report("run", "download", "--range", "7:9", "--param",
                             "url=" + self.nginx.url("small?part={}"))
        self.assertEqual(only_sample(report)["ok"], 3)
        asked = sorted(path for _, _, path in self.nginx.requests())
        self.assertEqual(asked, ["/small?part=7", "/small?part=8", "/small?part=9"])

    def test_body_larger_than_allowed_fails_its_item_only(self):
        result = self.quartet("run", "download", "--items", self.urls("small", "large", "small"),
                              "--param", "body-max=64Ki")
        self.assert_status(result, EXIT_ITEMS_FAILED)
        self.assertIn("2 succeeded, 1 failed", result.out)
        self.assertRegex(result.out, r"item 1: .*/large: body larger than 64\.0 KiB")


if __name__ == "__main__":
    main()
