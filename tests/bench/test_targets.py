"""What people are shown is measured; what is measured over a link is shown."""

from __future__ import annotations

from bench import links
from bench.__main__ import DESKTOP
from bench.targets import LINKS, PLOTS, SHOWN


def test_every_workload_over_a_link_has_its_row() -> None:
    assert sorted(LINKS.workloads.values()) == sorted(links.WORKLOADS)


def test_what_is_shown_is_measured() -> None:
    drawn = {workload for plot in PLOTS.values() for _name, workload, _number in plot.bars}
    assert {*SHOWN, *drawn} <= set(DESKTOP.workloads)


def test_each_workload_goes_over_each_link() -> None:
    for workload in ("typing", "scroll", "drag", "browser", "video", "full"):
        assert {workload + link for link in ("20m", "2m", "56k")} <= set(links.WORKLOADS)
