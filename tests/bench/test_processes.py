"""A process tree is found, costs are seen, and nothing is left behind."""

from __future__ import annotations

import os
from pathlib import Path

from bench.processes import cpu_seconds, descriptors, pss_mib, start, stop, tree


def test_a_family_is_ended_whole(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    parent = start(["sh", "-c", f"sleep 60 & echo > {ready}; wait"], tmp_path / "log")
    ready.read_text()
    family = tree([parent.pid])
    assert len(family) == 2
    assert pss_mib(family) > 0
    stop(parent)
    assert tree([parent.pid]) == [parent.pid]
    assert pss_mib(family) == 0


def test_what_we_have_open_is_counted(tmp_path: Path) -> None:
    before = descriptors([os.getpid()])
    with (tmp_path / "a").open("w"), (tmp_path / "b").open("w"):
        assert descriptors([os.getpid()]) == before + 2
    assert descriptors([os.getpid()]) == before


def test_our_own_cpu_time_grows_by_what_the_system_counts() -> None:
    before, system = cpu_seconds([os.getpid()]), sum(os.times()[:2])
    while sum(os.times()[:2]) < system + 0.1:
        pass
    assert 0.05 < cpu_seconds([os.getpid()]) - before < 0.5
