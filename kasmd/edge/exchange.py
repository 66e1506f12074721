"""One request to an upstream and its answer, whichever connection carries them."""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING, NamedTuple, Optional

from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol
from zope.interface import implementer

from kasmd.edge.dial import Kind, Timeouts, UpstreamFailed
from kasmd.h1.body import LAST_CHUNK, Framing, chunk
from kasmd.h1.fields import Field
from kasmd.h1.head import Limits, ResponseHead
from kasmd.h1.session import BodyReceived, Event, ResponseReceived

if TYPE_CHECKING:
    from kasmd.edge.upstream import UpstreamConnection

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
        # It has us, too: they go at once, and not when garbage is looked for.
        del self.receiver
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
            receiver, connection = self.receiver, self._detach()
            if connection is not None:
                connection.exchanged(self.onward)
            receiver.answer_ended()

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
            receiver = self.receiver
            self._detach()
            receiver.failed(error)
