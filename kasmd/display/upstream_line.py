"""The connection to an upstream, made again whenever it is lost."""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, NamedTuple, Optional

from twisted.internet.base import DelayedCall
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from kasmd.display.upstream_session import UpstreamSession
from kasmd.display.upstream_wire import Lost, Patience, UpstreamWire
from kasmd.rfb.client import ClientSession
from kasmd.rfb.client_handshake import Credentials
from kasmd.trust import Trust


class Place(NamedTuple):
    """Where an upstream is: a host and a port, or a unix socket's path."""

    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.path or f"{host}:{self.port}"


class Terms(NamedTuple):
    """How to meet an upstream: who we are there, whom we believe, what we ask for."""

    credentials: Credentials = Credentials()
    trust: Trust = Trust()
    #: RFB's JPEG quality, 0 to 9; None: without loss.
    quality: Optional[int] = 9
    patience: Patience = Patience()


class Line:
    """Holds a session over each connection; ``lost`` hears why one ended, and it is tried on.

    Who is away for long is asked less and less often.
    """

    def __init__(self, reactor: Any, where: Place, terms: Terms,
                 make_session: Callable[[UpstreamWire], UpstreamSession],
                 lost: Callable[[str], None]) -> None:
        #: From the first attempt on; None between attempts.
        self.session: Optional[UpstreamSession] = None
        self._reactor = reactor
        self._where = where
        self._terms = terms
        self._make_session = make_session
        self._lost = lost
        self._dialling: Optional[Deferred[Any]] = None
        self._retry: Optional[DelayedCall] = None
        self._wait = terms.patience.retry

    def dial(self) -> None:
        """Connect, and keep trying."""
        self._retry = None
        terms, where = self._terms, self._where
        endpoint: Any = UNIXClientEndpoint(self._reactor, where.path, terms.patience.connect)
        if where.host:
            endpoint = HostnameEndpoint(
                self._reactor, where.host, where.port, terms.patience.connect
            )
        session = ClientSession(credentials=terms.credentials, bands=True)
        wire = UpstreamWire(self._reactor, session, terms.trust, where.host, terms.patience)
        upstream = self._make_session(wire)
        wire.listen(upstream.heard, partial(self._ended, upstream))
        self.session = upstream
        self._dialling = endpoint.connect(_Once(wire))
        self._dialling.addErrback(lambda failure: wire.fail(_no_connection(failure)))

    def leave(self, reason: str) -> None:
        """Hang up, and try no more."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        upstream, self.session = self.session, None
        if upstream is not None:
            upstream.wire.fail(reason)
        if self._dialling is not None:
            self._dialling.cancel()
            self._dialling = None

    def _ended(self, upstream: UpstreamSession, lost: Lost) -> None:
        upstream.close()
        if upstream is not self.session:
            return
        self.session = None
        patience = self._terms.patience
        if upstream.lasted >= patience.longest_retry:
            self._wait = patience.retry
        wait = patience.longest_retry if lost.refused else self._wait
        self._wait = min(2 * self._wait, patience.longest_retry)
        self._retry = self._reactor.callLater(wait, self.dial)
        self._lost(lost.reason)


class _Once(Factory):
    """Builds the one protocol."""

    noisy = False

    def __init__(self, wire: UpstreamWire) -> None:
        self._wire = wire

    def buildProtocol(self, addr: Optional[IAddress]) -> UpstreamWire:
        return self._wire


def _no_connection(failure: Failure) -> str:
    return "cancelled" if failure.check(CancelledError) else failure.getErrorMessage()
