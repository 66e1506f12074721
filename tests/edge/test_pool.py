"""Connections that are kept, bounded and waited for, over real sockets."""

import os
import tempfile

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from kasmd.edge.asking import Upstream
from kasmd.edge.dial import Kind, Timeouts, UpstreamFailed
from kasmd.edge.exchange import Onward
from kasmd.edge.pool import Bounds, Pool
from kasmd.h1.body import Framing
from tests.edge.far import OK, Far, Still, says


class Hearing:
    """A receiver that keeps what it hears."""

    def __init__(self):
        self.said = []
        self.data = b""
        self.head = None
        self.ready = Deferred()
        self.some = Deferred()
        self.over = Deferred().addTimeout(60, reactor)

    def upstream_ready(self):
        self.said.append("ready")
        if not self.ready.called:
            self.ready.callback(None)

    def continue_received(self):
        self.said.append("continue")

    def answer_received(self, head, framing):
        self.said.append("answer")
        self.head = head

    def data_received(self, data):
        self.data += data
        if not self.some.called:
            self.some.callback(None)

    def answer_ended(self):
        self.over.callback(None)

    def failed(self, error):
        self.over.errback(error)


class PoolTests(TestCase):
    bounds = Bounds(idle=2, busy=2, waiting=1, asked=100)
    timeouts = Timeouts()

    def setUp(self):
        self.far = Far()
        self.port = reactor.listenTCP(0, self.far, interface="127.0.0.1")
        self.addCleanup(self.port.stopListening)
        self.upstream = Upstream("127.0.0.1", self.port.getHost().port)
        self.still = Still()
        self.pool = Pool(self.still, self.timeouts, self.bounds)

    async def tearDown(self):
        self.pool.close()
        await self.far.hang_up()

    def begin(self, method=b"GET", framing=Framing(), fields=(), upgrade=False):
        hearing = Hearing()
        onward = Onward(method, b"/", [(b"Host", b"a"), *fields], framing, upgrade)
        exchange = self.pool.exchange(self.upstream, onward, hearing)
        exchange.start()
        return exchange, hearing

    async def one(self, **named):
        hearing = self.begin(**named)[1]
        await hearing.over
        return hearing

    async def fails(self, hearing, kind, after=None):
        """Expect a failure, which comes when so many seconds are over."""
        if after is not None:
            self.still.advance(after - 0.1)
            self.assertNoResult(hearing.over)
            self.still.advance(0.1)
        with self.assertRaises(UpstreamFailed) as raised:
            await hearing.over
        self.assertIs(raised.exception.kind, kind)

    async def test_what_is_heard_and_in_which_order(self):
        self.far.answer = says(b"HTTP/1.1 100 Continue\r\n\r\n", OK)
        hearing = await self.one()
        self.assertEqual(hearing.said, ["ready", "continue", "answer"])
        self.assertEqual((hearing.head.status, hearing.data), (200, b"ok"))

    async def test_connections_are_used_again_unless_either_side_says_no(self):
        for _ in range(3):
            await self.one()
        self.assertEqual(len(self.far.lines), 1)
        self.far.answer = says(OK.replace(b"200 OK", b"200 OK\r\nConnection: close"))
        await self.one()
        await self.far.until(lambda: self.far.gone == 1)
        self.far.answer = says(OK)
        await self.one()
        self.assertEqual(len(self.far.lines), 2)

    async def test_bytes_after_an_answer_are_no_other_answer(self):
        self.far.answer = says(OK, b"HTTP/1.1 200 Smuggled\r\nContent-Length: 0\r\n\r\n")
        await self.one()
        await self.far.until(lambda: self.far.gone == 1)
        hearing = await self.one()
        self.assertEqual(hearing.head.reason, b"OK")
        self.assertEqual(len(self.far.lines), 2)

    async def test_more_than_there_may_be_wait_in_turn_and_not_for_ever(self):
        self.far.answer = says()
        first, second = self.begin()[1], self.begin()[1]
        await self.far.until(lambda: len(self.far.requests) == 2)
        waiting = self.begin()[1]
        refused = self.begin()[1]
        await self.fails(refused, Kind.BUSY)
        self.far.lines[0].transport.write(OK)
        await self.far.until(lambda: len(self.far.requests) == 3)
        self.assertEqual(len(self.far.lines), 2)
        late = self.begin()[1]
        await self.fails(late, Kind.BUSY, self.timeouts.wait)
        for line in self.far.lines:
            line.transport.write(OK)
        for hearing in (first, second, waiting):
            await hearing.over

    async def test_who_leaves_the_queue_is_not_served(self):
        self.far.answer = says()
        first, second = self.begin()[1], self.begin()[1]
        await self.far.until(lambda: len(self.far.requests) == 2)
        leaving, silent = self.begin()
        leaving.abort()
        for line in self.far.lines:
            line.transport.write(OK)
        await first.over
        await second.over
        self.assertEqual(silent.said, [])
        silent.over.callback(None)
        self.assertEqual(len(self.far.requests), 2)

    async def test_upgrades_are_not_counted_and_their_connections_not_kept(self):
        for _ in range(4):
            await self.one(upgrade=True)
        await self.far.until(lambda: self.far.gone == 4)

    async def test_an_upstream_that_says_nothing(self):
        self.far.answer = says()
        hearing = self.begin()[1]
        await self.far.until(lambda: self.far.requests)
        await self.fails(hearing, Kind.SILENT, self.timeouts.answer)
        self.far.answer = says(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
        hearing = self.begin()[1]
        await hearing.some
        await self.fails(hearing, Kind.CUT, self.timeouts.idle)
        await self.far.until(lambda: self.far.gone == 2)

    async def test_what_cannot_be_repeated_gets_a_new_connection(self):
        await self.one()
        exchange, hearing = self.begin(b"POST", Framing(2), [(b"Content-Length", b"2")])
        await hearing.ready
        exchange.write(b"hi")
        exchange.finish()
        await hearing.over
        self.assertEqual(len(self.far.lines), 2)
        self.assertTrue(self.far.requests[1].endswith(b"\r\n\r\nhi"))

    async def test_only_what_died_unheard_is_sent_again(self):
        await self.one()
        self.far.answer = says(b"HTTP/1.1 2", close=True)
        await self.fails(self.begin()[1], Kind.CLOSED)
        self.assertEqual(len(self.far.requests), 2)

    async def test_an_answer_before_the_body_is_whole_ends_the_connection(self):
        self.far.answer = says(OK)
        chunked = [(b"Transfer-Encoding", b"chunked")]
        exchange, hearing = self.begin(b"POST", Framing(None, True), chunked)
        await hearing.over
        exchange.write(b"late")
        exchange.finish()
        await self.far.until(lambda: self.far.gone == 1)
        self.assertNotIn(b"late", self.far.lines[0].heard)

    async def test_a_question_of_our_own(self):
        head = await self.pool.ask(self.upstream, b"/api/", [(b"Host", b"a")])
        self.assertEqual(head.status, 200)
        self.far.answer = says(b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n" + b"x" * 101)
        with self.assertRaises(UpstreamFailed):
            await self.pool.ask(self.upstream, b"/api/", [(b"Host", b"a")])

    async def test_a_unix_socket(self):
        path = os.path.join(tempfile.mkdtemp(), "socket")
        port = reactor.listenUNIX(path, self.far)
        self.addCleanup(port.stopListening)
        self.upstream = Upstream("", 0, path)
        self.assertEqual((await self.one()).data, b"ok")

    async def test_after_close_nothing_is_kept(self):
        await self.one()
        self.pool.close()
        await self.far.until(lambda: self.far.gone == 1)
        await self.one()
        await self.far.until(lambda: self.far.gone == 2)
