"""Figures measured side by side, and the one table that shows them."""

import dataclasses
import statistics
import sys


def interleave(rounds, **subjects):
    """Call every subject once a round, in turn, so that all see the same weather on the machine. Returns {name: [result, ...]}."""
    results = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, subject in subjects.items():
            results[name].append(subject())
    return results


@dataclasses.dataclass
class Row:
    what: str
    unit: str
    baseline: list  # one figure a round; empty: there is nothing to compare with
    ours: list
    aim: float = None  # of the ratio, or of the figure when there is no baseline
    more_is_better: bool = True

    def ratios(self):
        return [o / b for o, b in zip(self.ours, self.baseline)]

    def met(self):
        if self.aim is None:
            return None
        figure = statistics.median(self.ratios() if self.baseline else self.ours)
        return figure >= self.aim if self.more_is_better else figure <= self.aim


def number(value):
    for size, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {suffix}"
    return f"{value:.4g}"


def cells(row):
    sign = ">=" if row.more_is_better else "<="
    met = {None: "", True: "met", False: "missed"}[row.met()]
    ratio, spread = "", ""
    if row.baseline:
        ratios = row.ratios()
        ratio = f"{statistics.median(ratios):.3f}"
        spread = f"{min(ratios):.3f} to {max(ratios):.3f}"
    return [
        row.what,
        row.unit,
        number(statistics.median(row.baseline)) if row.baseline else "",
        number(statistics.median(row.ours)),
        ratio,
        spread,
        "" if row.aim is None else f"{sign} {number(row.aim)}",
        met,
    ]


HEAD = ["what", "unit", "baseline", "ours", "ratio", "of the rounds", "aim", ""]


def print_table(rows, stream=sys.stdout):
    lines = [HEAD, ["-" * len(text) for text in HEAD], *[cells(row) for row in rows]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
    for line in lines:
        padded = [line[0].ljust(widths[0]), line[1].ljust(widths[1])]
        padded += [text.rjust(width) for text, width in zip(line[2:], widths[2:])]
        print("  ".join(padded).rstrip(), file=stream)
