"""Bytes leave at once and in order, with TLS or without."""

from __future__ import annotations

import datetime
import socket
import tempfile
from pathlib import Path
from typing import Any, Callable, Optional

from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.interfaces import IAddress, IProtocolFactory
from twisted.internet.protocol import ClientFactory, Protocol, ServerFactory, connectionDone
from twisted.internet.ssl import CertificateOptions, PrivateCertificate
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from kasmd.edge.outlet import Outlet, encrypted
from kasmd.web.certificate import self_signed

GREETING = b"the 101"
PATTERN = bytes(range(251)) * 5000


class Recorder:
    """An outlet's owner."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def filled(self) -> None:
        self.told.append("filled")

    def drained(self) -> None:
        self.told.append("drained")


class Near(Protocol):
    """Greets whoever speaks first, then writes by an outlet."""

    def __init__(self, begun: Callable[[Near], None]) -> None:
        self._begun = begun
        self.owner = Recorder()
        self.lost: Deferred[None] = Deferred()
        self.outlet: Optional[Outlet] = None

    def dataReceived(self, data: bytes) -> None:
        if self.outlet is None:
            assert self.transport is not None
            self.transport.write(GREETING)
            self.outlet = Outlet(self.transport, self.owner, reactor)  # type: ignore[arg-type]
            self._begun(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost.callback(None)


class Far(Protocol):
    """Speaks, and tells when it has heard enough."""

    def __init__(self, enough: int) -> None:
        self.heard = b""
        self._enough = enough
        self.has_enough: Deferred[bytes] = Deferred()
        self.lost: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.write(b"hello")

    def dataReceived(self, data: bytes) -> None:
        self.heard += data
        if len(self.heard) >= self._enough and not self.has_enough.called:
            self.has_enough.callback(self.heard)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost.callback(self.heard)


class _One(ServerFactory, ClientFactory):
    """A factory of one protocol."""

    noisy = False

    def __init__(self, protocol: Protocol) -> None:
        self._one = protocol

    def buildProtocol(self, addr: Optional[IAddress]) -> Protocol:  # type: ignore[override]
        return self._one


class PlainTests(TestCase):
    """TCP."""

    timeout = 120

    def connect(self, near: Near, far: Far) -> None:
        """Join the two."""
        port = reactor.listenTCP(  # type: ignore[attr-defined]
            0, self.wrapped(_One(near), False), interface="127.0.0.1"
        )
        self.addCleanup(port.stopListening)
        # For all who are accepted: no kernel takes so much that an outlet is never full.
        port.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        reactor.connectTCP(  # type: ignore[attr-defined]
            "127.0.0.1", port.getHost().port, self.wrapped(_One(far), True)
        )

    def wrapped(self, factory: _One, client: bool) -> IProtocolFactory:
        return factory

    @inlineCallbacks
    def finish(self, near: Near, far: Far) -> Any:  # type: ignore[misc]
        transport: Any = far.transport
        transport.abortConnection()
        yield near.lost
        yield far.lost

    @inlineCallbacks
    def test_nothing_overtakes_what_was_written_before(self) -> Any:  # type: ignore[misc]
        def begun(near: Near) -> None:
            assert near.outlet is not None and near.outlet.full
            near.outlet.write(b"early")
            reactor.callLater(0, near.outlet.write, b"late")  # type: ignore[attr-defined]

        near, far = Near(begun), Far(len(GREETING + b"earlylate"))
        self.connect(near, far)
        self.assertEqual((yield far.has_enough), GREETING + b"earlylate")
        yield self.finish(near, far)

    @inlineCallbacks
    def test_all_arrives_though_the_socket_does_not_take_it(self) -> Any:  # type: ignore[misc]
        def begun(near: Near) -> None:
            transport: Any = far.transport
            transport.pauseProducing()
            owner = near.owner
            owner.drained = write  # type: ignore[method-assign]

        def write() -> None:
            # Called when the greeting is gone, and when all that follows is.
            outlet = near.outlet
            assert outlet is not None
            while not outlet.full and written:
                outlet.write(written.pop())
            transport: Any = far.transport
            transport.resumeProducing()

        written = [PATTERN] * 10
        near, far = Near(begun), Far(len(GREETING + PATTERN * 10))
        self.connect(near, far)
        self.assertEqual((yield far.has_enough), GREETING + PATTERN * 10)
        self.assertIn("filled", near.owner.told)
        yield self.finish(near, far)

    @inlineCallbacks
    def test_closing_at_once_loses_nothing(self) -> Any:  # type: ignore[misc]
        def begun(near: Near) -> None:
            assert near.outlet is not None
            near.outlet.write(b"bye")
            near.outlet.close()

        near, far = Near(begun), Far(1 << 20)
        self.connect(near, far)
        self.assertEqual((yield far.lost), GREETING + b"bye")
        yield near.lost

    @inlineCallbacks
    def test_closing_with_much_to_write_loses_nothing(self) -> Any:  # type: ignore[misc]
        def begun(near: Near) -> None:
            near.owner.drained = write  # type: ignore[method-assign]

        def write() -> None:
            assert near.outlet is not None
            near.outlet.write(PATTERN * 10)
            near.outlet.close()

        near, far = Near(begun), Far(1 << 30)
        self.connect(near, far)
        self.assertEqual((yield far.lost), GREETING + PATTERN * 10)
        yield near.lost

    @inlineCallbacks
    def test_a_peer_that_closes_is_let_go(self) -> Any:  # type: ignore[misc]
        near, far = Near(lambda near: None), Far(len(GREETING))
        self.connect(near, far)
        yield far.has_enough
        transport: Any = far.transport
        transport.loseConnection()
        yield near.lost
        yield far.lost

    @inlineCallbacks
    def test_writing_to_a_broken_socket_ends_it(self) -> Any:  # type: ignore[misc]
        near, far = Near(lambda near: None), Far(len(GREETING))
        self.connect(near, far)
        yield far.has_enough
        transport: Any = near.transport
        handle = transport.getHandle()
        raw = handle if isinstance(handle, socket.socket) else transport.transport.getHandle()
        raw.shutdown(socket.SHUT_WR)
        assert near.outlet is not None
        near.outlet.write(b"into nothing")
        yield near.lost
        yield far.lost


class TlsTests(PlainTests):
    """The same through TLS."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = self_signed(Path(folder.name), datetime.datetime.now(datetime.timezone.utc))
        self.certificate = PrivateCertificate.loadPEM(path.read_text())

    def wrapped(self, factory: _One, client: bool) -> IProtocolFactory:
        options = CertificateOptions() if client else self.certificate.options()
        return TLSMemoryBIOFactory(options, client, factory)

    def test_records_that_waited_go_too(self) -> None:
        near = SSL.Connection(self.certificate.options().getContext(), None)
        near.set_accept_state()
        far = SSL.Connection(SSL.Context(SSL.TLS_METHOD), None)
        far.set_connect_state()
        for _ in range(3):
            for one, other in ((far, near), (near, far)):
                try:
                    one.do_handshake()
                except SSL.WantReadError:
                    pass
                try:
                    other.bio_write(one.bio_read(1 << 16))
                except SSL.WantReadError:
                    pass
        waiting = bytes(1 << 14)
        for _ in range(4):
            near.send(waiting)
        far.bio_write(encrypted(near, b"last"))
        heard = b""
        while not heard.endswith(b"last"):
            heard += far.recv(1 << 16)
        self.assertEqual(heard, waiting * 4 + b"last")


class AtOnceTests(TestCase):
    def test_where_nothing_waits_the_first_bytes_leave_in_the_turn_that_wrote_them(self) -> Any:
        near = Near(lambda near: None)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            reactor.adoptStreamConnection(  # type: ignore[attr-defined]
                ours.fileno(), socket.AF_UNIX, _One(near)
            )
            Outlet(near.transport, near.owner, Clock()).write(b"now")
            self.assertEqual(theirs.recv(16, socket.MSG_DONTWAIT), b"now")
        return near.lost


class OtherTransportTests(TestCase):
    def test_the_transport_says_when_it_is_full(self) -> None:
        transport, owner = StringTransport(), Recorder()
        outlet = Outlet(transport, owner, Clock())
        outlet.write(b"a")
        self.assertEqual((transport.value(), outlet.full), (b"a", False))
        transport.producer.pauseProducing()
        self.assertTrue(outlet.full)
        transport.producer.resumeProducing()
        transport.producer.resumeProducing()
        self.assertFalse(outlet.full)
        self.assertEqual(owner.told, ["filled", "drained"])
        outlet.close()
        self.assertTrue(transport.disconnecting)
