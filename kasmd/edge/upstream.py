"""One connection to an upstream, and the exchanges that it carries one after another."""

from __future__ import annotations

import socket
import typing
from typing import Any, Callable, NamedTuple, Optional

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.tcp import Connection
from twisted.protocols.policies import TimeoutMixin
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from kasmd.edge.dial import Dialled, Kind, Timeouts, UpstreamFailed
from kasmd.h1.body import LAST_CHUNK, Framing, chunk
from kasmd.h1.fields import Field, HttpError
from kasmd.h1.head import Limits, ResponseHead, render_request
from kasmd.h1.session import ENDED, BodyReceived, ClientSession, Event, ResponseReceived

#: Methods that may be sent again when it is not known whether they arrived.
_IDEMPOTENT = (b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE")


class Onward(NamedTuple):
    """A request for an upstream; its fields say how its body is framed."""

    method: bytes
    target: bytes
    fields: list[Field]
    framing: Framing = Framing()
    #: It asks for another protocol, so its connection is no other request's.
    upgrade: bool = False

    @property
    def repeatable(self) -> bool:
        """Whether it may be sent a second time."""
        return self.framing.length == 0 and self.method in _IDEMPOTENT and not self.upgrade


class Receiver(typing.Protocol):
    """Hears how an exchange goes: ready, continue, answer, data, end, in this order.

    After ``failed`` and after the end there is nothing more.
    """

    def upstream_ready(self) -> None:
        """The head was sent; the body may follow."""

    def continue_received(self) -> None:
        """The upstream wants the body (100)."""

    def answer_received(self, head: ResponseHead, framing: Framing) -> None:
        """The answer begins; after a 101 the connection is to be handed over."""

    def data_received(self, data: bytes) -> None:
        """A piece of the answer's body."""

    def answer_ended(self) -> None:
        """The answer is whole."""

    def failed(self, error: UpstreamFailed) -> None:
        """There is no answer, or no more of it."""


class Owner(typing.Protocol):
    """Where connections come from and go back to."""

    reactor: IReactorTime
    timeouts: Timeouts
    limits: Limits

    def take(self, exchange: Exchange, fresh: bool) -> None:
        """Call ``exchange.connected`` or ``exchange.failed``, now or later."""

    def forget(self, exchange: Exchange) -> None:
        """The exchange waits no more."""

    def released(self, connection: UpstreamConnection) -> None:
        """A connection can carry another exchange."""

    def lost(self, connection: UpstreamConnection) -> None:
        """A connection is gone."""


@implementer(IPushProducer)
class Exchange:
    """A request and its answer.

    As a producer it is the answer's: who writes the answer pauses it.
    """

    def __init__(self, owner: Owner, onward: Onward, receiver: Receiver) -> None:
        self.onward = onward
        self.receiver = receiver
        self._owner = owner
        self._connection: Optional[UpstreamConnection] = None
        self._body_producer: Optional[IPushProducer] = None
        self._paused = False
        self._over = False
        #: Whether all of the answer is here, and follows its head at once.
        self.whole = False

    def start(self) -> None:
        """Ask for a connection; what cannot be repeated gets a new one."""
        self._owner.take(self, fresh=not self.onward.repeatable)

    # The request's body.

    def send_body(self, producer: IPushProducer) -> None:
        """Announce `write`s; ``producer`` is paused while the upstream takes no more."""
        if self._connection is not None:
            self._body_producer = producer
            self._connection.transport.registerProducer(producer, True)

    def write(self, data: bytes) -> None:
        """Send a piece of the body, which is not empty."""
        if self._connection is not None:
            chunked = self.onward.framing.chunked
            self._connection.send_body(chunk(data) if chunked else data)

    def finish(self) -> None:
        """The body is whole."""
        if self._connection is not None:
            self._end_production()
            self._connection.sent(LAST_CHUNK if self.onward.framing.chunked else b"")

    def _end_production(self) -> None:
        producer, self._body_producer = self._body_producer, None
        if producer is not None and self._connection is not None:
            self._connection.transport.unregisterProducer()

    # The answer's flow.

    def pauseProducing(self) -> None:
        self._paused = True
        if self._connection is not None:
            self._connection.transport.pauseProducing()

    def resumeProducing(self) -> None:
        self._paused = False
        if self._connection is not None:
            self._connection.transport.resumeProducing()

    def stopProducing(self) -> None:
        self.abort()

    def abort(self) -> None:
        """Nobody wants the answer any more; the receiver hears nothing of it."""
        if self._over:
            return
        connection = self._detach()
        if connection is None:
            self._owner.forget(self)
        else:
            connection.abort()

    def hand_over(self, protocol: Protocol) -> None:
        """After a 101: give the connection to ``protocol``, with what came after the answer."""
        connection = self._detach()
        assert connection is not None, "the answer came over it"
        connection.hand_over(protocol)

    def _detach(self) -> Optional[UpstreamConnection]:
        self._end_production()
        connection, self._connection = self._connection, None
        self._over = True
        if connection is not None:
            connection.exchange = None
            if self._paused:
                connection.transport.resumeProducing()
        return connection

    # What the connection and its owner call.

    @property
    def over(self) -> bool:
        """Whether nothing more happens."""
        return self._over

    def connected(self, connection: UpstreamConnection) -> None:
        """Send the head."""
        self._connection = connection
        try:
            connection.begin(self)
        except UpstreamFailed as error:
            self.lost(connection, error)
            connection.abort()
            return
        self.receiver.upstream_ready()

    def received(self, event: Event) -> None:
        """Pass on what came."""
        if type(event) is BodyReceived:
            self.receiver.data_received(event.data)
        elif isinstance(event, ResponseReceived):
            status = event.head.status
            if status >= 200 or status == 101:
                self.receiver.answer_received(event.head, event.framing)
            elif status == 100:
                self.receiver.continue_received()
        else:
            connection = self._detach()
            if connection is not None:
                connection.exchanged(self.onward)
            self.receiver.answer_ended()

    def lost(self, connection: UpstreamConnection, error: UpstreamFailed) -> None:
        """The connection ended; one that was used before is worth a second try."""
        stale = connection.used > 1 and not connection.heard and error.kind is Kind.CLOSED
        if stale and self.onward.repeatable:
            self._connection = None
            self._owner.take(self, fresh=True)
        else:
            self.failed(error)

    def failed(self, error: UpstreamFailed) -> None:
        """There is no way."""
        if not self._over:
            self._detach()
            self.receiver.failed(error)


class UpstreamConnection(Dialled, TimeoutMixin):
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
        self._socket: Optional[socket.socket] = None

    def connectionMade(self) -> None:
        if isinstance(self.transport, Connection):
            self._socket = self.transport.getHandle()
        super().connectionMade()

    def callLater(self, period: float, func: Callable[[], None]) -> IDelayedCall:
        """Wait on the owner's clock (TimeoutMixin asks this)."""
        return self._owner.reactor.callLater(period, func)

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
        self.setTimeout(self._owner.timeouts.answer)
        self._send_first(head)

    def _send_first(self, head: bytes) -> None:
        """Send what nothing waits before: at once, which saves a turn of the reactor."""
        sent = 0
        if self._socket is not None:
            try:
                sent = self._socket.send(head)
            except OSError:
                # Twisted's own attempt finds out why.
                pass
        if sent < len(head):
            self.transport.write(head[sent:])

    def send_body(self, data: bytes) -> None:
        """Send bytes of a body."""
        self.setTimeout(self._owner.timeouts.idle)
        self.transport.write(data)

    def sent(self, last: bytes) -> None:
        """Send the end of a body."""
        self._sent_all = True
        if last:
            self.transport.write(last)
        if not self._answered:
            self.setTimeout(self._owner.timeouts.answer)

    def exchanged(self, onward: Onward) -> None:
        """The answer is whole: carry another one, or end."""
        session = self._session
        if self._sent_all and session.reusable and not session.unread and not onward.upgrade:
            self.setTimeout(self._owner.timeouts.keep)
            self._owner.released(self)
        else:
            self.abort()

    def abort(self) -> None:
        """End at once."""
        self.setTimeout(None)
        super().abort()

    def hand_over(self, protocol: Protocol) -> None:
        """Let ``protocol`` have the transport, what came already and all that comes."""
        self.setTimeout(None)
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
            self.resetTimeout()
        self._deliver(exchange)

    def _deliver(self, exchange: Exchange) -> None:
        events = self._session.events_received()
        exchange.whole = bool(events) and events[-1] is ENDED
        for event in events:
            if self.exchange is not exchange:
                return
            if isinstance(event, ResponseReceived) and event.head.status >= 200:
                self._answered = True
                self.setTimeout(self._owner.timeouts.idle)
            exchange.received(event)

    def _fail_exchange(self, error: UpstreamFailed) -> None:
        exchange = self.exchange
        self.abort()
        if exchange is not None:
            exchange.lost(self, error)

    def timeoutConnection(self) -> None:
        if self._answered:
            self._fail_exchange(UpstreamFailed(Kind.CUT, "it stopped in the middle"))
        else:
            self._fail_exchange(UpstreamFailed(Kind.SILENT))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self.setTimeout(None)
        self._socket = None
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
