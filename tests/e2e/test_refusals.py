"""Bad input: one line that quotes what is refused, exit status 2, before anything is started."""

import os

from harness import EXIT_USAGE, WORKER, EndToEndTest, main

FOREVER = ("--param", "seconds=3600")


class Refusals(EndToEndTest):
    def refuse(self, *arguments, parts, **how):
        with self.subTest(arguments=arguments):
            self.assert_refused(self.quartet(*arguments, seconds=10, **how), *parts)

    # --- names ---

    def test_no_command_at_all_shows_the_usage(self):
        result = self.quartet()
        self.assert_status(result, EXIT_USAGE)
        self.assertIn("quartet compare", result.err)

    def test_unknown_command_is_refused_with_the_nearest(self):
        self.refuse("comprae", parts=["'comprae'", "'compare'"])
        self.refuse("xyzzy", parts=["'xyzzy'", "quartet --help"])

    def test_unknown_workload_is_refused_with_the_nearest(self):
        for command in ("run", "compare", "workloads"):
            self.refuse(command, "donwload", parts=["'donwload'", "'download'"])
            self.refuse(command, "xyzzy", parts=["'xyzzy'", "quartet workloads"])
        self.refuse("compare", "noop", "sqaures", parts=["'sqaures'", "'squares'"])

    def test_unknown_flag_is_refused_with_the_nearest(self):
        for command in ("run", "compare"):
            self.refuse(command, "noop", "--stratgy", "serial", parts=["'--stratgy'", "'--strateg"])
            self.refuse(command, "noop", "--rang=1:2", parts=["'--rang'", "'--range'"])
            self.refuse(command, "noop", "-x", parts=["'-x'"])
        self.refuse("origin", "--lisen", "127.0.0.1:0", parts=["'--lisen'", "'--listen'"])

    def test_unknown_strategy_is_refused_with_the_nearest(self):
        self.refuse("run", "noop", "--strategy", "thread", parts=["'thread'", "'threads'"])
        self.refuse("compare", "noop", "--strategies", "serial,asinc", parts=["'asinc'", "'async'"])
        self.refuse("compare", "noop", "--strategies", "serial,serial", parts=["serial", "twice"])
        self.refuse("compare", "noop", "--strategies", "serial,,async", parts=["''"])

    def test_unknown_parameter_is_refused_with_the_nearest(self):
        for command in ("run", "compare"):
            self.refuse(command, "sleep", "--param", "secnods=1", parts=["'secnods'", "'seconds'"])
            self.refuse(command, "noop", "--param", "a=1", parts=["'a'", "takes none"])
        self.refuse("compare", "noop", "sleep", "--param", "delya=1", parts=["'delya'"])

    def test_missing_workload_is_asked_for(self):
        self.refuse("run", parts=["WORKLOAD", "quartet workloads"])
        self.refuse("compare", "--range", "1:10", parts=["--range", "WORKLOAD"])

    # --- values ---

    def test_value_of_a_parameter_is_checked(self):
        for value in ("-1", "abc", "", "1e9", "nan", "inf"):
            self.refuse("run", "sleep", "--param", "seconds=" + value, parts=["seconds=" + value])
        for value in ("ftp://x/", "file:///etc/passwd", "x"):
            self.refuse("run", "download", "--param", "url=" + value, parts=["url=" + value, "http"])
        self.refuse("run", "download", "--param", "redirects=51", parts=["redirects=51", "50"])
        self.refuse("run", "sleep", "--param", "seconds", parts=["'seconds'", "NAME=VALUE"])

    def test_concurrency_of_zero_or_beyond_reason_is_refused(self):
        for flag in ("--threads", "--processes", "--in-flight"):
            for value in ("0", "-3", "99999999", "18446744073709551616", "1.5", "many", ""):
                self.refuse("run", "noop", flag, value, parts=[flag, "'%s'" % value if value else flag])

    def test_counts_are_checked(self):
        self.refuse("compare", "noop", "--rounds", "0", parts=["--rounds", "'0'"])
        self.refuse("compare", "noop", "--warmup", "-1", parts=["--warmup", "'-1'"])
        self.refuse("run", "noop", "--workers", "100000", parts=["--workers", "'100000'"])
        self.refuse("run", "noop", "--chunk", "0", parts=["--chunk", "'0'"])
        self.refuse("run", "noop", "--chunk", "big", parts=["--chunk", "'big'"])
        self.refuse("run", "noop", "--credit", "0", parts=["--credit", "'0'"])
        for value in ("0", "256", "-1"):
            self.refuse("run", "noop", "--crash-limit", value, parts=["--crash-limit", "'%s'" % value])
        self.refuse("compare", "noop", "--speculate", "yes", parts=["--speculate", "'yes'", "'on'", "'off'"])
        self.refuse("run", "noop", "--listen", "tcp://127.0.0.1:*", "--wait-timeout", "soon",
                    parts=["--wait-timeout", "'soon'"])

    def test_ranges_are_checked(self):
        for value in ("10:1", "1:18446744073709551616", "-1:5", "1", "1:", ":1", "a:b", "1:2:3",
                      "0x1:5", "1.5:3", " 1:2", "0:18446744073709551615", "1" * 80 + ":2"):
            self.refuse("run", "noop", "--range", value, parts=["'%s'" % value[:64]])

    def test_flag_without_its_value_is_refused(self):
        self.refuse("run", "noop", "--range", parts=["--range", "needs a value"])
        self.refuse("run", "noop", "--threads", "--quiet", parts=["--threads", "'--quiet'"])
        self.refuse("run", "noop", "--quiet=yes", parts=["--quiet", "'yes'"])
        self.refuse("run", "noop", "--threads", "2", "--threads", "3", parts=["twice", "'2'", "'3'"])
        self.refuse("run", "noop", "--range", "1:2", "--range", "1:3", parts=["twice", "'1:2'", "'1:3'"])

    def test_flags_that_contradict_each_other_are_refused(self):
        self.refuse("run", "noop", "--local", "--workers", "2", parts=["local", "--workers 2"])
        self.refuse("run", "noop", "--local", "--listen", "ipc:///x", parts=["--local", "'ipc:///x'"])
        self.refuse("run", "noop", "--wait", "2", parts=["--wait 2", "--listen"])
        self.refuse("run", "noop", "--null", parts=["--null", "--items"])
        self.refuse("run", "noop", "--range", "1:2", "--items", "x", parts=["'1:2'", "'x'"])
        self.refuse("run", "noop", "sleep", parts=["'sleep'"])

    def test_refusal_names_the_flag_once_and_help_at_most_once(self):
        for arguments in (("--chunk", "0"), ("--strategy", "thread"), ("--csv", "x"), ("--rnage", "1:2")):
            line = self.quartet("run", "noop", *arguments, seconds=10).error_line()
            self.assertLessEqual(line.count(arguments[0]), 1, line)
            self.assertLessEqual(line.count("--help"), 1, line)

    def test_two_reports_into_one_place_are_refused(self):
        path = self.path("report")
        for first, second, place in (("--json", "--csv", path), ("--csv", "--markdown", path),
                                     ("--json", "--markdown", "-")):
            self.refuse("compare", "noop", first, place, second, place, parts=[first, second, "'%s'" % place])
        by_another_name = os.path.join(self.directory, ".", "report")
        self.refuse("compare", "noop", "--json", path, "--csv", by_another_name, parts=["--json", "--csv"])
        self.refuse("run", "noop", "--json", path, "--out", by_another_name, parts=["--json", "--out"])

    def test_results_and_reports_into_what_the_run_reads_are_refused(self):
        items = self.write_file("items", "one\ntwo\n")
        other = self.path("other")
        os.link(items, other)
        for flag in ("--out", "--failures", "--joblog", "--json"):
            self.refuse("run", "exec", "--items", items, flag, other, "--", "false", parts=[flag, "--items"])
            self.assertEqual(self.read_file("items"), "one\ntwo\n")
        for flag in ("--json", "--csv", "--markdown"):
            self.refuse("compare", "exec", "--items", items, flag, other, "--", "false", parts=[flag, "--items"])
            self.assertEqual(self.read_file("items"), "one\ntwo\n")
        out = self.write_file("out", "kept")
        self.refuse("run", "exec", "--items", items, "--out", out, "--json", out, "--", "false",
                    parts=["--out", "--json"])
        self.assertEqual(self.read_file("out"), "kept")
        journal = self.path("journal")
        self.refuse("run", "exec", "--items", items, "--journal", journal, "--json", journal, "--", "false",
                    parts=["--json", "--journal"])
        self.assertFalse(os.path.exists(journal))

    def test_what_is_no_endpoint_is_not_taken_for_a_remote_one(self):
        for text in ("foo", "127.0.0.1:5555", "tcp://127.0.0.1", "tcp://:5", "udp://127.0.0.1:5"):
            self.refuse("run", "noop", "--listen", text, parts=["'%s'" % text, "not an endpoint"])
            result = self.start([WORKER, "--connect", text]).finish(10)
            self.assert_refused(result, "'%s'" % text, "not an endpoint")
        self.refuse("run", "noop", "--listen", "tcp://localhost:*", parts=["tcp://localhost:*", "in numbers"])

    # --- items ---

    def test_empty_item_list_is_refused(self):
        empty = self.write_file("empty", "")
        for command in ("run", "compare"):
            self.refuse(command, "noop", "--items", empty, parts=["no items", empty])
            self.refuse(command, "noop", "--items", "-", parts=["no items", "standard input"])

    def test_items_that_cannot_be_read_are_refused(self):
        missing = self.path("missing")
        for command in ("run", "compare"):
            self.refuse(command, "noop", "--items", missing, parts=[missing, "No such file"])
            self.refuse(command, "noop", "--items", self.directory, parts=[self.directory, "directory"])
            # Opens for everybody, even for root, and cannot be read.
            self.refuse(command, "noop", "--items", "/proc/self/mem", parts=["/proc/self/mem"])
        if os.geteuid() != 0:
            secret = self.write_file("secret", "x\n")
            os.chmod(secret, 0)
            self.refuse("run", "noop", "--items", secret, parts=[secret, "Permission denied"])

    def test_directory_on_standard_input_is_refused(self):
        descriptor = os.open(self.directory, os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        for command in ("run", "compare"):
            result = self.quartet(command, "noop", "--items", "-", stdin=descriptor, seconds=10)
            self.assertIn(result.status, (EXIT_USAGE, 3), result)
            self.assertIn("directory", result.error_line())

    def test_kind_of_items_that_a_workload_does_not_take_is_refused(self):
        path = self.write_file("items", "1\n2\n")
        self.refuse("run", "squares", "--items", path, parts=["squares", "--range", path])

    # --- hostile text ---

    def test_refusals_stay_on_one_line_whatever_they_quote(self):
        for text in ("a\nb", "a\rb", "a\x1b[2Jb", "x" * 100000):
            with self.subTest(text=text[:10]):
                for arguments in (("run", text), ("run", "noop", "--strategy", text),
                                  ("run", "noop", "--range", text), (text,),
                                  ("run", "noop", "--items", text),
                                  ("run", "noop", "--listen", text)):
                    result = self.quartet(*arguments, seconds=10)
                    self.assert_status(result, EXIT_USAGE)
                    line = result.error_line()
                    self.assertLess(len(line), 1000)
                    self.assertNotIn("\x1b", line)

    # --- the other programs ---

    def test_worker_refuses_its_own_bad_input(self):
        for arguments, parts in (((), ["--connect"]),
                                 (("--connect", "ipc://x", "--slots", "0"), ["--slots", "'0'"]),
                                 (("--conect", "x"), ["'--conect'", "'--connect'"]),
                                 (("word",), ["'word'"])):
            result = self.start([WORKER, *arguments]).finish(10)
            self.assert_refused(result, *parts)

    def test_origin_refuses_its_own_bad_input(self):
        self.refuse("origin", "--listen", "0.0.0.0:0", parts=["'0.0.0.0:0'", "--insecure"])
        self.refuse("origin", "--listen", "localhost", parts=["'localhost'", "ADDRESS:PORT"])
        self.refuse("origin", "--listen", "127.0.0.1:70000", parts=["'127.0.0.1:70000'"])
        self.refuse("origin", "word", parts=["'word'"])


if __name__ == "__main__":
    main()
