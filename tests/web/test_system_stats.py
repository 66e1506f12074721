"""The machine's statistics: arithmetic between two samples, and who waits for them."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from kasmd.http.query import Query
from kasmd.viewer.worker import InlineWorker
from kasmd.web import proc
from kasmd.web.proc import Cpu, Disk, Group, Memory
from kasmd.web.system_stats import FIRST, FRESH, STALE, Sample, SystemStats, document, read_file
from tests.web.owner import Served

HOST = Memory(1000, 300, 200)
BEFORE = Sample(
    10.0, Cpu(1000, 500, 10), 4, HOST, {"vda": Disk(100, 200)}, Group(1_000_000)
)
SECTIONS = {
    "cpu": [
        "usage_percent", "has_cgroup_usage", "cgroup_usage_percent", "cgroup_available_percent",
        "cgroup_effective_cores", "cgroup_usage_usec", "cgroup_user_usec", "cgroup_system_usec",
    ],
    "memory": ["total", "free", "cached", "used"],
    "cgroup": [
        "has_mem_limit", "mem_limit", "has_cpu_limit", "cpu_limit_cores", "has_cpu_weight",
        "cpu_weight", "has_cpu_affinity", "cpu_affinity",
    ],
    "cpu_throttling": [
        "available", "has_throttling", "nr_periods", "nr_throttled", "throttled_usec",
        "throttled_percent",
    ],
}
DISK = ["bytes_read", "bytes_read_per_sec", "bytes_written", "bytes_written_per_sec", "iowait"]


def test_two_seconds() -> None:
    now = Sample(
        12.0, Cpu(1200, 550, 30), 4, HOST, {"vda": Disk(1100, 200), "vdb": Disk(5, 6)},
        Group(3_000_000, 7, 8, 2.0, 100, "0-1", Memory(900, 500, 100), 10, 4, 55),
    )
    value: Any = document(BEFORE, now)
    assert value["cpu"] == {
        "usage_percent": 75.0, "has_cgroup_usage": True, "cgroup_usage_percent": 50.0,
        "cgroup_available_percent": 50.0, "cgroup_effective_cores": 2.0,
        "cgroup_usage_usec": 3_000_000, "cgroup_user_usec": 7, "cgroup_system_usec": 8,
    }
    assert value["memory"] == {"total": 900, "free": 500, "cached": 100, "used": 300}
    assert value["cgroup"] == {
        "has_mem_limit": True, "mem_limit": 900, "has_cpu_limit": True, "cpu_limit_cores": 2.0,
        "has_cpu_weight": True, "cpu_weight": 100, "has_cpu_affinity": True,
        "cpu_affinity": "0-1",
    }
    assert value["cpu_throttling"] == {
        "available": True, "has_throttling": True, "nr_periods": 10, "nr_throttled": 4,
        "throttled_usec": 55, "throttled_percent": 40.0,
    }
    assert value["io_stats"] == {
        "vda": dict(zip(DISK, (1100, 500, 200, 0, 10.0))),
        "vdb": dict(zip(DISK, (5, 0, 6, 0, 10.0))),
    }


def test_without_a_group_and_without_time() -> None:
    value: Any = document(BEFORE, BEFORE._replace(group=Group()))
    assert value["cpu"]["usage_percent"] == 0 and value["cpu"]["has_cgroup_usage"] is False
    assert value["cpu"]["cgroup_effective_cores"] == 4.0
    assert value["memory"]["used"] == 500 and value["cgroup"]["has_mem_limit"] is False
    json.dumps(value, allow_nan=False)


def test_counters_that_went_back() -> None:
    value: Any = document(BEFORE, BEFORE._replace(
        at=11.0, cpu=Cpu(900, 600, 0), disks={"vda": Disk(1, 1)}, group=Group(1)
    ))
    assert value["cpu"]["cgroup_usage_percent"] == 0.0
    assert value["io_stats"]["vda"]["bytes_read_per_sec"] == 0


class SamplingTests(TestCase):
    """Nothing is read unasked, and nothing twice in a second."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.read: list[str] = []

        def read(path: str) -> str:
            self.read.append(path)
            return read_file(path)

        self.stats = SystemStats(self.clock, InlineWorker(), read, self.clock.seconds)
        self.answers: list[Any] = []

    def ask(self) -> None:
        self.stats.get(None, Query(b"")).addCallback(self.answers.append)  # type: ignore

    def looks(self) -> int:
        return self.read.count("/proc/stat")

    def test_the_first_waits_for_a_second_look(self) -> None:
        self.ask()
        self.ask()
        self.assertEqual((self.looks(), self.answers), (1, []))
        self.clock.advance(FIRST)
        self.assertEqual((self.looks(), len(self.answers)), (2, 2))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_same_for_a_second_then_another(self) -> None:
        self.ask()
        self.clock.advance(FIRST)
        self.clock.advance(FRESH / 2)
        self.ask()
        self.assertEqual(self.looks(), 2)
        self.assertEqual(self.answers[0].body, self.answers[1].body)
        self.clock.advance(FRESH)
        self.ask()
        self.assertEqual((self.looks(), len(self.answers)), (3, 3))
        self.clock.advance(STALE)
        self.ask()
        self.assertEqual((self.looks(), len(self.answers)), (4, 3))
        self.clock.advance(FIRST)
        self.assertEqual((self.looks(), len(self.answers)), (5, 4))


def test_what_cannot_be_read_is_empty() -> None:
    assert read_file("/proc/no/such") == ""
    assert proc.cpu(read_file("/proc/stat")).total > 0


class PortTests(Served, TestCase):
    """The real machine."""

    async def test_the_shape(self) -> None:
        answer = await self.get("system/stats")
        self.assertEqual((answer.status, answer.type), (200, "text/json"))
        self.assertIn(b'\n\t"cpu": {\n\t\t"', answer.body)
        value = answer.json
        self.assertEqual(list(value), [*SECTIONS, "io_stats"])
        for section, keys in SECTIONS.items():
            self.assertEqual(list(value[section]), keys)
        for disk in value["io_stats"].values():
            self.assertEqual(list(disk), DISK)
        self.assertGreater(value["memory"]["total"], 0)
