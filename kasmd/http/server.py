"""twisted.web's HTTP/1.1 with our limits, and answers that are plain values.

A `Respond` is called with each request and gives a `Response`, raises a
`Problem`, or gives None when it has taken the request over.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Optional, Union

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime, ISSLTransport
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import NO_BODY_CODES, RESPONSES, HTTPChannel
from twisted.web.http import Request as TwistedRequest
from twisted.web.http import datetimeToString

from kasmd.errors import PermissionDenied
from kasmd.http.headers import valid_host
from kasmd.http.log import (
    Access,
    accepted_request_id,
    log_access,
    new_request_id,
    next_connection,
    note,
    note_route,
)
from kasmd.http.problems import CLOSE, Headers, Problem
from kasmd.http.proxies import Proxies
from kasmd.http.query import Query
from kasmd.interfaces import IGrant, Principal
from kasmd.log.asking import asked_by

_log = Logger(namespace="kasmd.http")


OWN_HEADERS = (
    (b"Server", b"kasmd"),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Referrer-Policy", b"no-referrer"),
)


class Limits(NamedTuple):
    """The ceilings of one HTTP face."""

    #: Seconds for a whole request to arrive, counted from the last answer.
    head_timeout: int = 30
    #: Seconds between a polite close and a rude one.
    abort_timeout: int = 5
    #: Bytes of a body that no route reads, which is dropped.
    body: int = 65536
    #: Bytes of all bodies that are kept at one time for the routes that read them.
    bodies: int = 64 << 20
    #: Seconds in which a client that still sends its body can take the refusal.
    linger: float = 1.0
    #: Connections at one time, websockets among them.
    connections: int = 2000


#: What the log has for a request whose client did not wait for the answer (nginx's number).
CLIENT_GONE = 499


class Response(NamedTuple):
    """An answer whose body is in memory."""

    status: int
    headers: Headers = ()
    body: bytes = b""


class Request(TwistedRequest):
    """One request, its grant, and what the routes need of both."""

    channel: Channel
    grant: Optional[IGrant] = None
    principal: Optional[Principal] = None
    request_id = ""
    started = 0.0
    _head_length = 0
    _body_length = 0
    _room = 0

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._body: list[bytes] = []

    @property
    def body(self) -> bytes:
        """All of the body, for the routes that have room for one; else nothing."""
        return b"".join(self._body)

    @property
    def query(self) -> Query:
        """What follows the question mark (ProtocolError)."""
        return Query(self.uri.partition(b"?")[2])

    @property
    def address(self) -> str:
        """The client's IP address, or an empty text for a unix socket.

        Behind a trusted proxy it is what the proxy says.
        """
        proxies = self.channel.factory.proxies
        return proxies.client(self._peer_address, self.values(b"X-Forwarded-For"))

    @property
    def secure(self) -> bool:
        """Whether the client speaks TLS, to us or to a trusted proxy."""
        proxies = self.channel.factory.proxies
        proto = self.values(b"X-Forwarded-Proto")
        return bool(self.isSecure()) or proxies.is_secure(self._peer_address, proto)

    @property
    def peer(self) -> str:
        """The client's address and the connection's port, for people and logs."""
        peer = self.client
        known = isinstance(peer, (IPv4Address, IPv6Address))
        return f"{self.address}:{peer.port}" if known else "unix socket"

    @property
    def _peer_address(self) -> str:
        peer = self.client
        return peer.host if isinstance(peer, (IPv4Address, IPv6Address)) else ""

    def values(self, name: bytes) -> list[bytes]:
        """Give every value of a request header, in order."""
        return list(self.requestHeaders.getRawHeaders(name) or ())

    def value(self, name: bytes) -> bytes:
        """Give the only value of a request header, or an empty one."""
        values = self.values(name)
        if len(values) > 1:
            raise Problem(400, f"The request has several {name.decode('ascii')} headers.", [CLOSE])
        return values[0] if values else b""

    # What HTTPChannel calls.

    def parseCookies(self) -> None:
        """Nothing here reads cookies."""

    def gotLength(self, length: Optional[int]) -> None:
        if length != 0:
            channel = self.channel
            self._room = channel.factory.room(channel._command, _path_of(channel._path))
            self._count_body(length or 0)

    def handleContentChunk(self, data: bytes) -> None:
        self._body_length += len(data)
        self._count_body(self._body_length)
        if self._room and not self.channel.refused:
            self._body.append(data)
            self.channel.factory.bodies += len(data)

    def _count_body(self, length: int) -> None:
        """Refuse what is too large; what no route reads is dropped."""
        factory = self.channel.factory
        if length > (self._room or factory.limits.body):
            self.channel.refuse(413, b"The body is too large.", factory.limits.linger)
        elif self._room and factory.bodies + length - self._body_length > factory.limits.bodies:
            text = b"Too many bodies are on their way; try again."
            self.channel.refuse(503, text, factory.limits.linger)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        self.method, self.uri, self.clientproto = command, path, version
        self.path = _path_of(path)
        if not self.channel.refused:
            self.process()

    def process(self) -> None:
        factory = self.channel.factory
        self.started = factory.reactor.seconds()
        self.request_id = self._request_id()
        with asked_by(self):
            done = maybeDeferred(self._respond, factory.respond)
        done.addCallbacks(self.answer, self._failed)
        done.addErrback(self._broke)

    def _request_id(self) -> str:
        """Take a trusted proxy's id for this request, or make one."""
        given = self.values(b"X-Request-Id")
        if len(given) == 1 and self.channel.factory.proxies.trusts(self._peer_address):
            return accepted_request_id(given[0])
        return new_request_id()

    def _respond(self, respond: Respond) -> Answer:
        host = self.value(b"Host")
        if not (valid_host(host) or (not host and self.clientproto == b"HTTP/1.0")):
            raise Problem(400, "The Host header does not name a host.", [CLOSE])
        if not self.path.startswith(b"/"):
            raise Problem(400, "The request target is not a path.", [CLOSE])
        return respond(self)

    # Answers.

    def answer(self, response: Optional[Response]) -> None:
        """Send ``response`` whole; None was taken over by its route."""
        if response is None or self._disconnected:
            return
        status, headers, body = response
        head = self._head(status, headers, len(body))
        if self.method == b"HEAD" or status in NO_BODY_CODES:
            body = b""
        self.sentLength = len(body)
        self.channel.write(head + body)
        self.finish()

    def open(self, status: int, headers: Headers, length: Optional[int]) -> None:
        """Send the head; ``write`` and ``finish`` follow (length None: in chunks)."""
        if length is None and self.clientproto == b"HTTP/1.1":
            headers = (*headers, (b"Transfer-Encoding", b"chunked"))
            self.chunked = 1
        self.channel.write(self._head(status, headers, length))

    def _head(self, status: int, headers: Headers, length: Optional[int]) -> bytes:
        """Make the head: the face's own headers, then those of the answer."""
        self.setResponseCode(status)
        self.startedWriting = 1
        lines = [b"HTTP/1.1 %d %s" % (status, self.code_message)]
        lines += self.channel.factory.lines
        lines.append(b"Date: " + datetimeToString())
        if length is not None and status not in NO_BODY_CODES:
            lines.append(b"Content-Length: %d" % length)
        lines += [b"%s: %s" % header for header in headers]
        lines += [b"Set-Cookie: " + cookie for cookie in self.cookies]
        if CLOSE in headers:
            self.channel.persistent = 0
        elif not self.channel.persistent:
            lines.append(b"%s: %s" % CLOSE)
        lines += (b"X-Request-Id: " + self.request_id.encode("ascii"), b"", b"")
        head = b"\r\n".join(lines)
        self._head_length = len(head)
        return head

    def _failed(self, failure: Failure) -> None:
        problem = failure.value
        if isinstance(problem, PermissionDenied):
            problem = Problem(403, "You may not do this.")
        if not isinstance(problem, Problem):
            _log.failure("A request broke its route", failure, request_id=self.request_id)
            problem = Problem(500, "The server made a mistake; its log says which.")
        if problem.status == 401:
            self.note(f"Authentication attempt failed, {problem.detail}")
        accept = b",".join(self.values(b"Accept"))
        content_type, body = problem.rendered(accept)
        headers = (
            (b"Content-Type", content_type),
            (b"Cache-Control", b"no-store"),
            *problem.headers,
        )
        self.answer(Response(problem.status, headers, body))

    def _broke(self, failure: Failure) -> None:
        _log.failure("An answer could not be sent", failure, request_id=self.request_id)
        self.channel.forceAbortClient()

    # The end.

    def finish(self) -> None:
        factory = self.channel.factory
        super().finish()
        self._release(factory)

    def connectionLost(self, reason: Failure) -> None:
        if self.started and not self.finished:
            if not self.startedWriting:
                self.code = CLIENT_GONE
            self.channel.factory.log(self)
        factory = self.channel.factory
        super().connectionLost(reason)
        self._release(factory)

    @property
    def access(self) -> Access:
        """What the log says of this request once it is answered."""
        return Access(
            self.channel.number,
            self._peer_address,
            self.address,
            self.principal.name if self.principal is not None else "",
            self.method,
            self.path,
            self.uri.partition(b"?")[2],
            self.clientproto,
            self.code,
            self._head_length + self.sentLength,
            self.channel.factory.reactor.seconds() - self.started,
        )

    def note_route(self) -> None:
        """Write what was asked for and by what it was let in, where steps are wanted."""
        proof = self.principal.kind if self.principal is not None else ""
        query = self.uri.partition(b"?")[2]
        note_route(self.channel.number, proof, self.path, query, self.request_id)

    def note(self, text: str) -> None:
        """Write a step of this request, where steps are wanted."""
        note(self.channel.number, text, self.request_id)

    def hand_over(self, protocol: Protocol) -> None:
        """Give the connection to ``protocol``; the request and its grant are over."""
        self.note("using protocol HyBi/IETF 6455 13")
        self.note("connecting to VNC target")
        self.channel.factory.log(self)
        self.channel.hand_over(protocol)
        self._release(self.channel.factory)

    def _release(self, factory: HttpFactory) -> None:
        factory.bodies -= sum(map(len, self._body))
        self._body.clear()
        grant, self.grant = self.grant, None
        if grant is not None:
            grant.release()


def _path_of(target: bytes) -> bytes:
    """Give the path of a request target, /path?query or http://host/path (RFC 9112 3.2)."""
    path = target.partition(b"?")[0]
    for scheme in (b"http://", b"https://"):
        if path.lower().startswith(scheme):
            _, slash, rest = path[len(scheme) :].partition(b"/")
            return slash + rest
    return path


#: A Deferred fires with a `Response`, or None.
Answer = Union[Optional[Response], Deferred[Any]]
Respond = Callable[[Request], Answer]
#: Gives how many bytes of a body the route for a method and a path reads.
Room = Callable[[bytes, bytes], int]


class Channel(HTTPChannel):
    """One connection; it can become another protocol's."""

    requestFactory = Request
    factory: HttpFactory
    refused = False
    _successor: Optional[Protocol] = None
    _lingering: Optional[IDelayedCall] = None

    def __init__(self, factory: HttpFactory) -> None:
        super().__init__()
        self.factory = factory
        self.number = next_connection()
        self.timeOut = factory.limits.head_timeout
        self.abortTimeout = factory.limits.abort_timeout

    def callLater(self, period: float, func: Callable[[], None]) -> IDelayedCall:
        """Wait on the factory's clock (TimeoutMixin asks this)."""
        return self.factory.reactor.callLater(period, func)

    def connectionMade(self) -> None:
        self.factory.connections += 1
        super().connectionMade()
        secure = ISSLTransport.providedBy(self.transport)
        note(self.number, f"got client connection from {self._peer_address()}")
        note(self.number, "using SSL socket" if secure else "using plain (not SSL) socket")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.factory.connections -= 1
        if self._lingering is not None and self._lingering.active():
            self._lingering.cancel()
        if self._successor is None:
            super().connectionLost(reason)
            note(self.number, "No connection after handshake")
        else:
            self._successor.connectionLost(reason)
        note(self.number, "handler exit")

    def _peer_address(self) -> str:
        peer = self.getPeer()
        return peer.host if isinstance(peer, (IPv4Address, IPv6Address)) else ""

    def resetTimeout(self) -> None:
        """Time is given to a whole request, not to each of its bytes."""

    def dataReceived(self, data: bytes) -> None:
        if self._successor is not None:
            self._successor.dataReceived(data)
        elif not self.refused:
            super().dataReceived(data)

    def rawDataReceived(self, data: bytes) -> None:
        if self._successor is None:
            super().rawDataReceived(data)
        else:
            self._successor.dataReceived(data)

    def hand_over(self, protocol: Protocol) -> None:
        """Let ``protocol`` have the transport and all that comes from now on."""
        self.setTimeout(None)
        self.requests.clear()
        early = b"".join(self._dataBuffer)
        self._dataBuffer = []
        self._networkProducer.unregisterProducer()
        self._networkProducer.resumeProducing()
        self._successor = protocol
        protocol.makeConnection(self.transport)
        if early:
            protocol.dataReceived(early)

    def refuse(self, status: int, text: bytes, linger: float = 0) -> None:
        """Answer a request that is not worth parsing further, and close.

        To close on one who still sends would take the answer from it, so what
        it sends can be dropped for ``linger`` seconds.
        """
        if self.refused:
            return
        self.refused = True
        lines = [b"HTTP/1.1 %d %s" % (status, RESPONSES[status])]
        lines += self.factory.lines
        lines += [b"Content-Type: text/plain", b"Content-Length: %d" % len(text)]
        request_id = new_request_id()
        lines += [b"X-Request-Id: " + request_id.encode("ascii")]
        lines += [b"Connection: close", b"", text]
        answer = b"\r\n".join(lines)
        self.write(answer)
        peer = self._peer_address()
        nothing = (b"-", b"-", b"", b"HTTP/1.1")
        access = Access(self.number, peer, peer, "", *nothing, status, len(answer), 0.0)
        log_access(access, request_id)
        if linger:
            self.setTimeout(None)
            self._lingering = self.callLater(linger, self.loseConnection)
        else:
            self.loseConnection()

    def _send100Continue(self) -> None:
        if not self.refused:
            super()._send100Continue()

    def lineLengthExceeded(self, line: bytes) -> None:
        self._respondToBadRequestAndDisconnect()

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.refuse(400, b"The request is not well formed, or its head is too large.")


class HttpFactory(ServerFactory[Channel]):
    """Listens for HTTP and gives each request to ``respond``."""

    noisy = False

    def __init__(
        self,
        reactor: IReactorTime,
        respond: Respond,
        headers: Headers,
        limits: Limits,
        room: Room = lambda method, path: 0,
        proxies: Proxies = Proxies(),
    ) -> None:
        self.reactor = reactor
        self.respond = respond
        self.room = room
        self.proxies = proxies
        #: The header lines that every answer of this face has.
        self.lines = [b"%s: %s" % header for header in (*OWN_HEADERS, *headers)]
        self.limits = limits
        self.connections = 0
        #: Bytes of the bodies that are kept.
        self.bodies = 0

    def buildProtocol(self, addr: Optional[IAddress]) -> Optional[Channel]:
        if self.connections >= self.limits.connections:
            _log.warn("Refused a connection: there are {count}", count=self.connections)
            return None
        return Channel(self)

    def log(self, request: Request) -> None:
        """Write the access line; called by the request when it is answered."""
        log_access(request.access, request.request_id)
