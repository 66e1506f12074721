"""A connection that speaks HTTP/1.1, until it is another protocol's.

Requests are read and answered one at a time.  Nothing is read while more than
`MAX_AHEAD` bytes wait, nor the next request while an answer does not drain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Optional

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import (
    IAddress,
    IProducer,
    IPushProducer,
    ISSLTransport,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.tcp import Connection
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from zope.interface import implementer

from kasmd.h1.body import Framing
from kasmd.h1.fields import Fields, HttpError
from kasmd.h1.head import HTTP_1_1, RequestHead
from kasmd.h1.session import BodyReceived, RequestReceived, ServerSession
from kasmd.http.body import KeptBody, Stream, StreamedBody
from kasmd.http.deadline import Deadline
from kasmd.http.log import next_connection, note
from kasmd.http.problems import CLOSE, Problem
from kasmd.http.prompt import PromptWriter
from kasmd.http.request import Request
from kasmd.http.sending import PATIENCE

if TYPE_CHECKING:
    from kasmd.http.server import HttpFactory

#: Bytes that a client may send ahead of the answer to what it sent before.
MAX_AHEAD = 64 * 1024
#: Requests sent ahead that are answered before others have their turn.
MAX_AT_ONCE = 16
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
#: What is answered where no request could be read; it may have been a browser's.
_UNREAD = RequestHead(b"-", b"-", HTTP_1_1, Fields([(b"Accept", b"text/html")]))


@implementer(IPushProducer)
class Channel(Protocol):
    """One connection; `number` is its own."""

    factory: HttpFactory
    transport: Connection
    peer_address = ""
    #: 0 for a unix socket.
    peer_port = 0
    secure = False
    _request: Optional[Request] = None
    #: Events are being acted on.
    _acting = False
    #: Nothing is read as HTTP any more.
    _closing = False
    _transport_paused = False
    #: Answers wait for the client to take them.
    _clogged = False
    _producing = False
    #: The next request has not begun.
    _resting = False

    def __init__(self, factory: HttpFactory, peer: Optional[IAddress] = None) -> None:
        self.factory = factory
        self._peer = peer
        self.number = next_connection()
        self._session = ServerSession(factory.limits.head)
        self._deadline = Deadline(factory.reactor)

    def connectionMade(self) -> None:
        self.secure = ISSLTransport.providedBy(self.transport)
        self.write: Callable[[bytes], object] = PromptWriter(self.transport).write
        peer = self._peer or self.transport.getPeer()
        if isinstance(peer, (IPv4Address, IPv6Address)):
            self.peer_address, self.peer_port = peer.host, peer.port
            if ITCPTransport.providedBy(self.transport):
                self.transport.setTcpNoDelay(True)
        self.transport.registerProducer(self, True)
        if not self.factory.crowd.arrived(self.peer_address, self.transport):
            self.abort()
            return
        self._deadline.move(self.factory.limits.head_timeout, self._timed_out)
        note(self.number, f"got client connection from {self.peer_address}")
        note(self.number, "using SSL socket" if self.secure else "using plain (not SSL) socket")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.factory.crowd.left(self.peer_address, self.transport)
        self._closing = True
        self._deadline.stop()
        request, self._request = self._request, None
        if request is not None:
            request.lost(reason)
        note(self.number, "No connection after handshake")
        note(self.number, "handler exit")

    # What comes.

    def dataReceived(self, data: bytes) -> None:
        if not self._closing:
            if self._resting:
                self._resting = False
                self._deadline.move(self.factory.limits.head_timeout, self._timed_out)
            self._read(data)
            self._read_on()

    def _read(self, data: Optional[bytes] = None) -> None:
        """Let the session read ``data``, or the next request, and act on what it found."""
        self._acting = True
        try:
            if data is None:
                self._session.next_request()
            else:
                self._session.receive_data(data)
        except HttpError as error:
            self._act()
            self._refuse(error)
        else:
            self._act()
        self._acting = False

    def _read_on(self) -> None:
        """Read what waits, as far as it is its turn."""
        if self._request is None:
            for _ in range(MAX_AT_ONCE):
                if self._request is not None or self._clogged or self._closing or not self.is_read:
                    break
                if not self._session.unread:
                    self._session.next_request()
                    break
                self._read()
            else:
                self.factory.reactor.callLater(0, self._read_on)
        self.regulate()

    def _act(self) -> None:
        for event in self._session.events_received():
            request = self._request
            if isinstance(event, RequestReceived):
                self._begin(Request(self, event.head, event.framing))
            elif request is None or request.over:
                continue
            elif isinstance(event, BodyReceived):
                self._body_received(request, event.data)
            else:
                if request.intake is not None:
                    request.intake.body_ended()
                if not request.dispatched:
                    request.dispatch()

    def _begin(self, request: Request) -> None:
        self._request = request
        try:
            request.check()
            if request.framing.length != 0:
                self._admit_body(request, request.framing)
        except Problem as problem:
            request.fail(problem)

    def _admit_body(self, request: Request, framing: Framing) -> None:
        """Make room for a body, or raise a `Problem`."""
        room = self.factory.room(request.method, request.path)
        if isinstance(room, Stream):
            request.intake = StreamedBody()
            request.dispatch()
            return
        request.intake = KeptBody(self.factory, room)
        request.intake.admit(framing.length or 0)
        self.ask_for_body(request)

    def _body_received(self, request: Request, data: bytes) -> None:
        assert request.intake is not None, "a request with a body has an intake"
        try:
            request.intake.body_received(data)
        except Problem as problem:
            request.fail(problem)

    def _refuse(self, error: HttpError) -> None:
        """Answer what cannot be read, and close."""
        request = self._request
        if request is None:
            request = self._request = Request(self, _UNREAD)
        elif request.intake is not None:
            request.intake.body_lost(Failure(error))
        text = f"The request is not understood: {error}."
        request.fail(Problem(error.status, text, [CLOSE], error.limit))

    @property
    def is_read(self) -> bool:
        """Whether all of the present request came."""
        return self._session.waiting

    def ask_for_body(self, request: Request) -> None:
        """Tell a client that waits for it to send its body."""
        if request.expects_continue and not self.is_read:
            self.write(CONTINUE)

    def regulate(self) -> None:
        """Stop or go on reading the transport."""
        intake = self._request.intake if self._request is not None else None
        held = intake is not None and isinstance(intake, StreamedBody) and intake.holds_back
        ahead = self._session.unread > MAX_AHEAD and self.is_read
        paused = (held or ahead) and not self._closing
        if paused != self._transport_paused:
            self._transport_paused = paused
            if paused:
                self.transport.pauseProducing()
            else:
                self.transport.resumeProducing()

    # What goes.

    def answered(self, keep: bool) -> None:
        """The request is over; another may follow (``keep``), or the end."""
        self._request = None
        if not keep:
            self._close()
            return
        if self._producing:
            self.produce(self, True)
        self._await_request()
        if not self._acting:
            self._read_on()

    def produce(self, producer: IProducer, streaming: bool) -> None:
        """Let ``producer`` be the one that is told how fast the client takes what is sent."""
        self._producing = producer is not self
        self._clogged = False
        if not streaming:
            # It is asked for more when the transport has written, so that must write.
            self.write = self.transport.write
        self.transport.unregisterProducer()
        self.transport.registerProducer(producer, streaming)

    def pauseProducing(self) -> None:
        self._clogged = True

    def resumeProducing(self) -> None:
        self._clogged = False
        self._read_on()

    def stopProducing(self) -> None:
        """The connection is lost; `connectionLost` follows."""

    def hand_over(self, protocol: Protocol) -> None:
        """Let ``protocol`` have the transport; nothing of the channel stays."""
        self._request = None
        self._closing = True
        self._deadline.stop()
        self.transport.unregisterProducer()
        self.regulate()
        successor = _Successor(
            self.factory, self.number, self.peer_address, protocol, self.transport
        )
        if isinstance(self.transport, ProtocolWrapper):
            self.transport.wrappedProtocol = successor
        else:
            self.transport.protocol = successor
        protocol.makeConnection(self.transport)
        early = self._session.tunnel()
        if early:
            protocol.dataReceived(early)

    # The end.

    def _close(self) -> None:
        """Close once all is sent.

        To close on one who still sends would take the answer from it, so what it
        sends is dropped for a while.
        """
        self._closing = True
        self.transport.unregisterProducer()
        if self.is_read and not self._session.unread:
            self.transport.loseConnection()
            self._deadline.move(PATIENCE, self.abort)
            return
        if not self.secure:
            self.transport.loseWriteConnection()
        self.regulate()
        self._deadline.move(self.factory.limits.linger, self._hang_up)

    def _hang_up(self) -> None:
        self.transport.loseConnection()
        self._deadline.move(self.factory.limits.abort_timeout, self.abort)

    def abort(self) -> None:
        """Cut the connection."""
        self._closing = True
        self.transport.abortConnection()

    def _await_request(self) -> None:
        limits = self.factory.limits
        self._resting = not self._session.unread
        seconds = limits.idle_timeout if self._resting else limits.head_timeout
        self._deadline.move(seconds, self._timed_out)

    def _timed_out(self) -> None:
        """Time is given to a whole request, not to each of its bytes."""
        if self._request is None or not self._request.dispatched:
            limit = "keep_alive_seconds" if self._resting else "head_seconds"
            self.factory.counts.reached(limit)
            self._closing = True
            self.transport.unregisterProducer()
            self._hang_up()


class _Successor(Protocol):
    """What stays of a channel after `Channel.hand_over`: the count and the number."""

    def __init__(
        self, factory: HttpFactory, number: int, address: str, protocol: Protocol,
        connection: Connection,
    ) -> None:
        self._factory = factory
        self._number = number
        self._address = address
        self._protocol = protocol
        self._connection = connection

    def dataReceived(self, data: bytes) -> None:
        self._protocol.dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._factory.crowd.left(self._address, self._connection)
        self._protocol.connectionLost(reason)
        note(self._number, "handler exit")
