"""Where lines go: a file, the terminal, or the system's log."""

from __future__ import annotations

import os
import socket
from typing import Callable, Optional

from twisted.logger import ILogObserver, LogEvent, Logger
from zope.interface import implementer

from kasmd.log import lines
from kasmd.log.audit import AUDIT

#: Written at every level, as KasmVNC's access lines are.
ACCESS = "kasmd.access"
_ALWAYS = frozenset((ACCESS, AUDIT))
#: RFC 5424's daemon facility; severities by KasmVNC's levels.
_FACILITY = 3 << 3
_SEVERITIES = {lines.ERROR: 3, lines.STATUS: 5, lines.INFO: 6, lines.DEBUG: 7}
#: Bytes of one message that every system's log takes.
_DATAGRAM = 8192
#: Writes a level and a line; raises OSError where it is lost.
Write = Callable[[int, str], None]
_log = Logger(namespace="kasmd.log")
_level = lines.INFO


def wanted(level: int) -> bool:
    """Tell whether lines of KasmVNC's level ``level`` are written at all."""
    return level <= _level


def level() -> int:
    """Give KasmVNC's number up to which lines are written."""
    return _level


def set_level(level: int) -> None:
    """Write what is up to ``level`` from now on, in the whole process."""
    global _level
    _level = level


@implementer(ILogObserver)
class Observer:
    """Writes events that are wanted; what cannot be written is counted and told later."""

    def __init__(self, form: lines.Format, write: Write) -> None:
        self._form = form
        self._write = write
        self._lost = 0

    def __call__(self, event: LogEvent) -> None:
        level = lines.level_of(event)
        if not wanted(level) and event.get("log_namespace") not in _ALWAYS:
            return
        try:
            self._write(level, self._form(lines.tell(event)))
        except OSError:
            self._lost += 1
            return
        lost, self._lost = self._lost, 0
        if lost:
            _log.error("{lost} lines of the log could not be written", lost=lost)


class Stream:
    """A descriptor that is open for writing, without a buffer."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __call__(self, level: int, line: str) -> None:
        rest = line.encode("ascii", "backslashreplace")
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]


class LogFile(Stream):
    """A file of our user's alone, added to; OSError if it cannot be opened."""

    def __init__(self, path: str) -> None:
        self._path = os.path.abspath(path)
        super().__init__(self._open())

    def reopen(self) -> None:
        """Go on in a new file of the same name: logrotate moved the old one."""
        try:
            descriptor = self._open()
        except OSError as error:
            _log.error("{path} stays as it is: {error}", path=self._path, error=error)
            return
        old, self._descriptor = self._descriptor, descriptor
        os.close(old)

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


class Syslog:
    """The system's log, as it listens at ``path``; never waits for it."""

    def __init__(self, tag: str = "kasmd", path: str = "/dev/log") -> None:
        self._path = path
        self._tag = f"{tag}[{os.getpid()}]"
        self._socket: Optional[socket.socket] = None

    def __call__(self, level: int, line: str) -> None:
        priority = _FACILITY | _SEVERITIES[level]
        try:
            for each in line.splitlines():
                message = f"<{priority}>{self._tag}: {each}".encode("ascii", "backslashreplace")
                self._connected().send(message[:_DATAGRAM])
        except BlockingIOError:
            raise
        except OSError:
            self._close()
            raise

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            self._socket.connect(self._path)
        return self._socket

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def as_syslog(told: lines.Told) -> str:
    """Give ``writer: text``: the system's log adds the time and the level."""
    mark = f" id={told.request_id}" if told.request_id else ""
    line = f"{told.writer}: {told.text}{mark}\n"
    return line + "".join(f"{told.writer}: | {more}\n" for more in told.traceback)
