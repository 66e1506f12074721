"""Viewers that are no browser, over real sockets."""

from __future__ import annotations

import datetime
import os
import shutil
import socket
import stat
import struct
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Optional

from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import ContextFactory
from twisted.internet.task import Clock
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from kasmd.errors import LoginRefused
from kasmd.http.tls import CertificateFiles
from kasmd.interfaces import IViewerTransport, Principal
from kasmd.listening import Interface, Listening
from kasmd.viewer.native import (
    CLOSING_TIME,
    AnonymousTls,
    Contexts,
    ViewerFactory,
    ViewerStream,
)
from kasmd.viewer.protocol import Viewer
from kasmd.viewer.turns import Turns
from kasmd.web.certificate import self_signed
from tests.viewer.scene import PATIENCE, Scene

VERSION = b"RFB 003.008\n"
SECONDS = 60
WHOLE = 0, 0, 2000, 1000


class Peer(Protocol):
    """The viewer's end."""

    transport: Connection

    def __init__(self) -> None:
        self.lost: Deferred[None] = Deferred()
        self._data = b""
        self._wanted = 0
        self._waiting: Optional[Deferred[bytes]] = None

    def read(self, length: int) -> Deferred[bytes]:
        """Fire with the next ``length`` bytes."""
        self._wanted, self._waiting = length, Deferred()
        waiting = self._waiting.addTimeout(SECONDS, reactor)
        self.dataReceived(b"")
        return waiting

    def dataReceived(self, data: bytes) -> None:
        self._data += data
        if self._waiting is not None and len(self._data) >= self._wanted:
            waiting, self._waiting = self._waiting, None
            read, self._data = self._data[:self._wanted], self._data[self._wanted:]
            waiting.callback(read)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost.callback(None)


class Peers(Factory):
    """Makes one Peer and tells when it is connected."""

    noisy = False

    def __init__(self) -> None:
        self.connected: Deferred[Peer] = Deferred()

    def buildProtocol(self, addr: Optional[IAddress]) -> Peer:
        peer = Peer()
        reactor.callLater(0, self.connected.callback, peer)
        return peer

    doStart = doStop = startedConnecting = clientConnectionLost = lambda *ignored: None

    def clientConnectionFailed(self, connector: object, reason: Failure) -> None:
        self.connected.errback(reason)


class Trusting(ContextFactory):
    """The viewer's TLS: any certificate, or none at all."""

    def __init__(self, anonymous: bool) -> None:
        self._context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        if anonymous:
            self._context.set_max_proto_version(SSL.TLS1_2_VERSION)
            self._context.set_cipher_list(b"aNULL:@SECLEVEL=0")

    def getContext(self) -> SSL.Context:
        return self._context


class Case(TestCase):
    """Streams listen until the end of the test."""

    def setUp(self) -> None:
        self.scene = Scene()
        self.turns = Turns(reactor)
        self.clock = Clock()
        self.streams: list[ViewerStream] = []
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = str(self.folder / "viewers")

    def factory(self, principal: Optional[str], contexts: Contexts = {}) -> ViewerFactory:
        """Give the factory under test."""

        def make_viewer(transport: Any, proven: Optional[Principal]) -> Viewer:
            self.streams.append(transport)
            # No kernel takes all that a viewer does not.
            transport.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
            # Real connections go on in the reactor's own rounds.
            return Viewer(transport, proven, replace(self.scene.around, turns=self.turns))

        proven = None if principal is None else Principal(principal)
        return ViewerFactory(make_viewer, proven, contexts, self.clock)

    def listen(self, port: Listening) -> None:
        """End ``port`` and all its streams with the test."""
        self.addCleanup(port.stopService)

    async def hang_up(self, peer: Peer) -> None:
        """End the connection and see that nothing stays."""
        peer.transport.abortConnection()
        await peer.lost
        while self.scene.left_behind() != (0, 0, 0, 0):
            await turn()
        self.assertEqual(self.clock.getDelayedCalls(), [])


def turn() -> Deferred[None]:
    """Fire in the reactor's next turn."""
    fired: Deferred[None] = Deferred()
    reactor.callLater(0, fired.callback, None)
    return fired


class UnixTests(Case):
    """A unix socket is for its user's viewers, who act as one account."""

    async def connect(self) -> Peer:
        self.listen(Listening.unix(reactor, "key", self.path, self.factory("writer")))
        peers = Peers()
        reactor.connectUNIX(self.path, peers)
        return await peers.connected

    async def test_the_account_needs_no_password(self) -> None:
        peer = await self.connect()
        self.assertEqual(await peer.read(12), VERSION)
        peer.transport.write(VERSION + b"\x01\x01")
        self.assertEqual(await peer.read(6), b"\x01\x01" + bytes(4))
        self.assertEqual(struct.unpack(">HH", (await peer.read(30))[:4]), (320, 240))
        (viewer,) = self.scene.roster.viewers()
        self.assertEqual((viewer.name, viewer.peer), ("writer", "unix socket"))
        self.assertTrue(IViewerTransport.providedBy(self.streams[0]))
        await self.hang_up(peer)

    async def test_only_its_user_may_open_it(self) -> None:
        before = os.umask(0)
        try:
            peer = await self.connect()
            status = os.stat(self.path)
            self.assertEqual(stat.S_IMODE(status.st_mode), 0o600)
        finally:
            self.assertEqual(os.umask(before), 0)
        await self.hang_up(peer)

    async def test_it_goes_with_the_service(self) -> None:
        port = Listening.unix(reactor, "key", self.path, self.factory("writer"))
        await port.stopService()
        self.assertFalse(os.path.exists(self.path))

    async def test_there_is_no_tls_here(self) -> None:
        peer = await self.connect()
        with self.assertRaises(ValueError):
            self.streams[0].start_tls(True)
        await self.hang_up(peer)

    async def test_a_full_stream_pauses_its_viewer_until_patience_ends(self) -> None:
        self.scene = Scene(2000, 1000)
        peer = await self.connect()
        peer.transport.write(VERSION + b"\x01\x01" + struct.pack(">BBHHHH", 3, 0, *WHOLE))
        await peer.read(100)
        peer.transport.pauseProducing()
        for _ in range(50):
            self.scene.clock.advance(0)
            await turn()
        self.assertLess(self.scene.encodings.made, 10)
        self.scene.clock.advance(PATIENCE + 1)
        await self.hang_up(peer)
        self.assertEqual(self.scene.around.totals.limits["stalled_viewer_seconds"], 1)

    async def test_all_that_was_sent_arrives_before_the_end(self) -> None:
        peer = await self.connect()
        peer.transport.write(VERSION + b"\x01\x01")
        await peer.read(12 + 2 + 4 + 30)
        peer.transport.pauseProducing()
        (stream,) = self.streams
        stream.send(bytes(1 << 20) + b"farewell")
        stream.close(1001, "stopping")
        peer.transport.resumeProducing()
        self.assertEqual((await peer.read((1 << 20) + 8))[-8:], b"farewell")
        await peer.lost
        await self.hang_up(peer)

    async def test_one_who_takes_nothing_is_cut_off(self) -> None:
        peer = await self.connect()
        await peer.read(12)
        peer.transport.write(VERSION + b"\x01\x01")
        await peer.read(36)
        peer.transport.pauseProducing()
        (stream,) = self.streams
        stream.send(bytes(1 << 23))
        stream.close(1001, "stopping")
        stream.close(1001, "stopping")
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(CLOSING_TIME - 1)
        self.assertTrue(stream.transport.connected)
        self.clock.advance(1)
        while stream.transport.connected:
            await turn()
        await self.hang_up(peer)


class VeNCryptTests(Case):
    """TCP: name and password, inside TLS."""

    async def connect(self, certificate: bool) -> Peer:
        """Connect and begin TLS, up to where the password is asked for."""
        own = self_signed(self.folder, datetime.datetime.now(datetime.timezone.utc))
        contexts: Contexts = {True: CertificateFiles(reactor, own, own), False: AnonymousTls()}
        factory = self.factory(None, contexts)
        port = Listening.tcp(reactor, "native.vencrypt.port", 0, Interface("127.0.0.1"), factory)
        self.listen(port)
        peers = Peers()
        reactor.connectTCP("127.0.0.1", port.number, peers)
        peer = await peers.connected
        subtype = 262 if certificate else 259
        peer.transport.write(VERSION + b"\x13\x00\x02" + struct.pack(">I", subtype))
        await peer.read(12 + 2 + 2 + 1 + 9 + 1)
        peer.transport.startTLS(Trusting(anonymous=not certificate))
        peer.transport.write(struct.pack(">II", 6, 6) + b"writersecret")
        return peer

    async def enter(self, certificate: bool) -> None:
        peer = await self.connect(certificate)
        self.scene.login.callback("writer")
        self.assertEqual(await peer.read(4), bytes(4))
        self.assertEqual(self.scene.logins, [("writer", "secret", "127.0.0.1")])
        peer.transport.write(b"\x01")
        await peer.read(30)
        peer.transport.write(struct.pack(">BBHHHH", 3, 0, 0, 0, 10, 10))
        update = struct.pack(">BxHHHHHi", 0, 1, 0, 0, 10, 10, 0) + bytes(400)
        self.assertEqual(await peer.read(len(update)), update)
        await self.hang_up(peer)

    async def test_with_a_certificate(self) -> None:
        await self.enter(certificate=True)

    async def test_without(self) -> None:
        await self.enter(certificate=False)

    async def test_a_refusal_arrives_with_its_reason(self) -> None:
        peer = await self.connect(certificate=True)
        self.scene.login.errback(LoginRefused("wrong"))
        self.assertEqual(await peer.read(13), struct.pack(">II", 1, 5) + b"wrong")
        await peer.lost
        self.assertEqual(self.scene.left_behind(), (0, 0, 0, 0))
