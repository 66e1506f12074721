"""Requests over real sockets: a face, the relay, and an upstream that says anything."""

import datetime
import hashlib
import socket
import tempfile
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.logger import capturedLogs, formatEvent, globalLogPublisher
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import TestCase

from kasmd.edge.asking import Allowed, Trust, Upstream
from kasmd.edge.dial import Timeouts, UpstreamFailed
from kasmd.edge.failures import HopFailure
from kasmd.edge.onward import Hop
from kasmd.edge.pool import Pool
from kasmd.edge.relay import Ceilings, Relay
from kasmd.edge.splices import Splices
from kasmd.http.headers import Origin
from kasmd.http.server import STREAM, HttpFactory, Limits
from kasmd.http.tls import CertificateFiles
from kasmd.http.upgrade import accept_of
from kasmd.interfaces import Principal
from kasmd.permission.registry import MemoryRegistry
from kasmd.rights import READ
from kasmd.web.certificate import self_signed
from tests.edge.far import OK, Far, Still, heads, says, talk
from tests.garbage import uncollected

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
    timeouts = Timeouts()

    def setUp(self):
        self.far = Far()
        far = reactor.listenTCP(0, self.far, interface="127.0.0.1")
        self.addCleanup(far.stopListening)
        self.upstream = Upstream("127.0.0.1", far.getHost().port)
        self.still = Still({"no-such-host.invalid": []})
        self.pool = Pool(self.still, self.timeouts)
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
        self.factory = HttpFactory(
            reactor, self.respond, [], Limits(linger=60, abort_timeout=60), self.room,
            present=self.present,
        )
        port = reactor.listenTCP(0, self.factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.port = port.getHost().port
        self.grants = []

    async def tearDown(self):
        self.pool.close()
        await self.far.hang_up()

    def room(self, method, path):
        return STREAM

    def respond(self, request):
        principal = Principal("ann")
        request.grant = self.registry.admit(principal, "one")
        self.grants.append(request.grant)
        target = b"/" + request.uri.removeprefix(PUBLIC)
        fields = ((b"Authorization", SECRET),)
        allowed = Allowed(request.grant, principal, "one", self.upstream, target, fields)
        self.request = request
        return self.relay.forward(request, allowed)

    def present(self, problem, request):
        return HopFailure(problem, b"test", request.request_id)

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

    async def test_the_log_says_where_a_request_was_taken(self):
        logged = []
        globalLogPublisher.addObserver(logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, logged.append)
        await self.one(b"GET /desktop/one/a?b=c HTTP/1.1")
        [line] = [line for line in map(formatEvent, logged) if "GET /desktop/one/a" in line]
        self.assertRegex(line, rf'" 200 \d+ one {self.upstream}$')

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
        self.assertEqual((first, body), (b"HTTP/1.1 304 Not Modified", b""))
        self.assertEqual(fields[b"etag"], [b"x"])

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
            (b"Transfer-Encoding: chunked", (b"ffff\r\n" + b"x" * 65535 + b"\r\n") * 2),
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
        first, body = await deferToThread(self._ask_first, b"hello")
        self.assertEqual(first, b"HTTP/1.1 100 Continue\r\n\r\n")
        self.assertTrue(body.startswith(b"HTTP/1.1 200 OK"))

    async def test_a_body_that_the_upstream_refuses_is_not_asked_for(self):
        refused = b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno"
        self.far.answer = says(refused)
        first, body = await deferToThread(self._ask_first, b"")
        self.assertTrue((first + body).startswith(b"HTTP/1.1 403 No"))
        self.assertNotIn(b"100 Continue", first + body)

    def _ask_first(self, body):
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as line:
            line.sendall(
                b"POST /desktop/one/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
                b"Expect: 100-continue\r\nConnection: close\r\n\r\n"
            )
            first = line.recv(65536)
            line.sendall(body)
            answer = b""
            while data := line.recv(65536):
                answer += data
            return first, answer

    # What goes wrong.

    async def problem(self, *lines):
        """Give the status and the word of a failure."""
        first, fields, body = await self.one(*lines or (b"GET /desktop/one/ HTTP/1.1",))
        self.assertNotIn(b"hunter22", body)
        word = body.partition(b"reason: ")[2].partition(b"\n")[0].decode()
        self.assertIn(f'details="{word}"'.encode(), fields[b"proxy-status"][0])
        self.assertIn(fields[b"x-request-id"][0], body)
        return int(first.split(b" ")[1]), word

    def silent(self, line, request):
        """Let time go by instead of an answer."""
        self.still.advance(self.timeouts.answer)

    async def test_each_failure_has_its_word(self):
        for answer, expected in (
            (says(close=True), (502, "upstream-closed")),
            (self.silent, (504, "upstream-silent")),
            (says(b"SSH-2.0-OpenSSH\r\n\r\n"), (502, "upstream-nonsense")),
            (says(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
             (502, "upstream-nonsense")),
            (says(b"HTTP/1.1 101 No\r\nUpgrade: x\r\n\r\n"), (502, "upstream-nonsense")),
            (says(b"HTTP/1.1 401 Who\r\nWWW-Authenticate: Basic realm=x\r\n"
                  b"Content-Length: 0\r\n\r\n"), (502, "credential-refused")),
        ):
            self.far.answer = answer
            with capturedLogs() as events:
                self.assertEqual(await self.problem(), expected)
            said = f"one: {self.upstream}: {expected[1]}"
            told = [event for event in events if formatEvent(event).startswith(said)]
            self.assertEqual([event["request_id"] for event in told], [self.request.request_id])

    async def test_a_body_that_does_not_come_is_no_fault_of_the_upstream(self):
        post = b"POST /desktop/one/ HTTP/1.1"
        asked = self.far.until(lambda: self.far.lines and self.far.lines[0].heard)
        asked.addCallback(lambda _: self.still.advance(self.timeouts.idle))
        self.assertEqual(await self.problem(post, b"Content-Length: 9"), (408, "body-slow"))
        await asked
        self.far.answer = self.silent
        first, _, body = await self.one(post, b"Content-Length: 1", body=b"x")
        self.assertIn(b"upstream-silent", body)

    async def test_a_body_that_comes_in_drops_is_let_go(self):
        client = socket.create_connection(("127.0.0.1", self.port))
        self.addCleanup(client.close)
        client.sendall(b"POST /desktop/one/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
        await self.far.until(lambda: self.far.lines and self.far.lines[0].heard)
        for sent in range(1, 11):
            client.sendall(b"x")
            await self.far.until(lambda: self.far.lines[0].heard.endswith(b"x" * sent))
            self.still.advance(self.timeouts.idle * 0.11)
        answer = await deferToThread(client.recv, 1 << 16)
        self.assertIn(b"reason: body-slow", answer)

    async def test_an_upstream_that_is_not_there(self):
        self.upstream = Upstream("127.0.0.1", 1)
        self.assertEqual(await self.problem(), (502, "upstream-refused"))
        self.upstream = Upstream("", 0, "/nonexistent/socket")
        self.assertEqual(await self.problem(), (502, "upstream-refused"))
        self.upstream = Upstream("no-such-host.invalid", 80)
        self.assertEqual(await self.problem(), (502, "name-not-resolved"))

    async def test_an_upstream_that_is_not_there_leaves_no_garbage(self):
        left = uncollected(self, UpstreamFailed)
        for upstream in (Upstream("127.0.0.1", 1), Upstream(path="/nonexistent/socket")):
            self.upstream = upstream
            self.assertEqual(await self.problem(), (502, "upstream-refused"))
        self.assertEqual(left(), 0)

    async def test_what_would_give_the_credential_back_is_not_relayed(self):
        for method in (b"TRACE", b"TRACK"):
            first, _, _ = await self.one(method + b" /desktop/one/ HTTP/1.1")
            self.assertEqual(first, b"HTTP/1.1 405 Method Not Allowed")
        self.assertEqual(self.far.requests, [])

    async def test_a_request_that_goes_in_circles(self):
        via = b"Via: " + b", ".join([b"1.1 x"] * 8)
        self.assertEqual(
            await self.problem(b"GET /desktop/one/ HTTP/1.1", via), (502, "loop")
        )
        self.assertEqual(self.far.requests, [])

    async def test_a_next_hops_refusal_is_passed_on(self):
        self.far.answer = says(
            b"HTTP/1.1 401 Who\r\nProxy-Status: next; error=http_request_denied\r\n"
            b"WWW-Authenticate: Basic realm=x\r\nContent-Length: 2\r\n\r\nno"
        )
        first, fields, body = await self.one()
        self.assertEqual((first, body), (b"HTTP/1.1 401 Who", b"no"))
        self.assertNotIn(b"www-authenticate", fields)

    async def test_an_answer_that_is_cut_short_is_cut_short(self):
        for begun in (
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        ):
            self.far.answer = says(begun, close=True)
            answer = await self.send(b"GET /desktop/one/ HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertTrue(answer.endswith(b"<reset>"), answer)

    async def test_a_client_that_leaves_takes_the_upstreams_connection_with_it(self):
        self.far.answer = says()

        def leave():
            with socket.create_connection(("127.0.0.1", self.port), timeout=60) as line:
                line.sendall(b"GET /desktop/one/ HTTP/1.1\r\nHost: a\r\n\r\n")
                line.recv(0)

        await deferToThread(leave)
        await self.far.until(lambda: self.far.gone == len(self.far.lines) == 1)

    async def test_a_connection_that_died_at_rest_is_replaced(self):
        await self.one()
        stale = self.far.lines[0]
        self.far.answer = lambda line, request: (
            line.transport.abortConnection() if line is stale else line.transport.write(OK)
        )
        first, _, _ = await self.one()
        self.assertEqual(first, b"HTTP/1.1 200 OK")
        self.assertEqual(len(self.far.lines), 2)
        self.assertEqual(len(self.far.requests), 3)

    async def test_who_loses_the_right_loses_the_answer(self):
        self.far.answer = says(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")

        def client():
            with socket.create_connection(("127.0.0.1", self.port), timeout=60) as line:
                line.sendall(b"GET /desktop/one/ HTTP/1.1\r\nHost: a\r\n\r\n")
                answer = b""
                while not answer.endswith(b"abc"):
                    answer += line.recv(65536)
                reactor.callFromThread(self.registry.remove, "ann")
                return line.recv(1)

        with self.assertRaises(ConnectionResetError):
            await deferToThread(client)
        self.assertEqual((self.relay.revoked, self.relay.sent), (1, 3))
        self.assertEqual(self.factory.counts.failures["not-allowed"], 1)

    async def test_who_loses_the_right_while_waiting_is_told(self):
        self.far.answer = lambda line, request: self.registry.remove("ann")
        self.assertEqual(await self.problem(), (403, "not-allowed"))
        self.assertEqual(self.relay.revoked, 1)

    async def test_a_stalled_reader_stops_the_upstream(self):
        blob = b"x" * (1 << 26)
        length = b"Content-Length: %d\r\n\r\n" % len(blob)
        self.far.answer = says(b"HTTP/1.1 200 OK\r\n" + length + blob)
        client = socket.socket()
        self.addCleanup(client.close)
        # The kernel takes little in our place, and no more as time goes by.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.settimeout(60)
        client.connect(("127.0.0.1", self.port))
        client.sendall(b"GET /desktop/one/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        await self.far.until(lambda: self.far.requests)
        kept, before = 0, -1
        while not kept or kept != before:
            before, kept = kept, await self._kept()
        self.assertLess(kept, 512 * 1024)

        def read():
            size = 0
            while data := client.recv(1 << 20):
                size += len(data)
            return size

        self.assertGreater(await deferToThread(read), len(blob))

    async def test_a_reader_that_takes_little_now_and_then_is_let_go(self):
        """Drops do not count: the upstream is read again once all of a buffer was taken."""
        self.far.answer = says(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1 << 26)
                               + b"x" * (1 << 26))
        client = socket.socket()
        self.addCleanup(client.close)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.connect(("127.0.0.1", self.port))
        client.sendall(b"GET /desktop/one/ HTTP/1.1\r\nHost: a\r\n\r\n")
        taken = len(await deferToThread(client.recv, 100))
        while not self.far.gone:
            self.still.advance(self.timeouts.idle / 10)
            try:
                taken += len(client.recv(100, socket.MSG_DONTWAIT))
            except OSError:
                pass  # there is nothing yet, or it was cut off
            await _turn()
        self.assertLess(taken, 65536)

    async def _kept(self):
        """Give how many bytes wait for the client, a while later."""
        await _turn(0.2)
        transport = self.request.channel.transport
        return len(transport.dataBuffer) - transport.offset + transport._tempDataLen

    # Websockets.

    def switch(self, *more):
        def answer(line, request):
            line.raw = True
            line.transport.write(SWITCHED + b"".join(field + b"\r\n" for field in more) + b"\r\n")

        self.far.answer = answer

    def upgrade(self, *more, fields=UPGRADE):
        lines = [b"GET /desktop/one/websockify HTTP/1.1", b"Host: site.example", *fields, *more]
        return b"\r\n".join([*lines, b"", b""])

    async def test_a_websocket_is_joined(self):
        self.switch(b"Sec-WebSocket-Protocol: binary")
        frame = b"\x82\x83\0\0\0\0abc"

        def client():
            with socket.create_connection(("127.0.0.1", self.port), timeout=60) as line:
                line.sendall(self.upgrade(b"Sec-WebSocket-Protocol: other, binary") + frame)
                head = b""
                while b"\r\n\r\n" not in head:
                    head += line.recv(65536)
                head, _, said = head.partition(b"\r\n\r\n")
                while len(said) < 5:
                    said += line.recv(65536)
                return heads(head), said

        talking = deferToThread(client)
        await self.far.until(lambda: self.far.lines and self.far.lines[0].heard == frame)
        self.far.lines[0].transport.write(b"\x82\x03abc")
        (first, fields), said = await talking
        self.assertEqual(first, b"HTTP/1.1 101 Switching Protocols")
        self.assertEqual(said, b"\x82\x03abc")
        self.assertEqual(fields[b"sec-websocket-accept"], [accept_of(KEY)])
        self.assertEqual(fields[b"sec-websocket-protocol"], [b"binary"])
        self.assertEqual(fields[b"upgrade"], [b"websocket"])
        _, asked = heads(self.far.requests[0])
        self.assertEqual(asked[b"sec-websocket-protocol"], [b"other, binary"])
        self.assertEqual(asked[b"connection"], [b"Upgrade"])
        await self.far.lines[0].lost
        await self.until_released()

    async def until_released(self):
        while len(self.splices):
            await _turn()

    async def test_a_websocket_over_tls(self):
        path = self_signed(Path(tempfile.mkdtemp()), datetime.datetime.now(datetime.timezone.utc))
        files = CertificateFiles(reactor, path, path)
        port = reactor.listenTCP(0, TLSMemoryBIOFactory(files, False, self.far))
        self.addCleanup(port.stopListening)
        self.upstream = Upstream("127.0.0.1", port.getHost().port, "", Trust(authorities=str(path)))
        self.switch()
        talking = self.send(self.upgrade() + b"\x88\x82\0\0\0\0\x03\xe8")
        await self.far.until(lambda: self.far.lines and len(self.far.lines[0].heard) == 8)
        self.far.lines[0].transport.write(b"\x82\x01x\x88\x02\x03\xe8")
        answer = await talking
        self.assertTrue(answer.endswith(b"\r\n\r\n\x82\x01x\x88\x02\x03\xe8"), answer)
        await self.until_released()

    async def test_a_revoked_right_closes_the_socket(self):
        self.switch()
        talking = self.send(self.upgrade())
        await self.far.until(lambda: self.far.requests)
        while not len(self.splices):
            await _turn()
        self.registry.remove("ann")
        answer = await talking
        close = answer.partition(b"\r\n\r\n")[2]
        self.assertEqual(close[:1] + close[2:4], b"\x88\x03\xf0")
        await self.until_released()
        self.assertEqual(self.splices.revoked, 1)

    async def test_a_refused_handshake_is_the_last_request(self):
        self.far.answer = says(b"HTTP/1.1 404 None\r\nContent-Length: 2\r\n\r\nno")
        after = b"GET /desktop/one/smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
        first, fields, body = self.cut(await self.send(self.upgrade() + after))
        self.assertEqual((first, body), (b"HTTP/1.1 404 None", b"no"))
        self.assertEqual(fields[b"connection"], [b"close"])
        await self.far.until(lambda: self.far.gone == 1)
        self.assertEqual(len(self.far.requests), 1)

    async def test_a_wrong_101_is_no_websocket(self):
        for answer in (
            b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            SWITCHED.replace(b"Accept: ", b"Accept: x") + b"\r\n",
            SWITCHED.replace(b"websocket", b"h2c", 1) + b"\r\n",
            SWITCHED.replace(b"Connection: Upgrade", b"Connection: x") + b"\r\n",
            SWITCHED + b"Sec-WebSocket-Protocol: unasked\r\n\r\n",
            SWITCHED + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
        ):
            self.far.answer = says(answer)
            first, _, body = self.cut(await self.send(self.upgrade()))
            self.assertEqual(first, b"HTTP/1.1 502 Bad Gateway")
            self.assertIn(b"reason: upgrade-refused", body)
        self.assertEqual(len(self.splices), 0)

    async def test_bad_handshakes_go_no_further(self):
        for replaced, status in (
            ((b"13", b"8"), b"426"),
            ((KEY, b"short"), b"400"),
            ((b"GET", b"POST"), b"400"),
            ((b"Upgrade: websocket", b"Upgrade: websocket\r\nContent-Length: 1"), b"400"),
            ((b"Host: ", b"Origin: https://evil.example\r\nHost: "), b"403"),
            ((b"Host: ", b"Origin: null\r\nHost: "), b"403"),
        ):
            answer = await self.send(self.upgrade().replace(*replaced, 1))
            self.assertEqual(answer.split(b" ")[1], status, replaced)
        self.assertEqual(self.far.requests, [])

    async def test_listed_and_own_origins_pass(self):
        self.far.answer = says(b"HTTP/1.1 404 None\r\nContent-Length: 2\r\n\r\nno")
        for origin in (b"https://friend.example", b"http://site.example"):
            answer = await self.send(self.upgrade(b"Origin: " + origin))
            self.assertEqual(answer.split(b" ")[1], b"404")

    async def test_an_upgrade_to_anything_else_is_not_passed_on(self):
        for fields in (
            (b"Upgrade: h2c", b"Connection: Upgrade, HTTP2-Settings", b"HTTP2-Settings: x"),
            (b"Upgrade: websocket", b"Connection: close"),
        ):
            lines = [b"GET /desktop/one/ HTTP/1.1", b"Host: a", *fields, b"", b""]
            answer = await self.send(b"\r\n".join(lines))
            self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK"))
            _, asked = heads(self.far.requests[-1])
            self.assertNotIn(b"upgrade", asked)
            self.assertNotIn(b"http2-settings", asked)


def _turn(seconds=0.01):
    """Fire in a later turn of the reactor."""
    later = Deferred()
    reactor.callLater(seconds, later.callback, None)
    return later
