"""From the runs to medians, a verdict for each target, and docs/bench.rst."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
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

Written by ``./dev bench --write`` from what ``./dev bench`` and ``./dev bench edge`` measured;
``bench/`` says how, ``bench/results`` has each run.
Each ratio is taken within one run.

"""
OURS, RIVALS = "kasmd", ("kasmvnc", "tigervnc")


class Spread(NamedTuple):
    """The median of some runs, and their extremes."""

    middle: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{_short(self.middle)} ({self.extremes})"

    @property
    def extremes(self) -> str:
        """The least and the most, for people."""
        return f"{_short(self.least)} to {_short(self.most)}"


class Plot(NamedTuple):
    """A picture of some numbers: what a bar is of, its workload and the number's name."""

    title: str
    bars: Sequence[tuple[str, str, str]]


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
    """What a suite's report says; ``plots`` has the numbers of a picture by its name."""

    name: str
    title: str
    text: str
    targets: Sequence[Target]
    shown: Shown
    plots: Mapping[str, Plot] = {}


@dataclass(frozen=True)
class Figure:
    """One number of a stack's."""

    stack: str
    workload: str
    number: str

    def __call__(self, run: Run) -> float:
        return run[self.stack][self.workload][self.number]


@dataclass(frozen=True)
class Share:
    """One number of kasmd's as a share of the best rival's in the same run, the least."""

    workload: str
    number: str
    rivals: Sequence[str] = RIVALS

    @property
    def ours(self) -> Figure:
        """What is shared out."""
        return Figure(OURS, self.workload, self.number)

    def __call__(self, run: Run) -> float:
        theirs = [
            run[rival][self.workload][self.number]
            for rival in self.rivals
            if self.workload in run.get(rival, ())
        ]
        if not theirs:
            raise KeyError(self.rivals)
        return _ratio(self.ours(run), min(theirs))


@dataclass(frozen=True)
class Scaled:
    """One number of kasmd's, as on a machine where ``yardstick`` is ``usual``."""

    workload: str
    number: str
    yardstick: Figure
    usual: float

    def __call__(self, run: Run) -> float:
        return run[OURS][self.workload][self.number] * self.usual / self.yardstick(run)


def of(stack: str, workload: str, number: str) -> Figure:
    """Measure one number of a stack's."""
    return Figure(stack, workload, number)


def ours(workload: str, number: str) -> Figure:
    """Measure one number of kasmd's."""
    return Figure(OURS, workload, number)


def share(workload: str, number: str, *rivals: str) -> Share:
    """Measure one number of kasmd's as a share of the best rival's in the same run."""
    return Share(workload, number, rivals or RIVALS)


def _ratio(one: float, other: float) -> float:
    return one / other if other else math.inf if one else 1.0


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


def verdicts(
    runs: Sequence[Run], stacks: Sequence[str], targets: Sequence[Target]
) -> Iterator[Line]:
    """Give a line for each target: text, bound, median, extremes, the peers', met or not.

    What cannot be told, for a rival that is not there, is said so; what was not measured
    of kasmd has no line.
    """
    for target in targets:
        found = over(runs, target.measure)
        peers = _peers(runs, stacks, target.measure)
        if found is not None:
            met = "met" if target.met(found) else "missed"
            yield target.text, target.bound, _short(found.middle), found.extremes, peers, met
        elif isinstance(target.measure, Share) and over(runs, target.measure.ours) is not None:
            yield target.text, target.bound, "", "", peers, "not measured"


def _peers(runs: Sequence[Run], stacks: Sequence[str], measure: Callable[[Run], float]) -> str:
    """Give the medians of the others, and ours where ``measure`` is a share of theirs."""
    if not isinstance(measure, (Figure, Share)):
        return ""
    others = [
        (stack, over(runs, of(stack, measure.workload, measure.number)))
        for stack in stacks
        if stack != OURS or isinstance(measure, Share)
    ]
    return ", ".join(f"{stack} {_short(found.middle)}" for stack, found in others if found)


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
    head = ("target", "asked", "measured", "least to most", "beside", "")
    yield head, list(verdicts(runs, stacks, about.targets))
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
            f"Medians of {len(runs)} runs (least to most){_fewer(runs, about.shown)}.\n",
            *(_image(about, name, plot) for name, plot in about.plots.items()),
            _heading(f"{about.title}: targets", "~"),
            targets,
            _heading(f"{about.title}: figures", "~"),
            numbers,
            _heading(f"{about.title}: the machine", "~"),
            *(f":{name}: {value}" for name, value in machine.items()),
            "",
        )
    )


def _fewer(runs: Sequence[Run], shown: Shown) -> str:
    """Give which workloads were measured in some of the runs only."""
    counts = {workload: sum(workload in run[OURS] for run in runs) for workload in shown}
    fewer = [f"{name} ({count})" for name, count in counts.items() if 0 < count < len(runs)]
    return f"; of fewer runs: {', '.join(fewer)}" if fewer else ""


def picture(about: About, name: str) -> str:
    """Give the name of a picture's file."""
    return f"bench-{about.name}-{name}.svg"


def _image(about: About, name: str, plot: Plot) -> str:
    return f".. image:: {picture(about, name)}\n   :alt: {plot.title}\n"


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
