"""Certificates: read again when they change, refused clearly when they are wrong."""

import datetime
import os
import shutil
import socket
import ssl
import tempfile
from pathlib import Path

from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from kasmd.errors import ConfigError
from kasmd.http.tls import LOOK_INTERVAL, CertificateFiles, TlsFactory
from kasmd.web.certificate import self_signed

NOW = datetime.datetime.now(datetime.timezone.utc)


def served_certificate(port, maximum=ssl.TLSVersion.TLSv1_3):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = maximum
    context.set_ciphers("ALL:@SECLEVEL=0")
    with socket.create_connection(("127.0.0.1", port), timeout=60) as plain:
        with context.wrap_socket(plain) as client:
            return client.getpeercert(True), client.version()


class CertificateTests(TestCase):
    def setUp(self):
        self.clock = Clock()
        self.first, self.second = (self_signed(self.directory(), NOW) for _ in range(2))
        self.path = self.directory() / "served.pem"
        shutil.copy(self.first, self.path)

    def directory(self):
        """Give a new directory that ends with the test."""
        made = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, made)
        return Path(made).resolve()

    def test_an_idle_connection_keeps_no_buffers(self):
        files = CertificateFiles(self.clock, self.path, self.path)
        self.assertTrue(files._context.set_mode(0) & SSL.MODE_RELEASE_BUFFERS)

    def listen(self, files):
        factory = TlsFactory(files, Factory.forProtocol(Protocol))
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return port.getHost().port

    def replace(self, content):
        new = self.path.with_suffix(".new")
        new.write_bytes(content)
        os.replace(new, self.path)
        self.clock.advance(LOOK_INTERVAL)

    async def test_new_connections_get_the_new_certificate(self):
        port = self.listen(CertificateFiles(self.clock, self.path, self.path))
        before, version = await deferToThread(served_certificate, port)
        self.assertEqual(version, "TLSv1.3")
        self.replace(self.second.read_bytes())
        after, _ = await deferToThread(served_certificate, port)
        self.assertEqual(before, ssl.PEM_cert_to_DER_cert(pem(self.first)))
        self.assertEqual(after, ssl.PEM_cert_to_DER_cert(pem(self.second)))

    async def test_a_broken_new_pair_keeps_the_old_one(self):
        port = self.listen(CertificateFiles(self.clock, self.path, self.path))
        before, _ = await deferToThread(served_certificate, port)
        for content in (b"broken", self.first.read_bytes()[:400]):
            self.replace(content)
            self.assertEqual((await deferToThread(served_certificate, port))[0], before)
        self.path.unlink()
        self.clock.advance(LOOK_INTERVAL)
        self.assertEqual((await deferToThread(served_certificate, port))[0], before)

    async def test_old_versions_are_refused(self):
        port = self.listen(CertificateFiles(self.clock, self.path, self.path))
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            await deferToThread(served_certificate, port, ssl.TLSVersion.TLSv1_1)

    def test_errors_at_the_start_name_the_file(self):
        absent, broken = self.path.with_name("absent"), self.path.with_name("broken")
        broken.write_text("no certificate")
        for certificate, key, named in (
            (absent, self.first, absent),
            (self.first, absent, absent),
            (broken, self.first, broken),
            (self.first, broken, broken),
            (self.first, self.second, self.second),
        ):
            with self.assertRaises(ConfigError) as caught:
                CertificateFiles(self.clock, certificate, key)
            self.assertIn(str(named), str(caught.exception))

    def test_a_connection_is_given_for_each_peer(self):
        files = CertificateFiles(self.clock, self.path, self.path)
        self.assertIsInstance(files.serverConnectionForTLS(None), SSL.Connection)


def pem(path):
    return path.read_text().partition("-----BEGIN PRIVATE")[0]
