"""From the runs to medians, and a verdict for each target."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import zip_longest
from statistics import median
from typing import Callable, Iterator, Mapping, NamedTuple, Optional, Sequence, Union

import numpy

#: What a workload found: numbers, and the samples that some of them are of.
Found = Mapping[str, Union[float, Sequence[float]]]
#: One run: stack, then workload, then what it found.
Run = Mapping[str, Mapping[str, Found]]
#: One line of a table.
Line = tuple[str, ...]
#: The numbers of each workload that people are shown.
Shown = Mapping[str, Sequence[str]]
OURS, RIVALS = "kasmd", ("kasmvnc", "tigervnc")
#: What each key press took; and what is told of the presses of all runs together.
PRESSED, _PERCENTS = "pressed_ms", {"p50_ms": 50, "p95_ms": 95}


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


class Table(NamedTuple):
    """What people are shown; a cell may have several lines."""

    title: str
    head: Line
    lines: Sequence[Line]


class Plot(NamedTuple):
    """A picture of some numbers: what a bar is of, its workload and the number's name."""

    title: str
    bars: Sequence[tuple[str, str, str]]


class Rows(NamedTuple):
    """A table with a row for each workload, by a name for people; a cell has all its numbers.

    ``numbers`` says how each is told, with {} for what was found.
    """

    title: str
    workloads: Mapping[str, str]
    numbers: Mapping[str, str]


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
    rows: Sequence[Rows] = ()


@dataclass(frozen=True)
class Figure:
    """One number of a stack's."""

    stack: str
    workload: str
    number: str

    def __call__(self, run: Run) -> float:
        found = run[self.stack][self.workload][self.number]
        assert isinstance(found, (int, float))
        return found

    def pooled(self, runs: Sequence[Run]) -> Optional[float]:
        """Give the percentile of the presses of all runs; None where it is of none."""
        found = [run.get(self.stack, {}).get(self.workload, {}).get(PRESSED, ()) for run in runs]
        presses = [one for some in found if isinstance(some, Sequence) for one in some]
        if not presses or self.number not in _PERCENTS:
            return None
        return percentile(presses, _PERCENTS[self.number])


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
            of(rival, self.workload, self.number)(run)
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
        return ours(self.workload, self.number)(run) * self.usual / self.yardstick(run)


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


def percentile(values: Sequence[float], percent: float) -> float:
    """Give the least of ``values`` that so many percent are no more than.

    So that of several runs together is never outside those of each.
    """
    return float(numpy.percentile(values, percent, method="inverted_cdf"))


def over(runs: Sequence[Run], measure: Callable[[Run], float]) -> Optional[Spread]:
    """Summarise ``measure``; None where no run has what it needs."""
    values = []
    for run in runs:
        try:
            values.append(measure(run))
        except KeyError:
            continue
    if not values:
        return None
    pooled = measure.pooled(runs) if isinstance(measure, Figure) else None
    return spread(values) if pooled is None else spread(values)._replace(middle=pooled)


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


def _cell(runs: Sequence[Run], stack: str, workload: str, numbers: Mapping[str, str]) -> str:
    """Give all the numbers of a stack's workload, a line for each."""
    found = {said: over(runs, of(stack, workload, number)) for number, said in numbers.items()}
    return "\n".join(said.format(figure) for said, figure in found.items() if figure)


def tables(runs: Sequence[Run], stacks: Sequence[str], about: About) -> list[Table]:
    """Give the tables that are not empty: targets, those with many numbers, and figures."""
    asked, measured = ("target", "asked", "measured", "least to most", "beside", ""), ("", *stacks)
    found = [
        Table("targets", asked, list(verdicts(runs, stacks, about.targets))),
        *(Table(rows.title, measured, list(_lines(runs, stacks, rows))) for rows in about.rows),
        Table("figures", measured, list(figures(runs, stacks, about.shown))),
    ]
    return [table for table in found if table.lines]


def _lines(runs: Sequence[Run], stacks: Sequence[str], rows: Rows) -> Iterator[Line]:
    """Give a line for each workload of which there is a number."""
    for name, workload in rows.workloads.items():
        cells = [_cell(runs, stack, workload, rows.numbers) for stack in stacks]
        if any(cells):
            yield (name, *cells)


def text_table(table: Table) -> str:
    """Give an aligned table for a terminal."""
    lines = [
        cells
        for line in (table.head, *table.lines)
        for cells in zip_longest(*(cell.split("\n") for cell in line), fillvalue="")
    ]
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
        for line in lines
    )


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
