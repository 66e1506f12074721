"""Bodies: kept within what there is room for, or given as fast as they are taken."""

from __future__ import annotations

from typing import Optional

from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from kasmd.http.body import KeptBody, StreamedBody
from kasmd.http.problems import Problem
from kasmd.http.server import HttpFactory, Limits


class Kept(SynchronousTestCase):
    def setUp(self) -> None:
        limits = Limits(body=10, bodies=100)
        self.factory = HttpFactory(Clock(), lambda request: None, [], limits)  # type: ignore

    def refused(self, body: KeptBody, length: int) -> int:
        with self.assertRaises(Problem) as caught:
            body.admit(length)
        return caught.exception.status

    def test_it_is_kept(self) -> None:
        body = KeptBody(self.factory, 80)
        body.admit(6)
        for piece in (b"abc", b"def"):
            body.body_received(piece)
        self.assertEqual((body.content, self.factory.bodies), (b"abcdef", 6))
        body.forget()
        self.assertEqual((body.content, self.factory.bodies), (b"", 0))

    def test_the_limit_is_said_and_counts_what_came(self) -> None:
        body = KeptBody(self.factory, 5)
        self.assertEqual(self.refused(body, 6), 413)
        body.body_received(b"12345")
        with self.assertRaisesRegex(Problem, "5 bytes are taken here"):
            body.body_received(b"6")
        self.assertEqual(self.factory.bodies, 5)

    def test_all_of_them_together(self) -> None:
        first, second = KeptBody(self.factory, 90), KeptBody(self.factory, 90)
        first.body_received(bytes(60))
        self.assertEqual(self.refused(second, 41), 503)
        first.forget()
        second.admit(41)

    def test_what_nobody_reads_is_dropped(self) -> None:
        body = KeptBody(self.factory, 0)
        body.body_received(b"dropped")
        self.assertEqual((body.content, self.factory.bodies), (b"", 0))
        self.assertEqual(self.refused(body, 11), 413)
        body.forget()
        self.assertEqual(self.factory.bodies, 0)


class Reader:
    """Keeps what it is told; pauses ``body`` after each piece, if there is one."""

    def __init__(self, body: Optional[StreamedBody] = None) -> None:
        self.body = body
        self.told: list[object] = []

    def body_received(self, data: bytes) -> None:
        self.told.append(data)
        if self.body is not None:
            self.body.paused = True

    def body_ended(self) -> None:
        self.told.append("end")

    def body_lost(self, reason: Failure) -> None:
        self.told.append("lost")


class Streamed(SynchronousTestCase):
    def setUp(self) -> None:
        self.body = StreamedBody()

    def test_what_comes_before_its_reader_waits(self) -> None:
        self.assertTrue(self.body.holds_back)
        self.body.body_received(b"1")
        self.body.body_ended()
        self.assertFalse(self.body.holds_back)
        reader = Reader()
        self.body.read(reader)
        self.assertEqual(reader.told, [b"1", "end"])

    def test_a_pause_holds_pieces_and_the_end_back(self) -> None:
        reader = Reader(self.body)
        self.body.read(reader)
        for piece in (b"1", b"2"):
            self.body.body_received(piece)
        self.body.body_ended()
        for told in ([b"1"], [b"1", b"2"], [b"1", b"2", "end"]):
            self.assertEqual(reader.told, told)
            self.body.resume()

    def test_a_reader_may_go_on_from_within(self) -> None:
        body = self.body

        class Hasty(Reader):
            def body_received(self, data: bytes) -> None:
                super().body_received(data)
                body.paused = True
                body.resume()

        reader = Hasty()
        for piece in (b"1", b"2", b"3"):
            body.body_received(piece)
        body.body_ended()
        body.read(reader)
        self.assertEqual(reader.told, [b"1", b"2", b"3", "end"])

    def test_the_rest_will_not_come(self) -> None:
        reader = Reader(self.body)
        self.body.read(reader)
        for piece in (b"1", b"2"):
            self.body.body_received(piece)
        for _ in range(2):
            self.body.body_lost(Failure(ConnectionLost()))
            self.body.resume()
        self.assertEqual(reader.told, [b"1", "lost"])

    def test_after_the_answer_nothing_is_given(self) -> None:
        reader = Reader()
        self.body.read(reader)
        self.body.forget()
        self.body.body_received(b"1")
        self.body.body_lost(Failure(ConnectionLost()))
        self.assertEqual(reader.told, [])
