"""Websockets over TCP: frames good and bad, reasons, back pressure, silence."""

import os
import socket
import struct

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from kasmd.errors import UnknownPrincipal
from kasmd.http.server import HttpFactory, Limits
from kasmd.interfaces import IViewerTransport, Principal
from kasmd.permission.registry import MemoryRegistry
from kasmd.rights import READ
from kasmd.web.websockify import Timing, Websockify, frame_header
from tests.edge.far import Still

BINARY, TEXT, CONTINUED, CLOSE, PING, PONG = 2, 1, 0, 8, 9, 10


def frame(opcode, payload, fin=True, masked=True, length=None):
    """Make a client's frame; ``length`` lies about the payload's."""
    size = len(payload) if length is None else length
    first = (0x80 if fin else 0) | opcode
    mask = 0x80 if masked else 0
    if size < 126:
        head = struct.pack("!BB", first, mask | size)
    elif size < 65536:
        head = struct.pack("!BBH", first, mask | 126, size)
    else:
        head = struct.pack("!BBQ", first, mask | 127, size)
    if not masked:
        return head + payload
    key = os.urandom(4)
    return head + key + bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))


class Client:
    """A websocket client that does as it is told, blocking, in a thread."""

    def __init__(self, port, *lines):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        head = [
            b"GET /websockify HTTP/1.1", b"Host: 127.0.0.1:%d" % port, b"Upgrade: websocket",
            b"Connection: Upgrade", b"Sec-WebSocket-Version: 13",
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", *lines, b"", b"",
        ]
        self.socket.sendall(b"\r\n".join(head))
        self.file = self.socket.makefile("rb")
        self.head = b""
        while not self.head.endswith(b"\r\n\r\n"):
            self.head += self.file.readline() or self.fail()

    def fail(self):
        raise AssertionError(f"closed after {self.head!r}")

    def receive(self):
        """Give (opcode, payload) of the next frame, None at the end."""
        try:
            head = self.file.read(2)
        except ConnectionResetError:
            return None
        if not head:
            return None
        size = head[1]
        if size == 126:
            (size,) = struct.unpack("!H", self.file.read(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self.file.read(8))
        return head[0] & 15, self.file.read(size)

    def close(self):
        self.file.close()
        self.socket.close()


class Viewer:
    """Echoes what it receives."""

    name = "ann"

    def __init__(self, transport):
        self.transport = transport
        self.items = []
        self.gone = Deferred()

    def received(self, data):
        self.items.append(data)
        self.transport.send(data)

    def lost(self, reason):
        self.gone.callback(reason)


@implementer(IPushProducer)
class Producer:
    """Sends until it is told to pause."""

    def __init__(self, transport):
        self.transport = transport
        self.paused, self.resumed = Deferred(), Deferred()
        self.sent = 0
        self.running = True

    def run(self):
        while self.running and self.sent < 1000:
            self.transport.send(bytes(65536))
            self.sent += 1

    def pauseProducing(self):
        if self.running:
            self.running = False
            self.paused.callback(None)

    def resumeProducing(self):
        if not self.resumed.called:
            self.resumed.callback(None)

    def stopProducing(self):
        self.running = False


class Served:
    """A site of one websocket."""

    timing = Timing(max_message=100000)
    clock = reactor

    def setUp(self):
        self.registry = MemoryRegistry({"ann": READ})
        self.viewers = []
        self.websockify = Websockify(self.clock, self.make_viewer, (), self.timing)
        factory = HttpFactory(reactor, self.respond, (), Limits())
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.number = port.getHost().port

    def respond(self, request):
        request.principal = Principal("ann")
        request.grant = self.registry.admit(request.principal, "desktop")
        return self.websockify.connect(request)

    def make_viewer(self, transport, principal):
        self.assertEqual(principal, Principal("ann"))
        self.viewers.append(Viewer(transport))
        return self.viewers[-1]

    async def connect(self, *lines):
        client = await deferToThread(Client, self.number, *lines)
        self.addCleanup(client.close)
        return client


class WebsockifyTests(Served, TestCase):
    async def exchange(self, *frames):
        """Send frames and give the next frame that comes."""
        client = await self.connect()

        def talk():
            client.socket.sendall(b"".join(frames))
            return client.receive()

        return await deferToThread(talk)

    async def assert_closed_with(self, code, *frames):
        opcode, payload = await self.exchange(*frames)
        self.assertEqual(opcode, CLOSE)
        self.assertEqual(struct.unpack("!H", payload[:2])[0], code, payload)
        await self.viewers[-1].gone

    async def test_the_subprotocol_is_answered_only_when_offered(self):
        plain = await self.connect()
        self.assertTrue(plain.head.startswith(b"HTTP/1.1 101 "))
        self.assertNotIn(b"Protocol:", plain.head)
        self.assertIn(b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", plain.head)
        offered = await self.connect(b"Sec-WebSocket-Protocol: base64, binary")
        self.assertIn(b"Sec-WebSocket-Protocol: binary\r\n", offered.head)

    async def test_no_compression_is_agreed(self):
        client = await self.connect(b"Sec-WebSocket-Extensions: permessage-deflate")
        self.assertNotIn(b"Extensions", client.head)

    async def test_a_foreign_origin_hears_why(self):
        client = await self.connect(b"Origin: https://evil.example")
        self.assertTrue(client.head.startswith(b"HTTP/1.1 403 "))
        body = [await deferToThread(client.file.readline) for _ in range(2)]
        self.assertIn(b"pages of https://evil.example may not do this", body[1])
        self.assertEqual(self.viewers, [])

    async def test_one_item_is_one_message_at_every_boundary(self):
        client = await self.connect()

        def talk(payload):
            client.socket.sendall(frame(BINARY, payload))
            return client.receive()

        for size in (0, 1, 125, 126, 127, 65535, 65536, 99999):
            payload = os.urandom(size)
            self.assertEqual(await deferToThread(talk, payload), (BINARY, payload))

    async def test_fragments_become_one_item_around_a_ping(self):
        pieces = (
            frame(BINARY, b"a", fin=False), frame(PING, b"p"), frame(CONTINUED, b"b", fin=False),
            frame(CONTINUED, b"c"),
        )
        self.assertEqual(await self.exchange(*pieces), (PONG, b"p"))
        self.assertEqual(self.viewers[0].items, [b"abc"])

    async def test_broken_frames_end_with_1002(self):
        for broken in (
            frame(BINARY, b"x", masked=False),
            frame(PING, b"x", fin=False),
            frame(PING, b"x" * 126),
            frame(CONTINUED, b"x"),
            frame(3, b"x"),
            frame(11, b"x"),
            frame(0x40 | BINARY, b"x"),
            frame(CLOSE, b"x"),
            frame(CLOSE, struct.pack("!H", 999)),
            frame(BINARY, b"x", fin=False) + frame(BINARY, b"y"),
            frame(BINARY, b"", length=1 << 63),
        ):
            await self.assert_closed_with(1002, broken)
            self.assertEqual(self.viewers[-1].items, [])

    async def test_text_ends_with_1003(self):
        await self.assert_closed_with(1003, frame(TEXT, b"hello"))
        self.assertEqual(self.viewers[-1].items, [])

    async def test_a_large_message_ends_with_1009_before_it_has_come(self):
        await self.assert_closed_with(1009, frame(BINARY, b"", length=100001))
        halves = [frame(BINARY, bytes(60000), fin=False), frame(CONTINUED, bytes(60000))]
        await self.assert_closed_with(1009, *halves)

    async def test_a_close_is_answered_and_its_reason_told(self):
        close = frame(CLOSE, struct.pack("!H", 1001) + b"leaving")
        self.assertEqual((await self.exchange(close))[0], CLOSE)
        self.assertEqual(await self.viewers[0].gone, "leaving (1001)")

    async def test_a_dropped_connection_is_told(self):
        client = await self.connect()
        client.close()
        self.assertIn("1006", await self.viewers[0].gone)
        self.assertEqual(len(self.registry), 0)

    async def test_the_viewer_closes_with_a_reason(self):
        client = await self.connect()
        self.viewers[0].transport.close(1008, "The account is gone: " + "ä" * 100)
        opcode, payload = await deferToThread(client.receive)
        self.assertEqual((opcode, payload[:2]), (CLOSE, struct.pack("!H", 1008)))
        self.assertTrue(payload[2:].decode("utf-8").startswith("The account is gone: ä"))
        self.assertLessEqual(len(payload), 125)
        await deferToThread(client.socket.sendall, frame(CLOSE, payload[:2]))
        await self.viewers[0].gone

    async def test_a_viewer_that_cannot_be_made_closes(self):
        def refuse(transport, principal):
            raise UnknownPrincipal("there is no account ann")

        self.websockify = Websockify(reactor, refuse, (), self.timing)
        client = await self.connect()
        opcode, payload = await deferToThread(client.receive)
        self.assertEqual((opcode, payload), (CLOSE, b"\x03\xf0there is no account ann"))

    async def test_a_bug_closes_too(self):
        self.websockify = Websockify(reactor, lambda *_: {}["x"], (), self.timing)
        client = await self.connect()
        self.assertEqual((await deferToThread(client.receive))[1][:2], struct.pack("!H", 1011))
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    async def test_the_transport_keeps_its_contract(self):
        await self.connect()
        transport = self.viewers[0].transport
        verifyObject(IViewerTransport, transport)
        self.assertTrue(transport.peer.startswith("127.0.0.1:"))
        with self.assertRaises(ValueError):
            transport.start_tls(True)
        transport.abort()
        await self.viewers[0].gone
        transport.send(b"into the void")
        transport.close(1000, "")

    async def test_a_client_that_stops_reading_pauses_the_producer(self):
        client = await self.connect()
        producer = Producer(self.viewers[0].transport)
        self.viewers[0].transport.register_producer(producer)
        producer.run()
        await producer.paused
        self.assertLess(producer.sent, 200)

        def drain():
            return [len(client.receive()[1]) for _ in range(producer.sent)]

        self.assertEqual(set(await deferToThread(drain)), {65536})
        await producer.resumed

    def test_frame_headers(self):
        for size, head in (
            (0, b"\x82\x00"),
            (125, b"\x82\x7d"),
            (126, b"\x82\x7e\x00\x7e"),
            (65535, b"\x82\x7e\xff\xff"),
            (65536, b"\x82\x7f\0\0\0\0\0\1\0\0"),
        ):
            self.assertEqual(frame_header(size), head)


class SilenceTests(Served, TestCase):
    def setUp(self):
        self.clock = Still()
        super().setUp()

    async def test_a_silent_peer_is_pinged_then_dropped(self):
        client = await self.connect()
        self.clock.advance(self.timing.ping)
        self.assertEqual((await deferToThread(client.receive))[0], PING)
        self.assertNoResult(self.viewers[0].gone)
        self.clock.advance(self.timing.dead)
        self.assertIn("nothing was heard", await self.viewers[0].gone)

    async def test_a_peer_that_does_not_answer_a_close_is_dropped(self):
        await self.connect()
        self.viewers[0].transport.close(1000, "bye")
        self.clock.advance(self.timing.close - 0.1)
        self.assertNoResult(self.viewers[0].gone)
        self.clock.advance(0.1)
        await self.viewers[0].gone
