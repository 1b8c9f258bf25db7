"""How quartet starts workers by a command such as ssh, as far as that can be seen without another host: how politely it calls, what it
makes of what it hears, what it refuses. With real hosts: test_hosts.py."""

import os
import signal
import subprocess

import results
from harness import EXIT_CANNOT_GO_ON, EXIT_OK, EXIT_SIGINT, EXIT_USAGE, WORKER, EndToEndTest, Program, main, wait_until

# Plays ssh to any number of hosts on this machine: the login takes a moment, and fails as often as asked for each host. At every
# moment `$1/in` has a directory for each login that is on.
PRETENDER = """#!/bin/sh
dir=$1
shift
while [ "$1" != -- ]; do shift; done
host=$2
mkdir "$dir/in/$host"
ls "$dir/in" | wc -l >>"$dir/counts"
sleep 0.1
rmdir "$dir/in/$host"
echo "$host" >>"$dir/tries"
if [ "$(grep -c "^$host\\$" "$dir/tries")" -le "$(cat "$dir/refusals")" ]; then
    echo "kex_exchange_identification: Connection closed by remote host" >&2
    exit 255
fi
export SSH_CONNECTION="127.0.0.1 1 127.0.0.1 22"
exec sh -c "$3"
"""


# Plays head on such a host: `copying` has a directory for each copy that is on.
SLOW_HEAD = """#!/bin/sh
cd %s
mkdir "copying/$$"
ls copying | wc -l >>copies
sleep 0.3
/usr/bin/head "$@"
rmdir "copying/$$"
"""


class Politeness(EndToEndTest):
    """How hosts are called on, seen by an ssh that only pretends: no host, no sshd, no rights are needed."""

    def setUp(self):
        super().setUp()
        os.mkdir(self.path("in"))
        os.chmod(self.write_file("pretender", PRETENDER), 0o755)

    def run_on(self, count, refusals, *arguments):
        self.write_file("refusals", "%d\n" % refusals)
        return self.quartet("run", "noop", "--range", "1:1000", "--hosts", ",".join("p%d" % n for n in range(count)), "--ssh",
                            "%s %s" % (self.path("pretender"), self.path(".")), "--remote-path", WORKER, *arguments)

    def test_no_more_than_ten_logins_are_on_at_a_time(self):
        result = self.run_on(24, 0, "--strategy", "serial")
        self.assert_status(result, EXIT_OK)
        counts = [int(line) for line in self.read_file("counts").split()]
        self.assertEqual(len(counts), 24)
        self.assertLessEqual(max(counts), 10)
        self.assertGreater(max(counts), 3, "they are not called on one by one either")

    def make_small_bundle(self):
        """One whose worker is the one here; its path."""
        os.makedirs(self.path("quartet-bundle/bin"))
        self.write_file("quartet-bundle/FILES", "bin/quartet-worker\n")
        os.chmod(self.write_file("quartet-bundle/bin/quartet-worker", "#!/bin/sh\nexec %s \"$@\"\n" % WORKER), 0o755)
        path = self.path("quartet-bundle-%s.tar.gz" % os.uname().machine)
        subprocess.run(["tar", "czf", path, "-C", self.directory, "quartet-bundle"], check=True)
        return path

    def test_no_more_than_ten_copies_are_on_at_a_time(self):
        self.write_file("pretender", PRETENDER.replace("exec sh", 'export HOME="$dir/homes/$host" PATH="$dir/tools:$PATH"; exec sh'))
        for name in ("homes", "tools", "copying"):
            os.mkdir(self.path(name))
        for n in range(24):
            os.mkdir(self.path("homes/p%d" % n))
        # Where the archive is read; a copy takes a moment.
        os.chmod(self.write_file("tools/head", SLOW_HEAD % self.directory), 0o755)
        self.write_file("refusals", "0\n")
        arguments = ["run", "noop", "--range", "1:1000", "--strategy", "serial", "--hosts", ",".join("p%d" % n for n in range(24)),
                     "--ssh", "%s %s" % (self.path("pretender"), self.path(".")), "--push", "--bundle", self.make_small_bundle()]
        result = self.quartet(*arguments)
        self.assert_status(result, EXIT_OK)
        counts = [int(line) for line in self.read_file("copies").split()]
        self.assertEqual(len(counts), 24)
        self.assertLessEqual(max(counts), 10)
        self.assertGreater(max(counts), 3, "they are not copied to one by one either")
        result = self.quartet(*arguments)
        self.assert_status(result, EXIT_OK)
        self.assertEqual(len(self.read_file("copies").split()), 24, "nothing is copied twice")

    def test_launched_workers_are_encrypted_unless_that_is_declined(self):
        self.assert_status(self.run_on(2, 0), EXIT_OK)
        result = self.run_on(2, 0, "--insecure")
        self.assert_status(result, EXIT_OK)
        self.assertIn("warning", result.err)

    def test_login_that_is_refused_is_tried_again_later(self):
        result = self.run_on(3, 2)
        self.assert_status(result, EXIT_OK)
        self.assertEqual(len(self.read_file("tries").split()), 3 * 3)
        self.assertGreater(result.seconds, 0.25 + 0.5, "at least half of 0.5 s and half of 1 s passed between")

    def test_login_that_is_always_refused_is_given_up_with_the_last_words(self):
        result = self.run_on(1, 99)
        self.assert_status(result, EXIT_CANNOT_GO_ON)
        self.assertEqual(len(self.read_file("tries").split()), 4)
        self.assertIn("host p0: ssh exited with status 255: kex_exchange_identification: Connection closed by remote host",
                      result.err)

    def test_host_that_does_not_say_how_it_was_reached_needs_an_address_to_be_told(self):
        self.write_file("pretender", PRETENDER.replace("127.0.0.1 1 127.0.0.1 22", ""))
        result = self.run_on(1, 0)
        self.assert_status(result, EXIT_CANNOT_GO_ON)
        self.assertIn("--advertise ADDRESS", result.err)
        self.assert_status(self.run_on(1, 0, "--advertise", "127.0.0.1"), EXIT_OK)

    def test_what_a_login_script_prints_is_passed_over(self):
        self.write_file("pretender", PRETENDER.replace("exec sh", "echo Welcome; echo; exec sh"))
        self.assert_status(self.run_on(1, 0), EXIT_OK)

    def test_control_characters_of_a_host_do_not_reach_the_terminal(self):
        self.write_file("pretender", "#!/bin/sh\nprintf 'a\\033[31mb\\n' >&2\nexit 9\n")
        result = self.run_on(1, 0)
        self.assert_status(result, EXIT_CANNOT_GO_ON)
        self.assertIn("host p0: ssh exited with status 9: a?[31mb", result.err)


class Usage(EndToEndTest):
    def refuse(self, *arguments):
        return self.quartet("run", "noop", "--range", "1:10", *arguments, seconds=10)

    def test_what_makes_no_sense_is_refused_before_anything_is_started(self):
        self.assert_refused(self.refuse("--hosts", "h1", "--listen", "tcp://*:*", "--wait", "1"), "--keys", "--insecure")
        self.assert_refused(self.refuse("--hosts", "-oProxyCommand=x"), "'-oProxyCommand=x' names no host")
        self.assert_refused(self.refuse("--hosts", "./nofile"), "cannot read --hosts './nofile'", "No such file")
        self.assert_refused(self.refuse("--hosts", "h1", "--local"), "contradict")
        self.assert_refused(self.refuse("--hosts", "h1,h1"), "listed twice")
        self.assert_refused(self.refuse("--advertise", "h1"), "--access")
        self.assert_refused(self.refuse("--hosts", "h1", "--advertise", "::1"), "--advertise '::1'")
        self.assert_refused(self.refuse("--hosts", self.write_file("hosts", "h1\nh 2;x\n")), "hosts'", "'2;x'")

    def test_worker_leaves_when_its_input_ends(self):
        coordinator, at = self.listen("run", "sleep", "--range", "1:1000", "--param", "seconds=0.1", "--out", self.path("out"),
                                      "--listen", "tcp://127.0.0.1:*")
        worker = self.start_worker(at, "--end-with-stdin", stdin=Program.PIPE)
        wait_until(lambda: results.bytes_in(self.path("out")) > 0, 20, "the first results")
        worker.stdin.write(b"anything\n")
        worker.stdin.close()
        result = worker.finish(5)
        self.assert_status(result, EXIT_CANNOT_GO_ON)
        self.assertIn("standard input has ended", result.err)
        coordinator.err.wait_for("worker .* left", 10)
        coordinator.signal(signal.SIGINT)
        self.assert_status(coordinator.finish(10), EXIT_SIGINT)

    def test_worker_that_is_to_end_with_its_input_needs_one_that_can_end(self):
        result = self.start([WORKER, "--connect", "tcp://127.0.0.1:1", "--end-with-stdin"]).finish(10)
        self.assert_status(result, EXIT_USAGE)
        self.assertIn("standard input is no pipe", result.err)


if __name__ == "__main__":
    main()
