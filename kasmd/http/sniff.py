"""One port for TLS and plain connections, told apart by their first byte."""

from __future__ import annotations

from typing import Optional

from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IProtocolFactory,
    IReactorTime,
)
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure

#: The record type of a TLS handshake (RFC 8446 section 5.1).
TLS_HANDSHAKE = 0x16
#: Seconds that a new connection has for its first byte.
FIRST_BYTE_TIMEOUT = 15.0


class Sniffer(Protocol):
    """Reads the first bytes, then makes way for the protocol they belong to."""

    factory: SniffingFactory
    transport: Connection
    _timeout: Optional[IDelayedCall] = None

    def connectionMade(self) -> None:
        self._timeout = self.factory.reactor.callLater(FIRST_BYTE_TIMEOUT, self._silent)

    def dataReceived(self, data: bytes) -> None:
        self._end_wait()
        factory = self.factory
        chosen = factory.tls if data[0] == TLS_HANDSHAKE else factory.plain
        successor = chosen.buildProtocol(self.transport.getPeer())
        if successor is None:
            self.transport.abortConnection()
            return
        self.transport.protocol = successor
        successor.makeConnection(self.transport)
        successor.dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._end_wait()

    def _end_wait(self) -> None:
        if self._timeout is not None and self._timeout.active():
            self._timeout.cancel()

    def _silent(self) -> None:
        self.transport.abortConnection()


class SniffingFactory(ServerFactory[Sniffer]):
    """Builds ``tls`` or ``plain`` protocols, whichever the peer speaks."""

    noisy = False

    def __init__(
        self, reactor: IReactorTime, tls: IProtocolFactory, plain: IProtocolFactory
    ) -> None:
        self.reactor = reactor
        self.tls = tls
        self.plain = plain

    def buildProtocol(self, addr: Optional[IAddress]) -> Optional[Sniffer]:
        sniffer = Sniffer()
        sniffer.factory = self
        return sniffer
