"""RFB on a stream, for viewers that are no browser: a unix socket, or TCP with VeNCrypt."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Union

from OpenSSL import SSL
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IAddress,
    IOpenSSLServerConnectionCreator,
    IReactorTime,
    IUNIXTransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import ContextFactory
from twisted.internet.tcp import Connection
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from kasmd.interfaces import IViewer, IViewerTransport, MakeViewer, Principal

#: A TLS context for each kind that VeNCrypt has: by whether it has a certificate.
Contexts = Mapping[bool, Union[ContextFactory, IOpenSSLServerConnectionCreator]]

#: Seconds that a viewer has to take what was sent before it was closed.
CLOSING_TIME = 5.0


@implementer(IViewerTransport)
class ViewerStream(Protocol):
    """One viewer's stream; bytes have no message borders here."""

    transport: Connection
    page = ""

    def __init__(self, make_viewer: MakeViewer, principal: Optional[Principal],
                 contexts: Contexts, clock: IReactorTime) -> None:
        self._make_viewer = make_viewer
        self._principal = principal
        self._contexts = contexts
        self._clock = clock
        self._viewer: Optional[IViewer] = None
        self._producing = False
        self._closing: Any = None
        self.peer = ""

    def connectionMade(self) -> None:
        self.peer = _peer_text(self.transport)
        self._viewer = self._make_viewer(self, self._principal)

    def dataReceived(self, data: bytes) -> None:
        if self._viewer is not None:
            self._viewer.received(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._closing is not None and self._closing.active():
            self._closing.cancel()
        viewer, self._viewer = self._viewer, None
        if viewer is not None:
            viewer.lost(_end_text(reason))

    def send(self, data: bytes) -> None:
        """Write ``data``."""
        self.transport.write(data)

    def register_producer(self, producer: Any) -> None:
        """Honour ``producer``, an IPushProducer."""
        self.transport.registerProducer(producer, True)
        self._producing = True

    def start_tls(self, certificate: bool) -> None:
        """Speak TLS from here on; ValueError where this listener has none."""
        if certificate not in self._contexts:
            raise ValueError("no TLS of this kind here")
        self.transport.startTLS(self._contexts[certificate])

    def close(self, code: int, reason: str) -> None:
        """End once all is sent; a viewer that takes nothing is cut off."""
        # A transport with a producer waits for it for ever.
        if self._producing:
            self._producing = False
            self.transport.unregisterProducer()
        self.transport.loseConnection()
        if self._closing is None:
            self._closing = self._clock.callLater(CLOSING_TIME, self.abort)

    def abort(self) -> None:
        """End at once."""
        self.transport.abortConnection()


class ViewerFactory(Factory):
    """Streams that all act as ``principal``, or log in on the wire where it is None."""

    noisy = False

    def __init__(self, make_viewer: MakeViewer, principal: Optional[Principal],
                 contexts: Contexts, clock: IReactorTime) -> None:
        self._arguments = make_viewer, principal, contexts, clock

    def logPrefix(self) -> str:
        """Give what the log calls the port."""
        return "native viewers"

    def buildProtocol(self, addr: Optional[IAddress]) -> ViewerStream:
        """Make the protocol for one connection."""
        stream = ViewerStream(*self._arguments)
        stream.factory = self
        return stream


@implementer(IOpenSSLServerConnectionCreator)
class CertifiedTls:
    """TLS with the certificate of ``tls``, as VeNCrypt's X509Plain wants it.

    TigerVNC's viewer (1.12) sleeps on what comes right behind the session tickets
    that TLS 1.3 sends after its handshake, so 1.2 is the newest.
    """

    def __init__(self, tls: IOpenSSLServerConnectionCreator) -> None:
        self._tls = tls

    def serverConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """Give a connection for one viewer."""
        connection: SSL.Connection = self._tls.serverConnectionForTLS(tlsProtocol)
        connection.set_options(SSL.OP_NO_TLSv1_3)
        return connection


class AnonymousTls(ContextFactory):
    """TLS without a certificate, as VeNCrypt's TLSPlain wants it.

    It keeps listeners out, and nobody in the middle: X509Plain is better.
    """

    def __init__(self) -> None:
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        # TLS 1.3 has no anonymous key exchange.
        context.set_options(SSL.OP_NO_TLSv1_3)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_cipher_list(b"aNULL:!eNULL:@SECLEVEL=0")
        self._context = context

    def getContext(self) -> SSL.Context:
        """Give the context."""
        return self._context


def _end_text(reason: Failure) -> str:
    if reason.check(ConnectionDone):
        return "it closed the connection"
    return "the connection broke" if reason.check(ConnectionLost) else reason.getErrorMessage()


def _peer_text(transport: Any) -> str:
    if IUNIXTransport.providedBy(transport):
        return "unix socket"
    address = transport.getPeer()
    return str(getattr(address, "host", address))
