#!/usr/bin/env python3
"""quartet against bare programs with the same libraries, and against its aims, on this machine. See README.md beside this file.

A benchmark and not a test: it says what it measured, and its exit status is 0 whatever that was.
"""

import argparse
import os
import pathlib
import platform
import socket
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True  # leaves no __pycache__ in the tree

import crowd
import curve
import durable
import faults
import hosts
import own_work
from rig import Failed, LARGE_FILES, Rig, SMALL_FILES, cpu_s, status_kib
from table import Row, interleave, print_table

ROOT = pathlib.Path(__file__).resolve().parents[2]
ASYNC_AT_ONCE = 100  # the default of --in-flight


def of(results, key, scale=1.0):
    return [result[key] * scale for result in results]


def per_second(results, count):
    return [count / result["wall_s"] for result in results]


# --- chunks ---


def dispatch(rig, rounds):
    """Chunks of one item that does nothing, a second, against one request a message."""
    for workers in (1, 2):
        for credit, count in ((16, 200_000), (64, 500_000), (256, 1_000_000)):
            yield dispatch_row(rig, rounds, "serial", workers, credit, credit, count)
        yield dispatch_row(rig, rounds, "serial", workers, None, 256, 3_000_000, 1.0)
    for strategy, count in (("threads", 500_000), ("async", 1_000_000), ("processes", 500_000)):
        yield dispatch_row(rig, rounds, strategy, 2, None, 256, count)


def dispatch_row(rig, rounds, strategy, workers, credit, bare_credit, count, aim=None):
    """`credit` None: the workers adapt, and the bare pair has its best."""
    flags = ["--credit", credit] if credit else []
    results = interleave(
        rounds,
        bare=lambda: rig.bare("bare_router", workers, bare_credit, count),
        ours=lambda: rig.quartet(
            "noop", "--range", f"1:{count}", "--chunk", 1, "--strategy", strategy, "--workers", workers, *flags
        ),
    )
    said = f"credit {credit}" if credit else f"adaptive (bare: {bare_credit})"
    what = f"dispatch, {strategy}, {workers} worker{'s' if workers > 1 else ''}, {said}"
    return Row(what, "chunks/s", per_second(results["bare"], count), per_second(results["ours"], count), aim)


def items(rig, rounds):
    """Items that do nothing, a second, with chunks as large as the coordinator likes: numbers of a range, which are never written
    out, and lines of a file, which are read, sent and looked at one by one."""
    lines = rig.item_file("lines.txt", range(5_000_000))
    for what, count, source in (
        ("numbers", 1_000_000_000, ("--range", "1:1000000000")),
        ("lines", 5_000_000, ("--items", lines)),
    ):
        for strategy in ("serial", "threads", "async", "processes"):
            flags = (*source, "--strategy", strategy, "--workers", 2)
            results = interleave(rounds, ours=lambda: rig.quartet("noop", *flags))
            aim = 1e8 if what == "numbers" else None
            yield Row(f"items, {what}, {strategy}, 2 workers", "items/s", [], per_second(results["ours"], count), aim)


def roundtrip(rig, rounds):
    """One chunk there and its result back, with nothing else to do. Often and short: a hand-over between threads costs 5 us or 50,
    as the core that the other one sleeps on is awake or not, and that comes and goes."""
    count = 1_000
    for strategy in ("serial", "threads", "async", "processes"):
        flags = ("--chunk", 1, "--credit", 1, "--workers", 1, "--strategy", strategy)
        results = interleave(
            4 * rounds,
            bare=lambda: rig.bare("bare_router", 1, 1, count),
            ours=lambda: rig.quartet("noop", "--range", f"1:{count}", *flags),
        )
        bare_us = of(results["bare"], "wall_s", 1e6 / count)
        ours_us = of(results["ours"], "wall_s", 1e6 / count)
        aim = 1.5 if strategy == "serial" else None
        yield Row(f"round trip of one chunk, {strategy}", "us", bare_us, ours_us, aim, more_is_better=False)


# --- downloads ---


def curl_parallel(rig, urls, count, in_flight):
    """curl has no list of URLs as such: a configuration file with an output for each."""
    config = rig.scratch / f"{urls.stem}.curl"
    if not config.exists():
        lines = urls.read_text().split()
        config.write_text("".join(f'url = "{url}"\noutput = "/dev/null"\n' for url in lines))
    argv = ["curl", "--silent", "--fail", "--parallel", "--parallel-max", str(in_flight), "--config", config]
    _, seconds, cpu_s = rig.run(argv)
    return {"wall_s": seconds, "cpu_all_s": cpu_s}


def download(rig, rounds):
    """Files from nginx: requests a second, and CPU of the client with all its processes."""
    yield from download_rows(rig, rounds, "20,000 x 1 KiB", rig.small_urls(), SMALL_FILES, (50, 100))
    yield from download_rows(rig, rounds, "500 x 1 MiB", rig.large_urls(), LARGE_FILES, (50,))


def download_rows(rig, rounds, name, urls, count, in_flights):
    for in_flight in in_flights:
        common = ("download", "--items", urls, "--strategy", "async", "--in-flight", in_flight)
        results = interleave(
            rounds,
            socket=lambda: rig.bare("bare_multi", "socket", in_flight, urls),
            local=lambda: rig.quartet(*common),
            poll=lambda: rig.bare("bare_multi", "poll", in_flight, urls),
            curl=lambda: curl_parallel(rig, urls, count, in_flight),
            workers=lambda: rig.quartet(*common, "--workers", 2),
        )
        rates = {subject: per_second(list_, count) for subject, list_ in results.items()}
        cpus = {subject: of(list_, "cpu_all_s", 1e6 / count) for subject, list_ in results.items()}
        what = f"download, {name}, {in_flight} in flight"
        yield Row(f"{what}, against bare multi_socket", "req/s", rates["socket"], rates["local"], 0.9)
        yield Row(f"{what}, its CPU", "us/req", cpus["socket"], cpus["local"], 1 / 0.9, more_is_better=False)
        yield Row(f"{what}, against bare poll loop", "req/s", rates["poll"], rates["local"])
        yield Row(f"{what}, against curl --parallel", "req/s", rates["curl"], rates["local"])
        yield Row(f"{what}, its CPU", "us/req", cpus["curl"], cpus["local"], more_is_better=False)
        yield Row(f"{what}, 2 workers against multi_socket", "req/s", rates["socket"], rates["workers"])


# --- floors ---


def floors(rig, rounds):
    """64 items that wait 0.1 s each, against libcurl alone."""
    yield from floor_rows(rig, min(rounds, 3), "0.1", ("serial", "threads", "async", "processes"))


def floors_1s(rig, rounds):
    """The same at 1 s; without serial, which would take a minute."""
    yield from floor_rows(rig, min(rounds, 3), "1", ("threads", "async", "processes"))


BARE_FORMS = {
    "serial": ("bare_easy", "threads", 1),
    "threads": ("bare_easy", "threads", 8),
    "processes": ("bare_easy", "processes", 8),
    "async": ("bare_multi", "socket", ASYNC_AT_ONCE),
}


def floor_rows(rig, rounds, delay, strategies):
    url = f"{rig.origin()}/delay/{delay}"
    urls = rig.item_file("floor.txt", [url] * 64)
    for strategy in strategies:
        common = ("download", "--items", urls, "--strategy", strategy, "--threads", 8, "--processes", 8)
        results = interleave(
            rounds,
            bare=lambda: rig.bare(*BARE_FORMS[strategy], urls),
            local=lambda: rig.quartet(*common),
            workers=lambda: rig.quartet(*common, "--workers", 2),
        )
        seconds = {subject: of(list_, "wall_s") for subject, list_ in results.items()}
        what = f"64 at /delay/{delay}, {strategy}"
        slack = 1.10 if strategy == "async" else 1.03
        yield Row(f"{what}, local", "s", seconds["bare"], seconds["local"], slack, more_is_better=False)
        if strategy == "async":
            yield Row(f"{what}, 2 workers against local", "s", seconds["local"], seconds["workers"], 1.10, False)
        else:
            half = [second / 2 for second in seconds["bare"]]
            yield Row(f"{what}, 2 workers against half", "s", half, seconds["workers"], 1.05, False)


# --- the rest ---


def squares(rig, rounds):
    """Squares of 1 to 10^7, against a plain loop that stores them."""
    count = 10_000_000
    expected = f"{count * (count + 1) * (2 * count + 1) // 6 % 2**64:016x}"

    def checked(result):
        if result["checksum"] != expected:
            raise Failed(f"squares: checksum {result['checksum']} instead of {expected}")
        return result

    results = interleave(
        rounds,
        bare=lambda: checked(rig.bare("bare_squares", count)),
        ours=lambda: checked(rig.quartet("squares", "--range", f"1:{count}", "--strategy", "serial")),
    )
    ours = of(results["ours"], "wall_s", 1e3)
    yield Row("squares, a fresh array", "ms", of(results["bare"], "wall_s", 1e3), ours, 1.3, False)
    yield Row("squares, a touched array", "ms", of(results["bare"], "touched_s", 1e3), ours, None, False)


def startup(rig, rounds):
    """From nothing to the first item begun, seen from outside: a server notes when its one request comes. And a whole program."""
    firsts = [first_item_s(rig) * 1e3 for _ in range(rounds)]
    yield Row("start-up to first item, 2 workers", "ms", [], firsts, 50, False)
    flags = ("--workers", 2, "--strategy", "serial")
    results = interleave(rounds, ours=lambda: rig.quartet("noop", "--range", "1:1", *flags))
    yield Row("the whole program, one item, 2 workers", "ms", [], of(results["ours"], "process_s", 1e3), None, False)


def first_item_s(rig):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        came = []
        server = threading.Thread(target=answer_once, args=(listener, came))
        server.start()
        urls = rig.item_file("first.txt", [f"http://127.0.0.1:{listener.getsockname()[1]}/"])
        begin = time.monotonic()
        rig.quartet("download", "--items", urls, "--workers", 2, "--strategy", "serial")
        server.join()
    return came[0] - begin


def answer_once(listener, came):
    connection, _ = listener.accept()
    came.append(time.monotonic())
    with connection:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def memory(rig, rounds):
    """The largest peak among coordinator and workers, looked at once a millisecond."""
    peaks = {}
    for exponent in (6, 9):
        argv = [rig.bin_dir / "quartet", "run", "noop", "--range", f"1:{10 ** exponent}", "--workers", "2", "--quiet"]
        peaks[exponent] = [peak_mib(rig, argv) for _ in range(min(rounds, 3))]
    yield Row("peak memory, 10^9 items, 2 workers", "MiB", [], peaks[9], 64, False)
    yield Row("peak memory, 10^9 items against 10^6", "MiB", peaks[6], peaks[9], 1.05, False)


def peak_mib(rig, argv):
    process = rig.start(argv, stdout=subprocess.DEVNULL)
    peak_kib = 0
    while process.poll() is None:
        peak_kib = max([peak_kib, *[status_kib(pid) for pid in family(process.pid)]])
        time.sleep(0.001)
    rig.stop(process)
    return peak_kib / 1024


def family(pid):
    """The process and its descendants."""
    try:
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *[member for child in children for member in family(int(child))]]


def idle(rig, rounds):
    """CPU of a coordinator that waits for a second worker, and of the first one, which waits with it."""
    seconds = 5.0
    endpoint = f"ipc://{rig.scratch}/idle"
    run = ["run", "noop", "--listen", endpoint, "--wait", "2", "--quiet"]
    coordinator = rig.start([rig.bin_dir / "quartet", *run], stderr=subprocess.DEVNULL)
    worker = rig.start([rig.bin_dir / "quartet-worker", "--connect", endpoint], stderr=subprocess.DEVNULL)
    time.sleep(1)
    before = [cpu_s(coordinator.pid), cpu_s(worker.pid)]
    time.sleep(seconds)
    after = [cpu_s(coordinator.pid), cpu_s(worker.pid)]
    alive = coordinator.poll() is None and worker.poll() is None
    rig.stop(worker)
    rig.stop(coordinator)
    if not alive:
        raise Failed("the idle coordinator or its worker ended by itself")
    for name, begin, end in zip(("coordinator", "worker"), before, after):
        yield Row(f"idle {name}", "% of a core", [], [100 * (end - begin) / seconds], 0.5, False)


def join(rig, rounds):
    """A thousand workers at once, until each has work, against a thousand that say HELLO one after the other."""
    count = 1000
    results = interleave(
        rounds, serial=lambda: join_once(rig, "serial", count, count + 1), ours=lambda: join_once(rig, "at-once", count, 1)
    )
    serial, ours = of(results["serial"], "serial", 1e3), of(results["ours"], "working", 1e3)
    yield Row(f"{count} workers joining, until all have work", "ms", serial, ours, 1.0, False)
    yield Row(f"{count} workers joining, HELLOs", "HELLOs", [], of(results["ours"], "hellos"), 1.05 * count, False)
    yield Row(f"{count} workers, the coordinator's memory for each", "KiB", [], of(results["ours"], "kib_each"), None, False)


def join_once(rig, how, count, wait):
    """What join_rig prints, by name, and how much larger the coordinator has become for each."""
    endpoint = f"ipc://{rig.scratch}/join"
    run = ["run", "noop", "--range", f"1:{20 * count}", "--chunk", "1", "--listen", endpoint, "--wait", str(wait)]
    coordinator = rig.start([rig.bin_dir / "quartet", *run], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    coordinator.stderr.readline()
    before = status_kib(coordinator.pid)
    joiner = rig.start([rig.bench_dir / "bench_join", how, endpoint, str(count)], stdout=subprocess.PIPE, text=True)
    figures = {}
    for line in joiner.stdout:
        name, figure = line.split()
        figures[name] = float(figure)
        figures["kib_each"] = (status_kib(coordinator.pid) - before) / count
    status = joiner.wait()
    rig.stop(joiner)
    rig.stop(coordinator)
    if status != 0:
        raise Failed(f"bench_join {how}: exit {status}")
    return figures


SECTIONS = {
    "dispatch": dispatch,
    "items": items,
    "roundtrip": roundtrip,
    "download": download,
    "floors": floors,
    "floors-1s": floors_1s,
    "squares": squares,
    "startup": startup,
    "join": join,
    "memory": memory,
    "idle": idle,
    **own_work.SECTIONS,
    "durable": durable.durable,
    **faults.SECTIONS,
    **curve.SECTIONS,
    **crowd.SECTIONS,
    **hosts.SECTIONS,
}
LEFT_OUT = {"floors-1s"}  # unless asked for


def machine():
    models = [line for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    model = models[0].split(":")[1].strip() if models else platform.machine()
    load = os.getloadavg()[0]
    return f"{model}, {len(os.sched_getaffinity(0))} cores, Linux {platform.release()}, load {load:.2f}"


def arguments():
    parser = argparse.ArgumentParser(description="quartet against bare programs, in ratios measured side by side")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}; default: all")
    parser.add_argument("--rounds", type=int, default=5, help="times that each thing is measured (default 5)")
    default = os.environ.get("QUARTET_BIN", ROOT / "build" / "release" / "bin")
    parser.add_argument("--bin", default=default, help="folder of quartet and quartet-worker (default %(default)s)")
    parser.add_argument("--bench", help="folder of the bare programs (default: bench, beside --bin)")
    args = parser.parse_args()
    unknown = [name for name in args.sections if name not in SECTIONS]
    if unknown:
        parser.error(f"section '{unknown[0]}' is not one of {', '.join(SECTIONS)}")
    if args.rounds < 1:
        parser.error(f"--rounds {args.rounds} is not 1 or more")
    return args


def main():
    args = arguments()
    bin_dir = pathlib.Path(args.bin).resolve()
    bench_dir = pathlib.Path(args.bench).resolve() if args.bench else bin_dir.parent / "bench"
    for program in (bin_dir / "quartet", bin_dir / "quartet-worker", bench_dir / "bare_router"):
        if not program.exists():
            sys.exit(f"bench.py: there is no {program}; build it first (README.md says how)")
    print(machine())
    rows = []
    rig = Rig(bin_dir, bench_dir)
    try:
        for name in args.sections or [name for name in SECTIONS if name not in LEFT_OUT]:
            try:
                for row in SECTIONS[name](rig, args.rounds):
                    rows.append(row)
                    print(f"measured: {row.what}", file=sys.stderr)
            except Failed as error:
                print(f"{name}: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("stopped; this is what there is", file=sys.stderr)
    finally:
        rig.close()
    print_table(rows)


if __name__ == "__main__":
    main()
