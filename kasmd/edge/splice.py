"""A websocket's two connections, joined: what one sends is written to the other.

Who leaves, and what the other is told (RFC 6455 section 7.4, IANA's registry):

    a close frame of either        passed on as it is
    the client is gone or silent   1001 to the upstream
    the upstream is gone or silent 1014 to the client: a bad gateway
    a broken frame of either       1002 to both
    `Splice.close`                 its code and reason to both
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, NamedTuple, Optional

from twisted.internet.interfaces import IDelayedCall

from kasmd.edge.end import End
from kasmd.edge.frames import Follower, reserved_bits

if TYPE_CHECKING:
    from kasmd.edge.splices import Splices

GOING_AWAY, BROKEN, NO_CLOSE, BAD_GATEWAY = 1001, 1002, 1006, 1014


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
