"""Server-Sent Events to one client (WHATWG HTML section 9.2): the answer that goes on."""

from __future__ import annotations

from typing import Optional

from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from kasmd.http.sending import PATIENCE
from kasmd.http.server import Request

#: Seconds between two signs of life.
HEARTBEAT = 15.0
STREAM_HEADERS = (
    (b"Content-Type", b"text/event-stream"),
    (b"Cache-Control", b"no-store"),
    (b"X-Accel-Buffering", b"no"),
)


@implementer(IPushProducer)
class EventStream:
    """What every stream has: signs of life, pauses, and an end; subclasses write the events."""

    #: A comment; programs that are to see it take an event.
    _sign = b": here\n\n"

    def __init__(self, reactor: IReactorTime, request: Request) -> None:
        self._reactor = reactor
        self._request = request
        #: The client takes no more now.
        self._paused = False
        self._over = False
        self._paused_at = 0.0
        self._beat: Optional[IDelayedCall] = None

    def start(self) -> None:
        """Begin, behind the head."""
        self._request.notifyFinish().addBoth(self._lost)
        self._request.registerProducer(self, True)
        self._beat = self._reactor.callLater(HEARTBEAT, self._heartbeat)

    def _heartbeat(self) -> None:
        self._beat = self._reactor.callLater(HEARTBEAT, self._heartbeat)
        if not self._paused:
            self._request.write(self._sign)
        elif self._reactor.seconds() - self._paused_at >= PATIENCE:
            self._request.abort()

    def _finish(self) -> None:
        self._request.unregisterProducer()
        self._request.finish()

    def _lost(self, _: Optional[Failure]) -> None:
        self._over = True
        if self._beat is not None and self._beat.active():
            self._beat.cancel()

    def pauseProducing(self) -> None:
        self._paused = True
        self._paused_at = self._reactor.seconds()

    def resumeProducing(self) -> None:
        self._paused = False

    def stopProducing(self) -> None:
        """The connection is lost; `_lost` is told."""
        self._paused = True
