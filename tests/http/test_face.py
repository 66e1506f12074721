"""What listens: by TLS or not, and what is said to those without."""

from __future__ import annotations

import pytest
from OpenSSL import SSL
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import (
    ILoggingContext,
    IOpenSSLServerConnectionCreator,
    IProtocol,
    IProtocolFactory,
)
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from kasmd.errors import ConfigError
from kasmd.http.face import Carrier, Plain, header, make_face
from kasmd.http.proxied import SIGNATURE
from kasmd.http.proxies import Proxies
from kasmd.http.server import Answer, HttpFactory, Request, Response
from kasmd.http.sniff import SniffingFactory

GET = b"GET /a?b=c HTTP/1.1\r\nHost: desk:8443\r\n\r\n"


@implementer(IOpenSSLServerConnectionCreator)
class Certificate:
    """What a connection that is plain never asks for."""

    def serverConnectionForTLS(self, tlsProtocol: object) -> SSL.Connection:
        raise AssertionError("the connection is plain")


class Faces(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()

    def respond(self, request: Request) -> Answer:
        return Response(200, (), request.address.encode())

    def face(self, carrier: Carrier) -> IProtocolFactory:
        return make_face(
            self.clock, self.respond, carrier, [("X-Extra", "yes")],  # type: ignore[arg-type]
            name="edge one",
        )

    def asked(self, carrier: Carrier, data: bytes = GET) -> bytes:
        """Give the answer to what comes on a new connection."""
        address = IPv4Address("TCP", "192.0.2.1", 4711)
        protocol = self.face(carrier).buildProtocol(address)
        assert protocol is not None
        transport = StringTransport(peerAddress=address)
        transport.protocol = protocol
        protocol.makeConnection(transport)
        IProtocol(protocol).dataReceived(data)
        written: bytes = transport.value()
        return written

    def test_without_a_certificate_everything_is_plain(self) -> None:
        self.assertIsInstance(self.face(Carrier()), HttpFactory)
        answer = self.asked(Carrier())
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"192.0.2.1"))

    def test_plain_connections_beside_tls(self) -> None:
        tls = Certificate()
        for plain, status, said in (
            (Plain.SERVE, b"200", b"192.0.2.1"),
            (Plain.REFUSE, b"403", b"This port speaks https only"),
            (Plain.REDIRECT, b"308", b"Location: https://desk:8443/a?b=c\r\n"),
        ):
            answer = self.asked(Carrier(tls, plain))
            self.assertEqual(answer[9:12], status)
            self.assertIn(said, answer)
            self.assertIn(b"X-Extra: yes\r\n", answer)

    def test_what_names_no_host_is_not_redirected(self) -> None:
        carrier = Carrier(Certificate(), Plain.REDIRECT)
        self.assertEqual(self.asked(carrier, b"GET / HTTP/1.0\r\n\r\n")[9:12], b"403")

    def test_who_must_say_for_whom_it_connects(self) -> None:
        carrier = Carrier(announced=Proxies(("192.0.2.1",)))
        self.assertIsInstance(self.face(carrier), SniffingFactory)
        self.assertNotIn(b"200", self.asked(carrier)[:12])
        addresses = bytes([198, 51, 100, 9, 127, 0, 0, 1]) + b"\x12\x67\x01\xbb"
        announced = SIGNATURE + b"\x21\x11\x00\x0c" + addresses
        self.assertTrue(self.asked(carrier, announced + GET).endswith(b"198.51.100.9"))

    def test_the_log_calls_the_port_by_its_name(self) -> None:
        for carrier in (Carrier(), Carrier(Certificate()),
                        Carrier(announced=Proxies(("192.0.2.1",)))):
            face = self.face(carrier)
            self.assertEqual(ILoggingContext(face).logPrefix(), "edge one")


def test_a_configured_header() -> None:
    assert header("X-Frame", "né") == (b"X-Frame", b"n\xe9")


@pytest.mark.parametrize("name, value", [
    ("X Y", "a"), ("", "a"), ("X:", "a"), ("X", "a\r\nY: b"), ("X", "a\0"), ("X", "€"),
])
def test_what_cannot_be_one(name: str, value: str) -> None:
    with pytest.raises(ConfigError):
        header(name, value)
