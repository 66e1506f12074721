"""The stream as a client reads it: cut anywhere, bounded, and with an end."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from twisted.web.client import ResponseDone

from kasmd.client.events import (
    MAX_LINE,
    MAX_WAITING,
    SILENCE,
    Broken,
    Changed,
    Events,
    Joined,
    Left,
    Present,
)
from kasmd.client.values import Change, Session

ANN = Session("1", "ann", "192.0.2.1:1", 1.5, {"view": True})
CHANGE = Change("account", "ann", "rights", "r", "rw", "api", "own", "192.0.2.2")


def said(kind: str, value: Any) -> bytes:
    """One event as the server writes it."""
    return f"event: {kind}\ndata: {json.dumps(value._asdict())}\n\n".encode()


STREAM = (said("present", ANN) + b": here\n\n" + said("joined", ANN) + said("tomorrow", ANN)
          + said("changed", CHANGE) + b"data: {}\n\n" + said("left", ANN))
EVENTS = [Present(ANN), Joined(ANN), Changed(CHANGE), Left(ANN)]


class Wire:
    """The body's transport."""

    def __init__(self) -> None:
        self.paused = self.closed = False

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False

    def loseConnection(self) -> None:
        self.closed = True


class Tests(TestCase):
    def setUp(self) -> None:
        self.clock, self.wire = Clock(), Wire()
        self.events = Events(self.clock)
        self.events.makeConnection(self.wire)  # type: ignore[arg-type]

    def taken(self, number: int) -> list[Any]:
        """Take events that are there."""
        return [self.successResultOf(self.events.__anext__()) for _ in range(number)]

    def ended(self, kind: type[Exception]) -> str:
        """Give the words with which it ended."""
        return self.failureResultOf(self.events.__anext__(), kind).getErrorMessage()

    @given(st.lists(st.integers(0, len(STREAM)), max_size=20))
    def test_cut_anywhere(self, cuts: list[int]) -> None:
        self.setUp()
        places = [0, *sorted(cuts), len(STREAM)]
        for start, end in zip(places, places[1:]):
            self.events.dataReceived(STREAM[start:end])
        self.assertEqual(self.taken(4), EVENTS)
        self.events.close()

    def test_who_waits_gets_the_next(self) -> None:
        waiting = self.events.__anext__()
        with self.assertRaises(RuntimeError):
            self.events.__anext__()
        self.events.dataReceived(STREAM)
        self.assertEqual(self.successResultOf(waiting), EVENTS[0])

    def test_who_waits_no_more_misses_nothing(self) -> None:
        waiting = self.events.__anext__()
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.events.dataReceived(STREAM)
        self.assertEqual(self.taken(4), EVENTS)

    def test_what_nobody_asks_for_is_not_read(self) -> None:
        self.events.dataReceived(said("left", ANN) * (MAX_WAITING - 1))
        self.assertFalse(self.wire.paused)
        self.events.dataReceived(said("left", ANN))
        self.assertTrue(self.wire.paused)
        self.clock.advance(10 * SILENCE)
        self.taken(1)
        self.assertFalse(self.wire.paused)
        self.assertEqual(len(self.taken(MAX_WAITING - 1)), MAX_WAITING - 1)

    def test_the_servers_end(self) -> None:
        self.events.dataReceived(said("left", ANN))
        self.events.connectionLost(Failure(ResponseDone()))
        self.assertEqual(self.taken(1), [Left(ANN)])
        for _ in range(2):
            self.ended(StopAsyncIteration)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_our_own_end(self) -> None:
        waiting = self.events.__anext__()
        self.events.close()
        self.failureResultOf(waiting, StopAsyncIteration)
        self.events.dataReceived(STREAM)
        self.ended(StopAsyncIteration)
        self.assertTrue(self.wire.closed)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_it_breaks(self) -> None:
        self.events.connectionLost(Failure(ConnectionLost("gone")))
        self.assertIn("gone", self.ended(Broken))

    def test_silence(self) -> None:
        self.clock.advance(SILENCE - 1)
        self.events.dataReceived(b": here\n\n")
        self.clock.advance(SILENCE - 1)
        self.assertFalse(self.wire.closed)
        self.clock.advance(2)
        self.assertEqual(self.ended(Broken), "nothing came for 60 s")
        self.assertTrue(self.wire.closed)

    def test_what_is_no_event(self) -> None:
        for bad in (b"x" * (MAX_LINE + 1), b"event: left\ndata: {}\n", b"event: left\ndata: [\n",
                    b"event: left\ndata: \xff\n"):
            self.setUp()
            self.events.dataReceived(bad)
            self.ended(Broken)
            self.assertTrue(self.wire.closed)
