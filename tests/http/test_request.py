"""A request's answer: given whole, in pieces or not at all; and what ends with it."""

from __future__ import annotations

from typing import Callable, Optional

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from kasmd.errors import KasmdError, PermissionDenied, ProtocolError
from kasmd.http.problems import Problem
from kasmd.http.request import CLIENT_GONE, Answer, Request, Response
from kasmd.http.server import HttpFactory, Limits
from kasmd.interfaces import IGrant, Principal
from kasmd.permission.registry import MemoryRegistry
from kasmd.rights import READ, Right
from tests.garbage import uncollected

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Transport(StringTransport):
    """A transport that can be cut."""

    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True


class Answers(TestCase):
    def setUp(self) -> None:
        self.requests: list[Request] = []
        self.transport = Transport()

    def ask(self, respond: Callable[[Request], Answer], data: bytes = GET) -> Request:
        """Let ``respond`` answer a request; give that."""

        def keep(request: Request) -> Answer:
            self.requests.append(request)
            request.grant = MemoryRegistry({"ann": READ}).admit(Principal("ann"), "desktop")
            self.grant: IGrant = request.grant
            return respond(request)

        factory = HttpFactory(Clock(), keep, [], Limits())  # type: ignore[arg-type]
        self.channel = factory.buildProtocol(None)
        assert self.channel is not None
        self.channel.makeConnection(self.transport)
        self.channel.dataReceived(data)
        return self.requests[-1]

    @property
    def sent(self) -> bytes:
        written: bytes = self.transport.value()
        return written

    def status(self) -> Optional[bytes]:
        return self.sent[9:12] or None

    def test_whole(self) -> None:
        request = self.ask(lambda request: Response(201, [(b"X-A", b"b")], b"hello"))
        self.assertTrue(self.sent.startswith(b"HTTP/1.1 201 Created\r\n"))
        self.assertTrue(self.sent.endswith(b"\r\n\r\nhello"))
        self.assertIn(b"X-Request-Id: " + request.request_id.encode(), self.sent)
        self.assertTrue(request.over and not request.gone)

    def test_with_it_the_grant_ends(self) -> None:
        waiting: Deferred[Response] = Deferred()
        request = self.ask(lambda request: waiting)
        self.assertTrue(self.grant.holds(Right.VIEW))
        waiting.callback(Response(200))
        self.assertFalse(self.grant.holds(Right.VIEW))
        self.assertIsNone(request.grant)

    def test_cookies_go_with_whatever_is_answered(self) -> None:
        def respond(request: Request) -> Answer:
            request.cookies.append(b"a=b; Secure")
            raise Problem(404, "None.")

        self.ask(respond)
        self.assertIn(b"Set-Cookie: a=b; Secure\r\n", self.sent)

    def test_in_pieces(self) -> None:
        request = self.ask(lambda request: None)
        request.open(200, (), None)
        self.assertTrue(self.sent.endswith(b"\r\n\r\n"))
        request.write(b"abc")
        request.finish()
        self.assertTrue(self.sent.endswith(b"\r\n\r\n3\r\nabc\r\n0\r\n\r\n"))

    def test_a_head_may_wait_for_what_follows(self) -> None:
        request = self.ask(lambda request: None)
        request.open(200, (), 3, more=True)
        self.assertEqual(self.sent, b"")
        request.write(b"abc")
        request.finish()
        self.assertTrue(self.sent.endswith(b"\r\n\r\nabc"))

    def test_one_that_is_too_short_cuts_the_connection(self) -> None:
        request = self.ask(lambda request: None)
        request.open(200, (), 4)
        request.write(b"abc")
        request.finish()
        self.assertTrue(self.transport.aborted)

    def test_after_it_nothing_is_sent(self) -> None:
        request = self.ask(lambda request: Response(200))
        before = self.sent
        request.answer(Response(200))
        request.open(200, (), None)
        request.write(b"abc")
        request.finish()
        self.assertEqual(self.sent, before)

    def test_what_was_refused(self) -> None:
        def denied(request: Request) -> Answer:
            raise PermissionDenied("this is for the log")

        self.ask(denied)
        self.assertEqual(self.status(), b"403")
        self.assertNotIn(b"log", self.sent)

    def test_a_refusal_leaves_no_garbage(self) -> None:
        def refused() -> Answer:
            try:
                raise ProtocolError("so long")
            except ProtocolError:
                raise Problem(400, "No.") from None

        left = uncollected(self, KasmdError)
        self.ask(lambda request: succeed(None).addCallback(lambda _: maybeDeferred(refused)))
        self.assertEqual((self.status(), left()), (b"400", 0))

    def test_a_mistake_is_logged_and_not_told(self) -> None:
        def broken(request: Request) -> Answer:
            raise RuntimeError("a secret")

        self.ask(broken)
        self.assertEqual(self.status(), b"500")
        self.assertNotIn(b"secret", self.sent)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_a_problem_after_the_beginning_cuts_the_connection(self) -> None:
        def halfway(request: Request) -> Answer:
            request.open(200, (), 100)
            raise Problem(503, "Not now.")

        self.ask(halfway)
        self.assertTrue(self.transport.aborted)
        self.assertNotIn(b" 503 ", self.sent)

    def test_problems_are_json_to_who_accepts_that(self) -> None:
        def none(request: Request) -> Answer:
            raise Problem(404, "None.")

        self.ask(none, GET[:-2] + b"Accept: application/json\r\n\r\n")
        self.assertIn(b"Content-Type: application/problem+json\r\n", self.sent)
        self.assertIn(b"Cache-Control: no-store\r\n", self.sent)

    async def test_those_who_watch_hear_its_end(self) -> None:
        request = self.ask(lambda request: None)
        first, second = request.notifyFinish(), request.notifyFinish()
        request.answer(Response(200))
        self.assertEqual((await first, await second), (None, None))

    async def test_a_client_that_leaves(self) -> None:
        waiting: Deferred[Response] = Deferred()
        request = self.ask(lambda request: waiting)
        finished = request.notifyFinish()
        assert self.channel is not None
        self.channel.connectionLost(Failure(ConnectionLost()))
        with self.assertRaises(ConnectionLost):
            await finished
        self.assertTrue(request.gone and request.over)
        self.assertEqual(request.status, CLIENT_GONE)
        self.assertFalse(self.grant.holds(Right.ENTER))
        waiting.callback(Response(200))
        self.assertEqual(self.sent, b"")
