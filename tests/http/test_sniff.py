"""The first byte decides; silence ends."""

from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import TestCase

from kasmd.http.sniff import FIRST_BYTE_TIMEOUT, SniffingFactory


class Kept(Protocol):
    def connectionMade(self):
        self.received = b""

    def dataReceived(self, data):
        self.received += data


class Full(Factory):
    def buildProtocol(self, addr):
        return None


class SnifferTests(TestCase):
    def setUp(self):
        self.clock = Clock()
        self.tls = Factory.forProtocol(type("Tls", (Kept,), {}))
        self.plain = Factory.forProtocol(type("Plain", (Kept,), {}))
        self.transport = StringTransport()

    def connect(self, plain=None):
        sniffer = SniffingFactory(self.clock, self.tls, plain or self.plain).buildProtocol(None)
        sniffer.makeConnection(self.transport)
        return sniffer

    def test_a_handshake_record_is_tls(self):
        self.connect().dataReceived(b"\x16\x03\x01")
        self.assertIsInstance(self.transport.protocol, self.tls.protocol)
        self.assertEqual(self.transport.protocol.received, b"\x16\x03\x01")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_anything_else_is_plain(self):
        self.connect().dataReceived(b"G")
        self.assertIsInstance(self.transport.protocol, self.plain.protocol)
        self.assertEqual(self.transport.protocol.received, b"G")

    def test_silence_is_cut_off(self):
        self.connect()
        self.clock.advance(FIRST_BYTE_TIMEOUT)
        self.assertTrue(self.transport.disconnecting or self.transport.disconnected)

    def test_one_who_leaves_in_silence_leaves_no_timer(self):
        self.connect().connectionLost()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_full_house_turns_away(self):
        self.connect(Full()).dataReceived(b"G")
        self.assertTrue(self.transport.disconnecting or self.transport.disconnected)
