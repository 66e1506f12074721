"""Carries an allowed request to its upstream, and the answer back.

Both ways at the pace of whoever takes it, and neither is ever whole in memory.
An answer that is cut short there is cut short here: a client never takes a
part for the whole.
"""

from __future__ import annotations

from typing import Callable, Collection, NamedTuple

from twisted.internet.interfaces import IReactorTime

from kasmd.edge.asking import Allowed
from kasmd.edge.failures import refusal
from kasmd.edge.onward import MAX_HOPS, Hop, hops
from kasmd.edge.passage import Passage, too_large
from kasmd.edge.pool import Pool
from kasmd.edge.splices import Splices
from kasmd.edge.websocket import Handshake
from kasmd.h1.fields import Field
from kasmd.http.headers import Origin
from kasmd.http.same_site import check_same_site
from kasmd.http.server import Request
from kasmd.http.upgrade import asks_for_websocket, check_handshake

#: What is not relayed: these would give back the credential that was put in, or make a tunnel.
_REFUSED = (b"TRACE", b"TRACK", b"CONNECT")
_SAFE = (b"GET", b"HEAD", b"OPTIONS")


class Ceilings(NamedTuple):
    """What is relayed at most."""

    #: Bytes of a request's body; Kasm's proxies take 1 GB.
    body: int = 1 << 30


class Relay:
    """What the requests of one edge have in common.

    ``added`` gives fields that go with a request's answer, CORS for one.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        pool: Pool,
        splices: Splices,
        hop: Hop,
        allowed_origins: Collection[Origin] = (),
        ceilings: Ceilings = Ceilings(),
        added: Callable[[Request], list[Field]] = lambda request: [],
    ) -> None:
        self.reactor = reactor
        self.pool = pool
        self.splices = splices
        self.hop = hop
        self.allowed_origins = frozenset(allowed_origins)
        self.ceilings = ceilings
        self.added = added
        #: Bytes of the bodies of requests and of answers.
        self.received = self.sent = 0
        #: Requests that were cut short because their leave ended.
        self.revoked = 0

    def forward(self, request: Request, allowed: Allowed) -> None:
        """Answer a request that may pass, or raise a `Problem`."""
        request.taken = allowed.session, allowed.upstream
        if request.method in _REFUSED:
            raise refusal("no-such-method")
        if hops(request.fields) >= MAX_HOPS:
            raise refusal("loop")
        upgrade = asks_for_websocket(request)
        key = check_handshake(request) if upgrade else b""
        if upgrade or request.method not in _SAFE:
            check_same_site(request, self.allowed_origins)
        length, limit = request.framing.length, self.ceilings.body
        if length is not None and length > limit:
            raise too_large(limit)
        passage = (
            Handshake(self, request, allowed, key) if upgrade else Passage(self, request, allowed)
        )
        passage.start()
