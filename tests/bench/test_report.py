"""Verdicts are taken from ratios within a run, and missing numbers are left out."""

from __future__ import annotations

from bench.report import (
    About,
    Run,
    Scaled,
    Spread,
    Target,
    figures,
    of,
    over,
    page,
    rst,
    share,
    spread,
    verdicts,
)
from bench.targets import DESKTOP, SHOWN, TARGETS


def run(ours: float, theirs: float, p99: float) -> Run:
    """Make a run of the latency workload alone."""
    return {
        "kasmd": {"latency": {"p50_ms": ours, "p99_ms": p99, "lost": 0}},
        "tigervnc": {"latency": {"p50_ms": theirs, "p99_ms": 2 * theirs, "lost": 0}},
    }


RUNS = [run(1, 10, 2), run(3, 20, 12), run(9, 10, 18)]
STACKS = ("kasmd", "tigervnc")


def test_a_ratio_is_taken_within_each_run() -> None:
    assert over(RUNS, share("latency", "p50_ms")) == Spread(0.15, 0.1, 0.9)


def test_a_share_is_of_the_best_rival_that_was_measured() -> None:
    both = {**RUNS[0], "kasmvnc": {"latency": {"p50_ms": 5, "p99_ms": 9, "lost": 0}}}
    assert share("latency", "p50_ms")(both) == 0.2
    assert share("latency", "p50_ms", "tigervnc")(both) == 0.1
    assert over(RUNS, share("latency", "p50_ms", "kasmvnc")) is None


def test_a_scaled_number_is_as_on_a_machine_of_the_usual_speed() -> None:
    slow = Scaled("latency", "p50_ms", of("tigervnc", "latency", "p50_ms"), usual=5)
    assert over(RUNS, slow) == Spread(0.75, 0.5, 4.5)
    assert over([{"kasmd": RUNS[0]["kasmd"]}], slow) is None


def test_the_median_decides() -> None:
    beside = "kasmd 3, tigervnc 10"
    assert list(verdicts(RUNS, STACKS, TARGETS)) == [
        ("latency: p50, of the better rival's", "at most 0.4", "0.15", "0.1 to 0.9", beside, "met"),
        ("latency: p50, ms", "at most 2", "3", "1 to 9", "tigervnc 10", "missed"),
        ("latency: p99, ms", "at most 5", "12", "2 to 18", "tigervnc 20", "missed"),
        ("latency: p99, of our p50", "at most 3", "2", "2 to 4", "", "met"),
    ]
    assert [line[-1] for line in verdicts(RUNS[:1], STACKS, TARGETS)] == ["met"] * 4


def test_what_a_rival_is_absent_for_is_said_so() -> None:
    targets = [Target("bytes", share("latency", "p50_ms", "kasmvnc"), 1.0),
               Target("other bytes", share("video", "kib", "kasmvnc"), 1.0)]
    assert list(verdicts(RUNS, STACKS, targets)) == [
        ("bytes", "at most 1", "", "", "kasmd 3, tigervnc 10", "not measured"),
    ]


def test_workloads_of_fewer_runs_are_named() -> None:
    runs = [{"kasmd": {**RUNS[0]["kasmd"], "idle": {"cpu": 0.1}}}, *RUNS[1:]]
    text = rst(runs, STACKS, {}, DESKTOP)
    assert "Medians of 3 runs (least to most); of fewer runs: idle (1).\n" in text
    assert "Medians of 3 runs (least to most).\n" in rst(RUNS, STACKS, {}, DESKTOP)


def test_at_least_is_not_at_most() -> None:
    target = next(target for target in TARGETS if target.at_least)
    above, below = (Spread(target.limit + by, 0, 9e9) for by in (1, -1))
    assert target.met(above) and not target.met(below)


def test_one_bad_run_decides_where_every_run_is_to_be_good() -> None:
    target = next(target for target in TARGETS if target.every_run)
    assert target.met(spread([0, 0, 0])) and not target.met(spread([0, 0, 4]))


def test_a_stack_without_a_number_leaves_its_cell_empty() -> None:
    lines = list(figures([{"kasmd": {"memory": {"pss_mib": 5}}}], ("kasmd", "x11vnc"), SHOWN))
    assert lines == [("memory: pss mib", "5 (5 to 5)", "")]


def test_spread_of_an_even_number_of_runs() -> None:
    assert spread([4, 1, 3, 2]) == Spread(2.5, 1, 4)


def test_the_page_has_every_line_and_the_machine() -> None:
    text = rst(RUNS, ("kasmd", "tigervnc"), {"kernel": "6.1"}, DESKTOP)
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
