"""A websocket's two connections, joined: what one sends is written to the other.

Who leaves, and what the other is told (RFC 6455 section 7.4, IANA's registry):

    a close frame of either        passed on as it is
    the client is gone or silent   1001 to the upstream
    the upstream is gone or silent 1014 to the client: a bad gateway
    a broken frame of either       1002 to both
    `Splice.close`                 its code and reason to both
"""

from __future__ import annotations

import os
from typing import Any, Callable, NamedTuple, Optional

from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import LoopingCall
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure
from zope.interface import implementer

from kasmd.edge.frames import PING, Follower, close, control, reserved_bits
from kasmd.edge.outlet import Outlet

GOING_AWAY, BROKEN, NO_CLOSE, BAD_GATEWAY = 1001, 1002, 1006, 1014

#: Bytes read at a time but for a stream in full flow: Twisted's own measure.
SMALL_READ = 1 << 16
#: Each splice is visited once a beat, a slot of them at a time.
SLOTS = 50
#: Seconds between the slots when all are closed.
_PACE = 0.01


class Timing(NamedTuple):
    """Seconds."""

    #: Between two visits of a splice.
    beat: float = 5.0
    #: Of silence after which an end is pinged at the latest.
    ping: float = 25.0
    #: After a ping until a silent end counts as dead.
    dead: float = 15.0
    #: For the answer to a close frame.
    close: float = 5.0
    #: For all of a close that the edge wants, the frames under way among it.
    cut: float = 0.8


class Ended(NamedTuple):
    """What became of a websocket."""

    #: Who ended it: ``client``, ``upstream`` or ``edge``.
    by: str
    code: int
    reason: str
    #: Bytes that the client and the upstream sent.
    received: int
    sent: int
    seconds: float


@implementer(IHalfCloseableProtocol)
class End(Protocol):
    """One of a splice's connections, and the frames that come from it."""

    __slots__ = (
        "name", "splice", "other", "follower", "received", "stirred", "silent", "outlet", "gone",
        "_plain", "_reading", "_early", "_due", "_leaving",
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
        self._plain = False
        self._reading = True
        self._early = b""
        self._due = False
        self._leaving = False

    # What comes from it.

    def connectionMade(self) -> None:
        transport = self.transport
        self._plain = isinstance(transport, Connection)
        self.outlet = Outlet(transport, self, self.splice.splices.clock)
        self.splice.connected(self)

    def dataReceived(self, data: bytes) -> None:
        self.stirred = True
        self.received += len(data)
        if self.other.outlet is None:
            self._early += data
            self._regulate()
            return
        self._follow(data)
        if self._plain:
            self._size_reads(len(data))

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
        follower = self.follower
        passed = follower.receive_data(data)
        if passed:
            self.other.send(passed)
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
        if size == transport.bufferSize and outlet is not None:
            transport.bufferSize = outlet.portion
        elif size < SMALL_READ < transport.bufferSize:
            transport.bufferSize = SMALL_READ

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
        if self.outlet is not None and not self.gone and not self._leaving:
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
        if self.outlet is not None and not self.gone and not self._leaving:
            self._leaving = True
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


class Splice:
    """A websocket through the edge: hand its ``client`` and ``upstream`` their connections."""

    __slots__ = ("client", "upstream", "splices", "slot", "_ended", "_began", "_cause", "_cut")

    def __init__(
        self, splices: Splices, extensions: bytes, ended: Callable[[Ended], None]
    ) -> None:
        """Make one that knows the 101's Sec-WebSocket-Extensions, and calls ``ended`` once."""
        self.splices = splices
        reserved, own = reserved_bits(extensions), splices.token
        self.client = End(self, "client", Follower(True, reserved, own))
        self.upstream = End(self, "upstream", Follower(False, reserved, own))
        self.client.other, self.upstream.other = self.upstream, self.client
        self.slot = splices.add(self)
        self._ended: Optional[Callable[[Ended], None]] = ended
        self._began = splices.clock.seconds()
        self._cause: Optional[tuple[str, int, str]] = None
        self._cut: Optional[IDelayedCall] = None

    @property
    def _ends(self) -> tuple[End, End]:
        return self.client, self.upstream

    def close(self, code: int, reason: str) -> None:
        """Tell both ends, and be done within `Timing.cut`."""
        self._begin_end("edge", code, reason, self.splices.timing.cut)
        for end in self._ends:
            end.tell(code, reason)
        self.settle()

    # What the ends say.

    def connected(self, end: End) -> None:
        """An end has its connection."""
        if self._cause is not None:
            end.leave()
        elif end.other.outlet is not None:
            for each in self._ends:
                each.start()

    def heard_last(self, end: End) -> None:
        """An end sent a close frame or broke the protocol, or its last frame is through."""
        said = end.follower
        if said.violation:
            if self._cause is None:
                self._begin_end(end.name, BROKEN, said.violation, self.splices.timing.cut)
                for each in self._ends:
                    each.tell(BROKEN, said.violation)
        elif said.close is not None:
            self._begin_end(end.name, *said.close, self.splices.timing.close)
        self.settle()

    def vanished(self, end: End, reason: str) -> None:
        """An end is gone, or as good as gone."""
        self._begin_end(end.name, NO_CLOSE, reason, self.splices.timing.close)
        self._say_gone(end)

    def _say_gone(self, end: End) -> None:
        if end.follower.mid_frame:
            end.other.leave()
        elif end is self.client:
            end.other.tell(GOING_AWAY, "the client is gone")
        else:
            end.other.tell(BAD_GATEWAY, "the desktop's connection is gone")

    def settle(self) -> None:
        """Leave those who said their last and heard the other's; end when both are gone."""
        for end in self._ends:
            if end.follower.close is not None and end.other.follower.ended:
                end.leave()
        if self._ended is not None and all(end.gone or end.outlet is None for end in self._ends):
            self._finish()

    # The end.

    def _begin_end(self, by: str, code: int, reason: str, seconds: float) -> None:
        """The first cause is the one that counts; the shortest time-out does."""
        clock = self.splices.clock
        if self._cause is None:
            self._cause = by, code, reason
            self._cut = clock.callLater(seconds, self._abort)
        elif self._cut is not None and self._cut.active():
            if self._cut.getTime() > clock.seconds() + seconds:
                self._cut.reset(seconds)

    def _abort(self) -> None:
        for end in self._ends:
            end.abort()

    def _finish(self) -> None:
        ended, self._ended = self._ended, None
        if self._cut is not None and self._cut.active():
            self._cut.cancel()
        self.splices.discard(self)
        assert ended is not None and self._cause is not None, "it ends once, for a reason"
        seconds = self.splices.clock.seconds() - self._began
        ended(Ended(*self._cause, self.client.received, self.upstream.received, seconds))

    def visit(self) -> None:
        """Ping an end that is silent; give one up that stays so."""
        if self._cause is not None:
            return
        splices = self.splices
        for end in self._ends:
            silent = end.visit()
            if silent == splices.ping_after:
                end.ping(splices.token)
            elif silent == splices.dead_after:
                splices.dead += 1
                self.vanished(end, "it does not answer a ping")
                end.abort()


class Splices:
    """All websockets of one edge; one clock looks after their silence."""

    def __init__(self, clock: IReactorTime, timing: Timing = Timing()) -> None:
        self.clock = clock
        self.timing = timing
        #: The payload of our pings.
        self.token = os.urandom(8)
        # A visit finds what was heard since the one before, so silence began up to a beat earlier.
        self.ping_after = max(1, int(timing.ping / timing.beat) - 1)
        self.dead_after = self.ping_after + max(1, int(timing.dead / timing.beat))
        self._slots: list[set[Splice]] = [set() for _ in range(SLOTS)]
        self._count = 0
        #: Bytes that the clients and the upstreams sent of those that are over.
        self._received = self._sent = 0
        #: How many an end of which did not answer, and how many whose leave ended.
        self.dead = self.revoked = 0
        self._next = 0
        self._hand = 0
        self._turns = LoopingCall.withCount(self._turn)
        self._turns.clock = clock

    def __len__(self) -> int:
        return self._count

    def relayed(self) -> tuple[int, int]:
        """Give how many bytes the clients and the upstreams sent since the start."""
        received, sent = self._received, self._sent
        for splice in (splice for slot in self._slots for splice in slot):
            received += splice.client.received
            sent += splice.upstream.received
        return received, sent

    def close_all(self, code: int, reason: str) -> None:
        """Close them all, a slot at a time."""
        for number, slot in enumerate(self._slots):
            self.clock.callLater(number * _PACE, self._close, slot, code, reason)

    def add(self, splice: Splice) -> int:
        """Look after a splice; give its slot."""
        if not self._turns.running:
            self._turns.start(self.timing.beat / SLOTS, now=False)
        self._next = (self._next + 1) % SLOTS
        self._slots[self._next].add(splice)
        self._count += 1
        return self._next

    def discard(self, splice: Splice) -> None:
        """A splice is over."""
        self._slots[splice.slot].discard(splice)
        self._count -= 1
        self._received += splice.client.received
        self._sent += splice.upstream.received
        if not self._count:
            self._turns.stop()

    def _turn(self, slots: int) -> None:
        for _ in range(min(slots, SLOTS)):
            self._hand = (self._hand + 1) % SLOTS
            for splice in tuple(self._slots[self._hand]):
                splice.visit()

    @staticmethod
    def _close(slot: set[Splice], code: int, reason: str) -> None:
        for splice in tuple(slot):
            splice.close(code, reason)
