"""Proof to grant: every way to ask without one, and who is blamed for it."""

import base64
import re
import shutil
import socket
import tempfile

from twisted.internet import reactor
from twisted.internet.defer import fail, succeed
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import TestCase

from kasmd.errors import LockedOut, LoginRefused, PermissionDenied
from kasmd.http.cookies import SessionCookie
from kasmd.http.guard import Guard, Sessions
from kasmd.http.proxies import Proxies as TrustedProxies
from kasmd.http.server import HttpFactory, Limits, Response
from kasmd.interfaces import Account
from kasmd.permission.accounts import MemoryAccounts
from kasmd.permission.checkers import TooManyWaiting
from kasmd.permission.invitations import Invitations
from kasmd.permission.logins import Logins
from kasmd.permission.proofs import Proofs
from kasmd.permission.registry import MemoryRegistry, Registry
from kasmd.permission.sessions import Lifetime
from kasmd.permission.tickets import Tickets
from kasmd.permission.tokens import Tokens
from kasmd.rights import NOTHING, OWNER, READ, WRITE
from tests.permission.disk import inline, now


def talk(port, lines, path=b"/"):
    head = (b"GET %s HTTP/1.1" % path, b"Host: a", b"Connection: close")
    request = b"\r\n".join([*head, *lines, b"", b""])
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(request)
        answer = b""
        while data := client.recv(65536):
            answer += data
    return answer


def basic(text):
    return b"Authorization: Basic " + base64.b64encode(text)


class Passwords:
    """Knows one password for every name, and remembers who tried."""

    def __init__(self):
        self.tried = []

    def authenticate(self, name, password, address):
        self.tried.append((name, address))
        answers = {
            "right": lambda: succeed(name),
            "locked": lambda: fail(LockedOut(address, 7.2)),
            "busy": lambda: fail(TooManyWaiting("busy")),
        }
        return answers.get(password, lambda: fail(LoginRefused("no")))()


class GuardTests(TestCase):
    def setUp(self):
        self.passwords = Passwords()
        self.registry = MemoryRegistry({"ann": READ})
        guard = Guard(self.passwords, self.registry, "desktop")

        def respond(request):
            return guard.admit(request).addCallback(
                lambda request: Response(200, (), request.grant.name.encode())
            )

        factory = HttpFactory(reactor, respond, (), Limits())
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.number = port.getHost().port

    def ask(self, *lines):
        return deferToThread(talk, self.number, lines)

    async def assert_challenged(self, *lines):
        answer = await self.ask(*lines)
        self.assertEqual(answer[:12], b"HTTP/1.1 401", lines)
        self.assertIn(b'\r\nWWW-Authenticate: Basic realm="kasmd", charset="UTF-8"\r\n', answer)

    async def test_the_right_password_enters_and_leaves_nothing_behind(self):
        answer = await self.ask(basic(b"ann:right"))
        self.assertTrue(answer.endswith(b"\r\n\r\nann"), answer)
        self.assertEqual(self.passwords.tried, [("ann", "127.0.0.1")])
        self.assertEqual(len(self.registry), 0)

    async def test_no_credentials_are_no_attempt(self):
        for line in (b"X: y", b"Authorization: Bearer x", b"Authorization:"):
            await self.assert_challenged(line)
        self.assertEqual(self.passwords.tried, [])

    async def test_malformed_credentials_are_no_attempt(self):
        for line in (basic(b"no colon"), b"Authorization: Basic ???", basic(b"a:" + b"x" * 1000)):
            await self.assert_challenged(line)
        self.assertEqual(self.passwords.tried, [])

    async def test_wrong_and_blank_ones_are(self):
        for text in (b"ann:wrong", b":", b"ann:", b":right "):
            await self.assert_challenged(basic(text))
        self.assertEqual(len(self.passwords.tried), 4)

    async def test_a_proven_name_without_an_account_is_refused(self):
        await self.assert_challenged(basic(b"gone:right"))

    async def test_two_authorization_headers_are_refused(self):
        answer = await self.ask(basic(b"ann:right"), basic(b"ann:right"))
        self.assertEqual(answer[:12], b"HTTP/1.1 400")
        self.assertEqual(self.passwords.tried, [])

    async def test_a_lock_out_says_for_how_long(self):
        answer = await self.ask(basic(b"ann:locked"))
        self.assertEqual(answer[:12], b"HTTP/1.1 429")
        self.assertIn(b"\r\nRetry-After: 8\r\n", answer)
        self.assertIn(b"try again in 8 seconds", answer)

    async def test_too_many_log_ins_are_no_wrong_password(self):
        self.assertEqual((await self.ask(basic(b"ann:busy")))[:12], b"HTTP/1.1 503")

    async def test_no_header_names_another_address(self):
        await self.ask(
            b"X-Forwarded-For: 10.9.9.9", b"X-Real-IP: 10.9.9.9", b"X: X-Forwarded-For: 10.9.9.9",
            basic(b"ann:wrong"),
        )
        self.assertEqual(self.passwords.tried, [("ann", "127.0.0.1")])

    async def test_json_for_those_who_ask(self):
        answer = await self.ask(b"Accept: application/json")
        self.assertIn(b"Content-Type: application/problem+json", answer)


class TargetTests(TestCase):
    """What is asked for may be another thing with each request."""

    def setUp(self):
        guard = Guard(Passwords(), OneDoor(), "one")

        def respond(request):
            target = request.uri.partition(b"?")[2].decode() or None
            return guard.admit(request, target).addCallback(lambda request: Response(204))

        port = reactor.listenTCP(0, HttpFactory(reactor, respond, (), Limits()),
                                 interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.number = port.getHost().port

    async def test_the_request_s_or_the_guard_s_own(self):
        for path, status in ((b"/", b"204"), (b"/?one", b"204"), (b"/?two", b"403")):
            answer = await deferToThread(talk, self.number, [basic(b"ann:right")], path)
            self.assertEqual(answer[9:12], status, path)


class OneDoor(MemoryRegistry):
    """Lets Ann into one thing and nobody into another."""

    def __init__(self):
        super().__init__({"ann": READ})

    def admit(self, principal, target):
        if target != "one":
            raise PermissionDenied(target)
        return super().admit(principal, target)


class SessionTests(TestCase):
    """Everything that can stand for a password."""

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.clock = Clock()
        self.accounts = MemoryAccounts(Account(name, "x", WRITE | OWNER) for name in ("ann", "bob"))
        seconds = self.clock.seconds
        self.proofs = Proofs(
            Logins(self.accounts, seconds, Lifetime(10.0, 100.0, 3)),
            Tokens(self.accounts, f"{self.folder}/tokens", seconds, inline()),
            Invitations(
                self.accounts, f"{self.folder}/invitations", bytes(32), seconds, seconds, inline()
            ),
        )
        self.registry = Registry(self.accounts, NOTHING, self.proofs.kinds)
        self.passwords = Passwords()
        self.listen()

    def listen(self, prompt=True, embedded=False, trusted=(), tickets=None):
        sessions = Sessions(self.proofs, SessionCookie(embedded), prompt)
        guard = Guard(self.passwords, self.registry, "desktop", sessions, tickets)

        def respond(request):
            return guard.admit(request).addCallback(
                lambda request: Response(200, (), b"%s %s" % tuple(
                    text.encode() for text in request.principal[:2]
                ))
            )

        factory = HttpFactory(reactor, respond, (), Limits(), proxies=TrustedProxies(trusted))
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.number = port.getHost().port

    def ask(self, *lines):
        return deferToThread(talk, self.number, lines)

    async def assert_who(self, who, *lines):
        answer = await self.ask(*lines)
        self.assertTrue(answer.endswith(b"\r\n\r\n" + who), answer)

    async def assert_refused(self, *lines, text=b""):
        answer = await self.ask(*lines)
        self.assertEqual(answer[:12], b"HTTP/1.1 401", answer)
        self.assertIn(text, answer)
        return answer

    def cookie(self, name="ann"):
        return b"Cookie: a=b; kasmd=" + self.proofs.logins.start(name).encode() + b"; c"

    async def test_each_proof_is_known_and_leaves_no_grant_behind(self):
        token = now(self.proofs.tokens.make("x", "ann", READ, 50.0))[1].encode()
        invitation = now(self.proofs.invitations.make("Eve", "ann", READ, 50.0))
        code = self.proofs.invitations.code(invitation.ident)
        guest = now(self.proofs.invitations.open(code)).encode()
        await self.assert_who(b"ann login", self.cookie())
        await self.assert_who(b"ann token", b"Authorization: Bearer " + token)
        await self.assert_who(b"guest: Eve invitation", b"Cookie: kasmd=" + guest)
        self.assertEqual(len(self.registry), 0)

    async def test_a_ticket_counts_before_all_and_only_where_it_is_taken(self):
        tickets = Tickets([bytes(32)], "desktop", self.clock.seconds)
        ticket = b"Kasmd-Ticket: " + tickets.sign("joe", "s", READ).encode()
        await self.assert_refused(ticket, text=b"are needed")
        await self.assert_who(b"ann login", ticket, self.cookie())
        self.listen(tickets=tickets)
        await self.assert_who(b"joe ticket", ticket)
        await self.assert_who(b"joe ticket", ticket, basic(b"bob:wrong"), self.cookie())
        await self.assert_who(b"ann login", self.cookie())
        self.assertEqual((self.passwords.tried, len(self.registry)), ([], 0))
        self.assertEqual((await self.ask(ticket, ticket))[:12], b"HTTP/1.1 400")
        for bad in (b"", b"x", ticket[14:-1], b"\xff"):
            lines = (b"Kasmd-Ticket: " + bad, self.cookie())
            with capturedLogs() as events:
                answer = await self.assert_refused(*lines, text=b"The proxy in front is not")
            self.assertNotIn(b"WWW-Authenticate", answer)
            told = [line for line in map(formatEvent, events) if line and "the ticket of" in line]
            self.assertEqual(len(told), 1)
        self.clock.advance(36)
        await self.assert_refused(ticket, text=b"is over")

    async def test_authorization_counts_before_any_cookie(self):
        await self.assert_who(b"bob password", basic(b"bob:right"), self.cookie())
        await self.assert_refused(basic(b"bob:wrong"), self.cookie())
        await self.assert_refused(b"Authorization: Bearer no", self.cookie(), text=b"This token")
        # A scheme that is nothing to us may be a proxy's.
        await self.assert_who(b"ann login", b"Authorization: Negotiate x", self.cookie())

    async def test_bad_tokens(self):
        for value in (b"Bearer", b"Bearer ", b"Bearer a b", b"Bearer kasmd_" + b"A" * 43):
            answer = await self.assert_refused(b"Authorization: " + value)
            self.assertIn(b"WWW-Authenticate: Basic", answer)

    async def test_an_ended_session_says_so(self):
        cookie = self.cookie()
        self.clock.advance(10)
        await self.assert_refused(cookie, text=b"Your session has ended")
        await self.assert_refused(b"Cookie: kasmd=" + b"A" * 43, text=b"Your session has ended")
        await self.assert_refused(b"Cookie: kasmd=", text=b"are needed")
        self.assertEqual(self.passwords.tried, [])

    async def test_a_session_of_another_name_is_none(self):
        secret = self.proofs.logins.start("ann").encode()
        for name in (b"__Host-kasmd", b"Kasmd", b"kasmd2", b"xkasmd"):
            await self.assert_refused(b"Cookie: " + name + b"=" + secret, text=b"are needed")

    async def test_two_cookies_are_refused_and_removed(self):
        cookie, other = self.cookie(), self.cookie("bob")
        twice = (cookie + b"; " + other[8:],)
        for lines in (twice, (cookie, other), (cookie, cookie)):
            answer = await self.ask(*lines)
            self.assertEqual(answer[:12], b"HTTP/1.1 400")
            self.assertIn(b"two session cookies", answer)
            self.assertIn(b"Set-Cookie: kasmd=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0", answer)

    async def test_three_hundred_cookies_of_others_do_not_matter(self):
        many = b"; ".join(b"c%d=%s" % (number, b"x" * 20) for number in range(300))
        await self.assert_who(b"ann login", self.cookie() + b"; " + many)

    async def test_a_page_by_basic_gets_a_cookie_once(self):
        page = (basic(b"ann:right"), b"Accept: text/html,*/*")
        answer = await self.ask(*page)
        pattern = rb"Set-Cookie: kasmd=([\w-]{43}); Path=/; HttpOnly; SameSite=Lax\r"
        (secret,) = re.findall(pattern, answer)
        await self.assert_who(b"ann login", b"Cookie: kasmd=" + secret)
        for more in ((), (b"Accept: */*",), (b"Accept: text/html", b"Sec-Fetch-Mode: cors")):
            lines = page if not more else (basic(b"ann:right"), *more)
            answer = await self.ask(*lines, b"Cookie: kasmd=" + secret)
            self.assertNotIn(b"Set-Cookie", answer)
        self.assertNotIn(b"Set-Cookie", await self.ask(basic(b"ann:right"), b"Accept: */*"))
        self.assertEqual(len(self.proofs.logins.logins()), 1)

    async def test_the_cookie_of_somebody_else_is_replaced(self):
        page = (basic(b"ann:right"), b"Accept: text/html")
        self.assertIn(b"Set-Cookie", await self.ask(*page, self.cookie("bob")))

    async def test_which_browsers_are_prompted(self):
        html, nav = b"Accept: text/html", b"Sec-Fetch-Mode: navigate"
        script, frame = b"Sec-Fetch-Mode: cors", b"Sec-Fetch-Dest: iframe"
        stale = b"Cookie: kasmd=" + b"A" * 43
        table = [
            # What is no browser is told, always; browsers where the prompt is wanted.
            ((b"Accept: */*",), True, True),
            ((b"Accept: */*", stale), True, True),
            ((html,), True, False),
            ((html, nav), True, False),
            ((html, nav, stale), True, False),
            ((script,), True, False),
            ((script, stale), False, False),
            ((html, nav, frame), False, False),
        ]
        for prompt, column in ((True, 1), (False, 2)):
            self.listen(prompt)
            for row in table:
                answer = await self.assert_refused(*row[0])
                self.assertEqual(b"WWW-Authenticate" in answer, row[column], (prompt, row))

    async def test_behind_a_proxy_that_speaks_tls(self):
        self.listen(trusted=["127.0.0.1"])
        proxied = (b"X-Forwarded-For: 203.0.113.9", b"X-Forwarded-Proto: https")
        answer = await self.ask(basic(b"ann:right"), b"Accept: text/html", *proxied)
        pattern = rb"Set-Cookie: __Host-kasmd=([\w-]{43}); Path=/; HttpOnly; Secure; SameSite=Lax\r"
        (secret,) = re.findall(pattern, answer)
        await self.assert_who(b"ann login", b"Cookie: __Host-kasmd=" + secret, *proxied)
        await self.assert_refused(b"Cookie: __Host-kasmd=" + secret)
        self.assertEqual(self.passwords.tried, [("ann", "203.0.113.9")])

    async def test_over_plain_http_from_elsewhere_there_is_no_cookie(self):
        self.listen(trusted=["127.0.0.1"])
        page = (basic(b"ann:right"), b"Accept: text/html", b"X-Forwarded-For: 203.0.113.9")
        answer = await self.ask(*page)
        self.assertEqual(answer[:12], b"HTTP/1.1 200")
        self.assertNotIn(b"Set-Cookie", answer)

    async def test_inside_frames_of_other_sites(self):
        self.listen(embedded=True, trusted=["127.0.0.1"])
        page = (basic(b"ann:right"), b"Accept: text/html", b"X-Forwarded-Proto: https")
        self.assertIn(b"; Secure; SameSite=None; Partitioned\r\n", await self.ask(*page))
