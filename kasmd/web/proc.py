"""What Linux tells of the machine and of our control group, as text to numbers.

Everything is read through a `Read`; a file that is not there, or says something
else than it should, leaves its values unknown.
"""

from __future__ import annotations

import re
from typing import Callable, Iterable, Mapping, NamedTuple, Optional

#: Gives the text of a file, or an empty one where it cannot be read.
Read = Callable[[str], str]

_GROUPS = "/sys/fs/cgroup"
#: USER_HZ, in which the kernel tells times to programs, is 100 on every Linux.
_TICK_USEC = 10_000
#: Control group 1 says "no limit" with a number near the largest.
_NO_LIMIT = 1 << 60
_SECTOR = 512
_PSEUDO = ("loop", "ram", "zram", "dm-")
_PARTITION = re.compile(r"(nvme.*|mmcblk.*)p[0-9]+|((?!nvme|mmcblk).*?[^0-9])[0-9]+")


class Cpu(NamedTuple):
    """Ticks of all processors since the start."""

    total: int = 0
    idle: int = 0
    waiting: int = 0


class Memory(NamedTuple):
    """Bytes."""

    total: int = 0
    free: int = 0
    cached: int = 0

    @property
    def used(self) -> int:
        return max(self.total - self.free - self.cached, 0)


class Disk(NamedTuple):
    """Bytes since the start."""

    read: int
    written: int


class Group(NamedTuple):
    """Our control group; None is what is not known, or not limited."""

    usage_usec: Optional[int] = None
    user_usec: int = 0
    system_usec: int = 0
    cores: Optional[float] = None
    weight: Optional[int] = None
    affinity: str = ""
    memory: Optional[Memory] = None
    periods: Optional[int] = None
    throttled: int = 0
    throttled_usec: int = 0


def cpu(text: str) -> Cpu:
    """Read /proc/stat (proc_stat(5))."""
    for line in text.splitlines():
        name, *fields = line.split() or [""]
        # What guests use is in user and nice already.
        ticks = [_number(field) or 0 for field in fields[:8]]
        if name == "cpu" and len(ticks) >= 5:
            return Cpu(sum(ticks), ticks[3], ticks[4])
    return Cpu()


def cores(text: str) -> int:
    """Count the processors in /proc/stat."""
    return max(1, len(re.findall("^cpu[0-9]", text, re.MULTILINE)))


def memory(text: str) -> Memory:
    """Read /proc/meminfo (proc_meminfo(5))."""
    found = {name: value * 1024 for name, value in table(text.replace(":", " ")).items()}
    cached = found.get("Cached", 0) + found.get("Buffers", 0) + found.get("SReclaimable", 0)
    return Memory(found.get("MemTotal", 0), found.get("MemFree", 0), cached)


def disks(text: str) -> dict[str, Disk]:
    """Read /proc/diskstats: whole disks, and no memory that looks like one."""
    found: dict[str, Disk] = {}
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < 10 or fields[2].startswith(_PSEUDO):
            continue
        read, written = _number(fields[5]), _number(fields[9])
        if read is not None and written is not None:
            found[fields[2]] = Disk(read * _SECTOR, written * _SECTOR)
    return {name: disk for name, disk in found.items() if _parent(name) not in found}


def table(text: str) -> dict[str, int]:
    """Read lines that begin with a name and a number."""
    found = {}
    for line in text.splitlines():
        name, value, *_ = [*line.split(), "", ""]
        number = _number(value)
        if number is not None:
            found[name] = number
    return found


def processors(affinity: str) -> int:
    """Count what a list such as ``0-3,8`` names; 0 where it is none."""
    count = 0
    for part in affinity.split(",") if affinity else ():
        first, _, last = part.partition("-")
        low, high = _number(first), _number(last or first)
        if low is None or high is None or high < low:
            return 0
        count += high - low + 1
    return count


def group(read: Read) -> Group:
    """Read our control group, of version 2 or 1 (cgroups(7))."""
    if read(f"{_GROUPS}/cgroup.controllers"):
        return _group_2(_Files(read, _place(read, "")))
    return _group_1(read)


class _Files:
    """The files of one group; a container's own group may be mounted as the root."""

    def __init__(self, read: Read, places: Iterable[str]) -> None:
        self._read = read
        self._places = tuple(places)

    def text(self, name: str) -> str:
        return next(filter(None, (self._read(f"{place}/{name}") for place in self._places)), "")

    def number(self, name: str) -> Optional[int]:
        return _number(self.text(name).strip())

    def table(self, name: str) -> Mapping[str, int]:
        return table(self.text(name))


def _place(read: Read, controller: str) -> tuple[str, str]:
    """Give where the files of a controller may be, the likelier first."""
    root = f"{_GROUPS}/{controller}".rstrip("/")
    for line in read("/proc/self/cgroup").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controller in controllers.split(",") and ".." not in path:
            return root + path.rstrip("/"), root
    return root, root


def _group_2(files: _Files) -> Group:
    stat, kept = files.table("cpu.stat"), files.table("memory.stat")
    quota, period = [*files.text("cpu.max").split(), "", ""][:2]
    return Group(
        stat.get("usage_usec"),
        stat.get("user_usec", 0),
        stat.get("system_usec", 0),
        _cores(_number(quota), _number(period)),
        files.number("cpu.weight"),
        files.text("cpuset.cpus.effective").strip(),
        _limited(files.number("memory.max"), files.number("memory.current"), kept.get("file", 0)),
        stat.get("nr_periods"),
        stat.get("nr_throttled", 0),
        stat.get("throttled_usec", 0),
    )


def _group_1(read: Read) -> Group:
    names = "cpu", "cpuacct", "memory", "cpuset"
    cpus, account, held, sets = (_Files(read, _place(read, name)) for name in names)
    usage, ticks = account.number("cpuacct.usage"), account.table("cpuacct.stat")
    stat, kept = cpus.table("cpu.stat"), held.table("memory.stat")
    limit = held.number("memory.limit_in_bytes")
    return Group(
        None if usage is None else usage // 1000,
        ticks.get("user", 0) * _TICK_USEC,
        ticks.get("system", 0) * _TICK_USEC,
        _cores(cpus.number("cpu.cfs_quota_us"), cpus.number("cpu.cfs_period_us")),
        cpus.number("cpu.shares"),
        sets.text("cpuset.cpus").strip(),
        _limited(limit, held.number("memory.usage_in_bytes"), kept.get("total_cache", 0)),
        stat.get("nr_periods"),
        stat.get("nr_throttled", 0),
        stat.get("throttled_time", 0) // 1000,
    )


def _cores(quota: Optional[int], period: Optional[int]) -> Optional[float]:
    return quota / period if quota and period else None


def _limited(limit: Optional[int], used: Optional[int], cached: int) -> Optional[Memory]:
    if limit is None or limit >= _NO_LIMIT or used is None:
        return None
    return Memory(limit, max(limit - used, 0), min(cached, used))


def _parent(name: str) -> Optional[str]:
    match = _PARTITION.fullmatch(name)
    return None if match is None else match[1] or match[2]


def _number(text: str) -> Optional[int]:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else None
