"""The sections about people's own work: commands and programs, against what people use for them today.

Both sides are whole programs, from start to end: starting is part of what a person waits for."""

import hashlib
import sys
import textwrap
import time

from rig import Failed
from table import Row, interleave

AT_ONCE = 8
COMMANDS = 20_000
COMMANDS_PARALLEL = 1_000  # GNU Parallel takes milliseconds for each
TRIVIAL_ITEMS = 200_000
TRIVIAL_ITEMS_POOL = 20_000
BUSY_ITEMS = 100_000
LINES = 3_000_000
MANY_LINES = 10_000_000

SQUARE_PY = textwrap.dedent(
    """
    import sys
    for line in sys.stdin:
        print(int(line) ** 2)
    """
)

# About 100 us of arithmetic an item: so many steps, not so long by the clock, which also goes on while another process has the core.
BUSY = textwrap.dedent(
    """
    def work(number):
        total = 0
        for i in range({steps}):
            total += i
        return number * number
    """
)
BUSY_PY = "import sys\nfor line in sys.stdin:\n    print(work(int(line)){flush})\n"


def steps_of(us):
    """How many steps of BUSY take so long here."""
    begin = time.perf_counter_ns()
    total = 0
    for i in range(200_000):
        total += i
    return round(200_000 * us * 1000 / (time.perf_counter_ns() - begin))

POOL_PY = textwrap.dedent(
    """
    import multiprocessing, sys
    {work}
    if __name__ == "__main__":
        with multiprocessing.Pool({processes}) as pool:
            total = sum({call})
        print(total)
    """
)


def rates(counted, count):
    return [count / seconds for _, seconds, _ in counted]


def quartet_run(rig, *arguments):
    return rig.run([rig.bin_dir / "quartet", "run", *map(str, arguments)])


def exec_(rig, rounds):
    """/bin/true once for each of 20,000 items."""
    numbers = rig.item_file("numbers.txt", range(COMMANDS))
    few = rig.item_file("few.txt", range(COMMANDS_PARALLEL))
    true = ("--quiet", "--", "/bin/true")

    def xargs():
        return rig.run(["xargs", "-P", str(AT_ONCE), "-n", "1", "-a", numbers, "/bin/true"])

    def parallel():
        return rig.run(["parallel", "--will-cite", "-j", str(AT_ONCE), "-a", few, "/bin/true"])

    variants = {
        f"threads, local": ("--strategy", "threads", "--threads", AT_ONCE),
        f"async, local": ("--strategy", "async", "--in-flight", AT_ONCE),
        f"processes, local": ("--strategy", "processes", "--processes", AT_ONCE),
        f"threads, 2 workers": ("--strategy", "threads", "--threads", AT_ONCE // 2, "--workers", 2),
    }
    for name, flags in variants.items():
        results = interleave(
            rounds,
            xargs=xargs,
            ours=lambda: quartet_run(rig, "exec", "--items", numbers, *flags, *true),
            parallel=parallel,
        )
        ours = rates(results["ours"], COMMANDS)
        yield Row(f"exec /bin/true, {name}, against xargs -P", "items/s", rates(results["xargs"], COMMANDS), ours, 0.8)
        yield Row(f"exec /bin/true, {name}, against GNU Parallel", "items/s",
                  rates(results["parallel"], COMMANDS_PARALLEL), ours, 5)


def pool_script(rig, name, work, call):
    path = rig.scratch / name
    path.write_text(POOL_PY.format(work=work, processes=AT_ONCE, call=call))
    return path


def pipe(rig, rounds):
    """A Python function over numbers, and a small C program, one item a line."""
    square = rig.scratch / "square.py"
    square.write_text(SQUARE_PY)
    pool = pool_script(rig, "pool.py", "def work(number):\n    return number ** 2\n",
                       f"pool.imap_unordered(work, range({TRIVIAL_ITEMS_POOL}))")
    for name, placement in (("local", ()), ("2 workers", ("--workers", 2))):
        each = AT_ONCE if not placement else AT_ONCE // 2
        results = interleave(
            rounds,
            pool=lambda: rig.run([sys.executable, pool]),
            ours=lambda: quartet_run(rig, "pipe", "--range", f"1:{TRIVIAL_ITEMS}", "--threads", each, *placement,
                                     "--out", "/dev/null", "--format", "raw", "--quiet", "--", sys.executable, square),
        )
        yield Row(f"pipe, a trivial Python program, {name}, against Pool.imap_unordered", "items/s",
                  rates(results["pool"], TRIVIAL_ITEMS_POOL), rates(results["ours"], TRIVIAL_ITEMS), 5)
    yield from busy(rig, rounds)
    yield from c_program(rig, rounds)


def busy(rig, rounds):
    """With a program that flushes each answer, and with one that holds them back and is started anew for each chunk."""
    work = BUSY.format(steps=steps_of(100))
    pool = pool_script(rig, "busy_pool.py", work, f"pool.map(work, range({BUSY_ITEMS}))")
    scripts = {}
    for name, flush in (("flushing", ", flush=True"), ("buffering", "")):
        scripts[name] = rig.scratch / f"{name}.py"
        scripts[name].write_text(work + BUSY_PY.format(flush=flush))

    def ours(script, *before):
        return quartet_run(rig, "pipe", "--range", f"1:{BUSY_ITEMS}", "--threads", AT_ONCE, "--out", "/dev/null",
                           "--format", "raw", "--quiet", "--", *before, sys.executable, script)

    results = interleave(
        rounds,
        pool=lambda: rig.run([sys.executable, pool]),
        flushing=lambda: ours(scripts["flushing"]),
        buffering=lambda: ours(scripts["buffering"], "env", "PYTHONUNBUFFERED="),
    )
    for name, aim in (("flushing", 1.0), ("buffering", None)):
        yield Row(f"pipe, 100 us of Python an item, {name}, against Pool.map", "items/s",
                  rates(results["pool"], BUSY_ITEMS), rates(results[name], BUSY_ITEMS), aim)


def c_program(rig, rounds):
    answer = rig.bench_dir / "answer_lines"
    for slots in (1, 2):
        flags = ("--strategy", "threads", "--threads", slots, "--out", "/dev/null", "--format", "raw", "--quiet")
        results = interleave(
            rounds, ours=lambda: quartet_run(rig, "pipe", "--range", f"1:{LINES}", *flags, "--", answer)
        )
        yield Row(f"pipe, a trivial C program, {slots} at once", "items/s", [], rates(results["ours"], LINES), 1e6)


def lines(rig, rounds):
    """10 million lines through cat and out again in order: the same bytes, in bounded memory."""
    source = rig.scratch / "lines.txt"
    with open(source, "wb") as file:
        for first in range(0, MANY_LINES, 100_000):
            file.write(b"".join(b"line %d\n" % i for i in range(first, first + 100_000)))
    out = rig.scratch / "lines.out"
    seconds, peaks = [], []
    for _ in range(min(rounds, 3)):
        with open(source, "rb") as stdin, open(out, "wb") as stdout:
            argv = [rig.bin_dir / "quartet", "run", "pipe", "--items", "-", "--keep-order", "--threads", "2", "--quiet",
                    "--", "cat"]
            peak, took = rig.watch(argv, stdin=stdin, stdout=stdout)
        if digest(source) != digest(out):
            raise Failed("lines: what came out is not what went in")
        seconds.append(took)
        peaks.append(peak)
    yield Row("10 million lines through cat, in order", "items/s", [], [MANY_LINES / s for s in seconds])
    yield Row("10 million lines through cat, the coordinator's peak", "MiB", [], peaks, 128, False)


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


SECTIONS = {"exec": exec_, "pipe": pipe, "lines": lines}
