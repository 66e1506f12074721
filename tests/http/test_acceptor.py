"""One socket, several that accept on it."""

from __future__ import annotations

import resource
import shutil
import socket
import stat
import struct
import tempfile
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase

from kasmd.http.acceptor import Acceptor
from tests.test_startup import logged


class Arrivals(Factory[Protocol]):
    """Keeps the connections that come."""

    noisy = False

    def __init__(self) -> None:
        self.peers: list[object] = []
        self.came: Deferred[None] = Deferred()

    def buildProtocol(self, addr: object) -> Protocol:
        self.peers.append(addr)
        if not self.came.called:
            reactor.callLater(0, self.came.callback, None)  # type: ignore[attr-defined]
        protocol = Protocol()
        protocol.makeConnection = self.keep  # type: ignore[assignment]
        return protocol

    def keep(self, transport: object) -> None:
        transport.abortConnection()  # type: ignore[attr-defined]


class AcceptorTests(TestCase):
    def accept(self, listening: socket.socket) -> tuple[Acceptor, Arrivals]:
        arrivals = Arrivals()
        acceptor = Acceptor(reactor, listening, arrivals)
        acceptor.startReading()
        self.addCleanup(acceptor.stopListening)
        return acceptor, arrivals

    async def test_whoever_is_left_accepts(self) -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        address = listening.getsockname()
        first, none = self.accept(listening.dup())
        _, arrivals = self.accept(listening)
        first.stopListening()
        with socket.create_connection(address) as client:
            await arrivals.came
            (peer,) = arrivals.peers
            self.assertEqual((peer.host, peer.port), client.getsockname())  # type: ignore
        self.assertEqual(none.peers, [])

    async def test_a_unix_socket_stays_as_it_is(self) -> None:
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        path = Path(folder) / "s"
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(path))
            listening.listen()
            path.chmod(0o600)
            acceptor, arrivals = self.accept(listening.dup())
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
                await arrivals.came
            acceptor.stopListening()
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)

    def test_who_went_before_he_was_accepted_holds_up_nobody(self) -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        acceptor, arrivals = self.accept(listening)
        with socket.create_connection(listening.getsockname()) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        acceptor.doRead()
        self.assertEqual(arrivals.peers, [])
        self.assertIn(acceptor, reactor.getReaders())  # type: ignore[attr-defined]

    async def test_without_descriptors_it_waits_and_goes_on(self) -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        acceptor, arrivals = self.accept(listening)
        told = logged(self, "no connection can be accepted")
        with socket.create_connection(listening.getsockname()):
            before = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
            try:
                acceptor.doRead()
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, before)
            self.assertIn("Too many open files", await told)
            self.assertEqual(arrivals.peers, [])
            await arrivals.came
