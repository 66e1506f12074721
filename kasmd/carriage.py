"""What carries the traffic of one edge, in whichever process: its port's face and its relay."""

from __future__ import annotations

import pickle
from typing import Any, Callable, Iterator, NamedTuple, Optional

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.task import deferLater

from kasmd.config.edges import DIRECT, Edge
from kasmd.edge.cors import Cors
from kasmd.edge.dial import Timeouts
from kasmd.edge.faults import FAULTS, LIMITS
from kasmd.edge.messages import Begin
from kasmd.edge.onward import Hop
from kasmd.edge.pool import Pool
from kasmd.edge.relay import Ceilings, Relay
from kasmd.edge.splices import Splices
from kasmd.edge.splices import Timing as SpliceTiming
from kasmd.h1.head import Limits as HeadLimits
from kasmd.http.body import Room
from kasmd.http.counts import Counts
from kasmd.http.crowd import Crowd
from kasmd.http.face import Carrier, Plain, make_face
from kasmd.http.headers import parse_origin
from kasmd.http.proxies import Proxies
from kasmd.http.server import Limits, Present, Respond
from kasmd.http.tls import CertificateFiles
from kasmd.permission.leases import Leases
from kasmd.samples import EDGE_FACE, Sample, of_edge, of_face

#: Seconds that websockets have to hear that the daemon stops.
FAREWELL_SECONDS = 1.5
#: A websocket close code (RFC 6455 section 7.4.1).
GOING_AWAY = 1001


class Carriage:
    """The connections of an edge, on both sides, and what they count."""

    def __init__(self, reactor: Any, edge: Edge) -> None:
        self._reactor = reactor
        self._edge = edge
        origins = [parse_origin(origin) for origin in edge.allowed_origins]
        self.pool = Pool(reactor, _timeouts(edge))
        self.splices = Splices(reactor, _splice_timing(edge))
        self.cors = Cors(origins)
        hop = Hop(edge.name.encode("ascii"), cookies=edge.role == DIRECT)
        ceilings = Ceilings(edge.limits.body_bytes)
        self.relay = Relay(
            reactor, self.pool, self.splices, hop, origins, ceilings, self.cors.fields
        )
        self.sockets = Sockets(reactor, self.splices, self.pool)
        self.counts = Counts(LIMITS, FAULTS)
        #: Whose word is taken for who comes.
        self.proxies = Proxies(edge.trusted_proxies)
        self.limits = _limits(edge)

    def face(self, respond: Respond, room: Callable[[bytes, bytes], Room], present: Present,
             certificate: CertificateFiles, crowd: Optional[Crowd] = None) -> IProtocolFactory:
        """Give what listens for the edge (ConfigError); ``crowd`` counts into `counts`."""
        edge = self._edge
        carrier = Carrier(
            certificate,
            Plain(edge.tls.plain_http),
            self.proxies,
            Proxies(edge.proxy_protocol),
        )
        if crowd is None:
            crowd = self.limits.crowd(self.counts, self.proxies.trusts)
        return make_face(
            self._reactor, respond, carrier, limits=self.limits, room=room, present=present,
            crowd=crowd, name=f"edge {edge.name}",
        )

    def samples(self, leases: Optional[Leases] = None) -> Iterator[Sample]:
        """Tell what was counted; a `kasmd.samples.Source`."""
        face = EDGE_FACE + self._edge.name
        yield from of_face(face, self.counts)()
        yield from of_edge(face, self.pool, self.splices, self.relay, leases)()


class Terms(NamedTuple):
    """What a process of an edge is to do."""

    edge: Edge
    #: Files: the certificate's and the key's.
    certificate: tuple[str, str]
    log_level: int

    def sealed(self) -> Begin:
        """Give the message that says so."""
        return Begin(pickle.dumps(self))

    @classmethod
    def unsealed(cls, begin: Begin) -> Terms:
        """Read what the daemon, whose own program this is, wrote."""
        terms = pickle.loads(begin.terms)
        assert isinstance(terms, cls)
        return terms


class Sockets(Service):
    """An edge's websockets and its connections to upstreams."""

    def __init__(self, reactor: Any, splices: Splices, pool: Pool) -> None:
        self._reactor = reactor
        self._splices = splices
        self._pool = pool

    def stopService(self) -> Optional[Deferred[None]]:
        """Tell the websockets, and let them hear it."""
        super().stopService()
        self._pool.close()
        if not len(self._splices):
            return None
        self._splices.close_all(GOING_AWAY, "the server is stopping")
        return deferLater(self._reactor, FAREWELL_SECONDS, lambda: None)


def certificate_of(edge: Edge, own: CertificateFiles) -> tuple[str, str]:
    """Give the files of the edge's certificate and its key; ``own`` is the daemon's."""
    tls = edge.tls
    if tls.pem_certificate is None:
        return own.files
    return tls.pem_certificate, tls.pem_key or tls.pem_certificate


def _splice_timing(edge: Edge) -> SpliceTiming:
    return SpliceTiming(ping=edge.timeouts.ping, dead=edge.timeouts.dead)


def _timeouts(edge: Edge) -> Timeouts:
    seconds = edge.timeouts
    return Timeouts(
        resolve=seconds.connect,
        connect=seconds.connect,
        answer=seconds.answer,
        idle=seconds.body_idle,
    )


def _limits(edge: Edge) -> Limits:
    limits = edge.limits
    return Limits(
        head_timeout=edge.timeouts.head,
        idle_timeout=edge.timeouts.keep_alive,
        connections=limits.connections,
        connections_per_address=limits.connections_per_address,
        head=HeadLimits(
            request_line=limits.request_line, head=limits.header_bytes, fields=limits.header_count
        ),
    )
