"""The section about keys: what encryption costs, against the same in plaintext."""

from table import Row, interleave

CHUNKS = 500_000  # of one item
LONG_ITEMS, LONG_BYTES = 4_000, 60_000
SLEEPS = 1_000


def curve(rig, rounds):
    """With --keys against without: chunks of one item, which are messages and next to nothing else; long items, which are bytes on
    the wire; and items of 10 ms, which is what work looks like."""
    keys = rig.scratch / "keys"
    rig.run([rig.bin_dir / "quartet", "keygen", keys])
    long_lines = rig.item_file("long.txt", ("x" * (LONG_BYTES - 1) for _ in range(LONG_ITEMS)))
    sleep = ("sleep", "--param", "seconds=0.01", "--range", f"1:{SLEEPS}", "--strategy", "threads", "--threads", 4)
    for what, unit, amount, aim, arguments in (
        ("one item a chunk, 1 worker", "chunks/s", CHUNKS, None, ("noop", "--range", f"1:{CHUNKS}", "--chunk", 1, "--workers", 1)),
        ("one item a chunk, 2 workers", "chunks/s", CHUNKS, None, ("noop", "--range", f"1:{CHUNKS}", "--chunk", 1, "--workers", 2)),
        ("items of 60 KB, 1 worker", "MB/s", LONG_ITEMS * LONG_BYTES / 1e6, None, ("noop", "--items", long_lines, "--workers", 1)),
        ("items of 60 KB, 2 workers", "MB/s", LONG_ITEMS * LONG_BYTES / 1e6, None, ("noop", "--items", long_lines, "--workers", 2)),
        ("10 ms items, 2 workers", "items/s", SLEEPS, 0.99, (*sleep, "--workers", 2)),
    ):
        results = interleave(
            rounds,
            plain=lambda: rig.quartet(*arguments),
            keys=lambda: rig.quartet(*arguments, "--keys", keys),
        )
        rates = {name: [amount / sample["wall_s"] for sample in samples] for name, samples in results.items()}
        yield Row(f"keys, {what}, against plaintext", unit, rates["plain"], rates["keys"], aim)


SECTIONS = {"curve": curve}
