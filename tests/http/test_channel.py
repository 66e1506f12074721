"""Connections: streamed bodies, back pressure, order, closing; on a transport in memory."""

import gc
import weakref

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from kasmd.http.channel import CONTINUE, MAX_AHEAD, MAX_AT_ONCE
from kasmd.http.problems import Problem
from kasmd.http.server import STREAM, HttpFactory, Limits, Response

GET = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
CHUNKED = b"POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


class Transport(StringTransport):
    """A transport that can be half closed."""

    half_closed = False
    aborted = False

    def loseWriteConnection(self):
        self.half_closed = True

    def abortConnection(self):
        self.aborted = True


class Reader:
    """Keeps a body; pauses after each piece where it is told to."""

    def __init__(self, request=None):
        self.request = request
        self.pieces, self.ended, self.lost = [], False, None

    def body_received(self, data):
        self.pieces.append(data)
        if self.request is not None:
            self.request.pause_body()

    def body_ended(self):
        self.ended = True

    def body_lost(self, reason):
        self.lost = reason


class ChannelTests(TestCase):
    def setUp(self):
        self.clock = Clock()
        self.requests = []
        self.room = 0
        self.respond = lambda request: Deferred()
        limits = Limits(head_timeout=30, abort_timeout=5, linger=1)
        self.factory = HttpFactory(
            self.clock, self.asked, (), limits, lambda method, path: self.room
        )
        self.transport = Transport()
        self.channel = self.factory.buildProtocol(None)
        self.channel.makeConnection(self.transport)
        self.transport.protocol = self.channel

    def asked(self, request):
        self.requests.append(request)
        return self.respond(request)

    def receive(self, *pieces):
        for piece in pieces:
            self.transport.protocol.dataReceived(piece)

    def said(self):
        data = self.transport.value()
        self.transport.clear()
        return data

    def statuses(self):
        lines = self.said().split(b"\r\n")
        return [int(line[9:12]) for line in lines if line.startswith(b"HTTP/1.1 ")]

    @property
    def paths(self):
        return [request.path for request in self.requests]

    @property
    def paused(self):
        return self.transport.producerState == "paused"

    def lose(self):
        self.transport.protocol.connectionLost(Failure(ConnectionLost()))

    # One after another.

    def test_a_small_answer_is_one_write(self):
        writes = []
        self.transport.write = writes.append
        self.respond = lambda request: Response(200, (), b"hello")
        self.receive(GET % 1)
        self.assertEqual(len(writes), 1)

    def test_the_next_request_waits_for_the_answer_to_the_last(self):
        self.receive(GET % 1 + GET % 2)
        self.assertEqual(self.paths, [b"/1"])
        self.requests[0].answer(Response(200))
        self.assertEqual(self.paths, [b"/1", b"/2"])

    def test_a_rest_between_requests_is_no_slow_request(self):
        for piece, limit in ((b"", "keep_alive_seconds"), (b"GET", "head_seconds")):
            with self.subTest(limit):
                self.setUp()
                self.respond = lambda request: Response(200)
                self.receive(GET % 1)
                self.clock.advance(29)
                self.receive(GET % 2 + piece)
                self.clock.advance(30)
                counts = self.factory.counts.limits
                self.assertEqual([name for name in counts if counts[name]], [limit])

    def test_what_is_sent_far_ahead_stays_in_the_transport(self):
        self.receive(GET % 1, b"x" * MAX_AHEAD)
        self.assertFalse(self.paused)
        self.receive(b"x")
        self.assertTrue(self.paused)
        self.requests[0].answer(Response(200))
        self.assertEqual(self.statuses(), [200, 414])
        self.assertFalse(self.paused)

    def test_many_requests_at_once_let_others_have_their_turn(self):
        self.respond = lambda request: Response(200)
        self.receive(GET % 1 * (2 * MAX_AT_ONCE))
        self.assertEqual(len(self.requests), MAX_AT_ONCE + 1)
        self.clock.advance(0)
        self.assertEqual(len(self.requests), 2 * MAX_AT_ONCE)

    def test_no_answer_is_made_while_the_last_is_not_taken(self):
        self.respond = lambda request: Response(200, (), bytes(1000))
        self.channel.pauseProducing()
        self.receive(GET % 1 + GET % 2)
        self.assertEqual(self.paths, [b"/1"])
        self.channel.resumeProducing()
        self.assertEqual(self.paths, [b"/1", b"/2"])

    def test_http_1_0_and_close_are_the_last(self):
        for head in (
            b"GET / HTTP/1.0\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n",
        ):
            self.setUp()
            self.receive(head)
            self.requests[0].answer(Response(200))
            self.assertIn(b"\r\nConnection: close\r\n", self.said())
            self.assertTrue(self.transport.disconnecting)
            self.receive(GET % 2)
            self.assertEqual(len(self.requests), 1)

    def test_after_a_refused_upgrade_nothing_is_a_request(self):
        upgrade = b"GET /1 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        self.receive(upgrade + GET % 2)
        self.requests[0].answer(Response(403))
        self.receive(GET % 3)
        self.assertEqual((self.paths, self.statuses()), ([b"/1"], [403]))
        self.assertTrue(self.transport.half_closed)

    # How an answer ends.

    def stream(self, head, status, length, *pieces):
        self.setUp()
        self.receive(head)
        request = self.requests[0]
        request.open(status, (), length)
        for piece in pieces:
            request.write(piece)
        request.finish()
        return self.said().partition(b"\r\n\r\n")

    def test_an_answer_of_unknown_length(self):
        head, _, body = self.stream(GET % 1, 200, None, b"ab", b"", b"c")
        self.assertIn(b"\r\nTransfer-Encoding: chunked\r\n", head + b"\r\n")
        self.assertEqual(body, b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")
        self.assertFalse(self.transport.disconnecting)
        head, _, body = self.stream(b"GET / HTTP/1.0\r\n\r\n", 200, None, b"ab", b"c")
        self.assertNotIn(b"Transfer-Encoding", head)
        self.assertEqual(body, b"abc")
        self.assertTrue(self.transport.disconnecting)

    def test_answers_without_a_body_send_none(self):
        for head, status, length, field in (
            (b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", 200, 3, b"Content-Length: 3"),
            (b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", 200, None, None),
            (GET % 1, 204, 3, None),
            (GET % 1, 304, None, None),
        ):
            head, _, body = self.stream(head, status, length, b"abc")
            self.assertEqual(body, b"")
            self.assertNotIn(b"Transfer-Encoding", head)
            self.assertEqual(b"Content-Length" in head, field is not None)
            self.assertFalse(self.transport.disconnecting)

    def test_a_body_is_as_long_as_its_head_says(self):
        _, _, body = self.stream(GET % 1, 200, 3, b"ab", b"cdef")
        self.assertEqual(body, b"abc")
        self.assertFalse(self.transport.aborted)
        self.stream(GET % 1, 200, 3, b"ab")
        self.assertTrue(self.transport.aborted)

    def test_a_field_that_cannot_be_sent_is_a_500(self):
        self.respond = lambda request: Response(200, [(b"X", b"a\r\nSet-Cookie: b")])
        self.receive(GET % 1)
        answer = self.said()
        self.assertEqual(answer[:12], b"HTTP/1.1 500")
        self.assertNotIn(b"Set-Cookie", answer)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_a_route_that_breaks_in_the_middle_is_cut(self):
        def respond(request):
            request.open(200, (), None)
            raise Problem(500, "Too late.")

        self.respond = respond
        self.receive(GET % 1)
        self.assertEqual(self.statuses(), [200])
        self.assertTrue(self.transport.aborted)

    def test_a_producer_hears_the_transport(self):
        self.receive(GET % 1)
        producer = object()
        self.requests[0].registerProducer(producer, True)
        self.assertIs(self.transport.producer, producer)
        self.requests[0].unregisterProducer()
        self.assertIs(self.transport.producer, self.channel)

    def test_who_watches_hears_of_the_end(self):
        self.receive(GET % 1)
        watched = self.requests[0].notifyFinish()
        self.requests[0].answer(Response(200))
        self.assertIsNone(self.successResultOf(watched))
        self.receive(GET % 2)
        watched = self.requests[1].notifyFinish()
        self.lose()
        self.failureResultOf(watched, ConnectionLost)
        self.assertTrue(self.requests[1].gone)
        self.requests[1].answer(Response(200))
        self.assertEqual(self.statuses(), [200])

    # Time.

    def test_a_dribbled_head_ends_in_time(self):
        for _ in range(30):
            self.assertFalse(self.transport.disconnecting)
            self.receive(b"X")
            self.clock.advance(1)
        self.assertTrue(self.transport.disconnecting)
        self.clock.advance(5)
        self.assertTrue(self.transport.aborted)

    def test_a_dribbled_body_ends_in_time(self):
        self.room = 1000
        self.receive(POST % 1000)
        for _ in range(30):
            self.receive(b"x")
            self.clock.advance(1)
        self.assertTrue(self.transport.disconnecting)
        self.lose()
        self.assertEqual(self.factory.bodies, 0)

    def test_an_answer_may_take_its_time_and_then_another_request(self):
        self.receive(GET % 1)
        self.clock.advance(100)
        self.requests[0].answer(Response(200))
        self.clock.advance(29)
        self.assertFalse(self.transport.disconnecting)
        self.clock.advance(1)
        self.assertTrue(self.transport.disconnecting)

    def test_no_timer_stays(self):
        self.receive(GET % 1)
        self.requests[0].answer(Response(200))
        self.lose()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    # Bodies as they come.

    def test_a_streamed_body_waits_for_its_reader(self):
        self.room = STREAM
        self.receive(POST % 6 + b"abc")
        (request,) = self.requests
        self.assertEqual(request.framing.length, 6)
        self.assertTrue(self.paused)
        reader = Reader()
        request.read_body(reader)
        self.assertFalse(self.paused)
        self.receive(b"def" + GET % 2)
        self.assertEqual((b"".join(reader.pieces), reader.ended), (b"abcdef", True))
        self.assertEqual(len(self.requests), 1)
        request.answer(Response(200))
        self.assertEqual(self.paths, [b"/up", b"/2"])

    def test_a_reader_that_pauses_stops_the_transport(self):
        self.room = STREAM
        self.receive(POST % 6 + b"abc")
        (request,) = self.requests
        reader = Reader(request)
        request.read_body(reader)
        self.assertTrue(self.paused)
        request.resume_body()
        self.assertFalse(self.paused)
        self.receive(b"def")
        self.assertFalse(reader.ended)
        request.resume_body()
        self.assertEqual((reader.pieces, reader.ended), ([b"abc", b"def"], True))

    def test_a_chunked_body_streams(self):
        self.room = STREAM
        self.receive(CHUNKED + b"3\r\nabc\r\n")
        (request,) = self.requests
        reader = Reader()
        request.read_body(reader)
        self.receive(b"2;x=y\r\nde\r\n", b"0\r\nTrailer: x\r\n\r\n")
        self.assertEqual((reader.pieces, reader.ended), ([b"abc", b"de"], True))

    def test_no_body_ends_at_once(self):
        self.room = STREAM
        self.receive(GET % 1)
        reader = Reader()
        self.requests[0].read_body(reader)
        self.assertTrue(reader.ended)

    def test_an_answer_before_its_body_is_the_last_and_lingers(self):
        self.room = STREAM
        self.receive(POST % 6 + b"abc")
        self.requests[0].answer(Response(403))
        self.assertIn(b"\r\nConnection: close\r\n", self.said())
        self.assertTrue(self.transport.half_closed)
        self.assertFalse(self.transport.disconnecting or self.paused)
        self.receive(b"def" + GET % 2)
        self.assertEqual(len(self.requests), 1)
        self.clock.advance(1)
        self.assertTrue(self.transport.disconnecting)

    def test_a_body_that_breaks_is_lost(self):
        self.room = STREAM
        self.receive(CHUNKED)
        reader = Reader()
        self.requests[0].read_body(reader)
        self.receive(b"-1\r\n")
        self.assertIsNotNone(reader.lost)
        self.assertEqual(self.statuses(), [400])

    def test_a_body_whose_client_leaves_is_lost(self):
        self.room = STREAM
        self.receive(POST % 6)
        reader = Reader()
        self.requests[0].read_body(reader)
        self.lose()
        self.assertTrue(reader.lost.check(ConnectionLost))

    # 100 Continue.

    def test_a_client_that_waits_is_asked_for_its_body(self):
        head = (POST % 3).replace(b"\r\n\r\n", b"\r\nExpect: 100-Continue\r\n\r\n")
        self.room = 3
        self.receive(head)
        self.assertEqual(self.said(), CONTINUE)
        self.setUp()
        self.room = STREAM
        self.receive(head)
        self.assertEqual(self.said(), b"")
        self.requests[0].read_body(Reader())
        self.assertEqual(self.said(), CONTINUE)

    def test_who_does_not_wait_is_not_asked(self):
        self.room = STREAM
        for head in (
            POST % 3,
            (POST % 3).replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\nabc"),
            (POST % 3).replace(b"1.1", b"1.0").replace(b"\r\n\r\n", b"\r\nExpect: x\r\n\r\n"),
        ):
            self.setUp()
            self.room = STREAM
            self.receive(head)
            self.requests[0].read_body(Reader())
            self.assertEqual(self.said(), b"")

    # Handing over.

    def test_nothing_of_a_channel_stays_after_it_is_handed_over(self):
        taken = Taken()
        self.respond = lambda request: request.hand_over(taken)
        self.receive(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\n\r\nearly")
        known = weakref.ref(self.channel), weakref.ref(self.requests.pop())
        self.channel = None
        gc.collect()
        self.assertEqual([each() for each in known], [None, None])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.receive(b" late")
        self.assertEqual(taken.data, b"early late")
        self.assertEqual(self.factory.counts.connections, 1)
        self.lose()
        self.assertEqual((taken.gone, self.factory.counts.connections), (True, 0))

    def test_the_protocol_is_not_changed_inside_a_body(self):
        self.room = STREAM
        self.respond = lambda request: request.hand_over(Taken())
        self.receive(POST % 3)
        self.assertEqual(self.statuses(), [400])

    def test_an_answer_of_101_precedes_the_other_protocol(self):
        def respond(request):
            request.open(101, [(b"Upgrade", b"x"), (b"Connection", b"Upgrade")], None)
            request.hand_over(Taken())

        self.respond = respond
        self.receive(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
        head = self.said()
        self.assertTrue(head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n"))
        for field in (b"Content-Length", b"Transfer-Encoding", b"close"):
            self.assertNotIn(field, head)


class Taken(Protocol):
    """What a connection is handed over to."""

    data = b""
    gone = False

    def dataReceived(self, data):
        self.data += data

    def connectionLost(self, reason):
        self.gone = True
