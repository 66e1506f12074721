"""One of a websocket's two connections: what comes from it is written to the other."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Optional

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure
from zope.interface import implementer

from kasmd.edge.frames import PING, Follower, close, control
from kasmd.edge.outlet import Outlet

if TYPE_CHECKING:
    from kasmd.edge.splice import Splice

#: Bytes read at a time but for a stream in full flow: Twisted's own measure.
SMALL_READ = 1 << 16


@implementer(IHalfCloseableProtocol)
class End(Protocol):
    """One of a splice's connections, and the frames that come from it."""

    __slots__ = (
        "name", "splice", "other", "follower", "received", "stirred", "silent", "outlet", "gone",
        "leaving", "_plain", "_large", "_reading", "_early", "_due",
    )  # fmt: skip
    transport: Any
    other: End

    def __init__(self, splice: Splice, name: str, follower: Follower) -> None:
        self.name = name
        self.splice = splice
        self.follower = follower
        self.received = 0
        #: Whether it was heard, or took what had waited for it, since the last visit.
        self.stirred = False
        #: Visits without that.
        self.silent = 0
        #: None until it is connected.
        self.outlet: Optional[Outlet] = None
        self.gone = False
        #: Nothing more is to go to it.
        self.leaving = False
        self._plain = self._large = False
        self._reading = True
        self._early = b""
        self._due = False

    # What comes from it.

    def connectionMade(self) -> None:
        transport = self.transport
        self._plain = isinstance(transport, Connection)
        self.outlet = Outlet(transport, self, self.splice.splices.clock)
        self.splice.connected(self)

    def dataReceived(self, data: bytes) -> None:
        self.stirred = True
        size = len(data)
        self.received += size
        if self.other.outlet is None:
            self._early += data
            self._regulate()
            return
        self._follow(data)
        if size >= SMALL_READ or self._large:
            self._size_reads(size)

    def readConnectionLost(self) -> None:
        if self.follower.close is None:
            self.splice.vanished(self, "the connection ended without a close frame")
            self.leave()

    def writeConnectionLost(self) -> None:
        """Nothing is half-closed by us."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.gone = True
        self.splice.vanished(self, reason.getErrorMessage())
        self.splice.settle()

    def start(self) -> None:
        """Both ends are here."""
        early, self._early = self._early, b""
        if early:
            self._follow(early)
        self._regulate()

    def _follow(self, data: bytes) -> None:
        follower, other = self.follower, self.other
        passed = follower.receive_data(data)
        if passed and other.outlet is not None and not (other.gone or other.leaving):
            other.outlet.write(passed)
        if follower.more:
            self._go_on_later()
        if follower.ended or follower.violation:
            self.splice.heard_last(self)

    def _go_on_later(self) -> None:
        self._regulate()
        if not self._due and self._can_pass:
            self._due = True
            self.splice.splices.clock.callLater(0, self._go_on)

    def _go_on(self) -> None:
        self._due = False
        if not self.gone and self._can_pass:
            self._follow(b"")
            self._regulate()

    def _size_reads(self, size: int) -> None:
        """Read more at a time from one who has more."""
        transport, outlet = self.transport, self.other.outlet
        if not self._plain or outlet is None:
            return
        if size == transport.bufferSize:
            transport.bufferSize = outlet.portion
        elif size < SMALL_READ < transport.bufferSize:
            transport.bufferSize = SMALL_READ
        self._large = transport.bufferSize > SMALL_READ

    @property
    def _can_pass(self) -> bool:
        """Whether the other takes what comes."""
        outlet = self.other.outlet
        return outlet is not None and not outlet.full

    def _regulate(self) -> None:
        """Read if what comes can be passed on."""
        reading = self._can_pass and not self.follower.more
        if reading != self._reading and not self.gone:
            self._reading = reading
            if reading:
                self.transport.resumeProducing()
            else:
                self.transport.pauseProducing()

    # What goes to it.

    def send(self, data: bytes) -> None:
        """Write, if it is still there to read."""
        if self.outlet is not None and not self.gone and not self.leaving:
            self.outlet.write(data)

    def filled(self) -> None:
        """The outlet is full."""
        self.other._regulate()

    def drained(self) -> None:
        """What waited was taken."""
        self.stirred = True
        if self.other.follower.more:
            self.other._go_on_later()
        else:
            self.other._regulate()

    def ping(self, payload: bytes) -> None:
        """Ping it as soon as no frame is under way."""
        self.send(self.other.follower.insert(control(PING, payload, self._key())))

    def tell(self, code: int, reason: str) -> None:
        """Send it a close frame as soon as no frame is under way, and nothing after it."""
        self.send(self.other.follower.finish(close(code, reason, self._key())))

    def _key(self) -> bytes:
        return os.urandom(4) if self.name == "upstream" else b""

    def leave(self) -> None:
        """Close the connection once all is written."""
        if self.outlet is not None and not self.gone and not self.leaving:
            self.leaving = True
            self.outlet.close()

    def abort(self) -> None:
        """End the connection now."""
        if self.outlet is not None and not self.gone:
            self.transport.abortConnection()

    def visit(self) -> int:
        """Give for how many visits it was silent, though it was listened to."""
        if self.stirred or not self._reading:
            self.stirred = False
            self.silent = 0
        else:
            self.silent += 1
        return self.silent
