"""The machine's load and our share of it, as KasmVNC tells them.

-> GET /api/system/stats

Nothing is read while nobody asks; who asks often gets the same for a second.
"""

from __future__ import annotations

import json
import time
from typing import Any, Callable, NamedTuple, Optional

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from kasmd.http.query import Query
from kasmd.http.server import Request, Response
from kasmd.interfaces import IWorker
from kasmd.web import proc
from kasmd.web.kasmvnc_says import TEXT_JSON

#: Seconds for which one answer is good.
FRESH = 1.0
#: A sample older than this says nothing of now.
STALE = 30.0
#: Seconds between two samples where there is none to compare with.
FIRST = 0.1
#: Bytes of a file that are read.
MAX_FILE = 1 << 18


class Sample(NamedTuple):
    """All that is counted, at one time (seconds of any clock)."""

    at: float
    cpu: proc.Cpu
    cores: int
    memory: proc.Memory
    disks: dict[str, proc.Disk]
    group: proc.Group


class SystemStats:
    """Samples on ``worker``, through ``read``."""

    def __init__(self, reactor: IReactorTime, worker: IWorker,
                 read: Optional[proc.Read] = None,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._reactor = reactor
        self._worker = worker
        self._read = read or read_file
        self._clock = clock
        self._last: Optional[Sample] = None
        self._report = ""
        self._waiting: Optional[list[Deferred[str]]] = None

    def get(self, request: Request, query: Query) -> Deferred[Response]:
        """Answer with the statistics of the time since somebody asked last."""
        return self.report().addCallback(_answered)

    def report(self) -> Deferred[str]:
        """Give them as JSON."""
        answer: Deferred[str] = Deferred()
        if self._waiting is not None:
            self._waiting.append(answer)
        else:
            self._waiting = [answer]
            Deferred.fromCoroutine(self._refresh()).addBoth(self._answer)
        return answer

    async def _refresh(self) -> str:
        age = STALE if self._last is None else self._clock() - self._last.at
        if age >= FRESH:
            if self._last is None or age >= STALE:
                self._last = await self._sample()
                await deferLater(self._reactor, FIRST)
            before, self._last = self._last, await self._sample()
            value = document(before, self._last)
            self._report = json.dumps(value, indent="\t", allow_nan=False) + "\n"
        return self._report

    async def _sample(self) -> Sample:
        taken: Sample = await self._worker.do(sample, self._read, self._clock)
        return taken

    def _answer(self, result: Any) -> None:
        waiting, self._waiting = self._waiting or [], None
        for each in waiting:
            each.callback(result)


def _answered(report: str) -> Response:
    return Response(200, (TEXT_JSON, (b"Cache-Control", b"no-store")), report.encode("ascii"))


def sample(read: proc.Read, clock: Callable[[], float]) -> Sample:
    """Read all that is counted."""
    stat = read("/proc/stat")
    return Sample(
        clock(),
        proc.cpu(stat),
        proc.cores(stat),
        proc.memory(read("/proc/meminfo")),
        proc.disks(read("/proc/diskstats")),
        proc.group(read),
    )


def document(before: Sample, now: Sample) -> dict[str, object]:
    """Give the statistics of the time between two samples."""
    group, memory = now.group, now.group.memory or now.memory
    ticks = now.cpu.total - before.cpu.total
    return {
        "cpu": _cpu(before, now, ticks),
        "memory": {
            "total": memory.total, "free": memory.free, "cached": memory.cached,
            "used": memory.used,
        },
        "cgroup": {
            "has_mem_limit": group.memory is not None,
            "mem_limit": group.memory.total if group.memory is not None else 0,
            "has_cpu_limit": group.cores is not None,
            "cpu_limit_cores": group.cores or 0.0,
            "has_cpu_weight": group.weight is not None,
            "cpu_weight": group.weight or 0,
            "has_cpu_affinity": bool(group.affinity),
            "cpu_affinity": group.affinity,
        },
        "cpu_throttling": {
            "available": group.periods is not None,
            "has_throttling": group.throttled > 0,
            "nr_periods": group.periods or 0,
            "nr_throttled": group.throttled,
            "throttled_usec": group.throttled_usec,
            "throttled_percent": _percent(group.throttled, group.periods or 0),
        },
        "io_stats": _disks(before, now, _percent(now.cpu.waiting - before.cpu.waiting, ticks)),
    }


def _cpu(before: Sample, now: Sample, ticks: int) -> dict[str, object]:
    group = now.group
    cores = group.cores or float(proc.processors(group.affinity) or now.cores)
    used = (group.usage_usec or 0) - (before.group.usage_usec or 0)
    usage = _percent(used, (now.at - before.at) * 1e6 * cores)
    known = group.usage_usec is not None
    return {
        "usage_percent": _percent(ticks - (now.cpu.idle - before.cpu.idle), ticks),
        "has_cgroup_usage": known,
        "cgroup_usage_percent": usage if known else 0.0,
        "cgroup_available_percent": round(100 - usage, 1) if known else 0.0,
        "cgroup_effective_cores": cores,
        "cgroup_usage_usec": group.usage_usec or 0,
        "cgroup_user_usec": group.user_usec,
        "cgroup_system_usec": group.system_usec,
    }


def _disks(before: Sample, now: Sample, waiting: float) -> dict[str, object]:
    seconds = max(now.at - before.at, 1e-3)
    found: dict[str, object] = {}
    for name, disk in now.disks.items():
        earlier = before.disks.get(name, disk)
        found[name] = {
            "bytes_read": disk.read,
            "bytes_read_per_sec": round(max(disk.read - earlier.read, 0) / seconds),
            "bytes_written": disk.written,
            "bytes_written_per_sec": round(max(disk.written - earlier.written, 0) / seconds),
            "iowait": waiting,
        }
    return found


def _percent(part: float, whole: float) -> float:
    """Give a share from 0 to 100, to a tenth; 0 of nothing."""
    return round(min(max(100 * part / whole, 0.0), 100.0), 1) if whole > 0 else 0.0


def read_file(path: str) -> str:
    """Give the text of a file of /proc or /sys, or an empty one."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(MAX_FILE)
    except OSError:
        return ""
