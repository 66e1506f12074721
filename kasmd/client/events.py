"""What happens on a desktop, as it happens: Server-Sent Events, read one by one.

::

    events = await client.events()
    async for event in events:
        if isinstance(event, Joined):
            print(event.session.name)

The stream ends when the server ends it (the right to manage is gone), and raises
`Broken` where it breaks off, or falls silent.  What is not asked for is not read:
a client that is too slow for the server is cut off by it.
"""

from __future__ import annotations

import json
from collections import deque
from typing import Any, Callable, Mapping, NamedTuple, Optional, Union

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss

from kasmd.client.values import Change, Session, read
from kasmd.errors import KasmdError

#: Bytes of one line; a change names nothing that is longer than a name.
MAX_LINE = 1 << 16
#: Events that wait to be asked for, before no more are read.
MAX_WAITING = 64
#: Seconds without a sign of life, of which the server gives one every 15.
SILENCE = 60.0


class Broken(KasmdError):
    """The stream broke off."""


class Present(NamedTuple):
    """One who was connected when the stream began."""

    session: Session


class Joined(NamedTuple):
    """One who came."""

    session: Session


class Left(NamedTuple):
    """One who went."""

    session: Session


class Changed(NamedTuple):
    """Something was changed by somebody."""

    change: Change


Event = Union[Present, Joined, Left, Changed]
_EVENTS: Mapping[str, Callable[[dict[str, Any]], Event]] = {
    "present": lambda value: Present(read(Session, value)),
    "joined": lambda value: Joined(read(Session, value)),
    "left": lambda value: Left(read(Session, value)),
    "changed": lambda value: Changed(read(Change, value)),
}


class Events(Protocol):
    """An asynchronous iterator over the events of one stream."""

    transport: Optional[Connection]

    def __init__(self, clock: IReactorTime, silence: float = SILENCE) -> None:
        self._clock = clock
        self._silence = silence
        self._line = b""
        self._kind = ""
        self._waiting: deque[Event] = deque()
        self._asked: Optional[Deferred[Event]] = None
        self._end: Optional[Exception] = None
        self._paused = False
        self._watch: Optional[IDelayedCall] = None

    def __aiter__(self) -> Events:
        return self

    def __anext__(self) -> Deferred[Event]:
        """Fire with the next event; StopAsyncIteration at the end, or Broken."""
        if self._waiting:
            event = self._waiting.popleft()
            self._pace()
            return succeed(event)
        if self._end is not None:
            return fail(self._end)
        if self._asked is not None:
            raise RuntimeError("one event is asked for at a time")
        self._asked = Deferred(lambda _: self._forget())
        return self._asked

    def close(self) -> None:
        """Read no more; what waits can still be had."""
        self._finish(StopAsyncIteration())

    def connectionMade(self) -> None:
        self._watch = self._clock.callLater(self._silence, self._fell_silent)

    def dataReceived(self, data: bytes) -> None:
        if self._end is not None:
            return
        if self._watch is not None:
            self._watch.reset(self._silence)
        *lines, self._line = (self._line + data).split(b"\n")
        try:
            for line in lines:
                self._read(line)
        except (ValueError, TypeError, KeyError):
            self._finish(Broken("an event cannot be understood"))
        if len(self._line) > MAX_LINE:
            self._finish(Broken(f"a line of more than {MAX_LINE} bytes"))
        self._pace()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if reason.check(ResponseDone, PotentialDataLoss):
            self._finish(StopAsyncIteration())
        else:
            self._finish(Broken(reason.getErrorMessage()))

    def _read(self, line: bytes) -> None:
        field, _, value = line.decode("utf-8").partition(": ")
        if not line:
            self._kind = ""
        elif field == "event":
            self._kind = value
        elif field == "data" and self._kind in _EVENTS:
            self._give(_EVENTS[self._kind](json.loads(value)))

    def _give(self, event: Event) -> None:
        asked, self._asked = self._asked, None
        if asked is None:
            self._waiting.append(event)
        else:
            asked.callback(event)

    def _forget(self) -> None:
        self._asked = None

    def _pace(self) -> None:
        """Read while there is room for what is read."""
        full = len(self._waiting) >= MAX_WAITING
        if self._end is None and full != self._paused and self.transport is not None:
            self._paused = full
            if full:
                self.transport.pauseProducing()
            else:
                self.transport.resumeProducing()

    def _fell_silent(self) -> None:
        if self._paused:
            # It is we who do not listen.
            self._watch = self._clock.callLater(self._silence, self._fell_silent)
        else:
            self._finish(Broken(f"nothing came for {self._silence:.0f} s"))

    def _finish(self, end: Exception) -> None:
        if self._end is not None:
            return
        self._end = end
        if self._watch is not None and self._watch.active():
            self._watch.cancel()
        if self.transport is not None:
            self.transport.loseConnection()
        asked, self._asked = self._asked, None
        if asked is not None:
            asked.errback(end)
