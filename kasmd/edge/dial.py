"""A connection to an upstream: its name resolved, TCP or a unix socket, and TLS.

    dial(reactor, upstream, protocol, timeouts)    fires once bytes may be sent

All that can go wrong is an `UpstreamFailed` that says what did.
"""

from __future__ import annotations

import enum
import errno
from typing import Any, NamedTuple, Optional

from OpenSSL import SSL
from twisted.internet import error
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import (
    IAddress,
    IConnector,
    IHandshakeListener,
    IHostResolution,
    IProtocolFactory,
    IResolutionReceiver,
)
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from kasmd.edge.asking import Upstream
from kasmd.errors import KasmdError
from kasmd.trust import TlsClient, Trust, Untrusted, check_certificate, is_address

#: Addresses of one name that are tried, one after another.
MAX_ADDRESSES = 4


class Kind(enum.Enum):
    """Why an upstream could not be used, by the word of `kasmd.edge.faults`."""

    UNRESOLVED = "name-not-resolved"
    NAME_SLOW = "name-slow"
    REFUSED = "upstream-refused"
    UNREACHABLE = "upstream-unreachable"
    UNANSWERED = "upstream-unanswered"
    TLS = "upstream-tls"
    UNTRUSTED = "upstream-untrusted"
    #: The connection ended before an answer began.
    CLOSED = "upstream-closed"
    SILENT = "upstream-silent"
    NONSENSE = "upstream-nonsense"
    #: An answer began, and did not end.
    CUT = "upstream-cut"
    #: There are no more connections for it, or none that this process may have.
    BUSY = "upstream-busy"


class UpstreamFailed(KasmdError):
    """An upstream did not do its part; ``detail`` is for logs.

    ``stalled`` tells that it stopped in the middle, for longer than it may.
    """

    def __init__(self, kind: Kind, detail: str = "", stalled: bool = False) -> None:
        super().__init__(f"{kind.value}: {detail}" if detail else kind.value)
        self.kind = kind
        self.stalled = stalled
        self.detail = detail


class Timeouts(NamedTuple):
    """Seconds for each phase of a request to an upstream."""

    #: For its name to be resolved.
    resolve: float = 5.0
    #: For the connection, TLS included, over all of its addresses.
    connect: float = 10.0
    #: For one of the connections that there may be to come free.
    wait: float = 10.0
    #: From the request's last byte to the answer's head.
    answer: float = 60.0
    #: In which nothing of a body comes or goes.
    idle: float = 300.0
    #: For which a connection is kept without a request.
    keep: float = 15.0


@implementer(IHandshakeListener)
class Dialled(Protocol):
    """What `dial` connects: it learns when bytes may be sent, or why they never will."""

    transport: Any = None
    #: Whether it is TCP, with or without TLS.
    tcp = False
    tls: Optional[Trust] = None
    #: Fires once; None from then on.
    ready: Optional[Deferred[None]] = None
    name = ""

    def connectionMade(self) -> None:
        if self.tcp:
            self.transport.setTcpNoDelay(True)
        if self.tls is None:
            self._ready()

    def handshakeCompleted(self) -> None:
        assert self.tls is not None, "only TLS has a handshake"
        try:
            check_certificate(self.transport.getHandle(), self.tls, self.name)
        except Untrusted as error:
            self._fail(UpstreamFailed(Kind.UNTRUSTED, str(error)))
        else:
            self._ready()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.connected = 0
        if self.ready is not None:
            self._fail(_handshake_failed(reason))

    def abort(self) -> None:
        """End the connection at once, if there is one."""
        # TLS cannot bear it twice.
        if self.connected and self.transport is not None:
            self.transport.abortConnection()

    def _ready(self) -> None:
        ready, self.ready = self.ready, None
        if ready is not None:
            ready.callback(None)

    def _fail(self, failed: UpstreamFailed) -> None:
        ready, self.ready = self.ready, None
        self.abort()
        if ready is not None:
            ready.errback(failed)


class _Once(ClientFactory):
    """Builds the one protocol, or tells it that there is no connection."""

    noisy = False

    def __init__(self, protocol: Dialled) -> None:
        self._protocol = protocol

    def buildProtocol(self, addr: Optional[IAddress]) -> Dialled:
        self._protocol.tcp = isinstance(addr, (IPv4Address, IPv6Address))
        return self._protocol

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        if self._protocol.ready is not None:
            self._protocol._fail(_not_connected(reason))


def dial(
    reactor: Any, upstream: Upstream, protocol: Dialled, timeouts: Timeouts
) -> Deferred[None]:
    """Connect ``protocol`` (UpstreamFailed); cancelling gives up."""
    return Deferred.fromCoroutine(_dial(reactor, upstream, protocol, timeouts))


async def _dial(reactor: Any, upstream: Upstream, protocol: Dialled, timeouts: Timeouts) -> None:
    trust = upstream.tls
    protocol.tls = trust
    factory: Any = _Once(protocol)
    if trust is not None:
        protocol.name = trust.name or upstream.host
        try:
            tls = TlsClient(trust.authorities, protocol.name)
        except Untrusted as error:
            raise UpstreamFailed(Kind.UNTRUSTED, str(error)) from None
        factory = TLSMemoryBIOFactory(tls, True, factory)
    if upstream.path:
        await _attempt(reactor, upstream.path, 0, factory, protocol, timeouts.connect)
        return
    addresses = await _addresses(reactor, upstream.host, timeouts.resolve)
    left = timeouts.connect
    for last in range(len(addresses) - 1, -1, -1):
        began = reactor.seconds()
        try:
            address = addresses[-1 - last]
            await _attempt(reactor, address, upstream.port, factory, protocol, left / (last + 1))
            return
        except UpstreamFailed:
            left -= reactor.seconds() - began
            if not last or protocol.transport is not None or left <= 0:
                raise


async def _attempt(
    reactor: Any,
    address: str,
    port: int,
    factory: IProtocolFactory,
    protocol: Dialled,
    seconds: float,
) -> None:
    connector: list[IConnector] = []

    def give_up(_: Deferred[None]) -> None:
        # The protocol hears no more of it.
        protocol.ready = None
        if protocol.connected:
            protocol.abort()
        else:
            connector[0].disconnect()

    ready = protocol.ready = Deferred(give_up)
    # The reactor's own time-out does not cover the TLS handshake; one for both does.
    if port:
        connector.append(reactor.connectTCP(address, port, factory, None))
    else:
        connector.append(reactor.connectUNIX(address, factory, None))
    ready.addTimeout(seconds, reactor)
    try:
        await ready
    except DeferredTimeout:
        raise UpstreamFailed(Kind.UNANSWERED, f"{address}, {seconds:g} s") from None


# Names.


@implementer(IResolutionReceiver)
class _Resolved:
    """Collects the addresses of a name."""

    def __init__(self) -> None:
        self.addresses: list[str] = []
        self.done: Deferred[None] = Deferred(lambda _: self._cancel())
        self._resolution: Optional[IHostResolution] = None

    def resolutionBegan(self, resolution: IHostResolution) -> None:
        self._resolution = resolution

    def addressResolved(self, address: IAddress) -> None:
        if isinstance(address, (IPv4Address, IPv6Address)):
            self.addresses.append(address.host)

    def resolutionComplete(self) -> None:
        if not self.done.called:
            self.done.callback(None)

    def _cancel(self) -> None:
        if self._resolution is not None:
            self._resolution.cancel()


async def _addresses(reactor: Any, host: str, seconds: float) -> list[str]:
    if is_address(host):
        return [host]
    found = _Resolved()
    reactor.nameResolver.resolveHostName(found, host)
    found.done.addTimeout(seconds, reactor)
    try:
        await found.done
    except DeferredTimeout:
        raise UpstreamFailed(Kind.NAME_SLOW, host) from None
    if not found.addresses:
        raise UpstreamFailed(Kind.UNRESOLVED, host)
    return found.addresses[:MAX_ADDRESSES]


def _not_connected(reason: Failure) -> UpstreamFailed:
    problem = reason.value
    number = getattr(problem, "osError", None)
    if isinstance(problem, error.ConnectionRefusedError) or number == errno.ENOENT:
        kind = Kind.REFUSED
    elif isinstance(problem, error.TimeoutError):
        kind = Kind.UNANSWERED
    elif isinstance(problem, error.ConnectBindError) or number in (errno.EMFILE, errno.ENFILE):
        kind = Kind.BUSY
    else:
        kind = Kind.UNREACHABLE
    return UpstreamFailed(kind, str(problem))


# TLS.


def _handshake_failed(reason: Failure) -> UpstreamFailed:
    problem = reason.value
    text = str(problem)
    if isinstance(problem, SSL.Error):
        untrusted = "certificate verify failed" in text
        return UpstreamFailed(Kind.UNTRUSTED if untrusted else Kind.TLS, text[:200])
    return UpstreamFailed(Kind.TLS, "the connection ended in the handshake")
