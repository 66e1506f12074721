"""A connection to an upstream: its name resolved, TCP or a unix socket, and TLS.

    dial(reactor, upstream, protocol, timeouts)    fires once bytes may be sent

All that can go wrong is an `UpstreamFailed` that says what did.
"""

from __future__ import annotations

import enum
import errno
import hashlib
import os
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, NamedTuple, Optional

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from OpenSSL import SSL
from service_identity import VerificationError
from service_identity.pyopenssl import verify_hostname, verify_ip_address
from twisted.internet import error
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import (
    IAddress,
    IConnector,
    IHandshakeListener,
    IHostResolution,
    IOpenSSLClientConnectionCreator,
    IProtocolFactory,
    IResolutionReceiver,
)
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from kasmd.edge.asking import Trust, Upstream
from kasmd.errors import KasmdError

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
    """An upstream did not do its part; ``detail`` is for logs."""

    def __init__(self, kind: Kind, detail: str = "") -> None:
        super().__init__(f"{kind.value}: {detail}" if detail else kind.value)
        self.kind = kind
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

    tls: Optional[Trust] = None
    #: Fires once; None from then on.
    ready: Optional[Deferred[None]] = None
    name = ""

    def connectionMade(self) -> None:
        if self.tls is None:
            self._ready()

    def handshakeCompleted(self) -> None:
        assert self.tls is not None, "only TLS has a handshake"
        try:
            _check_certificate(self.transport.getHandle(), self.tls, self.name)
        except UpstreamFailed as failed:
            self._fail(failed)
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
        factory = TLSMemoryBIOFactory(_Tls(trust.authorities, protocol.name), True, factory)
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
    if port:
        connector.append(reactor.connectTCP(address, port, factory, seconds))
    else:
        connector.append(reactor.connectUNIX(address, factory, seconds))
    # The reactor's own time-out does not cover the TLS handshake.
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
    if _is_address(host):
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


@lru_cache(maxsize=1024)
def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


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


@implementer(IOpenSSLClientConnectionCreator)
class _Tls:
    """Makes the TLS half of a connection; the name goes with its first message (SNI)."""

    def __init__(self, authorities: str, name: str) -> None:
        self._context = _context(authorities, _written(authorities))
        self._name = name

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        connection = SSL.Connection(self._context, None)
        if self._name and not _is_address(self._name):
            connection.set_tlsext_host_name(self._name.encode("idna"))
        return connection


def _written(path: str) -> int:
    """Tell when a file was written: one that changes is read again."""
    try:
        return os.stat(path).st_mtime_ns if path else 0
    except OSError as problem:
        raise UpstreamFailed(Kind.UNTRUSTED, f"{path}: {problem.strerror}") from None


@lru_cache(maxsize=64)
def _context(path: str, written: int) -> SSL.Context:
    """Give the context that asks the authorities in ``path``; blank: none (UpstreamFailed)."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
    if not path:
        context.set_verify(SSL.VERIFY_NONE)
        return context
    try:
        context.load_verify_locations(path)
    except SSL.Error:
        raise UpstreamFailed(Kind.UNTRUSTED, f"{path} holds no certificates") from None
    context.set_verify(SSL.VERIFY_PEER)
    return context


def _check_certificate(connection: SSL.Connection, trust: Trust, name: str) -> None:
    if trust.pin:
        certificate = connection.get_peer_certificate(as_cryptography=True)
        assert certificate is not None, "a TLS server always shows one"
        key = certificate.public_key()
        info = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        found = hashlib.sha256(info).digest()
        if found != trust.pin:
            raise UpstreamFailed(Kind.UNTRUSTED, f"its key is {found.hex()}")
    if trust.authorities:
        verify = verify_ip_address if _is_address(name) else verify_hostname
        try:
            verify(connection, name)
        except VerificationError:
            raise UpstreamFailed(Kind.UNTRUSTED, f"its certificate is not {name}'s") from None


def _handshake_failed(reason: Failure) -> UpstreamFailed:
    problem = reason.value
    text = str(problem)
    if isinstance(problem, SSL.Error):
        untrusted = "certificate verify failed" in text
        return UpstreamFailed(Kind.UNTRUSTED if untrusted else Kind.TLS, text[:200])
    return UpstreamFailed(Kind.TLS, "the connection ended in the handshake")
