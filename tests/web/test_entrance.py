"""The door over TCP: forms, JSON, cookies, and pages where there are none."""

import json
import re
import shutil
import tempfile
from http.client import HTTPConnection
from urllib.parse import urlencode

from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from kasmd.errors import LockedOut, LoginRefused
from kasmd.http.cookies import SessionCookie
from kasmd.http.guard import Sessions
from kasmd.http.headers import parse_origin
from kasmd.http.proxies import Proxies
from kasmd.http.routes import PUBLIC
from kasmd.interfaces import Account, Principal
from kasmd.permission.accounts import MemoryAccounts
from kasmd.permission.invitations import Invitations
from kasmd.permission.logins import Logins
from kasmd.permission.proofs import Proofs
from kasmd.permission.registry import Registry
from kasmd.permission.sessions import Lifetime
from kasmd.permission.tokens import Tokens
from kasmd.permission.writes import CAPACITY
from kasmd.rights import OWNER, READ, WRITE, Right
from kasmd.viewer.roster import Roster
from kasmd.web.entrance import MAX_FORM, Entrance
from kasmd.web.pages import Pages
from kasmd.web.site import PAGE, content_policy, make_site, page_mounts
from tests.garbage import uncollected
from tests.permission.disk import inline, now

HTML = ("Accept", "text/html")
FORM = ("Content-Type", "application/x-www-form-urlencoded")
JSON = ("Content-Type", "application/json")
#: ann:wrong
BASIC_WRONG = ("Authorization", "Basic YW5uOndyb25n")


class Answer:
    """An answer of http.client, read whole."""

    def __init__(self, answer):
        self.status, self.headers, self.body = answer.status, answer.headers, answer.read()

    @property
    def cookie(self):
        """The Cookie header that a browser would send from now on."""
        found = re.fullmatch(r"((?:__Host-)?kasmd=[\w-]{43}); .*", self.headers["Set-Cookie"] or "")
        return ("Cookie", found[1]) if found else None


def talk(port, method, path, body, headers):
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, dict(headers))
        return Answer(connection.getresponse())
    finally:
        connection.close()


class Passwords:
    def __init__(self):
        self.tried = []

    def authenticate(self, name, password, address):
        self.tried.append((name, address))
        if password == "locked":
            return fail(LockedOut(address, 3.5))
        return succeed(name) if password == "right" else fail(LoginRefused("no"))


class Viewer:
    def __init__(self, transport, principal):
        transport.send(principal.kind.encode())

    def received(self, data):
        pass

    def lost(self, reason):
        pass


class Served:
    """A site with a door."""

    def setUp(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        self.clock = Clock()
        self.accounts = MemoryAccounts(Account(name, "x", WRITE | OWNER) for name in ("ann", "bob"))
        seconds = self.clock.seconds
        self.writes = inline()
        self.proofs = Proofs(
            Logins(self.accounts, seconds, Lifetime(10.0, 100.0, 3)),
            Tokens(self.accounts, f"{folder}/tokens", seconds, inline()),
            Invitations(
                self.accounts, f"{folder}/invitations", bytes(32), seconds, seconds, self.writes
            ),
        )
        self.registry = Registry(self.accounts, proofs=self.proofs.kinds)
        self.passwords = Passwords()
        self.entrance = Entrance(
            PAGE,
            content_policy(("self", "https://portal.example"), form="self"),
            self.passwords,
            Sessions(self.proofs, SessionCookie()),
            self.registry.present,
            [parse_origin("https://portal.example")],
        )
        site = make_site(
            reactor,
            authenticator=self.passwords,
            registry=self.registry,
            roster=Roster(),
            pages=Pages(),
            make_viewer=Viewer,
            mounts=page_mounts(PAGE),
            entrance=self.entrance,
            proxies=Proxies(["127.0.0.1"]),
        )
        port = reactor.listenTCP(0, site, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.number = port.getHost().port

    def ask(self, method, path, *headers, body=None):
        return deferToThread(talk, self.number, method, path, body, headers)

    def send(self, path, fields, *headers):
        return self.ask("POST", path, JSON, *headers, body=json.dumps(fields))

    def log_in(self, *headers, name="ann", password="right"):
        return self.send("/login", {"name": name, "password": password}, *headers)

    def submit(self, path, fields, *headers):
        return self.ask("POST", path, FORM, HTML, *headers, body=urlencode(fields))


class LoginTests(Served, TestCase):
    async def test_a_log_in_lets_in_and_a_log_out_does_not(self):
        answer = await self.log_in()
        self.assertEqual((answer.status, answer.body), (204, b""))
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
        me = json.loads((await self.ask("GET", "/api/v1/me", answer.cookie)).body)
        self.assertEqual((me["name"], me["proof"]), ("ann", "login"))
        principal = self.proofs.by_cookie(answer.cookie[1].partition("=")[2])
        grant = self.registry.admit(principal, "desktop")
        told = []
        grant.when_changed(lambda: told.append(grant.holds(Right.ENTER)))
        out = await self.send("/logout", {}, answer.cookie)
        self.assertEqual(out.status, 204)
        self.assertIn("kasmd=; ", out.headers["Set-Cookie"])
        self.assertIn("Max-Age=0", out.headers["Set-Cookie"])
        self.assertEqual(told, [False])
        replayed = await self.ask("GET", "/api/v1/me", answer.cookie)
        self.assertEqual(replayed.status, 401)
        self.assertIn(b"session has ended", replayed.body)

    async def test_the_form_of_a_page_without_script(self):
        answer = await self.submit("/login", {"name": "ann", "password": "right"})
        self.assertEqual((answer.status, answer.headers["Location"]), (303, "./"))
        self.assertEqual((await self.ask("GET", "/", answer.cookie)).status, 200)
        out = await self.submit("/logout", {"x": ""}, answer.cookie)
        self.assertEqual((out.status, out.headers["Location"]), (303, "./login"))

    async def test_the_session_is_always_a_new_one(self):
        planted = ("Cookie", "kasmd=" + "A" * 43)
        answer = await self.log_in(planted)
        self.assertNotEqual(answer.cookie, planted)
        again = await self.log_in(answer.cookie, name="bob")
        self.assertNotEqual(again.cookie, answer.cookie)
        self.assertEqual((await self.ask("GET", "/", answer.cookie)).status, 401)
        self.assertEqual([login.name for login in self.proofs.logins.logins()], ["bob"])

    async def test_a_wrong_password(self):
        answer = await self.log_in(password="wrong")
        self.assertEqual(answer.status, 401)
        self.assertIsNone(answer.headers["WWW-Authenticate"])
        self.assertIsNone(answer.headers["Set-Cookie"])
        shown = await self.submit("/login", {"name": "ann", "password": "wrong"})
        self.assertEqual(shown.status, 401)
        self.assertIn(b'role="alert">The name and the password do not belong', shown.body)
        locked = await self.submit("/login", {"name": "ann", "password": "locked"})
        self.assertEqual((locked.status, locked.headers["Retry-After"]), (429, "4"))
        self.assertIn(b"try again in 4 seconds", locked.body)
        self.assertEqual(self.proofs.logins.logins(), [])

    async def test_a_wrong_password_leaves_no_garbage(self):
        left = uncollected(self, LoginRefused)
        wrong = {"name": "ann", "password": "wrong"}
        for asked in (
            self.ask("GET", "/", BASIC_WRONG), self.ask("GET", "/", HTML, BASIC_WRONG),
            self.send("/login", wrong), self.submit("/login", wrong),
        ):
            self.assertEqual((await asked).status, 401)
        self.assertEqual(left(), 0)

    async def test_the_address_is_the_client_s(self):
        await self.log_in(("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Proto", "https"))
        self.assertEqual(self.passwords.tried, [("ann", "203.0.113.9")])

    async def test_over_tls_the_cookie_is_for_this_host_and_tls_only(self):
        answer = await self.log_in(("X-Forwarded-Proto", "https"))
        self.assertRegex(
            answer.headers["Set-Cookie"],
            r"\A__Host-kasmd=[\w-]{43}; Path=/; HttpOnly; Secure; SameSite=Lax\Z",
        )

    async def test_over_plain_http_from_elsewhere_there_is_no_session(self):
        answer = await self.log_in(("X-Forwarded-For", "203.0.113.9"))
        self.assertEqual(answer.status, 403)
        self.assertIn(b"trusted_proxies", answer.body)
        self.assertEqual(self.proofs.logins.logins(), [])

    async def test_other_sites_log_nobody_in_or_out(self):
        cookie = (await self.log_in()).cookie
        for header in (
            ("Origin", "https://evil.example"), ("Origin", "null"),
            ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Site", "same-site"),
        ):
            for answer in (
                await self.log_in(header),
                await self.send("/logout", {}, cookie, header),
                await self.send("/invite", {"code": "x"}, header),
            ):
                self.assertEqual(answer.status, 403, header)
                self.assertIsNone(answer.headers["Set-Cookie"])
        self.assertEqual(len(self.proofs.logins.logins()), 1)
        self.assertEqual((await self.log_in(("Origin", "https://portal.example"))).status, 204)

    async def test_bodies_that_are_no_form(self):
        for kind, body, status in (
            (JSON, "{", 400), (JSON, "[]", 400), (JSON, '{"name": 1}', 400),
            (JSON, "[" * 1500, 400), (FORM, "a=%ff", 400), (FORM, "&".join(["a=b"] * 20), 400),
            (("Content-Type", "text/plain"), "name=ann", 415), (FORM, "x" * (MAX_FORM + 1), 413),
            (JSON, "{}", 401), (FORM, "", 401),
        ):
            answer = await self.ask("POST", "/login", kind, body=body)
            self.assertEqual(answer.status, status, body[:20])

    async def test_basic_has_no_log_out_but_its_cookie_has(self):
        basic = ("Authorization", "Basic YW5uOnJpZ2h0")
        self.assertEqual((await self.send("/logout", {}, basic)).status, 409)
        cookie = (await self.ask("GET", "/", basic, HTML)).cookie
        self.assertEqual((await self.send("/logout", {}, basic, cookie)).status, 204)
        self.assertEqual(self.proofs.logins.logins(), [])

    async def test_log_out_is_for_those_who_came_in(self):
        self.assertEqual((await self.send("/logout", {})).status, 401)
        cookie = (await self.log_in()).cookie
        self.assertEqual((await self.ask("GET", "/logout", cookie)).status, 405)


class InvitationTests(Served, TestCase):
    def setUp(self):
        super().setUp()
        self.invitation = now(self.proofs.invitations.make("<Eve>", "ann", READ, 50.0, uses=2))
        self.code = self.proofs.invitations.code(self.invitation.ident)

    async def test_a_guest_comes_and_goes(self):
        answer = await self.send("/invite", {"code": self.code})
        self.assertEqual(answer.status, 204)
        me = json.loads((await self.ask("GET", "/api/v1/me", answer.cookie)).body)
        self.assertEqual(
            (me["name"], me["proof"], me["rights"]),
            ("guest: <Eve>", "invitation", ["enter", "view"]),
        )
        self.assertEqual((await self.send("/logout", {}, answer.cookie)).status, 204)
        self.assertEqual((await self.ask("GET", "/", answer.cookie)).status, 401)

    async def test_without_script_too(self):
        answer = await self.submit("/invite", {"code": self.code})
        self.assertEqual((answer.status, answer.headers["Location"]), (303, "./"))
        self.assertIsNotNone(answer.cookie)

    async def test_who_may_not_come_in_hears_why(self):
        wrong = await self.submit("/invite", {"code": self.code + "A"})
        self.assertEqual(wrong.status, 403)
        self.assertIn(b"This invitation is not valid", wrong.body)
        await self.send("/invite", {"code": self.code})
        full = await self.send("/invite", {"code": self.code})
        self.assertEqual(full.status, 403)
        self.assertIn(b"in use", full.body)
        self.assertIsNone(full.headers["Set-Cookie"])
        self.assertEqual(self.proofs.invitations.invitations()[0].used, 1)

    async def test_a_refusal_leaves_no_garbage(self):
        left = uncollected(self, LoginRefused)
        for _ in range(3):
            self.assertEqual((await self.send("/invite", {"code": self.code + "A"})).status, 403)
        self.assertEqual(left(), 0)

    async def test_where_too_many_wait_for_the_disk_he_is_to_come_again(self):
        held = Deferred()

        async def waiting():
            await held

        for _ in range(1 + CAPACITY):
            Deferred.fromCoroutine(self.writes.change(waiting))
        busy = await self.send("/invite", {"code": self.code})
        self.assertEqual((busy.status, busy.headers["Retry-After"]), (503, "1"))
        held.callback(None)
        self.assertEqual((await self.send("/invite", {"code": self.code})).status, 204)

    async def test_a_cookie_that_cannot_be_set_is_no_use(self):
        answer = await self.send("/invite", {"code": self.code}, ("X-Forwarded-For", "203.0.113.9"))
        self.assertEqual(answer.status, 403)
        self.assertEqual(self.proofs.invitations.invitations()[0].used, 0)

    async def test_an_invitation_takes_the_place_of_a_log_in(self):
        cookie = (await self.log_in()).cookie
        await self.send("/invite", {"code": self.code}, cookie)
        self.assertEqual(self.proofs.logins.logins(), [])

    async def test_its_end_ends_the_guest(self):
        cookie = (await self.send("/invite", {"code": self.code})).cookie
        principal = self.proofs.by_cookie(cookie[1].partition("=")[2])
        self.assertIsInstance(principal, Principal)
        grant = self.registry.admit(principal, "desktop")
        now(self.proofs.invitations.revoke(self.invitation.ident))
        self.assertFalse(grant.holds(Right.ENTER))
        self.assertEqual((await self.ask("GET", "/", cookie)).status, 401)


class PageTests(Served, TestCase):
    def test_the_table_says_what_anybody_may_have(self):
        public = {route.path for route in self.entrance.routes() if route.needs is PUBLIC}
        self.assertEqual(
            public, {b"/login", b"/login.css", b"/login.mjs", b"/login.svg", b"/invite"}
        )
        others = [route for route in self.entrance.routes() if route.needs is not PUBLIC]
        self.assertEqual([(route.path, route.needs) for route in others],
                         [(b"/logout", Right.ENTER)])

    async def test_what_is_public_is_what_the_pages_need(self):
        for path in ("/login", "/invite"):
            page = await self.ask("GET", path)
            self.assertEqual(page.status, 200)
            policy = page.headers["Content-Security-Policy"]
            self.assertIn("frame-ancestors 'self' https://portal.example", policy)
            self.assertIn("form-action 'self'", policy)
            html = page.body.decode()
            self.assertIsNone(re.search(r"<script(?![^>]*src=)|style=|\son[a-z]+=", html))
            for address in re.findall(r'(?:src|href)="([^"]+)"', html):
                self.assertTrue(address.startswith("./"), address)
                file = await self.ask("GET", address[1:])
                self.assertEqual(file.status, 200, address)
        for path in ("/style.css", "/main.mjs", "/login.html", "/login/", "/novnc/core/rfb.js"):
            self.assertEqual((await self.ask("GET", path)).status, 401, path)

    async def test_a_page_without_credentials_is_the_log_in_page(self):
        for path, up in (("/", "./"), ("/index.html", "./"), ("/a/b/c", "../../")):
            page = await self.ask("GET", path, HTML)
            self.assertEqual(page.status, 401)
            self.assertIn(f'action="{up}login"'.encode(), page.body)
            self.assertIn("Basic", page.headers["WWW-Authenticate"])
            self.assertEqual(page.headers["Cache-Control"], "no-store")
            self.assertIn(b'role="alert"></p>', page.body)

    async def test_it_says_that_a_session_ended(self):
        cookie = (await self.log_in()).cookie
        self.clock.advance(10)
        page = await self.ask("GET", "/", HTML, cookie)
        self.assertIn(b'role="alert">Your session has ended', page.body)

    async def test_what_no_person_looks_at_gets_no_log_in_page(self):
        for headers in ((), (("Accept", "*/*"),)):
            answer = await self.ask("GET", "/", *headers)
            self.assertEqual(answer.headers["Content-Type"], "text/plain; charset=utf-8")
        scripted, posted = (HTML, ("Sec-Fetch-Mode", "cors")), (HTML,)
        for method, headers in (("GET", scripted), ("POST", posted)):
            answer = await self.ask(method, "/", *headers)
            self.assertIn(b"not-logged-in", answer.body)
            self.assertNotIn(b"<form", answer.body)
