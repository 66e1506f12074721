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
from kasmd.http.crowd import Crowd
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
    #: Whose connection it counts as; None once it is another protocol's to count.
    _address: Optional[str] = None

    def connectionMade(self) -> None:
        self._peer: IAddress = self.transport.getPeer()
        host = _host(self._peer)
        self._announces = bool(host) and self.factory.announced.trusts(host)
        self._address = "" if self._announces else host
        if not self.factory.crowd.arrived(self._address, self.transport):
            self.transport.abortConnection()
            return
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
        self._leave()
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
        self._leave()

    def _leave(self) -> None:
        address, self._address = self._address, None
        if address is not None:
            self.factory.crowd.left(address, self.transport)
        if self._timeout is not None and self._timeout.active():
            self._timeout.cancel()

    def _silent(self) -> None:
        self.factory.crowd.counts.reached("first_byte_seconds")
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
        crowd: Optional[Crowd] = None,
        name: str = "http",
    ) -> None:
        #: Those who said nothing yet among it.
        self.crowd = Crowd() if crowd is None else crowd
        self.reactor = reactor
        #: Peers that begin with the PROXY protocol.
        self.announced = announced
        self.tls = tls
        self.plain = plain
        self._name = name

    def logPrefix(self) -> str:
        """Give what the log calls the port."""
        return self._name

    def buildProtocol(self, addr: Optional[IAddress]) -> Optional[Sniffer]:
        if not self.crowd.has_room():
            return None
        sniffer = Sniffer()
        sniffer.factory = self
        return sniffer


def _host(address: IAddress) -> str:
    return address.host if isinstance(address, (IPv4Address, IPv6Address)) else ""
