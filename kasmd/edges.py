"""Composition of the edges: what each of them asks, relays to, and listens on."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import Any, NamedTuple, Optional

from twisted.application.service import MultiService
from twisted.internet.interfaces import IProtocolFactory

from kasmd.carriage import Carriage, Terms, certificate_of
from kasmd.config.addresses import Trusting
from kasmd.config.edges import AGENT, DIRECT, Edge
from kasmd.config.sessions import read_sessions
from kasmd.edge.agent import AgentHop
from kasmd.edge.asking import Forward
from kasmd.edge.deciding import give_leave
from kasmd.edge.directory import Directory
from kasmd.edge.kasm import ControlPlane
from kasmd.edge.kasm import Timing as AskTiming
from kasmd.edge.pool import Pool
from kasmd.edge.revocations import Revocations
from kasmd.edge.site import Door, EdgeSite, healthy, make_direct
from kasmd.edge.webapp import WebappHop
from kasmd.http.body import STREAM
from kasmd.http.cookies import SessionCookie
from kasmd.http.guard import Guard, Sessions
from kasmd.http.routes import PUBLIC, Route
from kasmd.http.server import HttpFactory
from kasmd.http.tls import CertificateFiles
from kasmd.identity import Identity, Punctual
from kasmd.interfaces import IWorker
from kasmd.listening import Interface, Listening
from kasmd.log.output import level
from kasmd.metrics import Metrics
from kasmd.permission.keyfile import KeyFile, WatchedKeys
from kasmd.permission.leases import Leases
from kasmd.permission.shares import SessionRegistry
from kasmd.permission.tickets import AGENT_HOP, Tickets
from kasmd.processes import Workers
from kasmd.samples import Source
from kasmd.web.entrance import Entrance
from kasmd.web.site import PAGE, content_policy, frame_ancestors, parse_origins

#: What an owner's grant at a hop is for.
_HOP = "edge"
#: The door of an edge has no invitations: they are to kasmd's own desktop.
_NOT_HERE = b"/invite"
#: Where an owner finds the metrics, below an edge's prefix.
METRICS = b"/__edge/metrics"


class Composed(NamedTuple):
    """An edge; its face is an `HttpFactory` where that only decides."""

    site: EdgeSite
    face: IProtocolFactory
    carriage: Carriage
    samples: Source


class Edges:
    """Makes the edges of one daemon (ConfigError, AccountsError)."""

    def __init__(self, identity: Identity, tls: CertificateFiles, worker: IWorker,
                 embedding: bool, prompt: bool, metrics: Metrics, reactor: Any,
                 daemon: MultiService) -> None:
        self._identity = identity
        self._tls = tls
        self._worker = worker
        self._embedding = embedding
        self._prompt = prompt
        self._metrics = metrics
        self._reactor = reactor
        self._daemon = daemon
        self._keys: dict[str, KeyFile] = {}
        #: By their file, and by how certificates are known that it says nothing of.
        self._directories: dict[tuple[str, Trusting], Directory] = {}

    def listen(self, key: str, edge: Edge, interface: Interface) -> str:
        """Make the edge that ``key`` names and listen for it; give where that is, for people."""
        site, face, carriage, samples = self.compose(edge)
        port, place = _listen(self._reactor, key, edge, interface, face)
        port.setServiceParent(self._daemon)
        if isinstance(face, HttpFactory):
            self._share(edge, face, port, samples)
        else:
            carriage.sockets.setServiceParent(self._daemon)
            self._metrics.add(samples)
        return place

    def compose(self, edge: Edge) -> Composed:
        """Make an edge: for this process, or to decide for others."""
        carriage = Carriage(self._reactor, edge)
        leases = Leases(self._reactor.seconds)
        make = self._direct if edge.role == DIRECT else self._hop
        forward = carriage.relay.forward if edge.processes == 1 else give_leave
        site = make(edge, carriage, forward, leases)
        certificate = self._certificate(edge)
        if edge.processes == 1:
            face = carriage.face(site.respond, site.room, site.present, certificate)
        else:
            face = HttpFactory(
                self._reactor, site.respond, (), carriage.limits, site.room,
                present=site.present, crowd=carriage.limits.crowd(carriage.counts),
                name=f"edge {edge.name}",
            )
        return Composed(site, face, carriage, partial(carriage.samples, leases))

    def _share(self, edge: Edge, face: HttpFactory, port: Listening, samples: Source) -> None:
        """Let other processes have the port, and tell them what changes."""
        terms = Terms(edge, certificate_of(edge, self._tls), level())
        workers = Workers(self._reactor, face, terms, port.share(), samples)
        self._metrics.add(workers.samples)
        self._identity.accounts.when_changed(workers.stale)
        if edge.directory is not None:
            self._directory(edge).when_changed(workers.stale)
        if edge.ticket_key is not None:
            keys = WatchedKeys(self._reactor, self._key_file(edge.ticket_key), workers.stale)
            keys.setServiceParent(self._daemon)
        workers.setServiceParent(self._daemon)
        Punctual(self._reactor, workers.look).setServiceParent(self._daemon)

    def _direct(self, edge: Edge, carriage: Carriage, forward: Forward,
                leases: Leases) -> EdgeSite:
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
            forward=forward,
            prefix=edge.prefix,
            cors=carriage.cors,
            ancestors=frame_ancestors(edge.frame_ancestors),
            body=STREAM,
            owners=Guard(identity.authenticator, identity.registry, _HOP, sessions),
            more=(self._metrics.route(edge.prefix.encode("ascii") + METRICS),),
        )

    def _hop(self, edge: Edge, carriage: Carriage, forward: Forward,
             leases: Leases) -> EdgeSite:
        reactor, identity = self._reactor, self._identity
        prefix = edge.prefix.encode("ascii")
        below = prefix + b"/desktop/"
        asked = self._agent if edge.role == AGENT else self._webapp
        authoriser = asked(edge, carriage.pool, leases, below)
        Punctual(reactor, authoriser.look).setServiceParent(self._daemon)
        more = [
            Revocations(leases, parse_origins(edge.allowed_origins)).route(prefix),
            self._metrics.route(prefix + METRICS),
        ]
        if edge.role == AGENT:
            more.append(Route(b"GET", prefix + b"/agent/__healthcheck", PUBLIC, healthy))
        sessions = Sessions(identity.proofs, SessionCookie(self._embedding), False)
        return EdgeSite(
            name=edge.name.encode("ascii"),
            authoriser=authoriser,
            forward=forward,
            prefix=prefix,
            cors=carriage.cors,
            more=more,
            lobby=Guard(identity.authenticator, identity.registry, _HOP, sessions),
            body=STREAM,
        )

    def _webapp(self, edge: Edge, pool: Pool, leases: Leases, below: bytes) -> ControlPlane:
        address, path = _auth(edge)
        return WebappHop(
            pool.ask, leases, self._reactor.seconds, address, edge.upstream.trust,
            _ask_timing(edge), below, path, self._tickets(edge),
        )

    def _agent(self, edge: Edge, pool: Pool, leases: Leases, below: bytes) -> ControlPlane:
        address, path = _auth(edge)
        return AgentHop(
            pool.ask, leases, self._reactor.seconds, address, self._directory(edge),
            _ask_timing(edge), below, path, edge.auth.request_hosts, self._tickets(edge),
        )

    def _directory(self, edge: Edge) -> Directory:
        path, trusting = edge.directory, edge.upstream
        assert path is not None, "the configuration was checked"
        directory = self._directories.get((path, trusting))
        if directory is None:
            read = partial(read_sessions, path, os.environ, trusting)
            directory = Directory(self._reactor, path, read, self._worker)
            directory.setServiceParent(self._daemon)
            self._directories[path, trusting] = directory
        return directory

    def _tickets(self, edge: Edge) -> Optional[Tickets]:
        if edge.ticket_key is None:
            return None
        return Tickets(self._key_file(edge.ticket_key), AGENT_HOP, time.time)

    def _key_file(self, path: str) -> KeyFile:
        keys = self._keys.get(path)
        if keys is None:
            keys = self._keys[path] = KeyFile(path)
        return keys

    def _certificate(self, edge: Edge) -> CertificateFiles:
        if edge.tls.pem_certificate is None:
            return self._tls
        return CertificateFiles(self._reactor, *certificate_of(edge, self._tls))


def _listen(reactor: Any, key: str, edge: Edge, interface: Interface,
            factory: IProtocolFactory) -> tuple[Listening, str]:
    """Listen for an edge; give the port and where it is, for people (ConfigError)."""
    place = edge.listen
    if place.unix_socket is not None:
        mode = int(place.unix_mode, 8)
        port = Listening.unix(reactor, f"{key}.unix_socket", place.unix_socket, factory, mode)
        return port, place.unix_socket
    if place.systemd_socket is not None:
        port = Listening.systemd(
            reactor, f"{key}.systemd_socket", place.systemd_socket, factory, os.environ
        )
        return port, f"systemd's {place.systemd_socket}"
    assert place.port is not None, "the configuration was checked"
    port = Listening.tcp(reactor, f"{key}.port", place.port, interface, factory)
    return port, f"https://{interface}:{port.number}{edge.prefix}/"


def _auth(edge: Edge) -> tuple[Any, bytes]:
    address = edge.auth.address
    assert address is not None, "the configuration was checked"
    upstream = address.upstream
    if upstream.tls is not None:
        upstream = upstream._replace(tls=edge.auth.trust)
    return upstream, (address.prefix + edge.auth_path).encode("ascii")


def _ask_timing(edge: Edge) -> AskTiming:
    return AskTiming(edge.lease_seconds, edge.auth.grace_seconds)
