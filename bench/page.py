"""What was measured, as docs/bench.rst."""

from __future__ import annotations

import re
from typing import Mapping, Sequence

from bench.report import OURS, About, Plot, Run, Table, tables

_LABEL = re.compile(r"^\.\. _bench-(\w+):\n", re.MULTILINE)
_PAGE = """\
The benchmark
=============

Written by ``./dev bench --write`` from what ``./dev bench`` and ``./dev bench edge`` measured;
``bench/`` says how, ``bench/results`` has each run.
Each ratio is taken within one run.

"""


def rst_table(table: Table) -> str:
    """Give a list-table of reStructuredText."""
    rows = (map(_cell, line) for line in (table.head, *table.lines))
    listed = ("   * -" + "\n     -".join(cells) for cells in rows)
    return ".. list-table::\n   :header-rows: 1\n\n" + "\n".join(listed) + "\n"


def _cell(text: str) -> str:
    """Give one cell; several lines are a block of lines."""
    if "\n" in text:
        text = "\n       ".join(f"| {line}" for line in text.split("\n"))
    return f" {text}".rstrip()


def rst(
    runs: Sequence[Run], stacks: Sequence[str], machine: Mapping[str, str], about: About
) -> str:
    """Give the part of docs/bench.rst that is about one suite."""
    return "\n".join(
        (
            _heading(about.title, "-"),
            about.text,
            f"Medians of {len(runs)} runs (least to most){_fewer(runs, about)}.\n",
            *(_image(about, name, plot) for name, plot in about.plots.items()),
            *(
                _heading(f"{about.title}: {table.title}", "~") + "\n" + rst_table(table)
                for table in tables(runs, stacks, about)
            ),
            _heading(f"{about.title}: the machine", "~"),
            *(f":{name}: {value}" for name, value in machine.items()),
            "",
        )
    )


def _fewer(runs: Sequence[Run], about: About) -> str:
    """Give which workloads were measured in some of the runs only."""
    shown = [*about.shown, *(name for rows in about.rows for name in rows.workloads.values())]
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
