"""Reaching an upstream: names, addresses, TLS, and each way in which that fails."""

import datetime
import hashlib
import os
import socket
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.defer import CancelledError
from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import TestCase

from kasmd.edge.asking import Trust, Upstream
from kasmd.edge.dial import Dialled, Kind, Timeouts, UpstreamFailed, dial
from kasmd.http.tls import CertificateFiles
from kasmd.web.certificate import self_signed
from tests.edge.far import Far, Still

NOW = datetime.datetime.now(datetime.timezone.utc)


class Quiet(Factory):
    """Takes connections and says nothing."""

    noisy = False

    def __init__(self):
        self.far = Far()

    def buildProtocol(self, addr):
        return self.far.buildProtocol(addr)


class DialTests(TestCase):
    timeouts = Timeouts()

    def setUp(self):
        self.dialled = []
        self.still = Still({
            "localhost": ["127.0.0.1"], "none": [], "slow": None,
            "two": ["127.0.0.2", "127.0.0.1"],
        })

    def directory(self):
        path = tempfile.mkdtemp()
        return Path(path)

    def listen(self, factory):
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return port.getHost().port

    async def tearDown(self):
        for protocol in self.dialled:
            protocol.abort()

    def dial(self, upstream):
        protocol = Dialled()
        self.dialled.append(protocol)
        return dial(self.still, upstream, protocol, self.timeouts)

    async def fails(self, kind, upstream, after=None):
        """Expect a failure, which comes when so many seconds are over."""
        dialling = self.dial(upstream)
        if after is not None:
            self.still.advance(after - 0.1)
            self.assertNoResult(dialling)
            self.still.advance(0.1)
        with self.assertRaises(UpstreamFailed) as raised:
            await dialling
        self.assertIs(raised.exception.kind, kind, raised.exception.detail)

    # Names and addresses.

    async def test_by_address_name_and_path(self):
        far = Far()
        port = self.listen(far)
        path = os.path.join(self.directory(), "socket")
        self.addCleanup(reactor.listenUNIX(path, far).stopListening)
        for upstream in (
            Upstream("127.0.0.1", port),
            Upstream("localhost", port),
            Upstream("", 0, path),
        ):
            await self.dial(upstream)
        await far.until(lambda: len(far.lines) == 3)
        at_once = [protocol.transport.getTcpNoDelay() for protocol in self.dialled[:2]]
        self.assertTrue(all(at_once), "small writes wait for nobody")

    async def test_what_is_not_there(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            await self.fails(Kind.REFUSED, Upstream("127.0.0.1", taken.getsockname()[1]))
        await self.fails(Kind.REFUSED, Upstream("", 0, str(self.directory() / "none")))
        await self.fails(Kind.UNREACHABLE, Upstream("255.255.255.255", 9))

    async def test_names(self):
        far = Far()
        port = self.listen(far)
        await self.fails(Kind.UNRESOLVED, Upstream("none", port))
        await self.fails(Kind.NAME_SLOW, Upstream("slow", port), self.timeouts.resolve)
        # Nothing listens at the first address.
        await self.dial(Upstream("two", port))

    async def test_giving_up(self):
        far = Far()
        dialling = self.dial(Upstream("127.0.0.1", self.listen(far), "", Trust()))
        await far.until(lambda: far.lines)
        dialling.cancel()
        with self.assertRaises(CancelledError):
            await dialling
        await far.until(lambda: far.gone == 1)

    # TLS.

    def secure(self):
        """Listen with TLS; give the port and the certificate's file."""
        path = self_signed(self.directory(), NOW)
        self.names = []
        files = CertificateFiles(reactor, path, path)
        files._context.set_tlsext_servername_callback(
            lambda connection: self.names.append(connection.get_servername())
        )
        return self.listen(TLSMemoryBIOFactory(files, False, Far())), str(path)

    @staticmethod
    def pin(path):
        key = x509.load_pem_x509_certificate(Path(path).read_bytes()).public_key()
        info = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return hashlib.sha256(info).digest()

    async def test_whom_to_trust(self):
        port, path = self.secure()
        _, other = self.secure()
        for trust, kind in (
            (Trust(), None),
            (Trust(pin=self.pin(path)), None),
            (Trust(pin=self.pin(other)), Kind.UNTRUSTED),
            (Trust(authorities=path), None),
            (Trust(authorities=path, name="localhost"), None),
            (Trust(authorities=path, name="elsewhere.example"), Kind.UNTRUSTED),
            (Trust(authorities=path, name="10.0.0.1"), Kind.UNTRUSTED),
            (Trust(authorities=other), Kind.UNTRUSTED),
            (Trust(authorities="/nonexistent"), Kind.UNTRUSTED),
            (Trust(self.pin(path), path), None),
            (Trust(self.pin(other), path), Kind.UNTRUSTED),
        ):
            upstream = Upstream("127.0.0.1", port, "", trust)
            if kind is None:
                await self.dial(upstream)
            else:
                await self.fails(kind, upstream)

    async def test_the_name_is_said_first(self):
        port, _ = self.secure()
        await self.dial(Upstream("localhost", port, "", Trust()))
        await self.dial(Upstream("127.0.0.1", port, "", Trust(name="desk.example")))
        await self.dial(Upstream("127.0.0.1", port, "", Trust()))
        self.assertEqual(self.names, [b"localhost", b"desk.example", None])

    async def test_what_is_not_tls(self):
        far = Far(lambda line, request: None)
        plain = Upstream("127.0.0.1", self.listen(far), "", Trust())
        dialling = self.dial(plain)
        await far.until(lambda: far.lines)
        far.lines[0].transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        with self.assertRaises(UpstreamFailed) as raised:
            await dialling
        self.assertIs(raised.exception.kind, Kind.TLS)
        await self.fails(Kind.UNANSWERED, plain, self.timeouts.connect)

    async def test_old_versions_are_not_spoken(self):
        path = str(self_signed(self.directory(), NOW))
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_cipher_list(b"ALL:@SECLEVEL=0")
        context.set_max_proto_version(SSL.TLS1_1_VERSION)
        context.use_privatekey_file(path)
        context.use_certificate_chain_file(path)
        files = CertificateFiles(reactor, path, path)
        files._context = context
        port = self.listen(TLSMemoryBIOFactory(files, False, Far()))
        await self.fails(Kind.TLS, Upstream("127.0.0.1", port, "", Trust()))
