"""Proof to grant: every way to ask without one, and who is blamed for it."""

import base64
import socket

from twisted.internet import reactor
from twisted.internet.defer import fail, succeed
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from kasmd.errors import LockedOut, LoginRefused
from kasmd.http.guard import Guard
from kasmd.http.server import HttpFactory, Limits, Response
from kasmd.permission.checkers import TooManyWaiting
from kasmd.permission.registry import MemoryRegistry
from kasmd.rights import READ


def talk(port, lines):
    request = b"\r\n".join([b"GET / HTTP/1.1", b"Host: a", b"Connection: close", *lines, b"", b""])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
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
