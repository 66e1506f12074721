"""Real programs for the live tests: started, listened to, and always ended."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Mapping, Optional, Self

ROOT = Path(__file__).parents[2]
#: How long anything may take on a busy machine, in seconds.
PATIENCE = 60.0


class Program:
    """A process whose output is read as it comes; end it with ``with``."""

    def __init__(self, *argv: str, env: Optional[Mapping[str, str]] = None, **options: Any) -> None:
        self.argv = argv
        self._said: list[str] = []
        self._news = threading.Condition()
        self.process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            text=True,
            errors="replace",
            start_new_session=True,
            **options,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            with self._news:
                self._said.append(line)
                self._news.notify_all()
        with self._news:
            self._said.append("")
            self._news.notify_all()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def output(self) -> str:
        return "".join(self._said)

    def wait_for(self, pattern: str, timeout: float = PATIENCE) -> re.Match[str]:
        """Wait until the output holds ``pattern``; it may hold it already."""
        deadline = time.monotonic() + timeout
        with self._news:
            while True:
                found = re.search(pattern, self.output, re.MULTILINE)
                if found:
                    return found
                left = deadline - time.monotonic()
                ended = bool(self._said) and self._said[-1] == ""
                if ended or left <= 0:
                    raise AssertionError(f"{self.argv[0]} never said {pattern!r}:\n{self.output}")
                self._news.wait(left)

    def say(self, line: str) -> None:
        """Write a line to the program."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, timeout: float = PATIENCE) -> int:
        """Wait for the end; give the exit code."""
        return self.process.wait(timeout)

    def end(self) -> None:
        """TERM, then KILL, to it and to all that it started in its session."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(self.process.pid, number)
                self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:
                    pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.end()


def run(*argv: str, env: Optional[Mapping[str, str]] = None, timeout: float = PATIENCE,
        check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    done = subprocess.run(
        argv, env={**os.environ, **(env or {})}, timeout=timeout, text=True, errors="replace",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options,
    )
    if check and done.returncode:
        raise AssertionError(f"{argv} ended with {done.returncode}:\n{done.stdout}")
    return done


def processes_with(text: str) -> list[str]:
    """Give the command lines of live processes whose environment or command holds ``text``."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            environ = (entry / "environ").read_bytes().decode(errors="replace")
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except (OSError, IndexError):
            continue
        if state != "Z" and (text in command or text in environ):
            found.append(f"{entry.name}: {command}")
    return found


def eventually(true: Any, what: str, timeout: float = PATIENCE) -> Any:
    """Ask ``true`` until it answers; for states of the system that send no event."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        answer = true()
        if answer:
            return answer
        threading.Event().wait(0.02)
    raise AssertionError(f"not within {timeout} s: {what}")
