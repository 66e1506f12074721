"""A viewer's bytes over a websocket: /websockify.

    -> GET /websockify?page=..., Upgrade: websocket        (checked by `handshake`)
    <- 101 Switching Protocols                    (by Autobahn, from here on)
    -> binary message: bytes for the viewer
    <- binary message: one item that the viewer sent
"""

from __future__ import annotations

import struct
from typing import Any, Collection, NamedTuple, Optional

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.tcp import Connection
from twisted.logger import Logger
from zope.interface import implementer

from kasmd.errors import KasmdError
from kasmd.http.headers import Origin
from kasmd.http.log import note
from kasmd.http.problems import Problem
from kasmd.http.prompt import PromptWriter
from kasmd.http.same_site import check_same_site
from kasmd.http.server import Request
from kasmd.interfaces import IViewer, IViewerTransport, MakeViewer, Principal
from kasmd.web.handshake import check_upgrade, choose_subprotocol
from kasmd.web.pages import page_name

_log = Logger(namespace="kasmd.web")

UNSUPPORTED = 1003
POLICY = 1008
BROKEN = 1011
#: A control frame holds 125 bytes: 2 for the code, the rest for the reason.
MAX_REASON = 123
_BINARY = 0x82
#: Bytes that may wait for the socket before a viewer pauses: a picture of a film and the
#: fence behind it leave together, where Twisted's 64 KiB would have each wake the reactor.
_ROOM = 1 << 17


class Timing(NamedTuple):
    """Seconds, and the ceiling of one message from a viewer in bytes."""

    #: Of silence before a ping is sent.
    ping: float = 15.0
    #: Of silence before a peer counts as dead.
    dead: float = 45.0
    #: For the peer's half of a close.
    close: float = 5.0
    #: noVNC sends 10 KiB at a time; other clients may send a paste whole.
    max_message: int = 1 << 20


def frame_header(length: int) -> bytes:
    """Give the header of an unmasked binary frame (RFC 6455 section 5.2)."""
    if length < 126:
        return struct.pack("!BB", _BINARY, length)
    if length < 65536:
        return struct.pack("!BBH", _BINARY, 126, length)
    return struct.pack("!BBQ", _BINARY, 127, length)


@implementer(IViewerTransport)
class Websocket(WebSocketServerProtocol):
    """One viewer's websocket."""

    transport: Connection
    factory: WebsocketFactory
    _viewer: Optional[IViewer] = None
    _watch: Optional[IDelayedCall] = None
    _heard = 0.0

    def __init__(self, factory: WebsocketFactory, principal: Principal, request: Request) -> None:
        super().__init__()
        self.factory = factory
        self._principal = principal
        self._peer = request.peer
        self.page = page_name(request)
        self._connection = request.connection
        self._request_id = request.request_id

    # IViewerTransport.

    def send(self, data: bytes) -> None:
        if self.state == self.STATE_OPEN:
            self._write(frame_header(len(data)), data)

    def register_producer(self, producer: IPushProducer) -> None:
        self.transport.unregisterProducer()
        self.transport.registerProducer(producer, True)
        self.transport.bufferSize = _ROOM

    def start_tls(self, certificate: bool) -> None:
        raise ValueError("a websocket cannot change to TLS inside itself")

    def close(self, code: int, reason: str) -> None:
        if self.state != self.STATE_OPEN:
            return
        text = reason.encode("utf-8")[:MAX_REASON].decode("utf-8", "ignore")
        self.sendCloseFrame(code=code, reasonUtf8=text.encode("utf-8"))
        self._rewatch(self.factory.timing.close, self.abort)

    def abort(self) -> None:
        self.transport.abortConnection()

    # What Autobahn calls.

    def onConnect(self, request: Any) -> tuple[Optional[str], dict[str, str]]:
        subprotocol = request.protocols[0] if request.protocols else None
        return subprotocol, {"X-Request-Id": self._request_id}

    def onOpen(self) -> None:
        self._write = PromptWriter(self.transport).write
        self.peer = self._peer
        self._heard = self.factory.reactor.seconds()
        self._rewatch(self.factory.timing.ping, self._look)
        try:
            self._viewer = self.factory.make_viewer(self, self._principal)
        except KasmdError as error:
            self.close(POLICY, str(error))
        except Exception:
            # Autobahn would swallow it.
            _log.failure("A viewer could not be made")
            self.close(BROKEN, "the server made a mistake")

    def onMessageBegin(self, isBinary: bool) -> None:
        super().onMessageBegin(isBinary)
        if not isBinary:
            self._fail_connection(UNSUPPORTED, "only binary messages are understood")

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if self._viewer is not None and self.state == self.STATE_OPEN:
            self._viewer.received(payload)

    def dataReceived(self, data: bytes) -> None:
        self._heard = self.factory.reactor.seconds()
        # Before this Autobahn's own colours a line for its log, which takes as long as a message.
        self._dataReceived(data)

    def onClose(self, wasClean: bool, code: Optional[int], reason: Optional[str]) -> None:
        if self._watch is not None and self._watch.active():
            self._watch.cancel()
        # Both know this websocket: a call that was made, and Autobahn's result, which nobody asks.
        self._watch = self.is_closed = None
        who = "target" if self.closedByMe or self.failedByMe else "client"
        how = "sent orderly close frame" if wasClean and who == "client" else "closed connection"
        note(self._connection, f"{who} {how}")
        viewer, self._viewer = self._viewer, None
        if viewer is not None:
            if not wasClean:
                reason = self.wasNotCleanReason
            viewer.lost(f"{reason} ({code})" if reason else f"closed ({code or 'no code'})")

    def _fail_connection(self, code: int = 1002, reason: str = "") -> None:
        """Say why, then close: Autobahn would drop the connection in silence."""
        if self.state != self.STATE_CLOSED:
            self.failedByMe = True
            self.wasNotCleanReason = reason
            if self.state == self.STATE_OPEN:
                self.sendCloseFrame(code=code, reasonUtf8=reason.encode("utf-8")[:MAX_REASON])
            self.dropConnection(abort=False)
            self._rewatch(self.factory.timing.close, self.abort)

    # Silence.

    def _rewatch(self, seconds: float, look: Any) -> None:
        if self._watch is not None and self._watch.active():
            self._watch.cancel()
        self._watch = self.factory.reactor.callLater(seconds, look)

    def _look(self) -> None:
        timing = self.factory.timing
        silent = self.factory.reactor.seconds() - self._heard
        if silent >= timing.dead:
            self.wasNotCleanReason = f"nothing was heard for {silent:.0f} s"
            self.abort()
            return
        if silent >= timing.ping:
            self.sendPing()
        self._rewatch(timing.ping, self._look)


class WebsocketFactory(WebSocketServerFactory):
    """Autobahn's options, set once: no compression, no timers but our own."""

    def __init__(self, reactor: IReactorTime, make_viewer: MakeViewer, timing: Timing) -> None:
        super().__init__(reactor=reactor, server="kasmd")
        self.make_viewer = make_viewer
        self.timing = timing
        self.setProtocolOptions(
            versions=[13],
            webStatus=False,
            maxFramePayloadSize=timing.max_message,
            maxMessagePayloadSize=timing.max_message,
            failByDrop=True,
            openHandshakeTimeout=0,
            closeHandshakeTimeout=0,
            autoPingInterval=0,
            tcpNoDelay=True,
        )


class Websockify:
    """Turns requests into viewers."""

    def __init__(
        self,
        reactor: IReactorTime,
        make_viewer: MakeViewer,
        allowed_origins: Collection[Origin],
        timing: Timing = Timing(),
    ) -> None:
        self._factory = WebsocketFactory(reactor, make_viewer, timing)
        self._allowed = frozenset(allowed_origins)

    def connect(self, request: Request) -> None:
        """Take the request over, or raise a `Problem` that says why not."""
        try:
            key = check_upgrade(request)
            check_same_site(request, self._allowed)
            subprotocol = choose_subprotocol(request)
        except Problem as problem:
            _log.info(
                "No websocket for {peer}: {reason!r}",
                peer=request.address,
                reason=problem.detail,
            )
            raise
        assert request.principal is not None, "the route needs a principal"
        websocket = Websocket(self._factory, request.principal, request)
        request.hand_over(websocket)
        websocket.dataReceived(_handshake(request.value(b"Host"), key, subprotocol))


def _handshake(host: bytes, key: bytes, subprotocol: Optional[bytes]) -> bytes:
    """Give Autobahn the request once more, reduced to what was checked."""
    lines = [
        b"GET /websockify HTTP/1.1",
        b"Host: " + host,
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: " + key,
    ]
    if subprotocol is not None:
        lines.append(b"Sec-WebSocket-Protocol: " + subprotocol)
    return b"\r\n".join([*lines, b"", b""])
