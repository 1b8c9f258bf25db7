"""The section about the journal: what it costs, and how soon a run goes on that was killed."""

import signal
import subprocess
import time

from rig import Failed
from table import Row, interleave

NUMBERS = 1_000_000_000_000  # noop in chunks that size themselves: 64 ms
LINES = 5_000_000
SLEEPS = 1_000
RESUMED = 10_000_000


def durable(rig, rounds):
    """With --journal against without: chunks as large as the coordinator likes, and items of 10 ms; then a run of ten million items
    killed after a tenth: how long until the next item runs, and how many are run twice."""
    lines = rig.item_file("lines.txt", range(LINES))
    sleep = ("sleep", "--param", "seconds=0.01", "--range", f"1:{SLEEPS}", "--strategy", "threads", "--threads", 4)
    for what, count, aim, arguments in (
        ("noop, numbers, 2 workers", NUMBERS, 0.9, ("noop", "--range", f"1:{NUMBERS}", "--workers", 2)),
        ("noop, lines, 2 workers", LINES, 0.9, ("noop", "--items", lines, "--workers", 2)),
        ("noop, lines, local", LINES, 0.9, ("noop", "--items", lines)),
        ("10 ms items, 2 workers", SLEEPS, 0.99, (*sleep, "--workers", 2)),
        ("one item a chunk, 2 workers", 500_000, None, ("noop", "--range", "1:500000", "--chunk", 1, "--workers", 2)),
    ):
        results = interleave(
            rounds,
            without=lambda: rig.quartet(*arguments),
            kept=lambda: journalled(rig, *arguments),
        )
        rates = {name: [count / sample["wall_s"] for sample in samples] for name, samples in results.items()}
        yield Row(f"journal, {what}, against without", "items/s", rates["without"], rates["kept"], aim)
    yield from resumed(rig, rounds)


def journalled(rig, *arguments):
    journal = rig.scratch / "bench.journal"
    journal.unlink(missing_ok=True)
    return rig.quartet(*arguments, "--journal", journal)


def resumed(rig, rounds):
    seconds, again = [], []
    for _ in range(rounds):
        first_s, count = kill_and_resume(rig)
        seconds.append(first_s)
        again.append(count)
    yield Row("resume, 10 million items killed after a tenth, until items run again", "s", [], seconds, 2.0, more_is_better=False)
    yield Row("the same, items that were run twice", "items", [], again, None, more_is_better=False)


def kill_and_resume(rig):
    """Each item writes a byte to a file of its own when it runs: its size says how often items were run."""
    numbers = rig.item_file("ten-million.txt", range(RESUMED))
    journal, out, runs = (rig.scratch / name for name in ("resume.journal", "resume.out", "resume.runs"))
    for path in (journal, out, runs):
        path.unlink(missing_ok=True)
    count = f"import sys\nlog = open({str(runs)!r}, 'ab', 0)\nfor line in sys.stdin:\n    log.write(b'.')\n    print(1)\n"
    argv = [rig.bin_dir / "quartet", "run", "pipe", "--items", numbers, "--journal", journal, "--out", out, "--format", "raw",
            "--quiet", "--strategy", "threads", "--threads", "2", "--", "python3", "-c", count]
    program = subprocess.Popen([str(word) for word in argv])
    wait_for(lambda: size_of(out) >= RESUMED // 10, program)
    program.send_signal(signal.SIGKILL)
    program.wait()
    ran = settled(runs)
    begin = time.monotonic()
    program = subprocess.Popen([rig.bin_dir / "quartet", "resume", str(journal), "--quiet"], stderr=subprocess.DEVNULL)
    wait_for(lambda: size_of(runs) > ran, program)
    first_s = time.monotonic() - begin
    program.send_signal(signal.SIGINT)
    if program.wait() != 130:
        raise Failed("the run that was resumed did not end when it was interrupted")
    written = out.read_bytes().count(b"\n")
    return first_s, settled(runs) - written


def size_of(path):
    return path.stat().st_size if path.exists() else 0


def settled(path):
    """Its size when it grows no more: programs end a moment after their coordinator."""
    size = -1
    while size != size_of(path):
        size = size_of(path)
        time.sleep(0.2)
    return size


def wait_for(is_true, program, limit_s=120):
    end = time.monotonic() + limit_s
    while not is_true():
        if program.poll() is not None or time.monotonic() > end:
            raise Failed("the run ended, or came to nothing, before it could be killed")
        time.sleep(0.002)
