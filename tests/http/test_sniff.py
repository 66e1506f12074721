"""The first byte decides; silence ends."""

from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import TestCase

from kasmd.http.crowd import Crowd
from kasmd.http.proxies import Proxies
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
        self.crowd = Crowd(3, 2)

    def connect(self, plain=None, announced=Proxies()):
        factory = SniffingFactory(
            self.clock, self.tls, plain or self.plain, announced, self.crowd
        )
        sniffer = factory.buildProtocol(None)
        sniffer.makeConnection(self.transport)
        return sniffer

    def count(self):
        return self.crowd.counts.connections

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

    def test_one_who_said_nothing_yet_counts(self):
        silent = [self.connect(), self.connect()]
        refused = self.connect()
        self.assertTrue(self.transport.disconnected)
        limits = self.crowd.counts.limits
        self.assertEqual((self.count(), limits["connections_per_address"]), (3, 1))
        self.assertIsNone(refused.factory.buildProtocol(None))
        self.assertEqual(limits["connections"], 1)
        for sniffer in (refused, *silent):
            sniffer.connectionLost()
        self.assertEqual(self.count(), 0)

    def test_silence_is_counted(self):
        self.connect()
        self.clock.advance(FIRST_BYTE_TIMEOUT)
        self.assertEqual(self.crowd.counts.limits["first_byte_seconds"], 1)

    def test_one_who_speaks_is_the_next_protocol_s_to_count(self):
        self.connect().dataReceived(b"G")
        self.assertEqual(self.count(), 0)

    def test_one_who_is_turned_away_is_counted_out_once(self):
        sniffer = self.connect(Full())
        sniffer.dataReceived(b"G")
        sniffer.connectionLost()
        self.assertEqual(self.count(), 0)

    def test_a_proxy_is_not_the_address_that_it_speaks_for(self):
        proxies = Proxies((self.transport.getPeer().host,))
        for _ in range(3):
            self.connect(announced=proxies)
        limits = self.crowd.counts.limits
        self.assertEqual((self.count(), limits["connections_per_address"]), (3, 0))
