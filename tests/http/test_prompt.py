"""What is written at once is all there, in order, also where the socket does not take it."""

from __future__ import annotations

import socket

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from kasmd.http.prompt import PromptWriter

MUCH = bytes(range(256)) * (1 << 14)


class Writing(Protocol):
    def connectionMade(self):
        self.factory.connected.callback(self)


def take(peer):
    data = bytearray()
    while piece := peer.recv(1 << 16):
        data += piece
    return bytes(data)


class PromptTests(TestCase):
    async def connect(self):
        factory = Factory.forProtocol(Writing)
        factory.connected = Deferred()
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        peer = socket.create_connection(("127.0.0.1", port.getHost().port), 10)
        self.addCleanup(peer.close)
        protocol = await factory.connected
        return protocol.transport, peer

    async def test_it_is_there_before_the_next_turn(self):
        transport, peer = await self.connect()
        PromptWriter(transport).write(b"at once")
        self.assertEqual(peer.recv(100), b"at once")
        transport.loseConnection()
        self.assertEqual(await deferToThread(take, peer), b"")

    async def test_nothing_overtakes_what_the_socket_did_not_take(self):
        transport, peer = await self.connect()
        write = PromptWriter(transport).write
        for piece in (b"first", MUCH, b"then", MUCH, b"last"):
            write(piece)
        transport.loseConnection()
        expected = b"first" + MUCH + b"then" + MUCH + b"last"
        self.assertTrue(await deferToThread(take, peer) == expected)

    async def test_parts_follow_one_another_whatever_the_socket_takes_of_them(self):
        transport, peer = await self.connect()
        write = PromptWriter(transport).write
        for _ in range(3):
            write(b"head", MUCH)
        transport.loseConnection()
        self.assertTrue(await deferToThread(take, peer) == 3 * (b"head" + MUCH))

    async def test_nothing_overtakes_what_others_wrote(self):
        transport, peer = await self.connect()
        transport.write(b"first")
        PromptWriter(transport).write(b"then")
        transport.loseConnection()
        self.assertEqual(await deferToThread(take, peer), b"firstthen")

    async def test_what_comes_once_all_is_taken_is_there_at_once_again(self):
        transport, peer = await self.connect()
        write = PromptWriter(transport).write
        write(MUCH)
        with peer.makefile("rb") as taken:
            self.assertTrue(await deferToThread(taken.read, len(MUCH)) == MUCH)
            write(b"at once")
            self.assertEqual(taken.read(7), b"at once")
        transport.loseConnection()
        self.assertEqual(await deferToThread(take, peer), b"")

    async def test_a_peer_that_is_gone_ends_the_connection(self):
        transport, peer = await self.connect()
        lost = Deferred()
        transport.protocol.connectionLost = lambda reason: lost.callback(None)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        peer.close()
        write = PromptWriter(transport).write
        write(b"into")
        write(b"nothing")
        await lost

    def test_other_transports_write_as_they_like(self):
        transport = StringTransport()
        PromptWriter(transport).write(b"abc", b"def")
        self.assertEqual(transport.value(), b"abcdef")
