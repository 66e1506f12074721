"""twisted.web's HTTP/1.1 with our limits, and answers that are plain values.

A `Respond` is called with each request and gives a `Response`, raises a
`Problem`, or gives None when it has taken the request over.
"""

from __future__ import annotations

from typing import Callable, NamedTuple, Optional, Union

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import NO_BODY_CODES, RESPONSES, HTTPChannel
from twisted.web.http import Request as TwistedRequest
from twisted.web.http import datetimeToString

from kasmd.errors import PermissionDenied
from kasmd.http.headers import valid_host
from kasmd.http.log import log_access
from kasmd.http.problems import CLOSE, Headers, Problem
from kasmd.interfaces import IGrant

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
    #: Bytes of a request's body; no route of the site reads one yet.
    body: int = 65536
    #: Connections at one time, websockets among them.
    connections: int = 2000


class Response(NamedTuple):
    """An answer whose body is in memory."""

    status: int
    headers: Headers = ()
    body: bytes = b""


class Request(TwistedRequest):
    """One request, its grant, and what the routes need of both."""

    channel: Channel
    grant: Optional[IGrant] = None
    started = 0.0
    _body_length = 0

    @property
    def address(self) -> str:
        """The peer's IP address, or an empty text for a unix socket."""
        peer = self.client
        return peer.host if isinstance(peer, (IPv4Address, IPv6Address)) else ""

    @property
    def peer(self) -> str:
        """The peer's address and port, for people and logs."""
        peer = self.client
        return f"{self.address}:{peer.port}" if self.address else "unix socket"

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
        self._count_body(length or 0)

    def handleContentChunk(self, data: bytes) -> None:
        self._body_length += len(data)
        self._count_body(self._body_length)

    def _count_body(self, length: int) -> None:
        """Refuse what is too large; what is not is dropped, for no route reads it."""
        if length > self.channel.factory.limits.body:
            self.channel.refuse(413, b"The body is too large.")

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        self.method, self.uri, self.clientproto = command, path, version
        self.path = path.partition(b"?")[0]
        if not self.channel.refused:
            self.process()

    def process(self) -> None:
        factory = self.channel.factory
        self.started = factory.reactor.seconds()
        done = maybeDeferred(self._respond, factory.respond)
        done.addCallbacks(self.answer, self._failed)
        done.addErrback(self._broke)

    def _respond(self, respond: Respond) -> Answer:
        self._take_absolute_form()
        host = self.value(b"Host")
        if not (valid_host(host) or (not host and self.clientproto == b"HTTP/1.0")):
            raise Problem(400, "The Host header does not name a host.", [CLOSE])
        if not self.path.startswith(b"/"):
            raise Problem(400, "The request target is not a path.", [CLOSE])
        return respond(self)

    def _take_absolute_form(self) -> None:
        """Reduce http://host/path to /path (RFC 9112 3.2.2)."""
        for scheme in (b"http://", b"https://"):
            if self.path.lower().startswith(scheme):
                _, slash, path = self.path[len(scheme) :].partition(b"/")
                self.path = slash + path

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
        if CLOSE in headers:
            self.channel.persistent = 0
        elif not self.channel.persistent:
            lines.append(b"%s: %s" % CLOSE)
        lines += (b"", b"")
        return b"\r\n".join(lines)

    def _failed(self, failure: Failure) -> None:
        problem = failure.value
        if isinstance(problem, PermissionDenied):
            problem = Problem(403, "You may not do this.")
        if not isinstance(problem, Problem):
            _log.failure("A request broke its route", failure)
            problem = Problem(500, "The server made a mistake; its log says which.")
        accept = b",".join(self.values(b"Accept"))
        content_type, body = problem.rendered(accept)
        headers = (
            (b"Content-Type", content_type),
            (b"Cache-Control", b"no-store"),
            *problem.headers,
        )
        self.answer(Response(problem.status, headers, body))

    def _broke(self, failure: Failure) -> None:
        _log.failure("An answer could not be sent", failure)
        self.channel.forceAbortClient()

    # The end.

    def finish(self) -> None:
        super().finish()
        self._release()

    def connectionLost(self, reason: Failure) -> None:
        super().connectionLost(reason)
        self._release()

    def hand_over(self, protocol: Protocol) -> None:
        """Give the connection to ``protocol``; the request and its grant are over."""
        self.channel.factory.log(self)
        self.channel.hand_over(protocol)
        self._release()

    def _release(self) -> None:
        grant, self.grant = self.grant, None
        if grant is not None:
            grant.release()


Answer = Union[Optional[Response], Deferred[Optional[Response]]]
Respond = Callable[[Request], Answer]


class Channel(HTTPChannel):
    """One connection; it can become another protocol's."""

    requestFactory = Request
    factory: HttpFactory
    refused = False
    _successor: Optional[Protocol] = None

    def __init__(self, factory: HttpFactory) -> None:
        super().__init__()
        self.factory = factory
        self.timeOut = factory.limits.head_timeout
        self.abortTimeout = factory.limits.abort_timeout

    def callLater(self, period: float, func: Callable[[], None]) -> IDelayedCall:
        """Wait on the factory's clock (TimeoutMixin asks this)."""
        return self.factory.reactor.callLater(period, func)

    def connectionMade(self) -> None:
        self.factory.connections += 1
        super().connectionMade()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.factory.connections -= 1
        if self._successor is None:
            super().connectionLost(reason)
        else:
            self._successor.connectionLost(reason)

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

    def refuse(self, status: int, text: bytes) -> None:
        """Answer a request that is not worth parsing further, and close."""
        if self.refused:
            return
        self.refused = True
        lines = [b"HTTP/1.1 %d %s" % (status, RESPONSES[status])]
        lines += self.factory.lines
        lines += [b"Content-Type: text/plain", b"Content-Length: %d" % len(text)]
        lines += [b"Connection: close", b"", text]
        self.write(b"\r\n".join(lines))
        self.loseConnection()

    def lineLengthExceeded(self, line: bytes) -> None:
        self._respondToBadRequestAndDisconnect()

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.refuse(400, b"The request is not well formed, or its head is too large.")


class HttpFactory(ServerFactory[Channel]):
    """Listens for HTTP and gives each request to ``respond``."""

    noisy = False

    def __init__(
        self, reactor: IReactorTime, respond: Respond, headers: Headers, limits: Limits
    ) -> None:
        self.reactor = reactor
        self.respond = respond
        #: The header lines that every answer of this face has.
        self.lines = [b"%s: %s" % header for header in (*OWN_HEADERS, *headers)]
        self.limits = limits
        self.connections = 0

    def buildProtocol(self, addr: Optional[IAddress]) -> Optional[Channel]:
        if self.connections >= self.limits.connections:
            _log.warn("Refused a connection: there are {count}", count=self.connections)
            return None
        return Channel(self)

    def log(self, request: Request) -> None:
        """Write the access line; called by the request when it is answered."""
        log_access(
            request.address,
            request.grant.name if request.grant is not None else "",
            request.method,
            request.path,
            request.code,
            request.sentLength,
            self.reactor.seconds() - request.started,
        )
