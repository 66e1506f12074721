"""Composition of the edges: what each of them asks, relays to, and listens on."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import Any, Optional

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.task import deferLater

from kasmd.config.edges import AGENT, DIRECT, Edge
from kasmd.config.sessions import read_sessions
from kasmd.edge.agent import AgentHop
from kasmd.edge.cors import Cors
from kasmd.edge.dial import Timeouts
from kasmd.edge.directory import Directory
from kasmd.edge.kasm import ControlPlane
from kasmd.edge.kasm import Timing as AskTiming
from kasmd.edge.onward import Hop
from kasmd.edge.pool import Pool
from kasmd.edge.relay import Ceilings, Relay
from kasmd.edge.revocations import Revocations
from kasmd.edge.site import Door, EdgeSite, healthy, make_direct
from kasmd.edge.splice import Splices
from kasmd.edge.splice import Timing as SpliceTiming
from kasmd.edge.webapp import WebappHop
from kasmd.h1.head import Limits as HeadLimits
from kasmd.http.body import STREAM
from kasmd.http.cookies import SessionCookie
from kasmd.http.face import Carrier, Plain, make_face
from kasmd.http.guard import Guard, Sessions
from kasmd.http.proxies import Proxies
from kasmd.http.routes import PUBLIC, Route
from kasmd.http.server import Limits
from kasmd.http.tls import CertificateFiles
from kasmd.identity import Identity, Punctual
from kasmd.interfaces import IWorker
from kasmd.permission.leases import Leases
from kasmd.permission.shares import SessionRegistry
from kasmd.permission.tickets import AGENT_HOP, Tickets, load_keys
from kasmd.startup import Listening
from kasmd.web.entrance import Entrance
from kasmd.web.site import PAGE, content_policy, frame_ancestors, parse_origins

#: What an owner's grant at a hop is for.
_HOP = "edge"
#: Seconds that websockets have to hear that the daemon stops.
FAREWELL_SECONDS = 1.5
#: A websocket close code (RFC 6455 section 7.4.1).
GOING_AWAY = 1001
#: The door of an edge has no invitations: they are to kasmd's own desktop.
_NOT_HERE = b"/invite"


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


class Edges:
    """Makes the edges of one daemon (ConfigError, AccountsError)."""

    def __init__(self, identity: Identity, tls: CertificateFiles, worker: IWorker,
                 embedding: bool, prompt: bool, reactor: Any, daemon: MultiService) -> None:
        self._identity = identity
        self._tls = tls
        self._worker = worker
        self._embedding = embedding
        self._prompt = prompt
        self._reactor = reactor
        self._daemon = daemon

    def compose(self, edge: Edge) -> IProtocolFactory:
        """Give what is to listen for this edge."""
        reactor = self._reactor
        pool = Pool(reactor, _timeouts(edge))
        splices = Splices(reactor, _splice_timing(edge))
        Sockets(reactor, splices, pool).setServiceParent(self._daemon)
        origins = parse_origins(edge.allowed_origins)
        cors = Cors(origins)
        hop = Hop(edge.name.encode("ascii"), cookies=edge.role == DIRECT)
        relay = Relay(
            reactor, pool, splices, hop, origins, Ceilings(edge.limits.body_bytes), cors.fields
        )
        make = self._direct if edge.role == DIRECT else self._hop
        site = make(edge, relay, pool, cors)
        return make_face(
            reactor, site.respond, self._carrier(edge), limits=_limits(edge), room=site.room,
            present=site.present,
        )

    def _direct(self, edge: Edge, relay: Relay, pool: Pool, cors: Cors) -> EdgeSite:
        identity, directory = self._identity, self._directory(edge)
        registry = SessionRegistry(identity.accounts, directory, identity.proofs.kinds)
        identity.faces.append(registry)
        sessions = Sessions(identity.proofs, SessionCookie(self._embedding), self._prompt)
        prefix = edge.prefix.encode("ascii")
        entrance = Entrance(
            PAGE,
            content_policy(edge.frame_ancestors, form="self"),
            identity.authenticator,
            sessions,
            identity.present,
            parse_origins(edge.allowed_origins),
            prefix,
        )
        routes = [route for route in entrance.routes() if _NOT_HERE not in route.path]
        return make_direct(
            name=edge.name,
            directory=directory,
            registry=registry,
            authenticator=identity.authenticator,
            sessions=sessions,
            door=Door(routes, entrance.instead),
            forward=relay.forward,
            prefix=edge.prefix,
            cors=cors,
            ancestors=frame_ancestors(edge.frame_ancestors),
            body=STREAM,
        )

    def _hop(self, edge: Edge, relay: Relay, pool: Pool, cors: Cors) -> EdgeSite:
        reactor, identity = self._reactor, self._identity
        leases = Leases(reactor.seconds)
        prefix = edge.prefix.encode("ascii")
        below = prefix + b"/desktop/"
        asked = self._agent if edge.role == AGENT else self._webapp
        authoriser = asked(edge, pool, leases, below)
        Punctual(reactor, authoriser.look).setServiceParent(self._daemon)
        more = [Revocations(leases, parse_origins(edge.allowed_origins)).route(prefix)]
        if edge.role == AGENT:
            more.append(Route(b"GET", prefix + b"/agent/__healthcheck", PUBLIC, healthy))
        sessions = Sessions(identity.proofs, SessionCookie(self._embedding), False)
        return EdgeSite(
            name=edge.name.encode("ascii"),
            authoriser=authoriser,
            forward=relay.forward,
            prefix=prefix,
            cors=cors,
            more=more,
            lobby=Guard(identity.authenticator, identity.registry, _HOP, sessions),
            body=STREAM,
        )

    def _webapp(self, edge: Edge, pool: Pool, leases: Leases, below: bytes) -> ControlPlane:
        address, path = _auth(edge)
        return WebappHop(
            pool.ask, leases, self._reactor.seconds, address, edge.upstream.trust,
            _ask_timing(edge), below, path, _tickets(edge),
        )

    def _agent(self, edge: Edge, pool: Pool, leases: Leases, below: bytes) -> ControlPlane:
        address, path = _auth(edge)
        return AgentHop(
            pool.ask, leases, self._reactor.seconds, address, self._directory(edge),
            _ask_timing(edge), below, path, edge.auth.request_hosts, _tickets(edge),
        )

    def _directory(self, edge: Edge) -> Directory:
        assert edge.directory is not None, "the configuration was checked"
        read = partial(read_sessions, edge.directory, os.environ, edge.upstream)
        directory = Directory(self._reactor, edge.directory, read, self._worker)
        directory.setServiceParent(self._daemon)
        return directory

    def _carrier(self, edge: Edge) -> Carrier:
        return Carrier(
            self._certificate(edge),
            Plain(edge.tls.plain_http),
            Proxies(edge.trusted_proxies),
            Proxies(edge.proxy_protocol),
        )

    def _certificate(self, edge: Edge) -> CertificateFiles:
        tls = edge.tls
        if tls.pem_certificate is None:
            return self._tls
        key = tls.pem_key or tls.pem_certificate
        return CertificateFiles(self._reactor, tls.pem_certificate, key)


def listen(reactor: Any, key: str, edge: Edge, address: str,
           factory: IProtocolFactory) -> tuple[Listening, str]:
    """Listen for an edge; give the port and where it is, for people (ConfigError)."""
    place = edge.listen
    if place.unix_socket is not None:
        mode = int(place.unix_mode, 8)
        port = Listening.unix(reactor, place.unix_socket, factory, f"{key}.unix_socket", mode)
        return port, place.unix_socket
    if place.systemd_socket is not None:
        port = Listening.systemd(
            reactor, f"{key}.systemd_socket", place.systemd_socket, factory, os.environ
        )
        return port, f"systemd's {place.systemd_socket}"
    assert place.port is not None, "the configuration was checked"
    port = Listening.tcp(reactor, f"{key}.port", place.port, address, factory)
    host = f"[{address}]" if ":" in address else address
    return port, f"https://{host}:{port.number}{edge.prefix}/"


def _auth(edge: Edge) -> tuple[Any, bytes]:
    address = edge.auth.address
    assert address is not None, "the configuration was checked"
    upstream = address.upstream
    if upstream.tls is not None:
        upstream = upstream._replace(tls=edge.auth.trust)
    return upstream, (address.prefix + edge.auth_path).encode("ascii")


def _tickets(edge: Edge) -> Optional[Tickets]:
    if edge.ticket_key is None:
        return None
    return Tickets(load_keys(edge.ticket_key), AGENT_HOP, time.time)


def _ask_timing(edge: Edge) -> AskTiming:
    return AskTiming(edge.lease_seconds, edge.auth.grace_seconds)


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
