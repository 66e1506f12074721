"""A stream: encoded once for all, never a queue, and a key picture for whoever needs one."""

from __future__ import annotations

from typing import Any, Callable, Optional

import numpy as np
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from kasmd.codec.video import ENCODINGS, Codec, Encoding, VideoDecoder
from kasmd.display.memory import MemoryDisplay
from kasmd.interfaces import IWorker
from kasmd.screen.framebuffer import Snapshot
from kasmd.screen.geometry import Rect
from kasmd.viewer.encoders import Encoders
from kasmd.viewer.stream import KEPT, REAL_TIME, TOO_LATE, Follower, Kind, Shown
from kasmd.viewer.streams import Streams
from kasmd.viewer.worker import InlineWorker

HERE = Rect(8, 4, 96, 64)
X264 = ENCODINGS[Codec.H264][-1]
KIND = Kind(HERE, Codec.H264, 15)
OTHER = KIND._replace(codec=Codec.HEVC)
#: Seconds of a picture that takes three times as long as it may.
LONG = 3 * REAL_TIME


@implementer(IWorker)
class PatientWorker(InlineWorker):
    """Works when it is told to."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def do(self, work: Callable[..., Any], *args: Any) -> Deferred[Any]:
        """Keep the work for `work`."""
        done: Deferred[Any] = Deferred()
        self.waiting.append(lambda: super(PatientWorker, self).do(work, *args).chainDeferred(done))
        return done

    def work(self) -> None:
        """Do what waits."""
        waiting, self.waiting = self.waiting, []
        for each in waiting:
            each()


class Case(TestCase):
    """A small desktop and a stream of a part of it."""

    def setUp(self) -> None:
        self.display = MemoryDisplay(128, 96)
        self.worker = PatientWorker()
        self.mask = 0
        self.clock = Clock()
        self.seconds, self.spent = 0.01, 0.0
        self.encoders = Encoders(self.clock, lambda: self.worker, elapsed=self.elapsed)
        self.encoders.found = {Codec.H264: X264, Codec.HEVC: X264}
        self.streams = Streams(self.encoders)

    def elapsed(self) -> float:
        """Tell a time by which each picture took so many ``seconds``."""
        self.spent += self.seconds
        return self.spent

    def look(self, rect: Rect) -> Snapshot:
        snapshot = self.display.snapshot(rect)
        return snapshot._replace(identity=snapshot.identity._replace(mask=self.mask))

    def follow(self, kind: Kind = KIND) -> Follower:
        follower = self.streams.follow(kind, lambda: None)
        assert follower is not None
        return follower

    def paint(self, shade: int) -> None:
        pixels = np.full((64, 96, 4), (shade, 255 - shade, shade // 2, 0), np.uint8)
        self.display.paint(HERE, pixels)

    def take(self, follower: Follower) -> list[Shown]:
        return follower.take(self.look(HERE).identity)

    def step(self, shade: int, *followers: Follower) -> None:
        """Let the display change, and a picture of it be made."""
        self.paint(shade)
        for follower in followers:
            follower.ask(self.look)
        self.worker.work()

    def keys(self, follower: Follower) -> list[bool]:
        return [shown.unit.key for shown in self.take(follower)]


class StreamTests(Case):
    """What followers are given."""

    def test_what_is_sent_shows_the_display(self) -> None:
        follower, decoder = self.follow(), VideoDecoder(96, 64, Codec.H264)
        for shade in (10, 80, 200):
            self.step(shade, follower)
            for shown in self.take(follower):
                seen = decoder.decode(shown.unit.data)
            error = np.abs(seen[..., :3].astype(int) - self.look(HERE).pixels[..., :3])
            self.assertLess(error.max(), 12)

    def test_one_is_encoded_and_the_newest_is_next(self) -> None:
        follower = self.follow()
        for shade in range(1, 10):
            self.paint(shade)
            follower.ask(self.look)
        self.assertEqual(len(self.worker.waiting), 1)
        self.worker.work()
        first, = self.take(follower)
        self.assertAlmostEqual(first.took, 0.01)
        follower.ask(self.look)
        self.worker.work()
        second, = self.take(follower)
        self.assertEqual(second.identity, self.look(HERE).identity)
        self.assertEqual(second.identity.frame - first.identity.frame, 8)

    def test_followers_share_the_work(self) -> None:
        many = [self.follow() for _ in range(8)]
        for shade in range(5):
            self.step(shade, *many)
            units = [self.take(follower) for follower in many]
            self.assertEqual(units, [units[0]] * 8)
        self.assertEqual((units[0][0].number, len(self.streams)), (4, 1))

    def test_one_who_joins_begins_with_a_key_picture(self) -> None:
        first = self.follow()
        self.step(1, first)
        self.assertEqual(self.keys(first), [True])
        self.step(2, first)
        self.assertEqual(self.keys(first), [False])
        late = self.follow()
        self.assertEqual(self.keys(late), [True, False])
        self.step(3, first, late)
        self.assertEqual((self.keys(first), self.keys(late)), ([False], [False]))

    def test_one_key_picture_is_enough_to_begin_with(self) -> None:
        follower = self.follow()
        self.paint(1)
        follower.ask(self.look)
        follower.ask(self.look)
        self.worker.work()
        self.assertEqual(self.keys(follower), [True])
        self.step(2, follower)
        self.assertEqual(self.keys(follower), [False])

    def test_coarser_streams_are_others(self) -> None:
        fine, coarse = self.follow(), self.follow(KIND._replace(coarser=3))
        noise = np.random.default_rng(1).integers(0, 256, (64, 96, 4), np.uint8)
        self.display.paint(HERE, noise)
        for follower in (fine, coarse):
            follower.ask(self.look)
        self.worker.work()
        sizes = [len(self.take(each)[0].unit.data) for each in (fine, coarse)]
        self.assertLess(sizes[1], 0.7 * sizes[0])

    def test_one_who_joins_in_the_middle_is_not_forgotten(self) -> None:
        first = self.follow()
        for shade in range(KEPT + 2):
            self.step(shade, first)
            self.take(first)
        self.paint(50)
        first.ask(self.look)
        late = self.follow()
        late.ask(self.look)
        self.worker.work()
        self.assertEqual((self.keys(first), self.keys(late)), ([False], []))
        first.ask(self.look)
        late.ask(self.look)
        self.worker.work()
        self.assertEqual((self.keys(first), self.keys(late)), ([True], [True]))

    def one_late(self, missing: int) -> tuple[Follower, Follower]:
        """Give one who took all pictures, and one who took the first, and none of so many since."""
        first, late = self.follow(), self.follow()
        self.step(1, first)
        self.assertEqual((self.keys(first), self.keys(late)), ([True], [True]))
        for shade in range(2, missing + 2):
            self.step(shade, first)
            self.take(first)
        return first, late

    def test_one_who_is_a_little_late_has_missed_nothing(self) -> None:
        _, late = self.one_late(KEPT)
        self.assertEqual(self.keys(late), [False] * KEPT)

    def test_one_who_missed_more_gets_a_key_picture(self) -> None:
        first, late = self.one_late(KEPT + 1)
        self.assertEqual(self.keys(late), [])
        late.ask(self.look)
        self.worker.work()
        self.assertEqual((self.keys(first), self.keys(late)), ([True], [True]))

    def test_one_who_starts_anew(self) -> None:
        follower = self.follow()
        for shade in range(KEPT + 2):
            self.step(shade, follower)
            self.take(follower)
        follower.start_anew()
        self.assertEqual(self.keys(follower), [])
        self.step(50, follower)
        self.assertEqual(self.keys(follower), [True])

    def test_another_mask_is_another_beginning(self) -> None:
        follower = self.follow()
        self.step(1, follower)
        self.mask = 7
        self.assertEqual(self.keys(follower), [], "it was seen through the old one")
        self.step(2, follower)
        self.assertEqual(self.keys(follower), [True])

    def test_key_pictures_as_often_as_is_asked(self) -> None:
        follower = self.follow(KIND._replace(gop=3))
        keys = []
        for shade in range(7):
            self.step(shade, follower)
            keys += self.keys(follower)
        self.assertEqual(keys, [True, False, False, True, False, False, True])

    def test_nothing_is_left_when_the_last_leaves(self) -> None:
        one, other = self.follow(), self.follow()
        self.step(1, one)
        one.ask(self.look)
        one.leave()
        self.assertEqual(len(self.streams), 1)
        other.leave()
        other.leave()
        self.worker.work()
        self.assertEqual((len(self.streams), self.worker.waiting), (0, []))
        self.assertIsNone(other.stream._encoder)

    def test_those_who_may_not_look_have_nothing_encoded(self) -> None:
        nothing: Callable[[Rect], Optional[Snapshot]] = lambda rect: None
        self.follow().ask(nothing)
        self.assertEqual(self.worker.waiting, [])


class PaceTests(Case):
    """An encoder that falls behind real time has no processor for itself."""

    def many(self, *followers: Follower) -> int:
        """Have pictures made until none is, and count them."""
        for made in range(100):
            self.paint(made)
            for follower in followers:
                follower.ask(self.look)
            if not self.worker.waiting:
                return made
            self.worker.work()
        return 100

    def test_where_there_is_another_kind_the_stream_ends(self) -> None:
        told: list[int] = []
        first = self.streams.follow(OTHER, lambda: told.append(1))
        second = self.streams.follow(OTHER, lambda: told.append(2))
        assert first is not None and second is not None
        self.seconds = LONG
        made = self.many(first, second)
        self.assertEqual(made, round(TOO_LATE / (2 * REAL_TIME)))
        self.assertEqual(told, [1, 2] * made)
        self.assertTrue(first.stream.over)
        self.assertIsNone(self.streams.follow(OTHER._replace(quality=20), lambda: None))
        self.assertIsNotNone(self.streams.follow(KIND, lambda: None))

    def test_a_long_picture_now_and_then_does_not_matter(self) -> None:
        follower = self.follow(OTHER)
        for number in range(100):
            self.seconds = 6 * REAL_TIME if number % 10 == 0 else REAL_TIME / 3
            self.step(number, follower)
            self.take(follower)
        self.assertFalse(follower.stream.over)

    def test_the_last_kind_rests_for_as_long_as_it_was_late(self) -> None:
        told: list[float] = []
        follower = self.streams.follow(KIND, lambda: told.append(self.clock.seconds()))
        assert follower is not None
        self.seconds = LONG
        made = self.many(follower)
        self.assertEqual((made, told), (round(TOO_LATE / (2 * REAL_TIME)), [0.0] * made))
        self.assertTrue(self.take(follower), "what was made is there all the same")
        self.clock.advance(1.9 * REAL_TIME)
        self.assertEqual(self.many(follower), 0)
        self.clock.advance(0.1 * REAL_TIME + 1e-9)
        self.assertEqual(len(told), made + 1)
        self.assertEqual(self.many(follower), 1)

    def test_one_that_is_quick_again_rests_no_more(self) -> None:
        follower = self.follow()
        self.seconds = LONG
        self.many(follower)
        self.clock.advance(LONG)
        self.seconds = REAL_TIME / 3
        self.assertEqual(self.many(follower), 100)

    def test_one_that_is_left_while_it_rests_leaves_nothing(self) -> None:
        follower = self.follow()
        self.seconds = LONG
        self.many(follower)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        follower.leave()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_one_that_is_left_while_it_works_leaves_nothing(self) -> None:
        follower = self.follow()
        self.seconds = 2 * TOO_LATE
        follower.ask(self.look)
        follower.leave()
        self.worker.work()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class FailureTests(Case):
    """An encoder that does not work is done without."""

    def test_all_are_told_once(self) -> None:
        self.encoders.found = {Codec.H264: Encoding("no such encoder", "crf", 51, {})}
        told: list[int] = []
        for number in range(2):
            follower = self.streams.follow(KIND, lambda number=number: told.append(number))
            assert follower is not None
        follower.ask(self.look)
        self.worker.work()
        self.assertEqual((told, self.encoders.found), ([0, 1], {}))
        self.assertTrue(follower.stream.over)
        waiting = list(self.worker.waiting)
        follower.ask(self.look)
        self.assertEqual((self.take(follower), self.worker.waiting), ([], waiting))
