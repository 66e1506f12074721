"""The splice alone, a process: python -m bench.edge_driver PORT UPSTREAM [CERTIFICATE].

It does the 101 by hand; everything else of the edge is left out.

-> a request's head     (passed on to the upstream, which answers 101)
-> websocket frames     <- websocket frames
"""

from __future__ import annotations

import signal
import sys
from typing import Optional

from twisted.internet import epollreactor
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ClientFactory, Protocol, ServerFactory
from twisted.internet.ssl import PrivateCertificate
from twisted.internet.tcp import Connection
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol

from kasmd.edge.splice import Ended, Splice, Splices

_END = b"\r\n\r\n"


def adopt(transport: object, protocol: Protocol) -> None:
    """Give a connection to another protocol."""
    if isinstance(transport, TLSMemoryBIOProtocol):
        transport.wrappedProtocol = protocol
    elif isinstance(transport, Connection):
        transport.protocol = protocol
    protocol.makeConnection(transport)  # type: ignore[arg-type]


class Asking(Protocol):
    """The upstream's side until its 101."""

    def __init__(self, client: Asked, request: bytes) -> None:
        self._client, self._request, self._head = client, request, b""

    def connectionMade(self) -> None:
        self.transport.write(self._request)

    def dataReceived(self, data: bytes) -> None:
        self._head += data
        head, found, rest = self._head.partition(_END)
        if found:
            self._client.transport.write(head + found)
            splice = Splice(self._client.splices, b"", _ignore)
            adopt(self._client.transport, splice.client)
            adopt(self.transport, splice.upstream)
            if rest:
                splice.upstream.dataReceived(rest)


class Asked(Protocol):
    """The client's side until the 101."""

    def __init__(self, splices: Splices, upstream: int) -> None:
        self.splices = splices
        self._upstream, self._request = upstream, b""

    def dataReceived(self, data: bytes) -> None:
        self._request += data
        if self._request.endswith(_END):
            factory = ClientFactory()
            factory.noisy = False
            asking = Asking(self, self._request)
            factory.buildProtocol = lambda addr: asking  # type: ignore[method-assign]
            reactor.connectTCP("127.0.0.1", self._upstream, factory)


class Edge(ServerFactory):
    """Accepts clients."""

    noisy = False

    def __init__(self, splices: Splices, upstream: int) -> None:
        self._splices, self._upstream = splices, upstream

    def buildProtocol(self, addr: Optional[IAddress]) -> Asked:
        return Asked(self._splices, self._upstream)


def _ignore(ended: Ended) -> None:
    """Nobody is told what became of a websocket."""


reactor = epollreactor.EPollReactor()


def main(port: str, upstream: str, certificate: str = "") -> None:
    """Serve until terminated."""
    factory: ServerFactory = Edge(Splices(reactor), int(upstream))
    if certificate:
        with open(certificate) as pem:
            options = PrivateCertificate.loadPEM(pem.read()).options()
        factory = TLSMemoryBIOFactory(options, False, factory, clock=reactor)
    reactor.listenTCP(int(port), factory, backlog=1024, interface="127.0.0.1")
    signal.signal(signal.SIGTERM, lambda *_: reactor.callFromThread(reactor.stop))
    reactor.run(installSignalHandlers=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
