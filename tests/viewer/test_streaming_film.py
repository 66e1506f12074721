"""Encoding 50: where a film plays is a stream, for clients that read it."""

from __future__ import annotations

from kasmd.codec import h264
from kasmd.codec.video import Codec, Encoding
from kasmd.rights import Right
from kasmd.screen.geometry import Rect
from kasmd.viewer.encoders import Encoders
from kasmd.viewer.place import ASIDE
from kasmd.viewer.stream import KEPT, Kind
from kasmd.viewer.streams import MAX_STREAMS
from kasmd.viewer.worker import InlineWorker
from tests.viewer.films import FILM, KASMS, QUALITY, STANDARD, Case, Wire
from tests.viewer.scene import RIGHTS
from tests.viewer.slowcoach import Slowcoach


class FilmTests(Case):
    """Encoding 50, where a film plays."""

    def test_a_film_is_shown_and_the_rest_is_exact(self) -> None:
        watcher = self.watch(*STANDARD)
        self.play(45, watcher)
        self.assertGreater(self.sharpness(watcher), 35)
        rects = [rect for rect, _, _ in self.flags(watcher)]
        self.assertGreater(len(rects), 20)
        self.assertEqual(set(rects), {FILM})
        self.play(3, watcher)
        self.assertEqual(watcher.encodings(), [Wire.OPEN_H264] * 3)

    def test_what_changes_beside_it_goes_as_images(self) -> None:
        watcher = self.watch(*STANDARD)
        self.play(45, watcher)
        watcher.heard.clear()
        self.scene.display.fill((1, 2, 3), Rect(500, 300, 50, 40))
        self.play(2, watcher)
        self.assertEqual(set(watcher.encodings()), {Wire.OPEN_H264, Wire.TIGHT})
        self.assertEqual(self.sharpness(watcher, Rect(500, 300, 50, 40)), 99)

    def test_it_begins_with_a_reset_and_a_key_picture(self) -> None:
        watcher = self.watch(*STANDARD)
        self.play(45, watcher)
        first, *rest = self.flags(watcher)
        self.assertEqual(first, (FILM, h264.RESET, True))
        self.assertEqual({each[1:] for each in rest}, {(0, False)})

    def test_many_watch_what_is_encoded_once(self) -> None:
        watchers = [self.watch(*STANDARD) for _ in range(4)]
        self.play(45, *watchers)
        before = self.pictures()
        self.play(10, *watchers)
        self.assertEqual((self.pictures() - before, len(self.streams)), (10, 1))
        for watcher in watchers:
            self.assertGreater(self.sharpness(watcher), 35)

    def test_one_who_joins_gets_a_key_picture(self) -> None:
        first = self.watch(*STANDARD)
        self.play(45, first)
        late = self.scene.watch(*STANDARD)
        self.play(3, first, late)
        self.assertEqual(self.flags(late)[0], (FILM, h264.RESET, True))
        self.assertGreater(self.sharpness(late), 35)

    def test_one_who_falls_behind_has_a_stream_at_his_own_pace_for_a_while(self) -> None:
        lively, stalled = self.watch(*STANDARD), self.watch(*STANDARD)
        self.play(45, lively, stalled)
        stalled.line.pause()
        self.play(KEPT + 5, lively)
        for watcher in lively, stalled:
            watcher.heard.clear()
        stalled.line.resume()
        for _ in range(5):
            self.play(KEPT + 5, lively)
            self.play(1, lively, stalled)
        keys = [key for _, _, key in self.flags(lively)]
        self.assertEqual(keys, [False] * 5 * (KEPT + 6), "the others pay nothing for him")
        first, *rest = self.flags(stalled)
        self.assertEqual(first, (FILM, h264.RESET, True))
        self.assertEqual({each[1:] for each in rest}, {(0, False)})
        self.assertLessEqual(len(rest), 6)
        self.assertEqual(len(self.streams), 2)
        self.play(round(ASIDE / 0.2) + 10, lively, stalled, pause=0.2)
        self.assertEqual(len(self.streams), 1)
        for watcher in lively, stalled:
            self.assertGreater(self.sharpness(watcher), 35)

    def test_one_who_misses_pictures_where_no_more_streams_may_be(self) -> None:
        lively, stalled = self.watch(*STANDARD), self.watch(*STANDARD)
        self.play(45, lively, stalled)
        for number in range(MAX_STREAMS - 1):
            self.streams.follow(Kind(FILM, Codec.H264, number), lambda: None)
        stalled.line.pause()
        self.play(KEPT + 5, lively)
        stalled.heard.clear()
        stalled.line.resume()
        self.play(3, lively, stalled)
        self.assertEqual(self.flags(stalled)[0], (FILM, 0, True))
        self.assertGreater(self.sharpness(stalled), 35)
        self.assertGreater(self.sharpness(lively), 35)

    def test_one_who_asks_for_all_gets_a_key_picture(self) -> None:
        watcher = self.watch(*STANDARD)
        self.play(45 + KEPT, watcher)
        watcher.heard.clear()
        watcher.request()
        self.scene.settle(watcher)
        self.assertEqual(self.flags(watcher), [(FILM, 0, True)])

    def test_one_who_does_not_read_it_or_bears_no_loss(self) -> None:
        tight, lossless = STANDARD[1:], (Wire.OPEN_H264, Wire.TIGHT, Wire.LAST_RECT)
        watchers = [self.watch(*STANDARD), self.watch(*tight), self.watch(*lossless)]
        self.play(45, *watchers)
        self.assertEqual(
            [Wire.OPEN_H264 in watcher.encodings() for watcher in watchers], [True, False, False]
        )
        self.assertEqual(self.sharpness(watchers[2]), 99)

    def test_without_an_encoder_there_are_images(self) -> None:
        self.streams.encoders = Encoders(self.scene.clock, codecs=())
        watcher = self.watch(*STANDARD)
        self.play(45, watcher)
        self.assertEqual(set(watcher.encodings()), {Wire.TIGHT})
        self.assertGreater(self.sharpness(watcher), 35)

    def test_what_encodes_is_found_out_when_a_film_plays_for_one_who_reads_it(self) -> None:
        worker = Slowcoach()
        encoders = self.streams.encoders = Encoders(self.scene.clock, lambda: worker)
        without, lossless = self.watch(Wire.TIGHT, QUALITY), self.watch(Wire.OPEN_H264, Wire.TIGHT)
        watcher = self.watch(*STANDARD)
        self.play(10, without, lossless, watcher)
        watcher.leave()
        self.play(45, without, lossless)
        self.assertEqual(len(worker.given), 0)
        watcher = self.watch(*STANDARD)
        self.play(10, watcher)
        self.assertEqual(set(watcher.encodings()), {Wire.TIGHT})
        self.assertEqual(len(worker.given), 1)
        encoders.make_worker = InlineWorker
        worker.finish()
        self.play(5, watcher)
        self.assertIn(Wire.OPEN_H264, watcher.encodings())

    def test_an_encoder_that_fails_is_replaced(self) -> None:
        self.streams.encoders.found = {Codec.H264: Encoding("no such encoder", "crf", 51, {})}
        watcher = self.watch(*STANDARD)
        self.play(45, watcher)
        self.assertEqual(set(watcher.encodings()), {Wire.TIGHT, Wire.OPEN_H264})
        self.assertGreater(self.sharpness(watcher), 35)
        self.assertEqual(len(self.streams), 1)

    def test_a_film_that_ends_leaves_an_exact_picture(self) -> None:
        watcher = self.watch(*STANDARD)
        self.play(45, watcher)
        for _ in range(4):
            self.scene.clock.advance(1)
            self.scene.settle(watcher)
        self.assertTrue(watcher.shows(self.scene.display.picture))

    def test_a_film_that_ended_is_encoded_no_more(self) -> None:
        watcher = self.watch(*STANDARD)
        self.play(45, watcher)
        for shade in range(6):
            self.scene.clock.advance(0.5)
            self.scene.display.fill((shade, 0, 0), Rect(60, 60, 100, 80))
            self.scene.settle(watcher)
        self.assertEqual(len(self.streams), 0)
        self.assertTrue(watcher.shows(self.scene.display.picture))

    def test_another_size_is_another_stream(self) -> None:
        watcher = self.watch(*STANDARD)
        self.play(45, watcher)
        self.scene.display.resize(500, 300, ())
        self.scene.settle(watcher)
        self.assertEqual((watcher.size, len(self.streams)), ((500, 300), 0))
        watcher.heard.clear()
        small = Rect(0, 0, 321, 201)
        self.play(45, watcher, rect=small)
        self.assertEqual(self.flags(watcher)[0], (Rect(0, 0, 320, 200), h264.RESET, True))
        self.assertGreater(self.sharpness(watcher, small), 35)

    def test_one_who_may_not_see_is_shown_nothing(self) -> None:
        watcher, other = self.watch(*STANDARD), self.watch(*STANDARD)
        self.play(45, watcher, other)
        self.scene.registry.set("writer", Right.ENTER)
        before = self.pictures()
        watcher.heard.clear()
        self.play(5, watcher, other)
        self.assertEqual((watcher.rectangles, self.pictures()), ([], before))
        self.scene.registry.set("writer", RIGHTS["writer"])
        self.play(5, watcher, other)
        self.assertGreater(self.sharpness(watcher), 35)

    def test_nothing_is_left_behind(self) -> None:
        watchers = [self.watch(*STANDARD), self.watch(*KASMS, kasm=True)]
        self.play(45, *watchers)
        self.assertEqual(len(self.streams), 2)
        for watcher in watchers:
            watcher.leave()
        self.assertEqual(len(self.streams), 0)
        self.assertEqual(self.scene.left_behind(), (0, 0, 0, 0))
