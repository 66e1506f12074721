"""Place: which stream suits a link, of what quality, and when none does."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from kasmd.codec.video import ENCODINGS, Codec, Unit
from kasmd.display.memory import MemoryDisplay
from kasmd.screen.geometry import Rect
from kasmd.viewer.encoders import Encoders
from kasmd.viewer.place import (
    ASIDE,
    COARSER_AFTER,
    COARSEST,
    FINER_AFTER,
    FINER_SOON,
    THIN,
    TOO_LONG,
    Area,
    Place,
)
from kasmd.viewer.stream import KEPT, Kind
from kasmd.viewer.streams import Streams

KIND = Kind(Rect(0, 0, 640, 480), Codec.H264, 20)
#: The bytes of a picture, and of an update on a link that is just wide enough.
SIZE = 8000


class Case(TestCase):
    """A place whose pictures have `SIZE` bytes, and half as many with each step."""

    def setUp(self) -> None:
        self.streams = Streams(Encoders(Clock()))
        self.streams.encoders.found = {Codec.H264: ENCODINGS[Codec.H264][-1]}
        self.now = 100.0
        self.place = self.opened()
        self.show(10)

    def opened(self, kind: Kind = KIND) -> Place:
        follower = self.streams.follow(kind, lambda: None)
        assert follower is not None
        return Place(Area(kind), follower, None, self.now)

    def show(self, pictures: int, key: bool = False, size: int = SIZE) -> None:
        steps = self.place.follower.stream.kind.coarser
        for _ in range(pictures):
            self.place.drawn(Unit(bytes(size >> steps), key))

    def suited(self, budget: int | None, after: float = 0.0) -> int:
        """Follow what suits the place ``after`` so long, and give how much coarser that is."""
        self.now += after
        kind = self.place.suiting(budget, self.now)
        follower = self.streams.follow(kind, lambda: None)
        assert follower is not None
        self.place.move_to(follower, self.now)
        self.show(10)
        return kind.coarser


class QualityTests(Case):
    """Steps of quality."""

    def test_a_wide_link_has_what_was_asked_for(self) -> None:
        self.assertEqual([self.suited(budget) for budget in (None, SIZE, 10 * SIZE)], [0, 0, 0])

    def test_a_thin_link_has_as_coarse_a_stream_as_it_takes_at_once(self) -> None:
        for shift, steps in ((1, 1), (2, 2), (3, 3), (6, COARSEST)):
            self.setUp()
            budget = SIZE >> shift
            self.assertEqual(self.suited(budget), steps)

    def test_a_wide_link_has_large_pictures(self) -> None:
        self.show(20, size=4 * THIN)
        coarser = [self.place.suiting(budget, self.now).coarser for budget in (THIN, THIN - 1)]
        self.assertEqual(coarser, [0, 2])

    def test_one_step_is_judged_before_the_next(self) -> None:
        self.assertEqual(self.suited(SIZE // 2), 1)
        self.assertEqual(self.suited(SIZE // 4), 1)
        self.assertEqual(self.suited(SIZE // 4, COARSER_AFTER), 2)

    def test_it_gets_finer_by_steps_where_there_is_room_for_a_while(self) -> None:
        self.assertEqual(self.suited(SIZE // 4), 2)
        self.assertEqual(self.suited(2 * SIZE, FINER_AFTER / 2), 2)
        self.assertEqual(self.suited(2 * SIZE, FINER_AFTER / 2), 1)
        self.assertEqual(self.suited(2 * SIZE, FINER_AFTER), 0)

    def test_the_largest_pictures_of_the_while_must_fit(self) -> None:
        self.assertEqual(self.suited(SIZE // 2), 1)
        self.show(10, size=4 * SIZE)
        self.show(20)
        self.assertEqual(self.suited(2 * SIZE, FINER_AFTER), 1)
        self.assertEqual(self.suited(2 * SIZE, FINER_AFTER / 2), 1)
        self.assertEqual(self.suited(2 * SIZE, FINER_AFTER / 2), 0)

    def test_it_is_soon_finer_where_there_is_much_room(self) -> None:
        self.assertEqual(self.suited(SIZE // 4), 2)
        self.assertEqual(self.suited(20 * SIZE, FINER_SOON / 2), 2)
        self.assertEqual(self.suited(20 * SIZE, FINER_SOON / 2), 1)
        self.assertEqual(self.suited(20 * SIZE, FINER_SOON), 0)

    def test_it_stays_where_the_finer_one_would_just_fit(self) -> None:
        self.assertEqual(self.suited(SIZE // 2), 1)
        self.assertEqual(self.suited(SIZE, FINER_AFTER), 1)

    def test_one_key_picture_changes_nothing(self) -> None:
        self.show(3, key=True, size=20 * SIZE)
        self.assertEqual(self.suited(SIZE), 0)

    def test_where_they_are_frequent_they_count(self) -> None:
        self.place = self.opened(KIND._replace(gop=1))
        self.show(10, key=True)
        self.assertEqual(self.suited(SIZE // 2), 1)

    def test_it_is_soon_finer_where_a_cap_was_lifted(self) -> None:
        self.assertEqual(self.suited(SIZE // 2), 1)
        self.assertEqual(self.suited(None, FINER_SOON), 0)


class TooThinTests(Case):
    """Where no stream suits."""

    def test_there_are_images_for_a_while_if_the_coarsest_is_too_long(self) -> None:
        coarsest = SIZE >> COARSEST
        self.assertFalse(self.place.has_images(None, self.now))
        self.assertFalse(self.place.has_images(coarsest, self.now))
        self.assertTrue(self.place.has_images(coarsest // (2 * TOO_LONG), self.now))
        self.assertTrue(self.place.has_images(SIZE, self.now + ASIDE / 2))
        self.assertFalse(self.place.has_images(SIZE, self.now + ASIDE))

    def test_who_falls_behind_has_a_stream_at_his_own_pace_for_a_while(self) -> None:
        display, other = MemoryDisplay(640, 480), self.streams.follow(KIND, lambda: None)
        assert other is not None
        identity = display.snapshot(KIND.rect).identity
        for number in range(KEPT + 2):
            other.ask(display.snapshot)
            other.take(identity)
            if not number:
                self.place.follower.take(identity)
        self.assertTrue(self.place.suiting(None, self.now).slow)
        self.suited(None)
        self.assertTrue(self.place.suiting(None, self.now + ASIDE / 2).slow)
        self.assertFalse(self.place.suiting(None, self.now + ASIDE).slow)
