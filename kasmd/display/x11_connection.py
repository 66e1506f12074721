"""One connection to an X server that is never waited for.

xcb's own waits hold the thread for as long as the server likes, so a stopped X
server would stop the reactor.  Here replies and events are taken when they are
there; only `kasmd.display.x11_connect` waits, on a thread.

Requests go to xcb's buffer and reach the server with the next `flush` or reply
asked for.  Writing could block too, if nobody read at the other end: so each
user of a connection keeps a bounded number of requests unanswered.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Callable, NamedTuple, Optional

import xcffib
from twisted.internet.base import DelayedCall
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from kasmd.display.x11_connect import Xcb
from kasmd.display.x11_received import READ, TAKE, Received, XError, describe, send_requests
from kasmd.errors import DisplayLost
from kasmd.permission.callbacks import isolated

__all__ = [
    "EVENTS_AT_ONCE", "LATE_SECONDS", "PATIENCE_SECONDS", "XConnection", "XError",
]

#: A reply that takes longer means that the server does not respond.
PATIENCE_SECONDS = 2.0
#: Who looks so much too late for it stood still, as the server perhaps did.
LATE_SECONDS = 0.5
#: Events taken in one turn of the reactor, so that a flood cannot hold it.
EVENTS_AT_ONCE = 256

_GONE = "the display is gone"


class _Awaited(NamedTuple):
    sequence: int
    parse: Optional[Callable[[Any], Any]]
    #: Is given what `parse` made of the reply, its bytes without one, or a Failure.
    answered: Callable[[Any], object]
    since: float


class XConnection:
    """An open connection: `request` asks, ``on_event`` hears.

    ``on_event`` gets every event, as of `x11_events` or else xcffib's, and
    ``on_events_taken`` is called when those that were there are through; ``on_silence``
    True when a reply is overdue and False when it has come after all; ``on_lost`` the
    reason, once.
    """

    log = Logger()

    def __init__(self, reactor: Any, xcb: Xcb) -> None:
        self.xcb = xcb
        self.core: Any = xcb.core
        self.on_event: Callable[[Any], None] = lambda event: None
        self.on_events_taken: Callable[[], None] = lambda: None
        self.on_silence: Callable[[bool], None] = lambda silent: None
        self.on_lost: Callable[[str], None] = lambda reason: None
        self.silent = False
        self._reactor = reactor
        self._received = Received(xcb)
        self._awaited: deque[_Awaited] = deque()
        self._pump_call: Optional[DelayedCall] = None
        self._watch_call: Optional[DelayedCall] = None
        self._unflushed = self._pumping = False
        self._reader = _Reader(xcb.get_file_descriptor(), self._pump)
        self._open = True
        reactor.addReader(self._reader)
        self._pump_soon()

    def request(self, cookie: Any) -> Deferred[Any]:
        """Give the reply to ``cookie``; fails with XError or DisplayLost."""
        parse: Callable[[Any], Any] = cookie.reply_type
        return self._await(cookie, parse)

    def request_raw(self, cookie: Any) -> Deferred[bytes]:
        """Like `request`, the reply as its bytes: for long lists."""
        return self._await(cookie, None)

    def ask(self, sequence: int, answered: Callable[[bytes | Failure], None]) -> None:
        """Like `request_raw`, for what is asked with every picture: tell ``answered``."""
        if self._open:
            self._expect(sequence, None, answered)
        else:
            answered(Failure(DisplayLost(_GONE)))

    def request_check(self, cookie: Any) -> Deferred[Any]:
        """Fire when the server has done the checked request ``cookie``."""
        done = self._await(cookie, _nothing)
        # The end of a request without reply shows when a later one is answered.
        self._await(self.core.GetInputFocus(), _nothing).addErrback(_forget)
        return done

    def sync(self) -> Deferred[Any]:
        """Fire when the server has done all that was requested so far."""
        return self._await(self.core.GetInputFocus(), _nothing)

    def flush(self) -> None:
        """Send what was requested, soon."""
        self._unflushed = True
        self._pump_soon()

    def close(self, reason: str = "closed") -> None:
        """End the connection; whoever waits for a reply gets DisplayLost."""
        if not self._open:
            return
        self._open = False
        self._reactor.removeReader(self._reader)
        for call in (self._pump_call, self._watch_call):
            if call is not None and call.active():
                call.cancel()
        if not self.silent:
            send_requests(self.xcb)
        self.xcb.disconnect()
        waiting, self._awaited = self._awaited, deque()
        for awaited in waiting:
            isolated(awaited.answered, Failure(DisplayLost(reason)))
        self.on_lost(reason)

    def _await(self, cookie: Any, parse: Optional[Callable[[Any], Any]]) -> Deferred[Any]:
        if not self._open:
            return fail(DisplayLost(_GONE))
        deferred: Deferred[Any] = Deferred()
        self._expect(cookie.sequence, parse, deferred.callback)
        return deferred

    def _expect(self, sequence: int, parse: Optional[Callable[[Any], Any]],
                answered: Callable[[Any], object]) -> None:
        self._awaited.append(_Awaited(sequence, parse, answered, self._reactor.seconds()))
        self.flush()
        if self._watch_call is None:
            self._watch_in(PATIENCE_SECONDS)

    def _pump_soon(self) -> None:
        if self._open and self._pump_call is None and not self._pumping:
            self._pump_call = self._reactor.callLater(0, self._pump)

    def _pump(self) -> None:
        """Send what is to be sent and take all that is there."""
        if self._pump_call is not None and self._pump_call.active():
            self._pump_call.cancel()
        self._pump_call = None
        self._pumping = True
        left = EVENTS_AT_ONCE
        try:
            left -= self._take_events(READ, left)
            more = True
            # Sending may read too, and so may asking for a reply, and then the descriptor
            # stays quiet: so events that were read are taken last.
            while more and self._open:
                if self._unflushed:
                    self._unflushed = False
                    send_requests(self.xcb)
                self._take_replies()
                taken = self._take_events(TAKE, left)
                left -= taken
                more = left > 0 and (taken > 0 or self._unflushed)
        except xcffib.ConnectionException:
            self.close("the X server closed the connection")
        finally:
            self._pumping = False
        if not left:
            self._pump_soon()

    def _take_events(self, poll: Callable[[Any], Any], most: int) -> int:
        """Take so many of the events that are there; give how many."""
        events = self._received.events(poll, most) if self._open else []
        for event in events:
            if not self._open:
                break
            if isinstance(event, xcffib.XcffibException):
                self.log.info("the X server reports {error}", error=describe(event))
            else:
                isolated(self.on_event, event)
        if events:
            self.on_events_taken()
        return len(events)

    def _take_replies(self) -> None:
        while self._open and self._awaited:
            awaited = self._awaited[0]
            outcome = self._received.reply(awaited.sequence, awaited.parse)
            if outcome is None:
                break
            self._awaited.popleft()
            if self.silent:
                self.silent = False
                self.on_silence(False)
            isolated(awaited.answered, outcome[0])

    def _watch(self, due: float) -> None:
        """Look whether the oldest reply is overdue, while there is one."""
        self._watch_call = None
        if not self._awaited:
            return
        now = self._reactor.seconds()
        left = self._awaited[0].since + PATIENCE_SECONDS - now
        if left <= 0:
            left = PATIENCE_SECONDS
            if now - due < LATE_SECONDS and not self.silent:
                self.silent = True
                self.on_silence(True)
        self._watch_in(left)

    def _watch_in(self, seconds: float) -> None:
        due = self._reactor.seconds() + seconds
        self._watch_call = self._reactor.callLater(seconds, self._watch, due)


@implementer(IReadDescriptor)
class _Reader:
    """What the reactor watches."""

    def __init__(self, descriptor: int, pump: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._pump = pump

    def fileno(self) -> int:
        """Give the socket's number."""
        return self._descriptor

    def doRead(self) -> None:
        """Take what has come."""
        self._pump()

    def connectionLost(self, reason: Failure) -> None:
        """Nothing to do: taking what has come finds out."""

    def logPrefix(self) -> str:
        """Name this for the log."""
        return "X11"


def _nothing(unpacker: Any) -> None:
    return None


def _forget(failure: Failure) -> None:
    failure.trap(DisplayLost)
