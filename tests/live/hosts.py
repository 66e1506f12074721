"""Hosts of a test's own: network namespaces, joined by a cable.  For root (ip-netns(8))."""

from __future__ import annotations

import ctypes
import os
import shutil
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Iterator, Self

from tests.live.programs import run

_CLONE_NEWNET = 0x40000000
_NAMES = Path("/etc/netns")
_numbers = count(1)


class Host:
    """Has an address, and names of its own, until the end of the ``with``."""

    def __init__(self, address: str, names: dict[str, str]) -> None:
        self.address = address
        self.name = f"kasmd-{os.getpid()}-{next(_numbers)}"
        done = run("ip", "netns", "add", self.name, check=False)
        assert not done.returncode, (
            f"this test makes network namespaces, so it must run as root: {done.stdout}"
        )
        self._files = _NAMES / self.name
        self._files.mkdir(parents=True)
        lines = [f"{place} {name}\n" for name, place in {"localhost": "127.0.0.1", **names}.items()]
        (self._files / "hosts").write_text("".join(lines))
        # Nobody answers there, at once.
        (self._files / "resolv.conf").write_text("nameserver 127.0.0.1\n")
        self.ip("link", "set", "lo", "up")

    @property
    def command(self) -> tuple[str, ...]:
        """What comes before the command of a program that is to run here."""
        return "ip", "netns", "exec", self.name

    def ip(self, *arguments: str) -> None:
        """Change its network."""
        run("ip", "-n", self.name, *arguments)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Let the sockets that this thread makes meanwhile be this host's."""
        libc = ctypes.CDLL(None, use_errno=True)
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            assert libc.setns(there, _CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
            yield
        finally:
            assert libc.setns(here, _CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
            os.close(there)
            os.close(here)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        run("ip", "netns", "delete", self.name)
        shutil.rmtree(self._files)


def join(one: Host, other: Host) -> None:
    """Lay a cable between two hosts."""
    ends = [f"k{host.name[-9:]}" for host in (one, other)]
    run("ip", "link", "add", ends[0], "netns", one.name, "type", "veth",
        "peer", "name", ends[1], "netns", other.name)
    for host, end in zip((one, other), ends):
        host.ip("address", "add", f"{host.address}/24", "dev", end)
        host.ip("link", "set", end, "up")
