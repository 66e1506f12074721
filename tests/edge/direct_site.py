"""A direct edge on a port, whose relay tells what it was given."""

from __future__ import annotations

import base64
import json
import shutil
import tempfile
from http.client import HTTPConnection, HTTPResponse
from typing import Any, Optional, Sequence

from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from kasmd.edge.asking import Allowed, Forward, Upstream
from kasmd.edge.cors import Cors
from kasmd.edge.directory import Credential, Directory, Session
from kasmd.edge.site import Door, make_direct
from kasmd.errors import LoginRefused
from kasmd.http.cookies import SessionCookie
from kasmd.http.guard import Sessions
from kasmd.http.headers import parse_origin
from kasmd.http.server import HttpFactory, Limits, Request, Response
from kasmd.interfaces import Account
from kasmd.permission.accounts import MemoryAccounts
from kasmd.permission.invitations import Invitations
from kasmd.permission.logins import Logins
from kasmd.permission.proofs import Proofs
from kasmd.permission.registry import EVERYTHING
from kasmd.permission.shares import SessionRegistry
from kasmd.permission.tickets import Tickets
from kasmd.permission.tokens import Tokens
from kasmd.rights import OWNER, READ, WRITE, Right
from kasmd.viewer.worker import InlineWorker
from kasmd.web.entrance import Entrance
from kasmd.web.site import PAGE, content_policy
from tests.permission.disk import inline, now

HTML = ("Accept", "text/html")
JSON = ("Accept", "application/json")
NOW = 1_800_000_000.0
TICKETS = Tickets([bytes(range(32))], "desktop", lambda: NOW)
SECRET = base64.b64encode(b"kasm_user:hunter2")
STRONG = Credential(EVERYTHING, b"Basic " + SECRET)
WEAK = Credential(Right.ENTER | READ, b"Bearer viewer")

SESSIONS = (
    Session("a", "Ann's <desk>", "ann", {"bob": Right.ENTER | READ}, Upstream("10.0.0.1", 6901),
            b"/desk", "vnc.html?path=$base$/websockify", (STRONG, WEAK)),
    Session("b", "Bob's", "bob", {}, Upstream("10.0.0.2", 6901), credentials=(STRONG,)),
    Session("t", "Ticketed", "ann", {"bob": Right.ENTER | WRITE}, Upstream(path="/run/t"),
            credentials=(Credential(EVERYTHING, tickets=TICKETS),)),
    Session("s", "Starting", "ann", {}, Upstream("10.0.0.3", 1), running=False),
)


class Answer:
    """An answer of http.client, read whole."""

    def __init__(self, answer: HTTPResponse) -> None:
        self.status, self.headers, self.body = answer.status, answer.headers, answer.read()

    @property
    def json(self) -> Any:
        """The body, as JSON."""
        return json.loads(self.body)


def talk(port: int, method: str, path: str, headers: Sequence[tuple[str, str]],
         body: bytes = b"") -> Answer:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.putrequest(method, path)
        for header in headers:
            connection.putheader(*header)
        connection.endheaders(body or None)
        return Answer(connection.getresponse())
    finally:
        connection.close()


def basic(name: str, password: str = "right") -> tuple[str, str]:
    blob = base64.b64encode(f"{name}:{password}".encode()).decode()
    return "Authorization", f"Basic {blob}"


class Passwords:
    """Knows one password for every name."""

    def authenticate(self, name: str, password: str, address: str) -> Deferred[str]:
        return succeed(name) if password == "right" else fail(LoginRefused("no"))


def told(request: Request, allowed: Allowed) -> Response:
    """Answer with what a relay would go by."""
    value = {
        "name": allowed.grant.name,
        "session": allowed.session,
        "upstream": str(allowed.upstream),
        "target": allowed.target.decode(),
        "fields": {name.decode(): text.decode() for name, text in allowed.fields},
        "method": request.method.decode(),
    }
    return Response(200, (), json.dumps(value).encode())


class DirectCase(TestCase):
    """Accounts ann, bob and eve, an account that is gone, and the sessions above."""

    prefix = ""
    forward: Forward = staticmethod(told)

    def setUp(self) -> None:
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        self.clock = Clock()
        seconds = self.clock.seconds
        self.accounts = MemoryAccounts(
            Account(name, "x", WRITE | OWNER | Right.ENTER) for name in ("ann", "bob", "eve")
        )
        self.proofs = Proofs(
            Logins(self.accounts, seconds),
            Tokens(self.accounts, f"{folder}/tokens", seconds, inline()),
            Invitations(
                self.accounts, f"{folder}/invitations", bytes(32), seconds, seconds, inline()
            ),
        )
        self.found: Sequence[Session] = SESSIONS
        self.directory = Directory(Clock(), "/nowhere/s", lambda: self.found, InlineWorker())
        self.registry = SessionRegistry(self.accounts, self.directory, self.proofs.kinds)
        self.listen()

    def listen(self) -> None:
        sessions = Sessions(self.proofs, SessionCookie())
        origins = [parse_origin("https://portal.example")]
        below = self.prefix.encode()
        entrance = Entrance(
            PAGE, content_policy(form="self"), Passwords(), sessions, self.registry.present,
            origins, below,
        )
        self.site = make_direct(
            name="front",
            directory=self.directory,
            registry=self.registry,
            authenticator=Passwords(),
            sessions=sessions,
            door=Door(entrance.routes(), entrance.instead),
            forward=self.forward,
            prefix=self.prefix,
            cors=Cors(origins),
        )
        self.serve(HttpFactory(reactor, self.site.respond, (), Limits(), self.site.room,
                               present=self.site.present))

    def serve(self, factory: HttpFactory) -> None:
        """Listen for the site."""
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.number = port.getHost().port

    def ask(self, path: str, *headers: tuple[str, str], method: str = "GET",
            body: bytes = b"") -> Deferred[Answer]:
        """Ask for a path below the edge's prefix."""
        return deferToThread(talk, self.number, method, self.prefix + path, headers, body)

    def cookie(self, name: str, secret: Optional[str] = None) -> tuple[str, str]:
        """Log in, and give what a browser sends from then on."""
        return "Cookie", f"kasmd={secret or self.proofs.logins.start(name)}"

    def token(self, name: str, scope: Right) -> tuple[str, str]:
        """Give a bearer token's header."""
        made = now(self.proofs.tokens.make("x", name, scope, self.clock.seconds() + 60))
        return "Authorization", f"Bearer {made[1]}"
