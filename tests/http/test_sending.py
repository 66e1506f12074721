"""Files to clients that take them slowly, on a transport in memory and a clock of our own."""

from __future__ import annotations

import io

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.trial.unittest import SynchronousTestCase

from kasmd.http.sending import PATIENCE, PORTION, Sending
from kasmd.http.server import HttpFactory, Limits, Request, Response
from tests.http.asking import ask

CONTENT = bytes(range(256)) * (5 * PORTION // 256 + 3)


class Transport(StringTransportWithDisconnection):
    """Asks for more when a test says that the client took what there was."""

    def loseConnection(self) -> None:
        if self.producer is not None:
            self.producer.stopProducing()
        super().loseConnection()

    abortConnection = loseConnection

    def taken(self) -> bytes:
        data: bytes = self.value()
        self.clear()
        if not self.streaming:
            self.producer.resumeProducing()
        return data


class SendingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.file = io.BytesIO(CONTENT)
        factory = HttpFactory(self.clock, self.respond, (), Limits(head_timeout=30))
        self.transport = Transport()
        ask(factory, self.transport)

    def respond(self, request: Request) -> None:
        self.request = request
        request.open(200, (), len(CONTENT))
        Sending(self.clock, request, self.file, 0, len(CONTENT)).start()

    def ended(self) -> bool:
        """The answer is over, and nothing is left of it."""
        return self.request.over and self.file.closed

    def test_a_slow_client_gets_all(self) -> None:
        answer = b""
        while not self.ended():
            self.clock.pump([1.0] * int(PATIENCE - 1))
            self.assertTrue(self.transport.connected)
            answer += self.transport.taken()
        answer += self.transport.value()
        self.assertEqual(answer.partition(b"\r\n\r\n")[2], CONTENT)
        self.assertTrue(self.transport.connected)

    def test_one_that_takes_too_little_is_cut_off(self) -> None:
        self.transport.taken()
        self.clock.pump([1.0] * int(PATIENCE - 1))
        self.assertTrue(self.transport.connected)
        self.clock.pump([1.0] * 2)
        self.assertFalse(self.transport.connected)
        self.assertTrue(self.ended() and self.request.gone)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_one_that_leaves_is_not_waited_for(self) -> None:
        self.transport.loseConnection()
        self.assertTrue(self.ended())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_file_that_becomes_shorter_is_no_whole_answer(self) -> None:
        self.file.truncate(PORTION + 9)
        while self.transport.connected:
            self.transport.taken()
        self.assertTrue(self.ended() and self.request.gone)


class AnswerTests(SynchronousTestCase):
    def test_a_large_answer_is_sent_so_too(self) -> None:
        clock = Clock()
        factory = HttpFactory(
            clock, lambda request: Response(200, (), CONTENT), (),
            Limits(head_timeout=10, idle_timeout=75),
        )
        transport = Transport()
        ask(factory, transport)
        answer = b""
        while len(answer) < len(CONTENT):
            clock.pump([1.0] * int(PATIENCE - 1))
            self.assertTrue(transport.connected)
            self.assertLess(len(transport.value()), 2 * PORTION)
            answer += transport.taken()
        self.assertEqual(answer.partition(b"\r\n\r\n")[2], CONTENT)
        clock.pump([1.0] * 80)
        self.assertFalse(transport.connected, "it is idle now")
