"""Requests over real sockets: a face, the relay, and an upstream that says anything."""

import hashlib
import socket

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from kasmd.edge.asking import Allowed, Upstream
from kasmd.edge.dial import Timeouts
from kasmd.edge.failures import FailurePage
from kasmd.edge.onward import Hop
from kasmd.edge.pool import Pool
from kasmd.edge.relay import Ceilings, Relay
from kasmd.edge.splice import Splices
from kasmd.http.headers import Origin
from kasmd.http.problems import Problem
from kasmd.http.server import STREAM, HttpFactory, Limits
from kasmd.http.upgrade import accept_of
from kasmd.interfaces import Principal
from kasmd.permission.registry import MemoryRegistry
from kasmd.rights import READ
from tests.edge.far import OK, Far, heads, says, talk

PUBLIC = b"/desktop/one/"
SECRET = b"Basic a2FzbV91c2VyOmh1bnRlcjIy"
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = (
    b"Upgrade: websocket",
    b"Connection: keep-alive, Upgrade",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: " + KEY,
)
SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: " + accept_of(KEY) + b"\r\n"
)


class RelayTests(TestCase):
    timeouts = Timeouts(connect=2, answer=0.5, idle=2, keep=5)

    def setUp(self):
        self.far = Far()
        far = reactor.listenTCP(0, self.far, interface="127.0.0.1")
        self.addCleanup(far.stopListening)
        self.upstream = Upstream("127.0.0.1", far.getHost().port)
        self.pool = Pool(reactor, self.timeouts)
        self.splices = Splices(reactor)
        self.registry = MemoryRegistry({"ann": READ})
        self.relay = Relay(
            reactor,
            self.pool,
            self.splices,
            Hop(b"test", True),
            [Origin("https", "friend.example", 443)],
            Ceilings(body=100_000),
            lambda request: [(b"X-Added", b"yes")],
        )
        self.factory = HttpFactory(reactor, self.respond, [], Limits(linger=0.2), self.room)
        port = reactor.listenTCP(0, self.factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.port = port.getHost().port
        self.grants = []

    async def tearDown(self):
        self.pool.close()
        for line in self.far.lines:
            line.transport.abortConnection()
            if not line.lost.called:
                await line.lost

    def room(self, method, path):
        return STREAM

    def respond(self, request):
        principal = Principal("ann")
        request.grant = self.registry.admit(principal, "one")
        self.grants.append(request.grant)
        target = b"/" + request.uri.removeprefix(PUBLIC)
        fields = ((b"Authorization", SECRET),)
        request.allowed = Allowed(request.grant, principal, "one", self.upstream, target, fields)
        self.request = request

        def explain(failure):
            failure.trap(Problem)
            raise FailurePage(failure.value, b"test", request.request_id)

        return Deferred.fromCoroutine(self._forward(request)).addErrback(explain)

    async def _forward(self, request):
        await self.relay.forward(request)

    def send(self, *pieces):
        return deferToThread(talk, self.port, *pieces)

    async def one(self, line=b"GET /desktop/one/ HTTP/1.1", *more, body=b""):
        """Send one request; give the answer's first line, fields and body."""
        lines = [line, b"Host: site.example", b"Connection: close", *more, b"", body]
        return self.cut(await self.send(b"\r\n".join(lines)))

    @staticmethod
    def cut(answer):
        head, _, body = answer.partition(b"\r\n\r\n")
        return (*heads(head), body)

    # One request.

    async def test_a_request_goes_to_its_target_and_its_answer_comes_back(self):
        first, fields, body = await self.one(b"GET /desktop/one/a?b=c HTTP/1.1")
        self.assertEqual((first, body), (b"HTTP/1.1 200 OK", b"ok"))
        self.assertEqual(fields[b"content-length"], [b"2"])
        self.assertEqual(fields[b"x-added"], [b"yes"])
        self.assertEqual(fields[b"via"], [b"1.1 test"])
        first, fields = heads(self.far.requests[0])
        self.assertEqual(first, b"GET /a?b=c HTTP/1.1")
        self.assertEqual(fields[b"host"], [b"site.example"])
        self.assertEqual(fields[b"authorization"], [SECRET])
        self.assertEqual(fields[b"x-forwarded-for"], [b"127.0.0.1"])
        self.assertNotIn(b"connection", fields)
        self.assertEqual(fields[b"x-request-id"], [self.request.request_id.encode()])

    async def test_requests_share_connections(self):
        for _ in range(5):
            await self.one()
        self.assertEqual(len(self.far.lines), 1)
        self.assertEqual(len(self.far.requests), 5)

    async def test_pipelined_requests_are_answered_in_order(self):
        request = b"GET /desktop/one/%d HTTP/1.1\r\nHost: a\r\n\r\n"
        last = b"GET /desktop/one/3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        answer = await self.send(request % 1 + request % 2 + last)
        self.assertEqual(answer.count(b"HTTP/1.1 200 OK"), 3)
        targets = [request.split(b" ")[1] for request in self.far.requests]
        self.assertEqual(targets, [b"/1", b"/2", b"/3"])

    async def test_head_has_the_length_and_no_body(self):
        self.far.answer = says(b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")
        for _ in range(2):
            first, fields, body = await self.one(b"HEAD /desktop/one/ HTTP/1.1")
            self.assertEqual((fields[b"content-length"], body), ([b"1234"], b""))
        self.assertEqual(len(self.far.lines), 1)

    async def test_a_range_and_what_has_not_changed(self):
        self.far.answer = says(
            b"HTTP/1.1 206 Some\r\nContent-Range: bytes 1-2/9\r\nContent-Length: 2\r\n\r\nbc"
        )
        first, fields, body = await self.one(b"GET /desktop/one/ HTTP/1.1", b"Range: bytes=1-2")
        self.assertEqual((first, body), (b"HTTP/1.1 206 Some", b"bc"))
        self.assertEqual(fields[b"content-range"], [b"bytes 1-2/9"])
        self.assertIn(b"\r\nRange: bytes=1-2\r\n", self.far.requests[0])
        self.far.answer = says(b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n")
        first, fields, body = await self.one()
        self.assertEqual((first, fields[b"etag"], body), (b"HTTP/1.1 304 Not Modified", [b"x"], b""))

    async def test_chunks_and_bodies_without_a_length_are_chunked_without_trailers(self):
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        for answer in (
            says(chunked + b"3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: t\r\n\r\n"),
            says(b"HTTP/1.1 200 OK\r\n\r\nabcde", close=True),
            says(b"HTTP/1.0 200 OK\r\n\r\nabcde", close=True),
        ):
            self.far.answer = answer
            first, fields, body = await self.one()
            self.assertEqual(fields[b"transfer-encoding"], [b"chunked"])
            self.assertTrue(body.endswith(b"0\r\n\r\n"))
            self.assertNotIn(b"railer", body)
            whole = b"".join(body.split(b"\r\n")[1::2])
            self.assertEqual(whole, b"abcde")

    async def test_answers_before_the_answer_are_dropped(self):
        early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
        self.far.answer = says(early + OK)
        answer = await self.send(b"GET /desktop/one/ HTTP/1.0\r\nHost: a\r\n\r\n")
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertNotIn(b"103", answer)

    # Bodies.

    async def test_a_body_goes_on_with_its_length(self):
        first, _, body = await self.one(
            b"POST /desktop/one/ HTTP/1.1", b"Content-Length: 5", body=b"hello"
        )
        self.assertEqual(body, b"ok")
        self.assertTrue(self.far.requests[0].endswith(b"\r\n\r\nhello"))
        self.assertEqual(heads(self.far.requests[0])[1][b"content-length"], [b"5"])

    async def test_a_chunked_body_stays_chunked_and_loses_its_trailers(self):
        def answer(line, request):
            line.raw = True
            whole = self.far.until(lambda: line.heard.endswith(b"0\r\n\r\n"))
            whole.addCallback(lambda _: line.transport.write(OK))

        self.far.answer = answer
        body = b"5\r\nhello\r\n0\r\nX-Trailer: t\r\n\r\n"
        chunked = b"Transfer-Encoding: chunked"
        first, _, _ = await self.one(b"POST /desktop/one/ HTTP/1.1", chunked, body=body)
        self.assertEqual(first, b"HTTP/1.1 200 OK")
        self.assertEqual(self.far.lines[0].heard, b"5\r\nhello\r\n0\r\n\r\n")

    async def test_a_large_body_each_way_arrives_whole(self):
        self.relay.ceilings = Ceilings(body=1 << 30)
        blob = hashlib.sha512(b"x").digest() * (1 << 17)
        seen = hashlib.sha256()

        def answer(line, request):
            seen.update(request.partition(b"\r\n\r\n")[2])
            length = b"Content-Length: %d\r\n\r\n" % len(blob)
            line.transport.write(b"HTTP/1.1 200 OK\r\n" + length + blob)

        self.far.answer = answer
        length = b"Content-Length: %d" % len(blob)
        first, _, body = await self.one(b"PUT /desktop/one/ HTTP/1.1", length, body=blob)
        self.assertEqual(first, b"HTTP/1.1 200 OK")
        wanted = hashlib.sha256(blob).digest()
        self.assertEqual(seen.digest(), wanted)
        self.assertEqual(hashlib.sha256(body).digest(), wanted)

    async def test_a_body_that_is_too_large_is_refused_by_the_limits_name(self):
        for more, body in (
            (b"Content-Length: 100001", b""),
            (b"Transfer-Encoding: chunked", b"ffff\r\n" + b"x" * 65535 + b"\r\nffff\r\n" + b"y" * 65535),
        ):
            first, fields, said = await self.one(
                b"POST /desktop/one/ HTTP/1.1", more, b"Accept: application/json", body=body
            )
            self.assertTrue(first.startswith(b"HTTP/1.1 413 "), first)
            self.assertIn(b"100000 bytes", said)
            self.assertEqual(fields[b"connection"], [b"close"])

    async def test_a_client_that_asks_waits_for_the_upstreams_word(self):
        def answer(line, request):
            line.raw = True
            line.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            whole = self.far.until(lambda: line.heard == b"hello")
            whole.addCallback(lambda _: line.transport.write(OK))

        self.far.answer = answer
        self.far.headless = True

        def client():
            with socket.create_connection(("127.0.0.1", self.port), timeout=10) as line:
                line.sendall(
                    b"POST /desktop/one/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
                    b"Expect: 100-continue\r\nConnection: close\r\n\r\n"
                )
                asked = line.recv(65536)
                line.sendall(b"hello")
                answer = b""
                while data := line.recv(65536):
                    answer += data
                return asked, answer

        from tests.edge.far import Line

        self.patch(Line, "dataReceived", _heads_only)
        asked, answer = await deferToThread(client)
        self.assertEqual(asked, b"HTTP/1.1 100 Continue\r\n\r\n")
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK"))
