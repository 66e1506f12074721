"""docs/bench.rst has all that was measured, and each suite its own place."""

from __future__ import annotations

from bench.page import page, rst, rst_table
from bench.report import About, Rows, Run, Table
from bench.targets import DESKTOP, LINKS

STACKS = ("kasmd", "tigervnc")
RUN: Run = {
    "kasmd": {"latency": {"p50_ms": 1, "p99_ms": 2, "lost": 0}},
    "tigervnc": {"latency": {"p50_ms": 10, "p99_ms": 20, "lost": 0}},
}
RUNS = [RUN, RUN, RUN]


def test_workloads_of_fewer_runs_are_named() -> None:
    runs = [{"kasmd": {**RUN["kasmd"], "idle": {"cpu": 0.1}}}, *RUNS[1:]]
    text = rst(runs, STACKS, {}, DESKTOP)
    assert "Medians of 3 runs (least to most); of fewer runs: idle (1).\n" in text
    assert "Medians of 3 runs (least to most).\n" in rst(RUNS, STACKS, {}, DESKTOP)


def test_a_workload_of_a_row_is_named_where_it_is_of_fewer_runs() -> None:
    workload = next(iter(LINKS.workloads.values()))
    runs = [{"kasmd": {workload: {"p50_ms": 1}}}, *RUNS]
    assert f"of fewer runs: latency (3), {workload} (1).\n" in rst(runs, STACKS, {}, DESKTOP)


def test_a_cell_of_several_lines_is_a_block_of_lines() -> None:
    text = rst_table(Table("", ("", "a", "b"), [("x", "1\n22", "")]))
    assert text.endswith("   * - x\n     - | 1\n       | 22\n     -\n")


def test_the_page_has_every_line_and_the_machine() -> None:
    text = rst(RUNS, STACKS, {"kernel": "6.1"}, DESKTOP)
    assert "   * - latency: p50, of the better rival's\n     - at most 0.4\n" in text
    assert ".. image:: bench-desktop-latency.svg\n   :alt: Milliseconds" in text
    assert ":kernel: 6.1" in text


def test_a_suite_takes_its_own_place_on_the_page() -> None:
    one, two = (About(name, name, "", (), {}) for name in ("one", "two"))
    first = page(page("", two, "old two"), one, "the one")
    again = page(first, two, "new two")
    assert "old two" not in again
    assert again.index(".. _bench-one:\n\nthe one") < again.index(".. _bench-two:\n\nnew two")
    assert page(again, two, "new two") == again


def test_what_has_rows_has_a_heading() -> None:
    rows = Rows("links", {"thin": "latency"}, {"lost": "{}"})
    about = About("one", "One", "", (), {}, rows=(rows,))
    text = rst(RUNS, STACKS, {}, about)
    assert "One: links\n~~~~~~~~~~\n\n.. list-table::" in text
    assert "   * - thin\n     - 0 (0 to 0)\n     - 0 (0 to 0)\n" in text
