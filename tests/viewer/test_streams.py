"""Streams: encoded once for all, never a queue, and a key picture for whoever needs one."""

from __future__ import annotations

from typing import Any, Callable, Optional

import numpy as np
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from kasmd.codec.kasmvideo import MODES
from kasmd.codec.video import ENCODINGS, Codec, Encoding, VideoDecoder
from kasmd.display.memory import MemoryDisplay
from kasmd.interfaces import IWorker
from kasmd.screen.framebuffer import Snapshot
from kasmd.screen.geometry import Rect
from kasmd.viewer.streams import (
    KEPT,
    MAX_PIXELS,
    MAX_STREAMS,
    Follower,
    Kind,
    Shown,
    Streams,
)
from kasmd.viewer.worker import InlineWorker

HERE = Rect(8, 4, 96, 64)
X264 = ENCODINGS[Codec.H264][-1]
KIND = Kind(HERE, Codec.H264, 15)


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
        self.streams = Streams(lambda: self.worker)
        self.streams.encodings = {Codec.H264: X264}

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
        self.assertTrue(0 < first.took < 10, first.took)
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

    def test_one_who_is_a_little_late_has_missed_nothing(self) -> None:
        first, late = self.follow(), self.follow()
        self.step(1, first)
        self.assertEqual((self.keys(first), self.keys(late)), ([True], [True]))
        for shade in range(2, KEPT + 2):
            self.step(shade, first)
            self.take(first)
        self.assertEqual(self.keys(late), [False] * KEPT)

    def test_one_who_missed_more_gets_a_key_picture(self) -> None:
        first, late = self.follow(), self.follow()
        self.step(1, first)
        self.assertEqual((self.keys(first), self.keys(late)), ([True], [True]))
        for shade in range(2, KEPT + 3):
            self.step(shade, first)
            self.take(first)
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

    def test_ceilings(self) -> None:
        kinds = [KIND._replace(quality=quality) for quality in range(MAX_STREAMS + 1)]
        followers = [self.streams.follow(kind, lambda: None) for kind in kinds]
        self.assertEqual([follower is None for follower in followers],
                         [False] * MAX_STREAMS + [True])
        followers[0].leave()
        huge = KIND._replace(rect=Rect(0, 0, MAX_PIXELS // 2 + 2, 2))
        self.assertIsNone(self.streams.follow(huge, lambda: None))
        self.assertIsNone(self.streams.follow(KIND._replace(codec=Codec.HEVC), lambda: None))
        self.assertIsNotNone(self.follow())


class FailureTests(Case):
    """An encoder that does not work is done without."""

    def test_all_are_told_once(self) -> None:
        self.streams.encodings = {Codec.H264: Encoding("no such encoder", "crf", 51, {})}
        told: list[int] = []
        for number in range(2):
            follower = self.streams.follow(KIND, lambda number=number: told.append(number))
            assert follower is not None
        follower.ask(self.look)
        self.worker.work()
        self.assertEqual((told, self.streams.encodings), ([0, 1], {}))
        self.assertTrue(follower.stream.failed)
        waiting = list(self.worker.waiting)
        follower.ask(self.look)
        self.assertEqual((self.take(follower), self.worker.waiting), ([], waiting))

    def test_the_next_best_is_found(self) -> None:
        broken = Encoding("no such encoder", "crf", 51, {})
        self.streams.encodings = {Codec.H264: broken, Codec.AV1: ENCODINGS[Codec.AV1][-1]}
        self.follow().ask(self.look)
        self.worker.work()
        self.assertEqual(set(self.streams.encodings), {Codec.AV1})
        self.worker.work()
        self.assertNotEqual(self.streams.encodings[Codec.H264], broken)
        follower = self.follow(KIND._replace(quality=20))
        self.step(1, follower)
        self.assertEqual(self.keys(follower), [True])

    def test_what_failed_is_not_found_again(self) -> None:
        self.worker.work()
        while Codec.H264 in self.streams.encodings:
            best = self.streams.encodings[Codec.H264]
            self.streams._do_without(Codec.H264, best)
            self.worker.work()
            self.assertNotEqual(self.streams.encodings.get(Codec.H264), best)


class FindingTests(TestCase):
    """What there is, and what of it Kasm's client is offered."""

    def streams(self, *codecs: Codec) -> Streams:
        streams = Streams(InlineWorker, codecs)
        self.successResultOf(streams.find_encoders())
        return streams

    def test_only_what_may_be_used(self) -> None:
        self.assertEqual(set(self.streams().encodings), set())
        self.assertEqual(set(self.streams(Codec.H264).encodings), {Codec.H264})

    def test_the_log_says_how_films_go(self) -> None:
        with capturedLogs() as events:
            self.streams(Codec.H264)
            Streams(InlineWorker)._found({})
        said = [formatEvent(event) for event in events]
        self.assertRegex(said[0], "^films go as streams: H264 by [a-z0-9_]+$")
        self.assertRegex(said[1], r"^films go as images: .*kasmd\[video\]")

    def test_offers(self) -> None:
        streams = Streams(InlineWorker)
        streams.encodings = {codec: ENCODINGS[codec][-1] for codec in (Codec.H264, Codec.AV1)}
        offers = streams.offers((-1026, -1031, -1036, -1, -1026))
        self.assertEqual([offer.encoding for offer in offers], [-1027, -1037])
        self.assertEqual(offers[0][1:], (0, 50, MODES[-1027].presets))
        self.assertEqual(streams.offers((-1031,)), [])

    def test_an_encoder_that_kasm_has_no_name_for_goes_by_the_processors(self) -> None:
        streams = Streams(InlineWorker)
        offered = {}
        for encoding in ENCODINGS[Codec.H264]:
            streams.encodings = {Codec.H264: encoding}
            offered[encoding.name] = list(streams.modes)
        self.assertEqual(offered.pop("h264_nvenc"), [-1029])
        self.assertEqual(set(map(tuple, offered.values())), {(-1027,)})
        streams.encodings = {}
        self.assertEqual(streams.modes, {})
