"""Child processes that are kept alive, and that end with the daemon however it ends."""

from __future__ import annotations

import os
import shutil
import signal
from collections import deque
from contextlib import nullcontext
from typing import Any, Callable, ContextManager, Mapping, NamedTuple, Optional, Sequence

from twisted.internet.base import DelayedCall
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ProcessTerminated
from twisted.internet.process import Process
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from kasmd.errors import ConfigError

#: The last words of a program, logged if it ends unbidden: lines, characters in one.
MAX_LINES, MAX_LINE = 20, 500

#: The kernel sends SIGTERM when our process is gone, even by SIGKILL; a session of
#: its own keeps a terminal's Ctrl-C away and gives a group to signal as one.
_LEASH = ("setpriv", "--pdeathsig", "TERM", "--", "setsid", "--")

_PACKAGES = {
    "Xvfb": "xvfb",
    "setpriv": "util-linux",
    "setsid": "util-linux",
}


def check_installed(argv: Sequence[str]) -> None:
    """Raise ConfigError unless the program can be run, naming its Debian package."""
    for program in (argv[0], _LEASH[0], _LEASH[4]):
        if shutil.which(program) is None:
            package = _PACKAGES.get(program, os.path.basename(program))
            raise ConfigError(f"{program} is not installed: apt install {package}")


class Pace(NamedTuple):
    """How soon a program is started again, and ended, in seconds."""

    #: Between its end and its next start, doubled each time, and the longest.
    first: float = 1.0
    longest: float = 30.0
    #: One that lived this long has recovered.
    healthy: float = 10.0
    #: From SIGTERM to SIGKILL.
    patience: float = 3.0


#: Gives, around a start, which descriptors of ours the program has by which numbers.
Lend = Callable[[], ContextManager[Mapping[int, int]]]


class Program:
    """One command, started again when it ends until it is stopped.

    ``ended`` is called after each end; ``said`` gets what it writes to descriptor 3.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        argv: Sequence[str],
        ended: Callable[[], None] = lambda: None,
        said: Optional[Callable[[bytes], None]] = None,
        pace: Pace = Pace(),
        lend: Lend = lambda: nullcontext({}),
    ) -> None:
        self.argv = tuple(argv)
        self.name = os.path.basename(argv[0])
        self._reactor = reactor
        self._ended = ended
        self._said = said
        self._pace = pace
        self._lend = lend
        self._environment: Mapping[str, str] = {}
        self._child: Optional[_Child] = None
        self._again: Optional[DelayedCall] = None
        self._killer: Optional[DelayedCall] = None
        self._delay = pace.first
        self._stopping: list[Deferred[None]] = []
        self._wanted = False

    @property
    def pid(self) -> Optional[int]:
        """The process's id, while there is one."""
        return self._child.pid if self._child is not None else None

    def start(self, environment: Mapping[str, str]) -> None:
        """Start, and start again when it ends."""
        self._environment = environment
        self._wanted = True
        if self._child is None and self._again is None:
            self._spawn()

    def stop(self) -> Deferred[None]:
        """End it, with force if it must be; fires when it is reaped."""
        self._wanted = False
        if self._again is not None:
            self._again.cancel()
            self._again = None
        if self._child is None:
            return succeed(None)
        self.end()
        stopped: Deferred[None] = Deferred()
        self._stopping.append(stopped)
        return stopped

    def end(self) -> None:
        """Send SIGTERM, then SIGKILL."""
        if self._child is not None and self._killer is None:
            self._child.signal_all(signal.SIGTERM)
            self._killer = self._reactor.callLater(
                self._pace.patience, self._child.signal_all, signal.SIGKILL
            )

    def kill(self) -> None:
        """Send SIGKILL; it is started again if it is wanted."""
        if self._child is not None:
            self._child.signal_all(signal.SIGKILL)

    def _spawn(self) -> None:
        self._again = None
        child = _Child(self._reactor, self._said, self._exited)
        descriptors: dict[int, Any] = {0: "w", 1: "r", 2: "r"}
        if self._said is not None:
            descriptors[3] = "r"
        self._child = child
        with self._lend() as lent:
            self._reactor.spawnProcess(
                child, _LEASH[0], [*_LEASH, *self.argv], dict(self._environment), None,
                childFDs={**descriptors, **lent},
            )

    def _exited(self, child: _Child, reason: str, last_words: Sequence[str]) -> None:
        self._child = None
        if self._killer is not None and self._killer.active():
            self._killer.cancel()
        self._killer = None
        lived = self._reactor.seconds() - child.started
        self._ended()
        if self._wanted:
            if lived >= self._pace.healthy:
                self._delay = self._pace.first
            self.log.warn(
                "{name} ended ({reason}); starting it again in {delay:.0f} s",
                name=self.name, reason=reason, delay=self._delay,
            )
            for line in last_words:
                self.log.info("{name} had said: {line}", name=self.name, line=line)
            self._again = self._reactor.callLater(self._delay, self._spawn)
            self._delay = min(2 * self._delay, self._pace.longest)
        stopped, self._stopping = self._stopping, []
        for deferred in stopped:
            deferred.callback(None)


class _Child(ProcessProtocol):
    """One life of a program; what it writes is of interest only if it ends unbidden."""

    def __init__(
        self,
        reactor: Any,
        said: Optional[Callable[[bytes], None]],
        exited: Callable[[_Child, str, Sequence[str]], None],
    ) -> None:
        self.started = reactor.seconds()
        self.pid = 0
        self._said = said
        self._exited = exited
        self._lines: deque[bytes] = deque(maxlen=MAX_LINES)
        self._rest = b""

    def connectionMade(self) -> None:
        """Note the process's id; it gets no input."""
        if self.transport is not None and self.transport.pid is not None:
            self.pid = self.transport.pid
            self.transport.closeChildFD(0)

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """Take what it writes."""
        if childFD == 3 and self._said is not None:
            self._said(data)
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[:MAX_LINE]
        self._lines.extend(line[:MAX_LINE] for line in lines[-MAX_LINES:])

    def processExited(self, reason: Failure) -> None:
        """Tell that it is reaped; what it started may still hold its pipes."""
        self._signal_group(signal.SIGTERM)
        if isinstance(self.transport, Process):
            for descriptor, pipe in tuple(self.transport.pipes.items()):
                pipe.doRead()
                self.transport.closeChildFD(descriptor)
        words = (*self._lines, self._rest)
        last_words = [line.decode("utf-8", "replace") for line in words if line]
        self._exited(self, _reason(reason), last_words)

    def signal_all(self, number: int) -> None:
        """Signal the process, which is not reaped yet, and its group."""
        os.kill(self.pid, number)
        self._signal_group(number)

    def _signal_group(self, number: int) -> None:
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            pass  # all ended, or it is not the leader of a group yet


def _reason(failure: Failure) -> str:
    """Say how a process ended."""
    end = failure.value
    if isinstance(end, ProcessTerminated) and end.signal is not None:
        return f"signal {end.signal}, {signal.strsignal(end.signal)}"
    return f"exit code {getattr(end, 'exitCode', 0)}"
