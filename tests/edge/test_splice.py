"""Two connections joined: over sockets of 127.0.0.1, and in memory on a clock."""

from __future__ import annotations

import contextlib
import socket
from typing import Any, Optional

from twisted.internet import reactor
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.internet.task import Clock, deferLater
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from kasmd.edge.end import End
from kasmd.edge.frames import BUDGET, PING, PONG, close, control, masked
from kasmd.edge.outlet import PLAIN_PORTION
from kasmd.edge.splice import Ended, Splice
from kasmd.edge.splices import Splices, Timing

KEY = b"\x01\x02\x03\x04"
TEXT = b"\x81\x02hi"
FROM_CLIENT = b"\x81\x82" + KEY + masked(b"hi", KEY)


class Wire(StringTransport):
    """A transport in memory, as one with TLS is for a splice; it can be lost."""

    aborted = False

    def __init__(self) -> None:
        super().__init__(peerAddress=UNIXAddress(None), hostAddress=UNIXAddress(None))
        self.end: Optional[End] = None

    def take(self) -> bytes:
        """Give what was written since the last call."""
        data: bytes = self.value()
        self.clear()
        return data

    def abortConnection(self) -> None:
        self.aborted = True
        self.lose()

    def lose(self) -> None:
        """The connection ends."""
        self.connected = False
        assert self.end is not None
        self.end.connectionLost(Failure(ConnectionAbortedError("gone")))


class Case:
    """A splice of two wires, and what became of it."""

    def __init__(self, extensions: bytes = b"") -> None:
        self.clock = Clock()
        self.splices = Splices(self.clock)
        self.ended: list[Ended] = []
        self.splice = Splice(self.splices, extensions, self.ended.append)
        self.client, self.upstream = Wire(), Wire()
        for wire, end in (
            (self.upstream, self.splice.upstream), (self.client, self.splice.client),
        ):  # fmt: skip
            wire.end = end
            end.makeConnection(wire)

    def from_client(self, data: bytes) -> None:
        self.splice.client.dataReceived(data)

    def from_upstream(self, data: bytes) -> None:
        self.splice.upstream.dataReceived(data)

    def pass_time(self, seconds: float) -> None:
        """Let time pass in steps that every timer sees."""
        for _ in range(round(seconds * 10)):
            self.clock.advance(0.1)

    def told(self) -> tuple[bytes, bytes]:
        """Give what was written to the client and, unmasked, to the upstream."""
        return self.client.take(), unmasked(self.upstream.take())


def unmasked(data: bytes) -> bytes:
    """Give one short masked frame without its mask."""
    if not data:
        return b""
    assert len(data) == 6 + (data[1] & 127), "one masked frame"
    return bytes((data[0], data[1] & 127)) + masked(data[6:], data[2:6])


class PassingTests(TestCase):
    def test_both_ways_untouched(self) -> None:
        case = Case()
        case.from_client(FROM_CLIENT * 3)
        case.from_upstream(TEXT * 2)
        self.assertEqual(case.upstream.take(), FROM_CLIENT * 3)
        self.assertEqual(case.client.take(), TEXT * 2)

    def test_early_bytes_wait_for_the_other_end(self) -> None:
        ended: list[Ended] = []
        splice = Splice(Splices(Clock()), b"", ended.append)
        upstream, client = Wire(), Wire()
        splice.upstream.makeConnection(upstream)
        splice.upstream.dataReceived(TEXT)
        self.assertEqual(upstream.producerState, "paused")
        splice.client.makeConnection(client)
        self.assertEqual(upstream.producerState, "producing")
        self.assertEqual(client.take(), TEXT)

    def test_a_full_end_pauses_the_other_alone(self) -> None:
        case = Case()
        case.client.producer.pauseProducing()
        self.assertEqual(case.upstream.producerState, "paused")
        self.assertEqual(case.client.producerState, "producing")
        case.from_client(FROM_CLIENT)
        self.assertEqual(case.upstream.take(), FROM_CLIENT)
        case.client.producer.resumeProducing()
        self.assertEqual(case.upstream.producerState, "producing")

    def test_compressed_frames_pass_where_they_were_agreed(self) -> None:
        case = Case(b"permessage-deflate")
        case.from_upstream(b"\xc1\x02hi")
        self.assertEqual(case.client.take(), b"\xc1\x02hi")

    def test_a_flood_of_empty_frames_lets_others_have_their_turn(self) -> None:
        case, flood = Case(), b"\x82\x00" * 100_000
        turns: list[int] = []

        def look() -> None:
            turns.append(len(case.client.take()))
            if case.upstream.producerState == "paused":
                case.clock.callLater(0, look)

        case.from_upstream(flood)
        self.assertEqual(case.upstream.producerState, "paused")
        look()
        case.clock.advance(0)
        self.assertEqual(sum(turns), len(flood))
        self.assertLessEqual(max(turns), BUDGET * len(b"\x82\x00"))

    def test_a_flood_waits_for_a_full_end(self) -> None:
        case, flood = Case(), b"\x82\x00" * 10_000
        case.from_upstream(flood)
        case.client.producer.pauseProducing()
        case.clock.advance(0)
        before = len(case.client.take())
        case.clock.advance(0)
        self.assertEqual(case.client.take(), b"")
        case.client.producer.resumeProducing()
        case.pass_time(1)
        self.assertEqual(before + len(case.client.take()), len(flood))


class SilenceTests(TestCase):
    def test_each_silent_end_is_pinged_in_time(self) -> None:
        case = Case()
        ping = control(PING, case.splices.token)
        case.pass_time(19.9 - Timing().beat)
        self.assertEqual(case.told(), (b"", b""))
        case.pass_time(10.2)
        self.assertEqual(case.told(), (ping, ping))

    def test_an_end_that_speaks_is_not_pinged(self) -> None:
        case, pinged = Case(), 0
        for _ in range(10):
            case.pass_time(4)
            case.from_client(FROM_CLIENT)
            if b"\x89\x88" in case.upstream.take():
                case.from_upstream(control(PONG, case.splices.token))
                pinged += 1
        self.assertEqual(case.client.take(), b"")
        self.assertEqual(pinged, 1)

    def test_the_answers_are_not_passed_on(self) -> None:
        case = Case()
        for _ in range(4):
            case.pass_time(25)
            case.told()
            case.from_client(control(PONG, case.splices.token, KEY))
            case.from_upstream(control(PONG, case.splices.token))
            self.assertEqual(case.told(), (b"", b""))
        self.assertFalse(case.ended or case.client.disconnecting)

    def test_pings_and_pongs_of_others_are(self) -> None:
        case = Case()
        case.from_upstream(control(PING, b"theirs"))
        case.from_client(control(PONG, b"theirs", KEY))
        self.assertEqual(
            case.told(), (control(PING, b"theirs"), control(PONG, b"theirs"))
        )

    def test_a_ping_waits_for_the_end_of_a_frame(self) -> None:
        case = Case()
        case.from_upstream(b"\x82\x03ab")
        case.pass_time(25)
        self.assertEqual(case.client.take(), b"\x82\x03ab")
        case.from_upstream(b"c")
        self.assertEqual(case.client.take(), b"c" + control(PING, case.splices.token))

    def test_a_dead_client(self) -> None:
        case = Case()
        case.from_upstream(TEXT)
        waited = 0.0
        while control(PING, case.splices.token) not in case.client.value():
            case.pass_time(0.1)
            waited += 0.1
        self.assertLess(waited, 25.2)
        case.from_upstream(TEXT)
        case.told()
        case.pass_time(15.1)
        self.assertTrue(case.client.aborted)
        self.assertEqual(case.told()[1], close(1001, "the client is gone"))
        case.from_upstream(close(1001, ""))
        self.assertTrue(case.upstream.disconnecting)
        case.upstream.lose()
        [ended] = case.ended
        self.assertEqual(ended[:3], ("client", 1006, "it does not answer a ping"))
        self.assertEqual(case.splices.dead, 1)
        received, sent = case.splices.relayed()
        self.assertEqual((received, sent > 2 * len(TEXT)), (0, True))

    def test_a_dead_upstream(self) -> None:
        case = Case()
        case.pass_time(25)
        case.told()
        case.from_client(FROM_CLIENT)
        case.pass_time(15.1)
        self.assertTrue(case.upstream.aborted)
        self.assertEqual(case.client.take(), close(1014, "the desktop's connection is gone"))

    def test_an_end_that_is_not_listened_to_is_not_dead(self) -> None:
        case = Case()
        case.client.producer.pauseProducing()
        for _ in range(10):
            case.pass_time(10)
            case.from_client(FROM_CLIENT)
        self.assertFalse(case.upstream.aborted)

    def test_an_end_that_takes_what_waits_is_not_dead(self) -> None:
        case = Case()
        for _ in range(30):
            case.client.producer.pauseProducing()
            case.pass_time(4)
            case.client.producer.resumeProducing()
            case.from_upstream(TEXT)
        self.assertFalse(case.client.aborted)

    def test_an_end_that_takes_nothing_and_says_nothing_is_dead(self) -> None:
        case = Case()
        case.client.producer.pauseProducing()
        case.pass_time(41)
        self.assertTrue(case.client.aborted)

    def test_nothing_ticks_without_websockets(self) -> None:
        case = Case()
        self.assertEqual(len(case.splices), 1)
        case.client.lose()
        case.upstream.lose()
        self.assertEqual(len(case.splices), 0)
        self.assertEqual(case.clock.getDelayedCalls(), [])


class ClosingTests(TestCase):
    def test_the_upstreams_code_reaches_the_client(self) -> None:
        case = Case()
        case.from_upstream(TEXT + close(4001, "enough") + TEXT)
        self.assertEqual(case.client.take(), TEXT + close(4001, "enough"))
        self.assertFalse(case.client.disconnecting)
        case.from_client(close(4001, "enough", KEY))
        self.assertEqual(case.told(), (b"", close(4001, "enough")))
        self.assertTrue(case.client.disconnecting and case.upstream.disconnecting)
        case.clock.advance(1)
        case.client.lose()
        self.assertEqual(case.ended, [])
        case.upstream.lose()
        received, sent = len(close(4001, "enough", KEY)), len(TEXT * 2 + close(4001, "enough"))
        self.assertEqual(
            case.ended, [Ended("upstream", 4001, "enough", received, sent, 1.0)]
        )

    def test_a_close_that_is_not_answered(self) -> None:
        case = Case()
        case.from_client(close(1000, "", KEY))
        case.clock.advance(4.9)
        self.assertFalse(case.client.aborted or case.upstream.aborted)
        case.clock.advance(0.2)
        self.assertTrue(case.client.aborted and case.upstream.aborted)
        self.assertEqual(case.ended[0][:3], ("client", 1000, ""))

    def test_the_edge_closes_with_code_and_reason(self) -> None:
        case = Case()
        case.splice.close(4403, "you may not enter any more")
        bye = close(4403, "you may not enter any more")
        self.assertEqual(case.told(), (bye, bye))
        case.from_upstream(TEXT)
        case.from_client(FROM_CLIENT)
        self.assertEqual(case.told(), (b"", b""))
        case.from_client(close(4403, "", KEY))
        self.assertTrue(case.client.disconnecting)
        self.assertFalse(case.upstream.disconnecting)
        case.client.lose()
        case.clock.advance(0.9)
        self.assertTrue(case.upstream.aborted)
        self.assertEqual(case.ended[0][:3], ("edge", 4403, "you may not enter any more"))

    def test_the_edge_closes_where_a_frame_ends(self) -> None:
        case = Case()
        case.from_upstream(b"\x82\x04ab")
        case.splice.close(1001, "bye")
        self.assertEqual(case.told(), (b"\x82\x04ab", close(1001, "bye")))
        case.from_upstream(b"cd" + TEXT)
        self.assertEqual(case.client.take(), b"cd" + close(1001, "bye"))

    def test_the_edge_does_not_wait_long_for_the_end_of_a_frame(self) -> None:
        case = Case()
        case.from_upstream(b"\x82\x04ab")
        case.splice.close(4403, "no")
        case.clock.advance(Timing().cut)
        self.assertEqual(case.client.take(), b"\x82\x04ab")
        self.assertTrue(case.client.aborted and case.upstream.aborted)

    def test_a_close_that_is_under_way_is_hurried(self) -> None:
        case = Case()
        case.from_client(close(1000, "", KEY))
        case.splice.close(4403, "no")
        case.clock.advance(Timing().cut)
        self.assertTrue(case.client.aborted and case.upstream.aborted)

    def test_a_violation_closes_both(self) -> None:
        case = Case()
        case.from_client(FROM_CLIENT + b"\x81\x02hi")
        self.assertEqual(case.upstream.value()[: len(FROM_CLIENT)], FROM_CLIENT)
        text = "a client's frame is not masked"
        self.assertEqual(unmasked(case.upstream.value()[len(FROM_CLIENT) :]), close(1002, text))
        self.assertEqual(case.client.take(), close(1002, text))
        case.clock.advance(Timing().cut)
        self.assertTrue(case.client.aborted and case.upstream.aborted)
        self.assertEqual(case.ended[0][:3], ("client", 1002, text))

    def test_a_client_that_vanished(self) -> None:
        case = Case()
        case.client.lose()
        self.assertEqual(case.told()[1], close(1001, "the client is gone"))
        case.from_upstream(close(1001, ""))
        self.assertTrue(case.upstream.disconnecting)

    def test_an_upstream_that_vanished(self) -> None:
        case = Case()
        case.upstream.lose()
        self.assertEqual(case.client.take(), close(1014, "the desktop's connection is gone"))
        case.clock.advance(5)
        self.assertTrue(case.client.aborted)
        self.assertEqual(case.ended[0][:2], ("upstream", 1006))

    def test_an_upstream_that_vanished_within_a_frame(self) -> None:
        case = Case()
        case.from_upstream(b"\x82\x04ab")
        case.upstream.lose()
        self.assertEqual(case.client.take(), b"\x82\x04ab")
        self.assertTrue(case.client.disconnecting)

    def test_half_a_connection(self) -> None:
        case = Case()
        case.splice.upstream.readConnectionLost()
        self.assertEqual(case.client.take(), close(1014, "the desktop's connection is gone"))
        self.assertTrue(case.upstream.disconnecting)

    def test_half_a_connection_after_a_close_frame_waits_for_the_other(self) -> None:
        case = Case()
        case.from_client(close(1000, "", KEY))
        case.splice.client.readConnectionLost()
        self.assertFalse(case.client.disconnecting)
        case.from_upstream(close(1000, ""))
        self.assertEqual(case.client.take(), close(1000, ""))
        self.assertTrue(case.client.disconnecting)

    def test_all_are_closed_within_a_second(self) -> None:
        case = Case()
        case.splices.close_all(1001, "the edge is shutting down")
        case.pass_time(1)
        bye = close(1001, "the edge is shutting down")
        self.assertEqual(case.told(), (bye, bye))

    def test_an_end_lost_before_the_other_came(self) -> None:
        ended: list[Ended] = []
        splice = Splice(Splices(Clock()), b"", ended.append)
        upstream, client = Wire(), Wire()
        upstream.end, client.end = splice.upstream, splice.client
        splice.upstream.makeConnection(upstream)
        upstream.lose()
        self.assertEqual(len(ended), 1)
        splice.client.makeConnection(client)
        self.assertTrue(client.disconnecting)
        client.lose()
        self.assertEqual(len(ended), 1)


class _Accepted(ServerFactory):
    """Hands each connection's protocol over to an end, after a greeting."""

    noisy = False

    def __init__(self, end: End, greeting: bytes) -> None:
        self._end, self._greeting = end, greeting

    def buildProtocol(self, addr: Optional[IAddress]) -> Protocol:
        return _Greeter(self._end, self._greeting)


class _Greeter(Protocol):
    def __init__(self, end: End, greeting: bytes) -> None:
        self._end, self._greeting = end, greeting

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.write(self._greeting)
        transport.protocol = self._end
        self._end.makeConnection(transport)


class SocketTests(TestCase):
    """Over real sockets."""

    timeout = 120

    def setUp(self) -> None:
        self.ended: Deferred[Ended] = Deferred()
        self.splice = Splice(Splices(reactor), b"", self.ended.callback)  # type: ignore[arg-type]
        self.upstream = self._connect(self.splice.upstream, b"")
        self.client = self._connect(self.splice.client, b"the 101")

    def _connect(self, end: End, greeting: bytes) -> socket.socket:
        port = reactor.listenTCP(  # type: ignore[attr-defined]
            0, _Accepted(end, greeting), interface="127.0.0.1"
        )
        self.addCleanup(port.stopListening)
        address: IPv4Address = port.getHost()
        peer = socket.create_connection((address.host, address.port))
        self.addCleanup(peer.close)
        peer.setblocking(False)
        return peer

    @inlineCallbacks
    def receive(self, peer: socket.socket, size: int) -> Any:  # type: ignore[misc]
        """Read until ``size`` bytes are here."""
        data = b""
        while len(data) < size:
            with contextlib.suppress(BlockingIOError):
                some = peer.recv(1 << 20)
                self.assertTrue(some, "the connection ended")
                data += some
            yield deferLater(reactor, 0)  # type: ignore[arg-type]
        return data

    @inlineCallbacks
    def end(self) -> Any:  # type: ignore[misc]
        self.client.close()
        self.upstream.close()
        return (yield self.ended)

    @inlineCallbacks
    def test_nothing_overtakes_what_was_written_before(self) -> Any:  # type: ignore[misc]
        self.upstream.send(TEXT)
        data = yield self.receive(self.client, 7 + len(TEXT))
        self.assertEqual(data, b"the 101" + TEXT)
        yield self.end()

    @inlineCallbacks
    def test_a_stream_arrives_whole_and_is_read_in_large_pieces(self) -> Any:  # type: ignore[misc]
        yield self.receive(self.client, 7)
        payload = bytes(range(256)) * 256
        data = (b"\x82\x7f" + (len(payload)).to_bytes(8, "big") + payload) * 100
        sent, received, sizes = 0, b"", set()
        while len(received) < len(data):
            with contextlib.suppress(BlockingIOError):
                sent += self.upstream.send(memoryview(data)[sent:])
            with contextlib.suppress(BlockingIOError):
                received += self.client.recv(1 << 20)
            yield deferLater(reactor, 0)  # type: ignore[arg-type]
            sizes.add(self.splice.upstream.transport.bufferSize)
        self.assertEqual(received, data)
        self.assertIn(PLAIN_PORTION, sizes)
        ended = yield self.end()
        self.assertEqual(ended.sent, len(data))

    @inlineCallbacks
    def test_a_stalled_reader_costs_little_and_only_itself(self) -> Any:  # type: ignore[misc]
        yield self.receive(self.client, 7)
        flood = b"\x82\x7f" + (1 << 16).to_bytes(8, "big") + bytes(1 << 16)
        rest = flood
        idle = 0
        while idle < 50:
            try:
                rest = rest[self.upstream.send(rest) :] or flood
                idle = 0
            except BlockingIOError:
                idle += 1
            yield deferLater(reactor, 0.001)  # type: ignore[arg-type]
        transport = self.splice.client.transport
        waiting = len(transport.dataBuffer) - transport.offset + transport._tempDataLen
        self.assertTrue(self.splice.client.outlet.full)
        self.assertGreater(waiting, 0)
        self.assertLessEqual(waiting, PLAIN_PORTION)
        self.client.send(FROM_CLIENT)
        self.assertEqual((yield self.receive(self.upstream, len(FROM_CLIENT))), FROM_CLIENT)
        got = yield self.receive(self.client, 8 << 16)
        self.assertEqual(got[:2], b"\x82\x7f")
        yield self.end()

    @inlineCallbacks
    def test_codes_reach_a_socket_before_its_end(self) -> Any:  # type: ignore[misc]
        yield self.receive(self.client, 7)
        self.splice.close(4403, "no")
        bye = close(4403, "no")
        self.assertEqual((yield self.receive(self.client, len(bye))), bye)
        self.client.send(close(4403, "", KEY))
        yield self.receive(self.upstream, 4 + len(bye))
        self.upstream.send(bye)
        ended = yield self.ended
        self.assertEqual(ended[:3], ("edge", 4403, "no"))
        self.assertEqual((self.client.recv(1), self.upstream.recv(1)), (b"", b""))

    @inlineCallbacks
    def test_a_reset_upstream_is_told_to_the_client(self) -> Any:  # type: ignore[misc]
        yield self.receive(self.client, 7)
        linger = (1).to_bytes(4, "little") + bytes(4)
        self.upstream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.upstream.close()
        bye = close(1014, "the desktop's connection is gone")
        self.assertEqual((yield self.receive(self.client, len(bye))), bye)
        ended = yield self.end()
        self.assertEqual(ended[:2], ("upstream", 1006))
