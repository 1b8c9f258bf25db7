"""quartet run exec: one command per item, in every strategy, here and across workers, and what becomes of each result."""

import base64
import json
import os
import random
import re
import signal
import time

import procfs
from harness import (EXIT_CANNOT_GO_ON, EXIT_ITEMS_FAILED, EXIT_OK, EXIT_USAGE, SANITIZED, STRATEGIES,
                     EndToEndTest, Program, main, only_sample, wait_until)

FREE_PORT = "tcp://127.0.0.1:*"
PLACEMENTS = ((), ("--workers", "2"))


class Exec(EndToEndTest):
    def run_exec(self, *arguments, command, status=EXIT_OK, **how):
        result = self.quartet("run", "exec", *arguments, "--", *command, **how)
        self.assert_status(result, status)
        return result

    def records(self, *arguments, command, status=EXIT_OK, **how):
        """The records of a run, by index; each index once."""
        path = self.path("out.ndjson")
        self.run_exec(*arguments, "--out", path, command=command, status=status, **how)
        with open(path, encoding="utf-8") as file:
            records = [json.loads(line) for line in file]
        by_index = {record["index"]: record for record in records}
        self.assertEqual(len(by_index), len(records), "an item was written twice")
        return by_index


class Output(Exec):
    def test_every_strategy_prints_what_the_commands_print(self):
        items = self.write_file("items", "".join("item %d\n" % i for i in range(40)))
        expected = "".join("<item %d>\n" % i for i in range(40))
        for strategy in STRATEGIES:
            for placement in PLACEMENTS:
                result = self.run_exec("--items", items, "--keep-order", "--strategy", strategy,
                                       *placement, command=["printf", "<%s>\\n", "{}"])
                self.assertEqual(result.out, expected)
                self.assertIn("40 succeeded, 0 failed", result.err)

    def test_replacement_strings_are_those_of_gnu_parallel(self):
        items = self.write_file("items", "dir.d/file.tar.gz\n")
        result = self.run_exec("--items", items, command=["echo", "{}", "{.}", "{/}", "{//}", "{/.}", "{#}"])
        self.assertEqual(result.out, "dir.d/file.tar.gz dir.d/file.tar file.tar.gz dir.d file.tar 1\n")

    def test_items_are_never_split_nor_read_by_a_shell(self):
        items = self.write_file("items", "a  b\n$(id)\n*\n'\"\n")
        result = self.run_exec("--items", items, "--keep-order", command=["printf", "[%s]", "{}"])
        self.assertEqual(result.out, "[a  b][$(id)][*]['\"]")
        result = self.run_exec("--items", items, "--keep-order", "--shell", command=["printf '[%s]' {} | cat"])
        self.assertEqual(result.out, "[a  b][$(id)][*]['\"]")

    def test_item_is_appended_to_a_command_that_does_not_name_it(self):
        result = self.run_exec("--range", "7:7", command=["echo", "number"])
        self.assertEqual(result.out, "number 7\n")

    def test_columns(self):
        items = self.write_file("items", "a\tb\nc\td\n")
        result = self.run_exec("--items", items, "--colsep", "\\t", "--keep-order", command=["echo", "{2}{1}"])
        self.assertEqual(result.out, "ba\ndc\n")

    def test_whole_items_are_printed_one_after_the_other_with_their_tag(self):
        script = "for i in 1 2 3; do echo $1.$i; echo $1 >&2; done"
        result = self.run_exec("--range", "1:50", "--tag", "--strategy", "threads", "--quiet",
                               command=["sh", "-c", script, "sh", "{}"])
        lines = result.out.splitlines()
        self.assertEqual(len(lines), 150)
        for i in range(0, 150, 3):
            number = lines[i].split("\t")[0]
            self.assertEqual(lines[i:i + 3], ["%s\t%s.%d" % (number, number, k) for k in (1, 2, 3)])
        self.assertEqual(sorted(set(result.err.splitlines())), sorted("%d\t%d" % (i, i) for i in range(1, 51)))

    def test_environment_tells_item_index_and_attempt(self):
        script = 'echo "$QUARTET_ITEM $QUARTET_INDEX $QUARTET_ATTEMPT"'
        result = self.run_exec("--range", "5:6", "--keep-order", command=["sh", "-c", script])
        self.assertEqual(result.out, "5 0 1\n6 1 1\n")

    def test_any_bytes_go_in_through_standard_input_and_come_out(self):
        rng = random.Random(1)
        items = [bytes([i]) * 3 for i in range(1, 256)] + [rng.randbytes(3000).replace(b"\0", b"\1") for _ in range(20)]
        path = self.write_file("items", b"\0".join(items) + b"\0")
        for placement in PLACEMENTS:
            records = self.records("--items", path, "--null", "--stdin", *placement, command=["cat"])
            self.assertEqual(len(records), len(items))
            for index, item in enumerate(items):
                record = records[index]
                out = (base64.b64decode(record["stdout_base64"]) if "stdout_base64" in record
                       else record["stdout"].encode())
                self.assertEqual(out, item)

    def test_output_beyond_the_cap_is_cut_and_marked_and_the_command_still_ends(self):
        records = self.records("--range", "1:2", "--max-output", "1000",
                               command=["sh", "-c", "yes | head -c 3000000; echo end >&2"])
        for record in records.values():
            self.assertEqual(record["status"], "ok")
            self.assertEqual(len(record["stdout"]), 1000)
            self.assertTrue(record["stdout_truncated"])
            self.assertEqual(record["stderr"], "end\n")

    def test_large_outputs_of_many_items_arrive_whole(self):
        size = 700000
        for placement in PLACEMENTS:
            records = self.records("--range", "1:40", *placement,
                                   command=["sh", "-c", "yes {} | head -c %d" % size])
            self.assertEqual(len(records), 40)
            for index, record in records.items():
                self.assertEqual(record["stdout"], ("%d\n" % (index + 1) * size)[:size])

    def test_reader_that_leaves_ends_the_run(self):
        reading, writing = os.pipe()
        program = self.start_quartet("run", "exec", "--range", "1:100000", "--", "echo", "{}", stdout=writing)
        os.close(writing)
        os.read(reading, 1)
        os.close(reading)
        result = program.finish(20)
        self.assertEqual(result.status, 128 + signal.SIGPIPE, result)

    def test_full_disk_ends_the_run_in_words(self):
        result = self.quartet("run", "exec", "--range", "1:1000", "--out", "/dev/full", "--", "echo", "{}")
        self.assert_status(result, EXIT_CANNOT_GO_ON)
        self.assertRegex(result.err, r"/dev/full.*No space left on device")


class Failures(Exec):
    def test_exit_status_signal_and_reason_are_recorded(self):
        records = self.records("--range", "1:3", status=EXIT_ITEMS_FAILED,
                               command=["sh", "-c", "case {} in 1) exit 0;; 2) echo broken >&2; exit 7;; 3) kill -SEGV $$;; esac"])
        self.assertEqual([records[i]["status"] for i in range(3)], ["ok", "failed", "failed"])
        self.assertEqual(records[1]["exit"], 7)
        self.assertRegex(records[1]["reason"], "status 7.*broken")
        self.assertEqual(records[2]["signal"], signal.SIGSEGV)
        self.assertRegex(records[2]["reason"], "signal 11")

    def test_summary_shows_the_first_failures_with_their_reason(self):
        result = self.run_exec("--range", "1:20", "--strategy", "threads", status=EXIT_ITEMS_FAILED,
                               command=["sh", "-c", "test {} -le 10"])
        self.assertIn("10 succeeded, 10 failed", result.err)
        self.assertRegex(result.err, r"failed +item 10: exited with status 1")
        self.assertRegex(result.err, r"and more, 10 in all")

    def test_failed_items_can_be_given_back(self):
        failures = self.path("failures")
        items = self.write_file("items", "".join("%d\n" % i for i in range(30)))
        self.run_exec("--items", items, "--failures", failures, "--workers", "2", status=EXIT_ITEMS_FAILED,
                      command=["sh", "-c", "test $(( {} % 3 )) -ne 0"])
        with open(failures, encoding="ascii") as file:
            self.assertEqual(sorted(map(int, file)), list(range(0, 30, 3)))
        result = self.run_exec("--items", failures, command=["echo"])
        self.assertEqual(sorted(map(int, result.out.split())), list(range(0, 30, 3)))

    def test_failed_item_is_tried_again_until_it_succeeds(self):
        for placement in PLACEMENTS:
            records = self.records("--range", "1:30", "--retries", "2", *placement,
                                   command=["sh", "-c", "test {} -gt 5 || test $QUARTET_ATTEMPT -eq 3"])
            self.assertEqual([r["status"] for r in records.values()], ["ok"] * 30)
            self.assertEqual([records[i]["attempt"] for i in range(5)], [3] * 5)
        report = self.report("run", "exec", "--range", "1:30", "--retries", "2", "--quiet", "--out", self.path("x"),
                             "--", "sh", "-c", "test {} -gt 5", status=EXIT_ITEMS_FAILED)
        sample = only_sample(report)
        self.assertEqual((sample["ok"], sample["failed"], sample["items_retried"]), (25, 5, 10))

    def test_retry_goes_to_another_worker(self):
        records = self.records("--range", "1:8", "--retries", "1", "--workers", "2", "--strategy", "serial",
                               command=["sh", "-c", 'echo $PPID; test $QUARTET_ATTEMPT -eq 2'])
        self.assertTrue(all(record["attempt"] == 2 for record in records.values()), records)

    def test_item_that_takes_too_long_is_ended_with_all_its_processes(self):
        script = "sleep 300 & echo $! >$1; trap '' TERM; sleep 300; sleep 300"
        for strategy in STRATEGIES:
            pids = [self.path("%s-%d" % (strategy, i)) for i in (1, 2)]
            records = self.records("--range", "1:2", "--timeout", "1", "--kill-after", "0.2", "--strategy", strategy,
                                   status=EXIT_ITEMS_FAILED,
                                   command=["sh", "-c", script, "sh", self.path(strategy + "-{}")])
            for path in pids:
                with open(path, encoding="ascii") as file:
                    pid = int(file.read())
                wait_until(lambda pid=pid: not procfs.is_alive(pid), 5, "the end of the grandchild")
            self.assertEqual([r["status"] for r in records.values()], ["timeout"] * 2)
            self.assertRegex(records[0]["reason"], "longer than 1")

    def test_command_that_does_not_exist_is_said_once(self):
        for placement in PLACEMENTS:
            result = self.quartet("run", "exec", "--range", "1:10000", *placement, "--", "no-such-command-here", "{}")
            self.assertIn(result.status, (EXIT_USAGE, EXIT_CANNOT_GO_ON))
            self.assertEqual(result.err.count("no-such-command-here"), 1, result)
            self.assertRegex(result.err, r"not found in PATH \(/")

    def test_file_that_is_not_executable_is_refused(self):
        path = self.write_file("script", "#!/bin/sh\n")
        result = self.quartet("run", "exec", "--range", "1:10", "--", path)
        self.assertIn(result.status, (EXIT_USAGE, EXIT_CANNOT_GO_ON))
        self.assertRegex(result.err, "not executable|Permission denied")

    def test_column_that_is_not_there_names_the_item(self):
        items = self.write_file("items", "a,b\nc\n")
        records = self.records("--items", items, "--colsep", ",", status=EXIT_ITEMS_FAILED, command=["echo", "{2}"])
        self.assertEqual(records[0]["stdout"], "b\n")
        self.assertRegex(records[1]["reason"], r"column 2|\{2\}")

    def test_halt_soon_lets_what_runs_finish_and_begins_nothing_more(self):
        result = self.run_exec("--range", "1:10000", "--halt", "soon,fail=1", "--strategy", "threads", "--threads", "2",
                               status=EXIT_ITEMS_FAILED, command=["sh", "-c", "test {} -ne 20"])
        self.assertRegex(result.err, "stopped by --halt")
        self.assertRegex(result.err, r"[\d,]+ succeeded, 1 failed, [\d,]+ not run")

    def test_halt_now_ends_what_runs(self):
        began = time.monotonic()
        self.run_exec("--range", "1:8", "--halt", "now,success=1", "--strategy", "threads", "--threads", "8",
                      command=["sh", "-c", "test {} -eq 3 || sleep 100"])
        self.assertLess(time.monotonic() - began, 50)

    def test_interrupt_ends_the_commands_and_what_they_started(self):
        for strategy in STRATEGIES:
            for placement in PLACEMENTS:
                program = self.start_quartet("run", "exec", "--range", "1:100", "--strategy", strategy, *placement, "--",
                                             "sh", "-c", "sleep 100; true")
                wait_until(lambda: len(self.named("sleep")) >= 1, 20, "the commands to run")
                program.signal(signal.SIGINT)
                self.assert_status(program.finish(10), 128 + signal.SIGINT)
                self.assert_gone(5, "the commands")

    def test_killed_worker_takes_its_commands_along(self):
        program = self.start_quartet("run", "exec", "--range", "1:100", "--workers", "1", "--", "sleep", "100")
        wait_until(lambda: len(self.named("sleep")) >= 8, 20, "the commands to run")
        commands = self.named("sleep")
        (worker,) = program.children("quartet-worker")
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: not any(map(procfs.is_alive, commands)), 5, "the end of its commands")
        program.signal(signal.SIGINT)
        self.assert_status(program.finish(10), 128 + signal.SIGINT)
        self.assert_gone(5, "the commands")

    def test_ten_thousand_items_with_every_kind_of_trouble(self):
        count = 1000 if SANITIZED else 10000
        script = ("case $1 in *77) exit 1;; *555) sleep 100;; 123|456|789) kill -KILL $$;; 42) kill -KILL $PPID;; esac;"
                  " echo $1")
        fails = {i for i in range(1, count + 1) if i % 100 == 77}
        slow = {i for i in range(1, count + 1) if i % 1000 == 555}
        crash = {123, 456, 789}
        records = self.records("--range", "1:%d" % count, "--workers", "2", "--strategy", "threads", "--threads", "8",
                               "--timeout", "3", status=EXIT_ITEMS_FAILED, seconds=300,
                               command=["sh", "-c", script, "sh", "{}"])
        self.assertEqual(len(records), count)
        for index, record in records.items():
            number = index + 1
            if number == 42:
                self.assertEqual(record["status"], "lost")
                self.assertRegex(record["reason"], "lost together with the worker")
            elif number in slow:
                self.assertEqual(record["status"], "timeout")
            elif number in crash:
                self.assertEqual((record["status"], record["signal"]), ("failed", signal.SIGKILL))
            elif number in fails:
                self.assertEqual((record["status"], record["exit"]), ("failed", 1))
            else:
                self.assertEqual((record["status"], record["stdout"]), ("ok", "%d\n" % number))


class Logs(Exec):
    def test_joblog_has_the_columns_of_gnu_parallel(self):
        log = self.path("log")
        self.run_exec("--range", "1:3", "--joblog", log, "--quiet", status=EXIT_ITEMS_FAILED,
                      command=["sh", "-c", "echo abc; exit $(( {} - 1 ))"])
        lines = self.read_file("log").splitlines()
        self.assertEqual(lines[0].split("\t"), ["Seq", "Host", "Starttime", "JobRuntime", "Send", "Receive", "Exitval",
                                                "Signal", "Command"])
        rows = sorted(line.split("\t") for line in lines[1:])
        self.assertEqual([row[0] for row in rows], ["1", "2", "3"])
        self.assertEqual([row[6] for row in rows], ["0", "1", "2"])
        self.assertEqual([row[5] for row in rows], ["4"] * 3)

    def test_results_directory_has_a_file_per_worker(self):
        directory = self.path("results")
        self.run_exec("--range", "1:100", "--workers", "2", "--results", directory, "--quiet", command=["echo", "{}"])
        files = os.listdir(directory)
        self.assertLessEqual(len(files), 2)
        indices = []
        for name in files:
            with open(os.path.join(directory, name), encoding="utf-8") as file:
                indices += [json.loads(line)["index"] for line in file]
        self.assertEqual(sorted(indices), list(range(100)))

    def test_tables_hold_every_item(self):
        for form in ("tsv", "csv"):
            out = self.path("out." + form)
            self.run_exec("--range", "1:10", "--out", out, "--format", form, "--keep-order", command=["echo", "a,\"{}\""])
            lines = self.read_file("out." + form).splitlines()
            self.assertTrue(lines[0].replace("\t", ",").startswith("index,item,status,"), lines[0])
            self.assertEqual(sum("ok" in line for line in lines), 10)

    def test_dry_run_prints_commands_and_runs_none(self):
        touched = self.path("touched")
        items = self.write_file("items", "a b\nc\n")
        result = self.run_exec("--items", items, "--dry-run", command=["touch", touched, "{}"])
        self.assertEqual(result.out, "touch %s 'a b'\ntouch %s c\n" % (touched, touched))
        self.assertFalse(os.path.exists(touched))
        result = self.quartet("run", "pipe", "--items", items, "--dry-run", "--workers", "2", "--", "python3", "a b.py")
        self.assertEqual(result.out, "pipe 'a b'\npipe c\n")
        self.assertIn("on 2 workers, as lines for python3 'a b.py':", result.err)

    def test_malformed_timeout_is_refused_before_anything_runs(self):
        items = self.write_file("items", "1\n")
        for command in (["run"], ["compare", "--yes"]):
            result = self.quartet(*command, "exec", "--items", items, "--timeout", "x", "--", "true")
            self.assert_refused(result, "timeout 'x'", "seconds")

    def test_numbers_come_out_as_values(self):
        out = self.path("squares")
        result = self.quartet("run", "squares", "--range", "1:5", "--out", out, "--keep-order")
        self.assert_status(result, EXIT_OK)
        values = [json.loads(line)["value"] for line in self.read_file("squares").splitlines()]
        self.assertEqual(values, [1, 4, 9, 16, 25])


class Permission(Exec):
    def test_worker_of_somebody_else_runs_commands_only_when_it_was_told_so(self):
        coordinator, at = self.listen("run", "exec", "--range", "1:4", "--listen", FREE_PORT, "--", "echo", "{}")
        worker = self.start_worker(at)
        result = coordinator.finish(20)
        self.assertNotEqual(result.status, EXIT_OK)
        self.assertIn("--allow-exec", result.err)
        worker.finish(20)
        coordinator, at = self.listen("run", "exec", "--range", "1:4", "--listen", FREE_PORT, "--", "echo", "{}")
        worker = self.start_worker(at, "--allow-exec")
        result = coordinator.finish(20)
        self.assert_status(result, EXIT_OK)
        self.assertEqual(sorted(result.out.split()), ["1", "2", "3", "4"])
        worker.finish(20)


class Compare(Exec):
    def test_processor_time_of_commands_is_counted(self):
        for strategy in STRATEGIES:
            for placement in ((), ("--workers", "1")):
                report = self.report("run", "exec", "--range", "1:4", "--strategy", strategy, "--quiet", "--out",
                                     self.path("x"), *placement, "--", "sh", "-c",
                                     "i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done")
                sample = only_sample(report)
                self.assertGreater(sample["cpu_s"], 0.1 * sample["wall_s"], (strategy, placement, sample))

    def test_compare_runs_every_strategy_and_they_agree(self):
        report = self.report("compare", "exec", "--range", "1:20", "--rounds", "1", "--warmup", "0", "--",
                             "sh", "-c", "echo $(( {} * 3 ))")
        comparison = report["comparisons"][0]
        self.assertTrue(comparison["agreement"]["agree"])
        self.assertEqual(len(comparison["cells"]), 8)
        for cell in comparison["cells"]:
            self.assertEqual(cell["samples"][0]["ok"], 20)

    def test_compare_notices_commands_that_answer_differently(self):
        result = self.quartet("compare", "exec", "--range", "1:3", "--rounds", "1", "--warmup", "0", "--local",
                              "--", "sh", "-c", "date +%N")
        self.assert_status(result, EXIT_ITEMS_FAILED)


if __name__ == "__main__":
    main()
