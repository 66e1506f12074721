"""Edges, any number of them: what each entry of the list ``edge`` holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, Optional, Sequence

from kasmd.config.addresses import (
    REQUEST_HOST,
    Address,
    Trusting,
    address_to_ask,
    prefix,
    undecided,
)
from kasmd.config.kinds import (
    Raw,
    address,
    choice,
    either,
    framers,
    hosts,
    integer,
    networks,
    optional,
    origins,
    path,
    seconds,
    text,
    word,
)
from kasmd.config.schema import option, required, section

DIRECT, WEBAPP, AGENT = "direct", "webapp", "agent"
#: Processes of one edge: more than any machine has cores for.
MAX_PROCESSES = 64
#: The calls of Kasm's proxies (workspaces.md 1.3 and 1.4).
AUTH_PATHS = {WEBAPP: "/api/kasm_connect/", AGENT: "/api/internal_auth/"}

_port = integer(0, 65535)


def call(raw: Raw) -> str:
    """A path that is asked for as it stands."""
    line = text(raw)
    if not line.startswith("/") or not line.isascii() or set(line) & set(" ?#\\"):
        raise ValueError("must be a path, such as /api/kasm_connect/")
    return line


@dataclass(frozen=True)
class Listen:
    """One place of three: a port, a unix socket, or a socket that systemd opened."""

    interface: str = option("127.0.0.1", either({"all": "all"}, address))
    port: Optional[int] = option(None, optional(_port))
    unix_socket: Optional[str] = option(None, optional(path))
    unix_mode: str = option("0600", choice("0600", "0660", "0666"))
    systemd_socket: Optional[str] = option(None, optional(text))


@dataclass(frozen=True)
class Tls:
    """The certificate (else the daemon's own), and what becomes of plain connections."""

    pem_certificate: Optional[str] = option(None, optional(path))
    pem_key: Optional[str] = option(None, optional(path))
    plain_http: str = option("refuse", choice("refuse", "redirect", "serve"))


@dataclass(frozen=True)
class EdgeLimits:
    """Bytes and numbers; 0 connections per address: no limit."""

    request_line: int = option(8192, integer(256, 1 << 20))
    header_bytes: int = option(65536, integer(1024, 1 << 20))
    header_count: int = option(100, integer(10, 10_000))
    body_bytes: int = option(1 << 30, integer(0, 1 << 50))
    connections: int = option(20_000, integer(1, 1_000_000))
    connections_per_address: int = option(1_000, integer(0, 1_000_000))


@dataclass(frozen=True)
class Timeouts:
    """Seconds for each phase."""

    head: float = option(10.0, seconds(1, 3600))
    connect: float = option(5.0, seconds(0.1, 600))
    answer: float = option(60.0, seconds(1, 86400))
    body_idle: float = option(60.0, seconds(1, 86400))
    keep_alive: float = option(75.0, seconds(0, 86400))
    #: Proxies in between close what is silent for half a minute.
    ping: float = option(20.0, seconds(1, 29))
    dead: float = option(15.0, seconds(1, 3600))


@dataclass(frozen=True, kw_only=True)
class Auth(Trusting):
    """The control plane that is asked; a blank ``path`` is the role's own call."""

    address: Optional[Address] = option(None, optional(address_to_ask))
    path: Optional[str] = option(None, optional(call))
    grace_seconds: float = option(60.0, seconds(0, 86400))
    request_hosts: tuple[str, ...] = option((), hosts)


@dataclass(frozen=True, kw_only=True)
class Edge:
    """One edge."""

    name: str = required(word)
    role: str = required(choice(DIRECT, WEBAPP, AGENT))
    listen: Listen = section(Listen)
    #: That share its port; 1: the daemon itself.
    processes: int = option(1, integer(1, MAX_PROCESSES))
    tls: Tls = section(Tls)
    trusted_proxies: tuple[str, ...] = option((), networks)
    proxy_protocol: tuple[str, ...] = option((), networks)
    prefix: str = option("", prefix)
    allowed_origins: tuple[str, ...] = option((), origins)
    frame_ancestors: tuple[str, ...] = option(("self",), framers)
    directory: Optional[str] = option(None, optional(path))
    auth: Auth = section(Auth)
    lease_seconds: float = option(5.0, seconds(0, 3600))
    ticket_key: Optional[str] = option(None, optional(path))
    upstream: Trusting = section(Trusting)
    limits: EdgeLimits = section(EdgeLimits)
    timeouts: Timeouts = section(Timeouts)

    @property
    def auth_path(self) -> str:
        """The call that asks for leave."""
        return self.auth.path or AUTH_PATHS.get(self.role, "")


def contradictions(edges: Sequence[Edge]) -> Iterator[tuple[str, str]]:
    """Give what no single key can tell: the key to be named, and the text."""
    names: set[str] = set()
    for index, edge in enumerate(edges):
        key = f"edge[{index}]"
        if edge.name in names:
            yield f"{key}.name", f"another edge is called {edge.name!a}"
        names.add(edge.name)
        for leaf, said in (*_about_listening(edge), *_about_the_role(edge)):
            yield f"{key}.{leaf}", said


def _about_listening(edge: Edge) -> Iterator[tuple[str, str]]:
    listen = edge.listen
    places = (listen.port is not None, listen.unix_socket, listen.systemd_socket)
    if len([place for place in places if place]) != 1:
        yield "listen", "needs one of port, unix_socket and systemd_socket, and only one"
    if edge.tls.pem_key and not edge.tls.pem_certificate:
        yield "tls.pem_key", "needs tls.pem_certificate"


def _about_the_role(edge: Edge) -> Iterator[tuple[str, str]]:
    asks = edge.role in (WEBAPP, AGENT)
    lists = edge.role in (DIRECT, AGENT)
    auth = edge.auth
    if asks and auth.address is None:
        yield "auth.address", f"must be given, for a {edge.role} hop asks who may pass"
    if not asks and auth.address is not None:
        yield "auth.address", "means nothing here: a direct edge has kasmd's own log-in"
    by_request = auth.address is not None and auth.address.upstream.host == REQUEST_HOST
    if by_request and (edge.role != AGENT or not auth.request_hosts):
        yield "auth.address", "may follow the request's host for an agent hop only, and only" \
            " to the hosts that auth.request_hosts names: a client chooses that host"
    if auth.request_hosts and not by_request:
        yield "auth.request_hosts", f"means nothing without {REQUEST_HOST} in auth.address"
    if auth.address is not None and auth.address.upstream.tls is not None and not auth.decided:
        yield "auth.address", undecided("what is asked")
    if not asks and edge.ticket_key is not None:
        yield "ticket_key", "means nothing here: a session's credentials have one of their own"
    if lists and edge.directory is None:
        yield "directory", f"must be given, for a {edge.role} edge finds its sessions there"
    if not lists and edge.directory is not None:
        yield "directory", "means nothing here: what is asked says where a session is"
    if edge.role == WEBAPP and not edge.upstream.decided:
        yield "upstream", undecided("a session's host")
