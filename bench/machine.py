"""Where and of what the figures were made."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from bench.stacks import versions

_LIBRARIES = ("Twisted", "autobahn", "numpy", "simplejpeg", "isal", "xcffib")


def commit(root: Path) -> str:
    """Give the short name of the commit, with ``-dirty`` where files differ from it."""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=9"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def machine(root: Path) -> dict[str, str]:
    """Describe the machine and what runs on it."""
    libraries = (f"{name} {version(name)}" for name in _LIBRARIES)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return {
        "commit": commit(root),
        "processor": f"{_cpuinfo('model name')}, {os.cpu_count()} cores",
        "memory": f"{memory:.0f} GiB",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "libraries": ", ".join(libraries),
        "load": f"{os.getloadavg()[0]:.1f} when the benchmark began",
        **versions(),
    }


def _cpuinfo(field: str) -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == field:
            return value.strip()
    return platform.machine()
