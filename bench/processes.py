"""Processes that end with the benchmark, and what they cost."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Iterable, Iterator, Mapping, Optional, Sequence

#: Seconds that a process has to start, to answer, or to end when asked to.
PATIENCE = 20.0


class Failed(Exception):
    """A program of the benchmark did not do what it should; the text says which."""


def free_port() -> int:
    """Give a TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start(
    command: Sequence[str],
    log: Path,
    environment: Optional[Mapping[str, str]] = None,
) -> subprocess.Popen[bytes]:
    """Start ``command`` in a session of its own; the kernel ends it with us."""
    with log.open("ab") as output:
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )


def stop(process: subprocess.Popen[bytes]) -> None:
    """End ``process`` and all that it started."""
    with ExitStack() as closing:
        family = list(_pidfds(tree([process.pid])[1:], closing))
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pidfd in family:
            _kill(pidfd)


def read_line(fd: int, what: str) -> str:
    """Read one line from a pipe; `Failed` says ``what`` was silent."""
    line = b""
    while not line.endswith(b"\n"):
        if not select.select([fd], [], [], PATIENCE)[0]:
            raise Failed(f"{what} is silent")
        data = os.read(fd, 1)
        if not data:
            raise Failed(f"{what} ended early")
        line += data
    return line.decode().strip()


def tree(roots: Iterable[int]) -> list[int]:
    """Give ``roots`` and every process below them, parents first."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            children.setdefault(_parent(entry), []).append(int(entry.name))
    found = list(roots)
    for pid in found:
        found.extend(children.get(pid, ()))
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """Give the CPU time that the living threads of ``pids`` have used.

    From /proc/PID/task/TID/schedstat: nanoseconds, where /proc/PID/stat has
    ticks of 10 ms, too coarse for a typed letter.
    """
    nanoseconds = 0
    for pid in pids:
        for schedstat in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            nanoseconds += int((_text(schedstat) or "0").split()[0])
    return nanoseconds / 1e9


def check_scheduling(pids: Iterable[int]) -> None:
    """`Failed` where a thread goes before all others, which would flatter its figures."""
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").glob("*"):
            try:
                policy = os.sched_getscheduler(int(task.name))
            except ProcessLookupError:
                continue
            if policy in (os.SCHED_FIFO, os.SCHED_RR):
                raise Failed(f"a thread of process {pid} runs at real-time priority")


def descriptors(pids: Iterable[int]) -> int:
    """Give how many files and sockets ``pids`` have open."""
    return sum(1 for pid in pids for _ in Path(f"/proc/{pid}/fd").glob("*"))


def pss_mib(pids: Iterable[int]) -> float:
    """Give the proportional set size of ``pids`` in MiB."""
    return _mapped(pids, ("Pss:",))


def private_mib(pids: Iterable[int]) -> float:
    """Give what ``pids`` share with nobody, in MiB: others' coming and going does not change it."""
    return _mapped(pids, ("Private_Clean:", "Private_Dirty:"))


def _mapped(pids: Iterable[int], lines: Sequence[str]) -> float:
    kib = 0
    for pid in pids:
        for line in _text(Path(f"/proc/{pid}/smaps_rollup")).splitlines():
            if line.startswith(tuple(lines)):
                kib += int(line.split()[1])
    return kib / 1024


def _pidfds(pids: Iterable[int], closing: ExitStack) -> Iterator[int]:
    """Hold on to processes, so that no other can be meant by their numbers."""
    for pid in pids:
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        closing.callback(os.close, pidfd)
        yield pidfd


def _kill(pidfd: int) -> None:
    """Kill a process if it still lives, and wait for its end."""
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except ProcessLookupError:
        return
    select.select([pidfd], [], [], PATIENCE)


def _parent(entry: Path) -> int:
    after_name = _text(entry / "stat").rpartition(")")[2].split()
    return int(after_name[1]) if after_name else 0


def _text(path: Path) -> str:
    """Read a file of /proc; empty where the process has just ended."""
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
