"""From the runs to medians, a verdict for each target, and docs/bench.rst."""

from __future__ import annotations

import math
import re
from statistics import median
from typing import Callable, Iterator, Mapping, NamedTuple, Optional, Sequence

from bench.child import Numbers

#: One run: stack, then workload, then number.
Run = Mapping[str, Mapping[str, Numbers]]
#: One line of a table.
Line = tuple[str, ...]
#: The numbers of each workload that people are shown.
Shown = Mapping[str, Sequence[str]]
_LABEL = re.compile(r"^\.\. _bench-(\w+):\n", re.MULTILINE)
_PAGE = """\
The benchmark
=============

Written by ``./dev bench`` and ``./dev bench edge``, which say in ``bench/`` what they do.
Each ratio is taken within one run.

"""
OURS, THEIRS = "kasmd", "tigervnc"

_MOVING = ("updates_per_s", "lost", "wrong_pixels", "kib_per_paint", "cpu", "cpu_ms_per_update")
#: What people are shown of each workload.
SHOWN = {
    "latency": ("p50_ms", "p99_ms", "lost"),
    "stalled": ("p50_ms", "p99_ms", "growth_mib"),
    "video": ("updates_per_s", "kib_per_update", "cpu"),
    "picture": ("psnr_db",),
    "eight": ("updates_per_s", "fewest_updates_per_s", "kib_per_update", "cpu"),
    "scroll": (*_MOVING, "copies_per_paint"),
    "typing": _MOVING,
    "drag": _MOVING,
    "static": ("requests_per_s", "requests_per_cpu_s", "cpu"),
    "memory": ("pss_mib", "viewer_mib"),
    "users": ("requests_per_s", "requests_per_cpu_s", "cpu"),
    "revoke": ("changes", "p50_ms", "p99_ms", "late"),
    "storm": ("calm_p99_ms", "storm_p99_ms", "tries_per_s", "checked_per_s"),
    "timing": ("known_ms", "unknown_ms", "difference"),
}


class Spread(NamedTuple):
    """The median of some runs, and their extremes."""

    middle: float
    least: float
    most: float

    def __str__(self) -> str:
        extremes = f"{_short(self.least)} to {_short(self.most)}"
        return f"{_short(self.middle)} ({extremes})"


class Target(NamedTuple):
    """What was asked for: ``measure`` of a run is to be at least or at most ``limit``.

    The median of the runs decides, or the worst where ``every_run`` is to be good.
    """

    text: str
    measure: Callable[[Run], float]
    limit: float
    at_least: bool = False
    every_run: bool = False

    def met(self, found: Spread) -> bool:
        """Tell whether the runs were good enough."""
        if self.at_least:
            return (found.least if self.every_run else found.middle) >= self.limit
        return (found.most if self.every_run else found.middle) <= self.limit

    @property
    def bound(self) -> str:
        """The limit, for people."""
        bound = f"{'at least' if self.at_least else 'at most'} {_short(self.limit)}"
        return f"{bound} in every run" if self.every_run else bound


class About(NamedTuple):
    """What a suite's report says."""

    name: str
    title: str
    text: str
    targets: Sequence[Target]
    shown: Shown


def of(stack: str, workload: str, number: str) -> Callable[[Run], float]:
    """Measure one number of a stack's."""
    return lambda run: run[stack][workload][number]


def ours(workload: str, number: str) -> Callable[[Run], float]:
    """Measure one number of kasmd's."""
    return of(OURS, workload, number)


def share(workload: str, number: str) -> Callable[[Run], float]:
    """Measure one number of kasmd's as a share of TigerVNC's in the same run."""
    return lambda run: _ratio(run[OURS][workload][number], run[THEIRS][workload][number])


def _ratio(one: float, other: float) -> float:
    return one / other if other else math.inf if one else 1.0


def _unsteadiness(run: Run) -> float:
    latency = run[OURS]["latency"]
    return latency["p99_ms"] / latency["p50_ms"]


def _disturbance(run: Run) -> float:
    storm = run[OURS]["storm"]
    return storm["storm_p99_ms"] - storm["calm_p99_ms"]


TARGETS = (
    Target("latency: p50, of TigerVNC's", share("latency", "p50_ms"), 0.4),
    Target("latency: p99, of our p50", _unsteadiness, 3),
    Target("video: updates/s", ours("video", "updates_per_s"), 29, at_least=True),
    Target("video: CPU, of TigerVNC's", share("video", "cpu"), 1),
    Target("video: bytes, of TigerVNC's", share("video", "kib_per_paint"), 1),
    Target("eight viewers: CPU, of TigerVNC's", share("eight", "cpu"), 0.35),
    Target("scrolling: updates lost", ours("scroll", "lost"), 0, every_run=True),
    Target("scrolling: bytes, of TigerVNC's", share("scroll", "kib_per_paint"), 1.5),
    Target(
        "scrolling: CopyRects a scroll", ours("scroll", "copies_per_paint"), 0.95, at_least=True
    ),
    Target("typing: updates lost", ours("typing", "lost"), 0, every_run=True),
    Target("typing: bytes, of TigerVNC's", share("typing", "kib_per_paint"), 1.5),
    Target("stalled viewer: the others' p99, ms", ours("stalled", "p99_ms"), 20),
    Target("stalled viewer: growth, MiB", ours("stalled", "growth_mib"), 8),
    Target("static GET: requests/s", ours("static", "requests_per_s"), 4000, at_least=True),
    Target("get_users: requests/s", ours("users", "requests_per_s"), 2000, at_least=True),
    Target("read lost: p99 from answer to last picture, ms", ours("revoke", "p99_ms"), 20),
    Target("read lost: pictures 20 ms after", ours("revoke", "late"), 0, every_run=True),
    Target("login storm: the others' p99, ms more", _disturbance, 5),
    Target("login storm: tries/s", ours("storm", "tries_per_s"), 195, at_least=True),
    Target("unknown name: CPU unlike a known one's", ours("timing", "difference"), 0.05),
)


DESKTOP = About(
    "desktop",
    "The desktop",
    "kasmd beside TigerVNC and x11vnc, each behind websockify.  CPU is all processes of a\n"
    "stack, its X server included, in seconds a second; memory is PSS.",
    TARGETS,
    SHOWN,
)


def spread(values: Sequence[float]) -> Spread:
    """Summarise the values of several runs."""
    return Spread(median(values), min(values), max(values))


def over(runs: Sequence[Run], measure: Callable[[Run], float]) -> Optional[Spread]:
    """Summarise ``measure``; None where no run has what it needs."""
    values = []
    for run in runs:
        try:
            values.append(measure(run))
        except KeyError:
            continue
    return spread(values) if values else None


def verdicts(runs: Sequence[Run], targets: Sequence[Target]) -> Iterator[Line]:
    """Give a line for each target: text, bound, measured, met or not."""
    for target in targets:
        found = over(runs, target.measure)
        if found is not None:
            met = "met" if target.met(found) else "not met"
            yield target.text, target.bound, str(found), met


def figures(runs: Sequence[Run], stacks: Sequence[str], shown: Shown) -> Iterator[Line]:
    """Give a line for each number: its name, then the value for each stack."""
    for workload, numbers in shown.items():
        for number in numbers:
            found = [over(runs, of(stack, workload, number)) for stack in stacks]
            if any(found):
                cells = ["" if one is None else str(one) for one in found]
                yield (f"{workload}: {number.replace('_', ' ')}", *cells)


def tables(
    runs: Sequence[Run], stacks: Sequence[str], about: About
) -> Iterator[tuple[Line, list[Line]]]:
    """Give the heads and the lines of the two tables: targets, and figures."""
    yield ("target", "asked", "measured", ""), list(verdicts(runs, about.targets))
    yield ("", *stacks), list(figures(runs, stacks, about.shown))


def text_table(head: Line, lines: Sequence[Line]) -> str:
    """Give an aligned table for a terminal."""
    widths = [max(map(len, column)) for column in zip(head, *lines)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
        for line in (head, *lines)
    )


def rst_table(head: Line, lines: Sequence[Line]) -> str:
    """Give a list-table of reStructuredText."""
    rows = []
    for line in (head, *lines):
        cells = [f" {cell}".rstrip() for cell in line]
        rows.append("   * -" + "\n     -".join(cells))
    return ".. list-table::\n   :header-rows: 1\n\n" + "\n".join(rows) + "\n"


def rst(
    runs: Sequence[Run], stacks: Sequence[str], machine: Mapping[str, str], about: About
) -> str:
    """Give the part of docs/bench.rst that is about one suite."""
    targets, numbers = (rst_table(head, lines) for head, lines in tables(runs, stacks, about))
    return "\n".join(
        (
            _heading(about.title, "-"),
            about.text,
            f"Medians of {len(runs)} runs (least to most).\n",
            _heading(f"{about.title}: targets", "~"),
            targets,
            _heading(f"{about.title}: figures", "~"),
            numbers,
            _heading(f"{about.title}: the machine", "~"),
            *(f":{name}: {value}" for name, value in machine.items()),
            "",
        )
    )


def page(before: str, about: About, part: str) -> str:
    """Give docs/bench.rst with ``part`` in the place of what it said of the same suite."""
    _, *labelled = _LABEL.split(before)
    parts = {**dict(zip(labelled[::2], labelled[1::2])), about.name: f"\n{part}\n"}
    labels = (f".. _bench-{name}:\n{parts[name]}" for name in sorted(parts))
    return (_PAGE + "".join(labels)).rstrip() + "\n"


def _heading(text: str, line: str) -> str:
    return f"{text}\n{line * len(text)}\n"


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
