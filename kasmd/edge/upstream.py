"""A connection to an upstream: it carries exchanges, one after another."""

from __future__ import annotations

from typing import Any, Optional

from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure

from kasmd.edge.dial import Dialled, Kind, UpstreamFailed
from kasmd.edge.exchange import Exchange, Onward, Owner
from kasmd.h1.fields import HttpError
from kasmd.h1.head import render_request
from kasmd.h1.session import ENDED, ClientSession, ResponseReceived
from kasmd.http.deadline import Deadline
from kasmd.http.portion import Portion
from kasmd.http.prompt import PromptWriter


class UpstreamConnection(Dialled):
    """A connection of a pool."""

    transport: Any

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._session = ClientSession(owner.limits)
        self.exchange: Optional[Exchange] = None
        #: Exchanges that it was given.
        self.used = 0
        #: Whether anything of the present answer came, and its head.
        self.heard = self._answered = False
        self._sent_all = True
        self._portion = Portion(0)
        self._deadline = Deadline(owner.reactor)

    def connectionMade(self) -> None:
        self._write = PromptWriter(self.transport).write
        super().connectionMade()

    def begin(self, exchange: Exchange) -> None:
        """Send the head of ``exchange``'s request (UpstreamFailed)."""
        onward = exchange.onward
        self.exchange = exchange
        self.used += 1
        self.heard = self._answered = False
        try:
            self._session.expect(onward.method)
            head = render_request(onward.method, onward.target, onward.fields)
        except (HttpError, ValueError) as error:
            raise UpstreamFailed(Kind.NONSENSE, str(error)) from None
        self._sent_all = onward.framing.length == 0
        self._portion = Portion(0)
        self._wait(self._owner.timeouts.answer)
        self._write(head)

    def send_body(self, data: bytes) -> None:
        """Send bytes of a body; drops do not count, a portion must come in time."""
        if self._portion.came(len(data)):
            self._wait(self._owner.timeouts.idle)
        self._write(data)

    def sent(self, last: bytes) -> None:
        """Send the end of a body."""
        self._sent_all = True
        if last:
            self._write(last)
        if not self._answered:
            self._wait(self._owner.timeouts.answer)

    def exchanged(self, onward: Onward) -> None:
        """The answer is whole: carry another one, or end."""
        session = self._session
        if self._sent_all and session.reusable and not session.unread and not onward.upgrade:
            self._wait(self._owner.timeouts.keep)
            self._owner.released(self)
        else:
            self.abort()

    def abort(self) -> None:
        """End at once."""
        self._deadline.stop()
        super().abort()

    def hand_over(self, protocol: Protocol) -> None:
        """Let ``protocol`` have the transport, what came already and all that comes."""
        self._deadline.stop()
        transport = self.transport
        if isinstance(transport, TLSMemoryBIOProtocol):
            transport.wrappedProtocol = protocol
        else:
            transport.protocol = protocol
        early = self._session.take_unread()
        protocol.makeConnection(transport)
        if early:
            protocol.dataReceived(early)

    # What Twisted calls.

    def dataReceived(self, data: bytes) -> None:
        exchange = self.exchange
        if exchange is None:
            # Nobody asked for it, so it could only be taken for the answer to what comes next.
            self.abort()
            return
        self.heard = True
        try:
            self._session.receive_data(data)
        except HttpError as error:
            self._fail_exchange(UpstreamFailed(Kind.NONSENSE, str(error)))
            return
        if self._answered:
            self._wait(self._owner.timeouts.idle)
        self._deliver(exchange)

    def _deliver(self, exchange: Exchange) -> None:
        events = self._session.events_received()
        exchange.whole = bool(events) and events[-1] is ENDED
        for event in events:
            if self.exchange is not exchange:
                return
            if isinstance(event, ResponseReceived) and event.head.status >= 200:
                self._answered = True
                if not exchange.whole:
                    self._wait(self._owner.timeouts.idle)
            exchange.received(event)

    def _fail_exchange(self, error: UpstreamFailed) -> None:
        exchange = self.exchange
        self.abort()
        if exchange is not None:
            exchange.lost(self, error)

    def _wait(self, seconds: float) -> None:
        self._deadline.move(seconds, self._timed_out)

    def _timed_out(self) -> None:
        if self._answered:
            self._fail_exchange(UpstreamFailed(Kind.CUT, "it stopped in the middle", True))
        else:
            self._fail_exchange(UpstreamFailed(Kind.SILENT))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self._deadline.stop()
        self._owner.lost(self)
        exchange = self.exchange
        if exchange is None:
            return
        kind = Kind.CUT if self._answered else Kind.CLOSED
        try:
            if not reason.check(ConnectionDone):
                raise HttpError(502, reason.getErrorMessage())
            self._session.receive_eof()
        except HttpError as error:
            exchange.lost(self, UpstreamFailed(kind, str(error)))
            return
        self._deliver(exchange)
        if self.exchange is exchange:
            exchange.lost(self, UpstreamFailed(kind))
