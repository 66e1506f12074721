"""Encoders: what there is, what keeps up, and what of it Kasm's client is offered."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from kasmd.codec.kasmvideo import MODES
from kasmd.codec.video import ENCODINGS, Codec, Encoding
from kasmd.screen.geometry import Rect
from kasmd.viewer import encoders as module
from kasmd.viewer.encoders import AGAIN, Encoders
from tests.viewer.slowcoach import Slowcoach

X264, SVT = ENCODINGS[Codec.H264][-1], ENCODINGS[Codec.AV1][-1]
BOTH = {Codec.H264: X264, Codec.AV1: SVT}
FAMILIES = -1026, -1031, -1036
SMALL, LARGE = Rect(0, 0, 1280, 720), Rect(0, 0, 1920, 1080)


class FindingTests(TestCase):
    """What works here."""

    def find(self, *codecs: Codec) -> Encoders:
        encoders = Encoders(Clock(), codecs=codecs)
        self.successResultOf(encoders.find())
        return encoders

    def test_only_what_may_be_used(self) -> None:
        self.assertEqual(set(self.find().found), set())
        self.assertEqual(set(self.find(Codec.H264).found), {Codec.H264})

    def test_the_log_says_how_films_go(self) -> None:
        with capturedLogs() as events:
            self.find(Codec.H264)
            Encoders(Clock())._take({})
        said = [formatEvent(event) for event in events]
        self.assertRegex(said[0], "^films go as streams: H264 by [a-z0-9_]+$")
        self.assertRegex(said[1], r"^films go as images: .*kasmd\[video\]")

    def test_the_next_best_is_found(self) -> None:
        encoders = Encoders(Clock())
        broken = Encoding("no such encoder", "crf", 51, {})
        encoders.found = {Codec.H264: broken, Codec.AV1: SVT}
        encoders.failed(Codec.H264, broken)
        self.assertNotEqual(encoders.found[Codec.H264], broken)

    def test_what_failed_is_not_found_again(self) -> None:
        encoders = self.find(Codec.H264)
        tried = []
        while Codec.H264 in encoders.found:
            best = encoders.found[Codec.H264]
            self.assertNotIn(best, tried)
            tried.append(best)
            encoders.failed(Codec.H264, best)

    def test_what_failed_and_was_replaced_meanwhile_changes_nothing(self) -> None:
        encoders = self.find(Codec.H264)
        before = encoders.found
        encoders.failed(Codec.H264, Encoding("another", "crf", 51, {}))
        self.assertIs(encoders.found, before)


class LookingTests(TestCase):
    """What works is found out once, when somebody looks."""

    def setUp(self) -> None:
        self.worker = Slowcoach()
        self.encoders = Encoders(Clock(), lambda: self.worker, [Codec.H264])
        self.told: list[bool] = []
        self.encoders.watch(lambda: self.told.append(self.encoders.known))

    def test_once(self) -> None:
        self.encoders.begin()
        self.assertEqual((self.encoders.known, len(self.worker.given)), (False, 0))
        self.encoders.look()
        self.encoders.look()
        self.assertEqual((self.encoders.known, len(self.worker.given)), (False, 1))
        self.worker.finish()
        self.encoders.look()
        self.assertEqual((self.told, len(self.worker.given)), ([True], 0))
        self.assertEqual(set(self.encoders.found), {Codec.H264})

    def test_where_that_fails_there_is_nothing(self) -> None:
        self.encoders.look()
        done, _, _ = self.worker.given.popleft()
        done.errback(Failure(OSError("broken")))
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.assertEqual((self.told, self.encoders.found), ([True], {}))

    def test_without_the_library_there_is_nothing_to_find_out(self) -> None:
        self.patch(module, "LIBRARY", "no_such_package")
        with capturedLogs() as events:
            self.encoders.begin()
        self.assertRegex(formatEvent(events[0]), "^films go as images: ")
        self.encoders.look()
        self.assertEqual((self.told, len(self.worker.given)), ([True], 0))

    def test_where_none_may_be_used_either(self) -> None:
        encoders = Encoders(Clock(), lambda: self.worker, ())
        encoders.look()
        self.assertEqual((encoders.known, len(self.worker.given)), (True, 0))


class SlowTests(TestCase):
    """What falls behind is given up, of that size and larger, for a while."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.encoders = Encoders(self.clock)
        self.encoders.found = BOTH

    def modes(self, rect: Rect) -> list[int]:
        return [offer.encoding for offer in self.encoders.offers(FAMILIES, rect.area)]

    def test_of_that_size_and_larger(self) -> None:
        with capturedLogs() as events:
            self.encoders.too_slow(Codec.AV1, LARGE)
        self.assertEqual([formatEvent(event) for event in events],
                         ["AV1 falls behind at 1920 x 1080: H.264 or images follow"])
        self.assertIsNone(self.encoders.best(Codec.AV1, LARGE.area))
        self.assertEqual(self.encoders.best(Codec.AV1, SMALL.area), SVT)
        self.assertEqual(self.encoders.best(Codec.H264, LARGE.area), X264)
        self.assertEqual((self.modes(SMALL), self.modes(LARGE)), ([-1027, -1037], [-1027]))

    def test_for_a_while(self) -> None:
        self.encoders.too_slow(Codec.AV1, SMALL)
        self.clock.advance(AGAIN - 1)
        self.assertEqual(self.modes(LARGE), [-1027])
        self.clock.advance(1)
        self.assertEqual(self.modes(LARGE), [-1027, -1037])

    def test_who_watches_is_told(self) -> None:
        told = []
        end = self.encoders.watch(lambda: told.append(self.modes(LARGE)))
        self.encoders.too_slow(Codec.AV1, LARGE)
        end()
        self.encoders.too_slow(Codec.AV1, SMALL)
        self.assertEqual(told, [[-1027]])


class OfferTests(TestCase):
    """What Kasm's client may choose from."""

    def setUp(self) -> None:
        self.encoders = Encoders(Clock())

    def test_h264_comes_first(self) -> None:
        self.encoders.found = BOTH
        offers = self.encoders.offers((*FAMILIES, -1, -1026), LARGE.area)
        self.assertEqual([offer.encoding for offer in offers], [-1027, -1037])
        self.assertEqual(offers[0][1:], (0, 50, MODES[-1027].presets))
        self.assertEqual(self.encoders.offers((-1031,), LARGE.area), [])

    def test_an_encoder_that_kasm_has_no_name_for_goes_by_the_processors(self) -> None:
        offered = {}
        for encoding in ENCODINGS[Codec.H264]:
            self.encoders.found = {Codec.H264: encoding}
            offered[encoding.name] = list(self.encoders.modes)
        self.assertEqual(offered.pop("h264_nvenc"), [-1029])
        self.assertEqual(set(map(tuple, offered.values())), {(-1027,)})
        self.encoders.found = {}
        self.assertEqual(self.encoders.modes, {})
