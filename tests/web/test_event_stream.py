"""Streams of events to clients that take nothing, on a transport in memory."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.trial.unittest import SynchronousTestCase

from kasmd.http.sending import PATIENCE
from kasmd.http.server import HttpFactory, Limits, Request
from kasmd.web.event_stream import HEARTBEAT, STREAM_HEADERS, EventStream
from tests.http.asking import ask


class Transport(StringTransportWithDisconnection):
    def abortConnection(self) -> None:
        self.loseConnection()


class EventStreamTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        factory = HttpFactory(self.clock, self.respond, (), Limits(head_timeout=30))
        self.transport = Transport()
        ask(factory, self.transport)

    def respond(self, request: Request) -> None:
        request.open(200, STREAM_HEADERS, None)
        EventStream(self.clock, request).start()

    def wait(self, seconds: float) -> bool:
        """Let time go by; tell whether the client is still connected."""
        self.clock.pump([1.0] * int(seconds))
        return bool(self.transport.connected)

    def test_signs_of_life(self) -> None:
        self.assertTrue(self.wait(10 * PATIENCE))
        here = self.transport.value().count(b": here\n\n")
        self.assertEqual(here, 10 * PATIENCE // HEARTBEAT)

    def test_a_client_that_takes_nothing_is_cut_off(self) -> None:
        self.transport.producer.pauseProducing()
        self.assertTrue(self.wait(PATIENCE - 1))
        self.assertFalse(self.wait(1 + HEARTBEAT))
        self.assertNotIn(b": here", self.transport.value())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_one_that_takes_something_in_time_stays(self) -> None:
        for _ in range(5):
            self.transport.producer.pauseProducing()
            self.assertTrue(self.wait(PATIENCE - 1))
            self.transport.producer.resumeProducing()
