"""One port for TLS and plain connections, told apart by their first byte.

Some peers say before it for whom they connect (PROXY protocol).
"""

from __future__ import annotations

from typing import Optional

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IProtocolFactory,
    IReactorTime,
)
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.internet.tcp import Connection
from twisted.logger import Logger
from twisted.python.failure import Failure

from kasmd.errors import ProtocolError
from kasmd.http.proxied import read_announcement
from kasmd.http.proxies import Proxies

_log = Logger(namespace="kasmd.http")

#: The record type of a TLS handshake (RFC 8446 section 5.1).
TLS_HANDSHAKE = 0x16
#: Seconds that a new connection has for its first byte.
FIRST_BYTE_TIMEOUT = 5.0


class Sniffer(Protocol):
    """Reads the first bytes, then makes way for the protocol they belong to."""

    factory: SniffingFactory
    transport: Connection
    _timeout: Optional[IDelayedCall] = None
    _announces = False
    _early = b""

    def connectionMade(self) -> None:
        self._peer: IAddress = self.transport.getPeer()
        if isinstance(self._peer, (IPv4Address, IPv6Address)):
            self._announces = self.factory.announced.trusts(self._peer.host)
        self._timeout = self.factory.reactor.callLater(FIRST_BYTE_TIMEOUT, self._silent)

    def dataReceived(self, data: bytes) -> None:
        data = self._early + data
        if self._announces:
            data = self._read_announcement(data)
        if data and not self._announces:
            self._make_way(data)

    def _read_announcement(self, data: bytes) -> bytes:
        """Take the PROXY header off; give what follows it."""
        self._early = data
        try:
            announced = read_announcement(data)
        except ProtocolError as error:
            _log.warn("{peer}: {error}", peer=self._peer, error=str(error))
            self.transport.abortConnection()
            return b""
        if announced is None:
            return b""
        self._announces, self._early = False, b""
        self._peer = announced.address or self._peer
        return announced.rest

    def _make_way(self, data: bytes) -> None:
        self._end_wait()
        factory = self.factory
        chosen = factory.tls if data[0] == TLS_HANDSHAKE else factory.plain
        successor = chosen.buildProtocol(self._peer)
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
        self,
        reactor: IReactorTime,
        tls: IProtocolFactory,
        plain: IProtocolFactory,
        announced: Proxies = Proxies(),
    ) -> None:
        self.reactor = reactor
        #: Peers that begin with the PROXY protocol.
        self.announced = announced
        self.tls = tls
        self.plain = plain

    def buildProtocol(self, addr: Optional[IAddress]) -> Optional[Sniffer]:
        sniffer = Sniffer()
        sniffer.factory = self
        return sniffer
