"""Verdicts are taken from ratios within a run, and missing numbers are left out."""

from __future__ import annotations

from bench.report import (
    PRESSED,
    About,
    Rows,
    Run,
    Scaled,
    Spread,
    Table,
    Target,
    figures,
    of,
    ours,
    over,
    percentile,
    share,
    spread,
    tables,
    text_table,
    verdicts,
)
from bench.targets import SHOWN, TARGETS


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


def pressed(*presses: float) -> Run:
    """Make a run of some key presses over a link."""
    found = {"p95_ms": percentile(presses, 95), "kib_per_s": len(presses), PRESSED: presses}
    return {"kasmd": {"far": found}}


def test_a_percentile_is_of_the_presses_of_all_runs() -> None:
    one, other = [10.0] * 18 + [100.0, 100.0], [20.0] * 20
    runs = [pressed(*one), pressed(*other)]
    assert over(runs, ours("far", "p95_ms")) == Spread(20, 20, 100)
    assert over(runs, ours("far", "kib_per_s")) == Spread(20, 20, 20)
    assert over(runs, Scaled("far", "p95_ms", ours("far", "kib_per_s"), 20)) == Spread(60, 20, 100)


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(number) for number in range(1, 101)]
    assert [percentile(values, percent) for percent in (50, 95, 100)] == [50, 95, 100]
    assert percentile([7.0], 95) == 7


def test_all_numbers_of_a_workload_are_in_one_cell() -> None:
    rows = Rows("links", {"a thin one": "far", "another": "farther"},
                {"p95_ms": "p95 {} ms", "ssim": "SSIM {}", "kib_per_s": "{} KiB/s"})
    about = About("one", "One", "", (), {}, rows=(rows,))
    told = "p95 5 (5 to 5) ms\n2 (2 to 2) KiB/s"
    found = Table("links", ("", *STACKS), [("a thin one", told, "")])
    assert tables([pressed(5, 5)], STACKS, about) == [found]


def test_a_cell_has_as_many_lines_as_it_needs() -> None:
    table = Table("", ("", "a", "b"), [("x", "1\n22", "3"), ("y", "", "4")])
    assert text_table(table).split("\n") == ["   a   b", "x  1   3", "   22", "y      4"]
