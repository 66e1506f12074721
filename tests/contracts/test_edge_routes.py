"""Every route and method of the composed edges, with every credential that is not enough."""

from __future__ import annotations

import datetime
import shutil
import socket
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Iterator, NamedTuple, Optional

from twisted.application.service import MultiService
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from kasmd.carriage import Carriage
from kasmd.config.edges import Edge
from kasmd.config.load import load
from kasmd.edge.census import Census
from kasmd.edge.deciding import Decider, Endings
from kasmd.edge.delegate import Delegate
from kasmd.edge.messages import Wire
from kasmd.edge.site import EdgeSite
from kasmd.edges import Composed, Edges
from kasmd.http.routes import ANY, PUBLIC, Route
from kasmd.http.server import HttpFactory
from kasmd.http.tls import CertificateFiles
from kasmd.identity import compose_identity
from kasmd.metrics import Metrics
from kasmd.permission.keyfile import load_keys
from kasmd.permission.registry import EVERYTHING
from kasmd.permission.tickets import AGENT_HOP, DESKTOP_HOP, Tickets
from kasmd.viewer.worker import ThreadWorker
from kasmd.web.certificate import self_signed
from kasmd.worker import adopt
from tests.live.daemon import SECRET
from tests.live.kasm_api import Desk, KasmApi
from tests.live.raw_upstream import RawUpstream, exchange, statuses
from tests.live.web import basic

ANN, BOB = "01234567-89ab-cdef-0123-456789abcdef", "fedcba98-7654-3210-fedc-ba9876543210"
SECRET_NAME = "Ann's most private desk"
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND")
WEBSOCKET = (
    "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
)
CONFIGURATION = """\
state_directory: {folder}/state
server:
  advanced:
    kasm_password_file: {folder}/kasmpasswd
security:
  brute_force_protection:
    blacklist_threshold: 0
edge:
  - name: direct
    role: direct
    listen: {{port: 0}}
    tls: {{plain_http: serve}}
    directory: {folder}/sessions.yaml
  - name: webapp
    role: webapp
    listen: {{port: 0}}
    tls: {{plain_http: serve}}
    auth: {{address: "http://127.0.0.1:{api}"}}
    ticket_key: {folder}/state/key
    upstream: {{unchecked: true}}
  - name: agent
    role: agent
    listen: {{port: 0}}
    tls: {{plain_http: serve}}
    auth: {{address: "http://127.0.0.1:{api}"}}
    ticket_key: {folder}/state/key
    directory: {folder}/sessions.yaml
"""
SESSIONS = """\
sessions:
  - {{id: {ann}, name: "{name}", owner: ann, upstream: "http://127.0.0.1:{port}"}}
  - {{id: {bob}, owner: bob, upstream: "http://127.0.0.1:{port}"}}
"""


class Credential(NamedTuple):
    """What a client comes with, and the status that it gets at Ann's desktop."""

    name: str
    lines: tuple[str, ...]
    status: int
    #: Whether somebody is known by it to the edge itself.
    known: bool = False


class Asked(NamedTuple):
    """One request of the matrix."""

    route: Route
    path: str
    method: str
    websocket: bool
    credential: Credential

    @property
    def data(self) -> bytes:
        upgrade = WEBSOCKET if self.websocket else ("Connection: close", "Content-Length: 0")
        lines = (f"{self.method} {self.path} HTTP/1.1", "Host: edge.test", *upgrade,
                 *self.credential.lines, "", "")
        return "\r\n".join(lines).encode("ascii")

    @property
    def is_relayed(self) -> bool:
        """Whether it is for a desktop, and may be for anybody who may be there."""
        return self.path.startswith("/desktop/") and self.method not in ("OPTIONS", "TRACE")


def cookies(name: str, secret: str, *more: str) -> tuple[str, ...]:
    """Give the control plane's cookies."""
    pairs = (f"username={name}", f"session_token={secret}", "kasm_client_key=k", *more)
    return ("Cookie: " + "; ".join(pairs),)


class Site:
    """An edge that listens."""

    def __init__(self, site: EdgeSite, port: int) -> None:
        self.table = site.routes.table
        self.port = port

    def asked(self, credentials: tuple[Credential, ...]) -> Iterator[Asked]:
        """Give every route with every method and credential, over HTTP and for a websocket."""
        for route in self.table:
            path = route.path.decode("ascii")
            if path.endswith("*"):
                path = f"{path[:-1]}{ANN}/vnc/x"
            for credential in credentials:
                for method in METHODS:
                    yield Asked(route, path, method, False, credential)
                yield Asked(route, path, "GET", True, credential)

    def is_public(self, asked: Asked) -> bool:
        """Tell whether the table says that anybody may ask for it."""
        method = b"GET" if asked.method == "HEAD" else asked.method.encode("ascii")
        of_path = {route.method: route for route in self.table if route.path == asked.route.path}
        route = of_path.get(method, of_path.get(ANY))
        return route is not None and route.needs is PUBLIC


class MatrixTests(TestCase):
    """Three edges before two desktops, which are one upstream that counts."""

    processes = 1

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.upstream, self.api = RawUpstream(), KasmApi()
        self.addCleanup(self.upstream.end)
        self.addCleanup(self.api.end)
        self.api.logins = {"ann": "ann-token", "bob": "bob-token", "eve": "eve-token"}
        self.api.desks = {
            ident: Desk(owner, "127.0.0.1", self.upstream.port, "Bearer desk-secret", "http")
            for ident, owner in ((ANN, "ann"), (BOB, "bob"))
        }
        self._write()
        self.sites = self._compose()

    def _write(self) -> None:
        folder = self.folder
        (folder / "state").mkdir(mode=0o700)
        sessions = SESSIONS.format(ann=ANN, bob=BOB, name=SECRET_NAME, port=self.upstream.port)
        text = CONFIGURATION.format(folder=folder, api=self.api.port)
        passwords = "".join(f"{name}:{SECRET}:rw\n" for name in ("ann", "bob", "eve"))
        for name, content in (("sessions.yaml", sessions), ("kasmd.yaml", text),
                              ("kasmpasswd", passwords)):
            (folder / name).write_text(content)
            (folder / name).chmod(0o600)

    def _compose(self) -> dict[str, Site]:
        configuration = load(str(self.folder / "kasmd.yaml"), {})
        daemon = MultiService()
        self.identity = compose_identity(configuration, self.folder / "state", reactor, daemon)
        certificate = self_signed(self.folder, datetime.datetime.now(datetime.timezone.utc))
        tls = CertificateFiles(reactor, str(certificate), str(certificate))
        edges = Edges(
            self.identity, tls, ThreadWorker(reactor), False, False, Metrics(), reactor, daemon
        )
        sites = {}
        for edge in configuration.edge:
            composed = edges.compose(replace(edge, processes=self.processes))
            face = self._face(edge, composed, tls)
            port = reactor.listenTCP(0, face, interface="127.0.0.1")
            self.addCleanup(port.stopListening)
            sites[edge.name] = Site(composed.site, port.getHost().port)
        daemon.startService()
        self.addCleanup(daemon.stopService)
        return sites

    def _face(self, edge: Edge, composed: Composed, tls: CertificateFiles) -> IProtocolFactory:
        """Give what listens."""
        return composed.face

    # Credentials that are not enough.

    async def _direct(self) -> tuple[Credential, ...]:
        proofs, soon = self.identity.proofs, time.time() + 60
        ended = proofs.logins.start("ann")
        principal = proofs.by_cookie(ended)
        assert principal is not None
        proofs.end(principal)
        _, bobs = await proofs.tokens.make("x", "bob", EVERYTHING, soon)
        token, spent = await proofs.tokens.make("x", "ann", EVERYTHING, soon)
        await proofs.tokens.revoke(token.ident)
        return (
            Credential("none", (), 401),
            Credential("a wrong password", (f"Authorization: {basic('ann', 'guess')}",), 401),
            Credential("nobody", (f"Authorization: {basic('', '')}",), 401),
            Credential("nobody's right password", (f"Authorization: {basic('')}",), 401),
            Credential("no password", (f"Authorization: {basic('ann', '')}",), 401),
            Credential("a long one", (f"Authorization: {basic('ann', 'x' * 6000)}",), 401),
            Credential("two", (f"Authorization: {basic('ann')}",) * 2, 400),
            Credential("no base64", ("Authorization: Basic !!!",), 401),
            Credential("no colon", ("Authorization: Basic YW5u",), 401),
            Credential("no text", ("Authorization: Basic /////w==",), 401),
            Credential("another scheme", ("Authorization: Digest x",), 401),
            Credential("a cookie of nobody's", ("Cookie: kasmd=AAAAAAAAAAAAAAAAAAAAAAAA",), 401),
            Credential("a session that ended", (f"Cookie: kasmd={ended}",), 401),
            Credential("a wrong token", ("Authorization: Bearer AAAA",), 401),
            Credential("a token that was revoked", (f"Authorization: Bearer {spent}",), 401),
            Credential("a ticket", (f"Kasmd-Ticket: {self._ticket(ANN)}",), 401),
            Credential("the control plane's", cookies("ann", "ann-token"), 401),
            Credential("another user's password", (f"Authorization: {basic('eve')}",), 404, True),
            Credential("another session's owner",
                       (f"Cookie: kasmd={proofs.logins.start('bob')}",), 404, True),
            Credential("his token", (f"Authorization: Bearer {bobs}",), 404, True),
        )

    def _hop(self) -> tuple[Credential, ...]:
        return (
            Credential("none", (), 401),
            Credential("our password", (f"Authorization: {basic('ann')}",), 401, True),
            Credential("one cookie of two", ("Cookie: username=ann",), 401),
            Credential("an empty one", cookies("ann", ""), 401),
            Credential("a wrong one", cookies("ann", "guess"), 401),
            Credential("another's name", cookies("ann", "eve-token"), 401),
            Credential("two of a name", cookies("ann", "ann-token", "username=eve"), 409),
            Credential("another user's", cookies("eve", "eve-token"), 403),
            Credential("another session's owner's", cookies("bob", "bob-token"), 403),
        )

    def _ticket(self, ident: str, hop: str = AGENT_HOP, age: float = 0,
                key: Optional[bytes] = None) -> str:
        keys = load_keys(str(self.folder / "state" / "key")) if key is None else (key,)
        return Tickets(keys, hop, lambda: time.time() - age).sign("ann", ident, EVERYTHING)

    def _tickets(self) -> tuple[Credential, ...]:
        """Each with cookies that would be enough without it."""
        good = self._ticket(ANN)
        bad = {
            "no ticket": "x",
            "cut short": good[:-1],
            "over": self._ticket(ANN, age=1000),
            "another session's": self._ticket(BOB),
            "for another hop": self._ticket(ANN, DESKTOP_HOP),
            "of another key": self._ticket(ANN, key=bytes(32)),
        }
        enough = cookies("ann", "ann-token")
        return tuple(Credential(name, (f"Kasmd-Ticket: {text}", *enough), 403)
                     for name, text in bad.items())

    # The matrix.

    def _ask(self, site: Site, credentials: tuple[Credential, ...]) -> list[tuple[Asked, bytes]]:
        wanted = list(site.asked(credentials))
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda asked: exchange(site.port, asked.data), wanted))
        return list(zip(wanted, answers))

    def _check(self, outcomes: list[tuple[Asked, bytes]], site: Site) -> None:
        for asked, answer in outcomes:
            what = (asked.credential.name, asked.method, asked.path, asked.websocket)
            (status,) = statuses(answer)
            self.assertNotIn(SECRET_NAME.encode(), answer, what)
            self.assertNotIn(b"desk-secret", answer, what)
            if site.is_public(asked):
                self.assertNotIn(status, (403, 404, 500, 502), what)
            elif asked.path.startswith("/desktop/"):
                self.assertEqual(status, asked.credential.status, what)
            elif not asked.credential.known:
                self.assertIn(status, (400, 401), what)
            else:
                self.assertLess(status, 500, what)

    def _refused(self, name: str, credentials: tuple[Credential, ...]) -> Deferred[None]:
        site = self.sites[name]

        def check(outcomes: list[tuple[Asked, bytes]]) -> None:
            self._check(outcomes, site)
            self.assertEqual(self.upstream.requests, [])

        return deferToThread(self._ask, site, credentials).addCallback(check)

    async def _allowed(self, name: str, lines: tuple[str, ...]) -> None:
        """The same requests, with what is enough, arrive."""
        site = self.sites[name]
        self.upstream.forget()
        outcomes = await deferToThread(self._ask, site, (Credential("enough", lines, 200),))
        relayed = [answer for asked, answer in outcomes if asked.is_relayed]
        self.assertEqual([statuses(answer) for answer in relayed], [[200]] * len(relayed))
        self.assertEqual(len(self.upstream.requests), len(relayed))
        self.assertGreater(len(relayed), len(METHODS))

    async def test_direct(self) -> None:
        await self._refused("direct", await self._direct())

    def test_webapp(self) -> Deferred[None]:
        return self._refused("webapp", self._hop())

    def test_agent(self) -> Deferred[None]:
        return self._refused("agent", self._hop())

    def test_tickets(self) -> Deferred[None]:
        return self._refused("agent", self._tickets())

    async def test_who_may_does(self) -> None:
        await self._allowed("direct", (f"Authorization: {basic('ann')}",))
        await self._allowed("webapp", cookies("ann", "ann-token"))
        await self._allowed("agent", cookies("ann", "ann-token"))
        await self._allowed("agent", (f"Kasmd-Ticket: {self._ticket(ANN)}",))


class DelegatedMatrixTests(MatrixTests):
    """The same, asked of those who carry for one that decides."""

    processes = 2

    def _face(self, edge: Edge, composed: Composed, tls: CertificateFiles) -> IProtocolFactory:
        assert isinstance(composed.face, HttpFactory)
        decider = Decider(
            composed.face, edge.lease_seconds, self.fail, lambda message: None, Endings(),
            Census(composed.face.limits),
        )
        wire = Wire(lambda message: delegate.received(message), lambda: delegate.lost())
        carriage = Carriage(reactor, edge)
        delegate = Delegate(
            reactor, wire, name=edge.name.encode("ascii"), forward=carriage.relay.forward,
            prefix=edge.prefix.encode("ascii"),
        )
        for pair, end in zip(socket.socketpair(), (decider.wire, wire)):
            adopt(reactor, pair, end)
            self.addCleanup(end.close)
        self.addCleanup(carriage.pool.close)
        return carriage.face(delegate.respond, delegate.room, delegate.present, tls)
