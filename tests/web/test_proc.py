"""Samples of Linux's own texts, read as what they mean; of anything else, nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.web import proc
from kasmd.web.proc import Cpu, Disk, Group, Memory

STAT = """\
cpu  188810 21817 39736 745443 2777 3 1272 401 50 0
cpu0 82123 12291 18487 385841 542 0 535 176 0 0
cpu1 106686 9526 21248 359601 2235 0 736 224 0 0
intr 12345
"""
MEMINFO = """\
MemTotal:       1000 kB
MemFree:         200 kB
MemAvailable:    700 kB
Buffers:          10 kB
Cached:          300 kB
SReclaimable:     20 kB
HugePages_Total:   0
"""
DISKSTATS = """\
   7       0 loop0 1 0 8 0 0 0 0 0 0 0 0
 254       0 vda 188554 25921 10662370 272009 70419 74432 6134320 34784 0 43844 312323 23492 53
 254       1 vda1 100 0 800 0 50 0 400 0 0 0 0
 253       0 zram0 9 0 9 0 0 0 9 0 0 0 0
 253       1 dm-0 9 0 9 0 0 0 9 0 0 0 0
   1       0 ram0 9 0 9 0 0 0 9 0 0 0 0
 259       0 nvme0n1 1 0 10 0 1 0 20 0 0 0 0
 259       1 nvme0n1p2 1 0 10 0 1 0 20 0 0 0 0
   8       1 sdb1 1 0 1 0 1 0 2 0 0 0 0
"""
V2 = {
    "/proc/self/cgroup": "0::/user.slice/kasmd.service\n",
    "/sys/fs/cgroup/cgroup.controllers": "cpu memory\n",
    "/sys/fs/cgroup/user.slice/kasmd.service/cpu.stat": (
        "usage_usec 900\nuser_usec 600\nsystem_usec 300\nnr_periods 10\nnr_throttled 4\n"
        "throttled_usec 55\n"
    ),
    "/sys/fs/cgroup/user.slice/kasmd.service/cpu.max": "150000 100000\n",
    "/sys/fs/cgroup/user.slice/kasmd.service/cpu.weight": "100\n",
    "/sys/fs/cgroup/user.slice/kasmd.service/cpuset.cpus.effective": "0-1,4\n",
    "/sys/fs/cgroup/user.slice/kasmd.service/memory.max": "1000000\n",
    "/sys/fs/cgroup/user.slice/kasmd.service/memory.current": "400000\n",
    "/sys/fs/cgroup/user.slice/kasmd.service/memory.stat": "anon 1\nfile 100000\n",
}
V1 = {
    "/proc/self/cgroup": "4:memory:/box\n2:cpuacct:/\n1:cpu,other:/\n3:cpuset:/../up\n0::/\n",
    "/sys/fs/cgroup/cpuacct/cpuacct.usage": "3000000\n",
    "/sys/fs/cgroup/cpuacct/cpuacct.stat": "user 2\nsystem 1\n",
    "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000\n",
    "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    "/sys/fs/cgroup/cpu/cpu.shares": "1024\n",
    "/sys/fs/cgroup/cpu/cpu.stat": "nr_periods 8\nnr_throttled 2\nthrottled_time 7000\n",
    "/sys/fs/cgroup/cpuset/cpuset.cpus": "0-3\n",
    "/sys/fs/cgroup/memory/box/memory.limit_in_bytes": "9223372036854771712\n",
    "/sys/fs/cgroup/memory/box/memory.usage_in_bytes": "5000\n",
}


def reader(files: dict[str, str]) -> proc.Read:
    return lambda path: files.get(path, "")


def test_processors() -> None:
    assert proc.cpu(STAT) == Cpu(1000259, 745443, 2777)
    assert proc.cores(STAT) == 2
    assert proc.cores("") == 1


def test_memory() -> None:
    found = proc.memory(MEMINFO)
    assert found == Memory(1000 * 1024, 200 * 1024, 330 * 1024) and found.used == 470 * 1024


def test_disks() -> None:
    assert proc.disks(DISKSTATS) == {
        "vda": Disk(10662370 * 512, 6134320 * 512),
        "nvme0n1": Disk(5120, 10240),
        "sdb1": Disk(512, 1024),
    }


def test_version_2() -> None:
    assert proc.group(reader(V2)) == Group(
        900, 600, 300, 1.5, 100, "0-1,4", Memory(1000000, 600000, 100000), 10, 4, 55
    )


def test_version_2_in_a_container_and_without_limits() -> None:
    root = {path.replace("user.slice/kasmd.service/", ""): text for path, text in V2.items()}
    root["/sys/fs/cgroup/cpu.max"] = "max 100000\n"
    root["/sys/fs/cgroup/memory.max"] = "max\n"
    found = proc.group(reader(root))
    assert (found.usage_usec, found.cores, found.memory) == (900, None, None)


def test_version_1() -> None:
    assert proc.group(reader(V1)) == Group(
        3000, 20000, 10000, 0.5, 1024, "0-3", None, 8, 2, 7
    )
    limited = {
        **V1,
        "/sys/fs/cgroup/memory/box/memory.limit_in_bytes": "8000\n",
        "/sys/fs/cgroup/memory/box/memory.stat": "cache 1\ntotal_cache 9999\n",
        "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
    }
    found = proc.group(reader(limited))
    assert found.memory == Memory(8000, 3000, 5000) and found.cores is None


def test_no_group() -> None:
    assert proc.group(reader({})) == Group()


@pytest.mark.parametrize(
    "text, count",
    [("0-3,8", 5), ("7", 1), ("", 0), ("3-1", 0), ("a", 0), ("0-", 1), ("0,,1", 0)],
)
def test_affinity(text: str, count: int) -> None:
    assert proc.processors(text) == count


@given(st.text())
def test_any_text(text: str) -> None:
    proc.cpu(text), proc.memory(text), proc.disks(text), proc.table(text)
    proc.processors(text)
    proc.group(lambda path: text)


@given(st.lists(st.text("0123456789- :.cpuvda\n")))
def test_nearly_right_texts(lines: list[str]) -> None:
    test_any_text.hypothesis.inner_test("\n".join(lines))  # type: ignore[attr-defined]
