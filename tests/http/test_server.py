"""HTTP as it comes over sockets: limits, malformed heads, connections that change hands."""

import datetime
import socket
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from kasmd.http.problems import CLOSE, Problem
from kasmd.http.server import HttpFactory, Limits, Response
from kasmd.http.tls import CertificateFiles, TlsFactory
from kasmd.interfaces import Principal
from kasmd.permission.registry import MemoryRegistry
from kasmd.rights import READ
from kasmd.web.certificate import self_signed


def talk(port, *pieces):
    """Send ``pieces`` and give all that comes until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        for piece in pieces:
            client.sendall(piece)
        answer = b""
        while data := client.recv(65536):
            answer += data
    return answer


class Echo(Protocol):
    """What a connection is handed over to."""

    def __init__(self):
        self.lost = Deferred()

    def dataReceived(self, data):
        self.transport.write(data.upper())
        self.transport.loseConnection()

    def connectionLost(self, reason):
        self.lost.callback(None)


class ServerTests(TestCase):
    limits = Limits(head_timeout=60, abort_timeout=60, linger=60, body=100, connections=3)

    def setUp(self):
        self.seen = []
        self.factory = HttpFactory(reactor, self.respond, [(b"X-Extra", b"yes")], self.limits)
        self.port = reactor.listenTCP(0, self.factory, interface="127.0.0.1")
        self.addCleanup(self.port.stopListening)
        self.registry = MemoryRegistry({"ann": READ})

    def respond(self, request):
        self.seen.append((request.method, request.path, request.address))
        if request.path == b"/echo":
            request.grant = self.registry.admit(Principal("ann"), "desktop")
            self.echo = Echo()
            return request.hand_over(self.echo)
        if request.path == b"/grant":
            request.grant = self.registry.admit(Principal("ann"), "desktop")
        if request.path == b"/broken":
            raise RuntimeError("on purpose")
        if request.path == b"/last":
            raise Problem(403, "Go.", [CLOSE])
        return Response(200, [(b"Content-Type", b"text/plain")], b"hello")

    def send(self, *pieces):
        return deferToThread(talk, self.port.getHost().port, *pieces)

    async def one(self, line=b"GET / HTTP/1.1", *more):
        lines = [line, b"Host: a", b"Connection: close", *more, b"", b""]
        return await self.send(b"\r\n".join(lines))

    async def test_an_answer_has_the_headers_of_the_face(self):
        head, _, body = (await self.one()).partition(b"\r\n\r\n")
        self.assertEqual(body, b"hello")
        lines = head.split(b"\r\n")
        self.assertEqual(lines[0], b"HTTP/1.1 200 OK")
        for line in (b"Server: kasmd", b"X-Extra: yes", b"Content-Length: 5", b"Connection: close"):
            self.assertIn(line, lines)

    async def test_head_has_the_length_and_no_body(self):
        head, _, body = (await self.one(b"HEAD / HTTP/1.1")).partition(b"\r\n\r\n")
        self.assertIn(b"Content-Length: 5", head)
        self.assertEqual(body, b"")

    async def test_pipelined_and_split_requests(self):
        request = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"
        last = b"GET /last HTTP/1.1\r\nHost: a\r\n\r\n"
        answer = await self.send(request % 1 + request % 2 + last[:9], last[9:])
        self.assertEqual(answer.count(b"HTTP/1.1 200 OK"), 2)
        self.assertEqual([path for _, path, _ in self.seen], [b"/1", b"/2", b"/last"])

    async def test_the_query_and_the_absolute_form_are_taken_off(self):
        await self.one(b"GET HTTP://A/x/y?secret=1 HTTP/1.1")
        self.assertEqual(self.seen, [(b"GET", b"/x/y", "127.0.0.1")])

    async def test_malformed_requests_never_reach_a_route(self):
        head = b" / HTTP/1.1\r\nHost: a\r\n"
        for status, piece in (
            (400, b"GET /\r\nHost: a\r\n\r\n"),
            (400, b"GET / HTTP/1.1\r\n\r\n"),
            (400, b"GET" + head + b"Host: b\r\n\r\n"),
            (400, b"GET / HTTP/1.1\r\nHost: a/../b\r\n\r\n"),
            (400, b"GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
            (400, b"GET" + head + b"X: b\nY: c\r\n\r\n"),
            (400, b"GET" + head + b"X: \0\r\n\r\n"),
            (400, b"GET a HTTP/1.1\r\nHost: a\r\n\r\n"),
            (400, b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n"),
            (400, b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
            (505, b"GET / HTTP/9.9\r\nHost: a\r\n\r\n"),
            (400, b"POST" + head + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx"),
            (400, b"POST" + head + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
            (501, b"POST" + head + b"Transfer-Encoding: gzip, chunked\r\n\r\n"),
            (400, b"POST" + head + b"Content-Length: +1\r\n\r\nx"),
            (400, b"POST" + head + b"Transfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n"),
            (417, b"POST" + head + b"Content-Length: 1\r\nExpect: more\r\n\r\n"),
            (431, b"GET" + head + b"Cookie: " + b"c" * 65536 + b"\r\n\r\n"),
            (431, b"GET" + head + b"X: y\r\n" * 100 + b"\r\n"),
            (414, b"GET /" + b"x" * 20000),
        ):
            answer = await self.send(piece)
            self.assertEqual(answer[:12], b"HTTP/1.1 %d" % status, piece[:60])
            for line in (b"X-Extra: yes", b"X-Request-Id: ", b"Connection: close"):
                self.assertIn(line, answer)
        self.assertEqual(self.seen, [])

    async def test_a_limit_is_named(self):
        head = b"POST / HTTP/1.1\r\nHost: a\r\n"
        for piece, limit in (
            (b"GET /" + b"x" * 20000, b" 8192 "),
            (head + b"X: y\r\n" * 100 + b"\r\n", b" 100 "),
            (head + b"X: " + b"y" * 66000 + b"\r\n\r\n", b" 65536 "),
            (head + b"Content-Length: 101\r\n\r\n", b" 100 "),
        ):
            body = (await self.send(piece)).partition(b"\r\n\r\n")[2]
            self.assertIn(limit, body)

    async def test_a_cookie_of_fifteen_kilobytes_has_room(self):
        self.assertEqual((await self.one(b"GET / HTTP/1.1", b"Cookie: " + b"c" * 15000))[:12],
                         b"HTTP/1.1 200")

    async def test_large_bodies_are_refused(self):
        head = b"POST / HTTP/1.1\r\nHost: a\r\n"
        chunk = b"32\r\n" + b"x" * 50 + b"\r\n"
        for rest in (
            b"Content-Length: 101\r\n\r\n",
            b"Content-Length: 101\r\n\r\n" + b"x" * 101,
            b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 9 + b"0\r\n\r\n",
        ):
            answer = await self.send(head + rest)
            self.assertEqual(answer[:12], b"HTTP/1.1 413")
            self.assertEqual(answer.count(b"HTTP/1.1 "), 1)
        self.assertEqual(self.seen, [])

    async def test_a_body_is_kept_for_a_route_that_has_room(self):
        self.factory.room = lambda method, path: 200 if path == b"/room" else 0
        self.factory.respond = lambda request: Response(200, [], b"<%s>" % request.body)
        head = b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 150\r\n\r\n"
        for target in (b"/room", b"/room?a", b"http://a/room"):
            answer = await self.send(b"POST " + target + head, b"x" * 75, b"y" * 75)
            self.assertTrue(answer.endswith(b"\r\n\r\n<" + b"x" * 75 + b"y" * 75 + b">"), answer)
        self.assertEqual((await self.send(b"POST /rooms" + head))[:12], b"HTTP/1.1 413")
        small = head.replace(b"150", b"5")
        answer = await self.send(b"POST /rooms" + small, b"xxxxx")
        self.assertTrue(answer.endswith(b"\r\n\r\n<>"), answer)
        self.assertEqual(self.factory.bodies, 0)

    async def test_all_bodies_together_are_bounded(self):
        self.factory.limits = self.limits._replace(bodies=1000)
        self.factory.room = lambda method, path: 900
        head = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 800\r\n\r\n"
        waiting = Deferred()
        self.factory.respond = lambda request: waiting
        first = self.send(head, b"x" * 800)
        while self.factory.bodies < 800:
            await deferLater(reactor, 0)
        self.assertEqual((await self.send(head))[:12], b"HTTP/1.1 503")
        waiting.callback(Response(200, [], b"done"))
        self.assertTrue((await first).endswith(b"done"))
        self.assertEqual(self.factory.bodies, 0)

    async def test_a_refused_body_is_not_asked_for(self):
        answer = await self.send(
            b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 101\r\n\r\n"
        )
        self.assertEqual(answer.count(b"HTTP/1.1 "), 1)
        self.assertEqual(answer[:12], b"HTTP/1.1 413")

    async def test_a_body_in_a_second_segment_is_one_request(self):
        answer = await self.send(
            b"POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 4\r\n\r\n",
            b"body",
        )
        self.assertEqual(answer[:12], b"HTTP/1.1 200")
        self.assertEqual([path for _, path, _ in self.seen], [b"/x"])

    async def test_a_request_that_dribbles_in_is_cut_off(self):
        self.factory.limits = self.limits._replace(head_timeout=0.1)
        self.assertEqual(await self.send(b"GET / HTTP/1.1\r\n", b"Host: a\r\n"), b"")

    async def test_a_bug_is_a_500_that_says_nothing(self):
        answer = await self.one(b"GET /broken HTTP/1.1")
        self.assertEqual(answer[:12], b"HTTP/1.1 500")
        self.assertNotIn(b"on purpose", answer)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    async def test_a_handed_over_connection_keeps_early_bytes_and_leaks_no_grant(self):
        answer = await self.send(b"GET /echo HTTP/1.1\r\nHost: a\r\n\r\nearly")
        self.assertEqual(answer, b"EARLY")
        await self.echo.lost
        self.assertEqual(len(self.registry), 0)
        self.assertEqual(self.factory.counts.connections, 0)

    async def test_the_grant_ends_with_the_answer(self):
        await self.one(b"GET /grant HTTP/1.1")
        self.assertEqual(len(self.registry), 0)

    async def test_connections_are_counted(self):
        port = self.port.getHost().port
        held = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
        try:
            with self.assertRaises(ConnectionError):
                answer = await self.one()
                if not answer:
                    raise ConnectionResetError
        finally:
            for client in held:
                client.close()
        self.assertEqual(self.seen, [])

    async def test_a_unix_socket(self):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/socket"
            port = reactor.listenUNIX(path, self.factory)
            answer = await deferToThread(talk_by_unix_socket, path)
            await port.stopListening()
        self.assertTrue(answer.endswith(b"hello"))
        self.assertEqual(self.seen, [(b"GET", b"/", "")])

    async def test_tls(self):
        # Without half a close the client waits for so long.
        self.factory.limits = self.limits._replace(linger=0.1)
        with tempfile.TemporaryDirectory() as folder:
            pem = self_signed(Path(folder), datetime.datetime.now(datetime.timezone.utc))
            factory = TlsFactory(CertificateFiles(reactor, pem, pem), self.factory)
            port = reactor.listenTCP(0, factory, interface="127.0.0.1")
            head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
            for request, end in (
                (b"GET / HTTP/1.0\r\n\r\n", b"hello"),
                (b"GET /echo HTTP/1.1\r\nHost: a\r\n\r\nearly", b"EARLY"),
                (head % 101, b"100 bytes are taken here.\n"),
                (head % 101 + bytes(101), b"100 bytes are taken here.\n"),
            ):
                answer = await deferToThread(talk_tls, port.getHost().port, request)
                self.assertTrue(answer.endswith(end), answer)
            await port.stopListening()
        while self.factory.counts.connections:
            await deferLater(reactor, 0)


def talk_by_unix_socket(path):
    """Ask for /."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60)
        client.connect(path)
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        return b"".join(iter(lambda: client.recv(65536), b""))


def talk_tls(port, request):
    """Send ``request`` over TLS; give all that comes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), timeout=60) as plain:
        with context.wrap_socket(plain) as client:
            client.sendall(request)
            return b"".join(iter(lambda: client.recv(65536), b""))


FEW_DESCRIPTORS = """
import resource
from twisted.internet import reactor
from kasmd.http.server import HttpFactory, Limits, Response

resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
factory = HttpFactory(reactor, lambda request: Response(200, (), b"hello"), (), Limits())
print(reactor.listenTCP(0, factory, interface="127.0.0.1").getHost().port, flush=True)
reactor.run()
"""


def test_a_daemon_without_descriptors_goes_on_when_there_are_some():
    with subprocess.Popen(
        [sys.executable, "-c", FEW_DESCRIPTORS], stdout=subprocess.PIPE, text=True
    ) as daemon:
        try:
            port = int(daemon.stdout.readline())
            held = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(60)]
            assert any(hears_the_end(client) for client in held[-10:])
            for client in held:
                client.close()
            request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            while not (answer := talk_if_accepted(port, request)):
                pass
            assert answer.endswith(b"hello")
            assert daemon.poll() is None
        finally:
            daemon.kill()


def hears_the_end(client):
    """Tell whether the server closed the connection."""
    try:
        return client.recv(1) == b""
    except ConnectionError:
        return True


def talk_if_accepted(port, request):
    """Give the answer, or nothing where the connection was not kept."""
    try:
        return talk(port, request)
    except ConnectionError:
        return b""
