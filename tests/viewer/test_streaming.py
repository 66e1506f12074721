"""Streaming: what a viewer decodes is the desktop, at its joining, its losses and resizes."""

from __future__ import annotations

import struct
from math import log10
from typing import Optional

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from kasmd.codec import h264, kasmvideo
from kasmd.codec.base import complete
from kasmd.codec.video import ENCODINGS, Codec, Encoding
from kasmd.display.memory import MemoryDisplay
from kasmd.rfb import numbers
from kasmd.rfb.capabilities import Capabilities, KasmSettings
from kasmd.rfb.numbers import ServerMessage
from kasmd.rights import Right
from kasmd.screen.geometry import Rect, Screen
from kasmd.screen.region import Region
from kasmd.viewer.encoders import Encoders
from kasmd.viewer.motion import Motion
from kasmd.viewer.place import ASIDE, Area
from kasmd.viewer.stream import KEPT, TOO_LATE, Kind
from kasmd.viewer.streaming import RESTS_AFTER, Streaming, areas_of
from kasmd.viewer.streams import MAX_STREAMS, Streams
from tests.viewer.link import percentile
from tests.viewer.pressing import film_of, keys_over
from tests.viewer.scene import RIGHTS, Display, Scene, Watcher

Wire = numbers.Encoding
QUALITY = -26
STANDARD = (
    Wire.OPEN_H264, Wire.TIGHT, QUALITY, Wire.LAST_RECT, Wire.FENCE, Wire.EXTENDED_DESKTOP_SIZE,
)
#: H.264 by libx264, at a quality of 36 of 51.
STREAM_MODE, STREAM_QUALITY = -1027, -1104 + 36
KASMS = (
    Wire.TIGHT, QUALITY, Wire.LAST_RECT, Wire.FENCE, Wire.EXTENDED_DESKTOP_SIZE,
    STREAM_QUALITY, STREAM_MODE,
)
X264 = {Codec.H264: ENCODINGS[Codec.H264][-1]}
#: Message 184 of a client that reads all families, and the bytes of one encoder in the answer.
ASKING = struct.pack(">BB3i", 184, 3, -1026, -1031, -1036)
_OFFER = 4 + 4 + 4 + 1 + 5 * 4
FILM = Rect(40, 30, 400, 240)
FRAME = 1 / 30


def gradient(rect: Rect, number: int) -> np.ndarray:
    """A picture that moves with its number."""
    y, x = np.mgrid[0:rect.height, 0:rect.width]
    shades = [(x + 4 * number) % 256, (y + 2 * number) % 256, (x + y) // 4 % 256, 0 * x]
    return np.stack([np.abs(shade - 128) for shade in shades], axis=-1).astype(np.uint8)


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    error = np.mean((one[..., :3].astype(float) - other[..., :3]) ** 2)
    return 99.0 if error == 0 else 10 * log10(255 ** 2 / error)


class Case(TestCase):
    """A desktop that is large enough for a film."""

    def setUp(self) -> None:
        self.scene = Scene(640, 360)
        self.streams = self.scene.streams
        self.streams.encoders.found = X264
        self.scene.display.noise(Rect(0, 0, 640, 360), 1)
        self.number = 0

    def watch(self, *encodings: int, kasm: bool = False) -> Watcher:
        watcher = self.scene.watch(*encodings, kasm=kasm)
        self.scene.settle(watcher)
        watcher.heard.clear()
        return watcher

    def play(self, frames: int, *watchers: Watcher, rect: Rect = FILM,
             pause: float = FRAME) -> None:
        """Let the film play, and be watched."""
        for _ in range(frames):
            self.scene.clock.advance(pause)
            self.number += 1
            self.scene.display.paint(rect, gradient(rect, self.number))
            for watcher in watchers:
                watcher.request(incremental=True)
            self.scene.tick(*watchers)

    def flags(self, watcher: Watcher) -> list[tuple[Rect, int, bool]]:
        """Give where there was H.264, its flags, and whether it was a key picture."""
        found = []
        for rect, encoding, payload in watcher.rectangles:
            if encoding == Wire.OPEN_H264:
                part, _ = complete(h264.decode(), payload)
                found.append((rect, part.flags, b"\x00\x00\x01\x67" in part.data[:5]))
        watcher.heard.clear()
        return found

    def sharpness(self, watcher: Watcher, rect: Rect = FILM) -> float:
        """Give the PSNR of what is shown there."""
        part = slice(rect.y, rect.bottom), slice(rect.x, rect.right)
        return psnr(watcher.picture[part], self.scene.display.picture[part])

    def pictures(self) -> int:
        """Count what was encoded."""
        return sum(stream.units[-1].number + 1 for stream in self.streams._streams.values())


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
        self.streams.encoders.found = {}
        watcher = self.watch(*STANDARD)
        self.play(45, watcher)
        self.assertEqual(set(watcher.encodings()), {Wire.TIGHT})
        self.assertGreater(self.sharpness(watcher), 35)

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


class KasmTests(Case):
    """Encoding 17: all of the screen, for one who chose a stream."""

    def pictures_of(self, watcher: Watcher) -> list[tuple[int, bool]]:
        found = []
        for rect, encoding, payload in watcher.rectangles:
            if encoding == Wire.KASM_VIDEO:
                self.assertEqual(rect, Rect(0, 0, 640, 360))
                picture, _ = complete(kasmvideo.decode(), payload)
                self.assertEqual(picture.screen, 0)
                found.append((picture.mode, picture.unit.key))
        watcher.heard.clear()
        return found

    def test_the_encoders_are_named(self) -> None:
        watcher = self.scene.watch(*KASMS, kasm=True)
        watcher.client.send(bytes([184, 2, 255, 255, 251, 254, 255, 255, 251, 249]))
        watcher.exchange()
        body, = watcher.kasm_told(ServerMessage.VIDEO_ENCODERS)
        self.assertEqual((body[0], body[1:5].hex(), len(body)), (1, "fffffbfd", 34))

    def test_all_is_a_stream_from_the_beginning(self) -> None:
        self.scene.display.paint(Rect(0, 0, 640, 360), gradient(Rect(0, 0, 640, 360), 3))
        watcher = self.scene.watch(*KASMS, kasm=True)
        self.scene.settle(watcher)
        self.play(5, watcher)
        pictures = self.pictures_of(watcher)
        self.assertEqual(pictures[0], (STREAM_MODE, True))
        self.assertEqual(set(pictures[1:]), {(STREAM_MODE, False)})
        self.assertGreater(self.sharpness(watcher, Rect(0, 0, 640, 360)), 35)

    def test_av1(self) -> None:
        self.streams.encoders.found = {Codec.AV1: ENCODINGS[Codec.AV1][-1]}
        watcher = self.scene.watch(*KASMS[:-1], -1037, kasm=True)
        self.play(3, watcher)
        self.assertEqual(self.pictures_of(watcher)[0], (-1037, True))
        self.assertGreater(self.sharpness(watcher), 30)
        for _ in range(4):
            self.scene.clock.advance(RESTS_AFTER)
            self.scene.settle(watcher)
        self.assertTrue(watcher.shows(self.scene.display.picture))

    def test_av1_that_is_too_slow_goes_on_as_images_and_then_as_h264(self) -> None:
        everything = Rect(0, 0, 640, 360)
        self.streams.encoders.found = {**X264, Codec.AV1: ENCODINGS[Codec.AV1][-1]}
        watcher = self.scene.watch(*KASMS[:-1], -1037, kasm=True)
        watcher.client.send(ASKING)
        watcher.exchange()
        self.assertEqual(self.offered(watcher), [[-1027, -1037]])
        self.scene.settle(watcher)
        self.scene.encoding = 2 * TOO_LATE / 3
        for encoding, modes in ((Wire.KASM_VIDEO, []), (Wire.TIGHT, [[-1027]]), (Wire.TIGHT, [])):
            watcher.heard.clear()
            self.play(1, watcher, rect=everything)
            self.assertEqual(self.offered(watcher), modes)
            self.assertEqual(set(watcher.encodings()), {encoding})
            self.assertGreater(self.sharpness(watcher, everything), 30)
        watcher.client.send_encodings(KASMS)
        self.play(2, watcher, rect=everything)
        self.assertEqual(self.pictures_of(watcher), [(STREAM_MODE, True), (STREAM_MODE, False)])
        self.assertGreater(self.sharpness(watcher, everything), 30)

    def offered(self, watcher: Watcher) -> list[list[int]]:
        """Give the stream modes of each offer that came."""
        found = []
        for body in watcher.kasm_told(ServerMessage.VIDEO_ENCODERS):
            found.append([
                int.from_bytes(body[at:at + 4], "big", signed=True)
                for at in range(1, len(body), _OFFER)
            ])
        return found

    def test_what_is_small_comes_as_an_image_once_the_screen_rests(self) -> None:
        watcher = self.scene.watch(*KASMS, kasm=True)
        self.play(5, watcher)
        for _ in range(4):
            self.scene.clock.advance(RESTS_AFTER)
            self.scene.settle(watcher)
        watcher.heard.clear()
        self.scene.display.fill((1, 2, 3), Rect(50, 50, 30, 20))
        self.scene.settle(watcher)
        self.assertEqual(set(watcher.encodings()), {Wire.TIGHT})
        self.assertTrue(watcher.shows(self.scene.display.picture))
        self.play(3, watcher)
        self.assertEqual(len(self.pictures_of(watcher)), 3)

    def test_one_who_asks_for_all_gets_a_key_picture(self) -> None:
        watcher = self.scene.watch(*KASMS, kasm=True)
        self.play(KEPT + 5, watcher)
        watcher.heard.clear()
        watcher.request()
        self.scene.settle(watcher)
        self.assertEqual(self.pictures_of(watcher), [(STREAM_MODE, True)])

    def test_each_screen_is_a_stream_by_its_position(self) -> None:
        """In the order of the idents, in which its client is told them; the rest is images."""
        watcher = self.scene.watch(*KASMS, kasm=True)
        screens = (Screen(0, 0, 0, 320, 300), Screen(2, 320, 0, 160, 240),
                   Screen(5, 480, 0, 160, 360), Screen(9, 100, 320, 1, 1))
        watcher.client.send_desktop_size(640, 360, screens[::-1])
        watcher.exchange()
        self.scene.settle(watcher)
        watcher.heard.clear()
        whole = Rect(0, 0, 640, 360)
        self.play(5, watcher, rect=whole)
        found: dict[int, set[Rect]] = {}
        for rect, encoding, payload in watcher.rectangles:
            if encoding == Wire.KASM_VIDEO:
                picture, _ = complete(kasmvideo.decode(), payload)
                found.setdefault(picture.screen, set()).add(rect)
        self.assertEqual(
            found, {number: {screen.rect} for number, screen in enumerate(screens[:3])})
        self.assertEqual(len(self.streams), 3)
        self.assertGreater(self.sharpness(watcher, whole), 28)
        for _ in range(4):
            self.scene.clock.advance(RESTS_AFTER)
            self.scene.settle(watcher)
        self.assertTrue(watcher.shows(self.scene.display.picture))

    def test_another_mode_and_images(self) -> None:
        watcher = self.scene.watch(*KASMS, kasm=True)
        self.play(5, watcher)
        watcher.client.send_encodings([*KASMS[:-1], kasmvideo.IMAGES])
        watcher.exchange()
        watcher.heard.clear()
        self.play(5, watcher)
        self.assertEqual((self.pictures_of(watcher), len(self.streams)), ([], 0))
        self.assertGreater(self.sharpness(watcher), 35)


SMALL_FILM = Rect(32, 32, 240, 180)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("film"), st.integers(1, 30)),
        st.tuples(st.just("noise"), st.integers(0, 9)),
        st.tuples(st.just("scroll"), st.integers(1, 40)),
        st.tuples(st.just("wait"), st.sampled_from((0.1, 0.5, 2.0))),
        st.tuples(st.just("request"), st.booleans()),
        st.tuples(st.just("pause after"), st.integers(0, 3)),
        st.tuples(st.just("resume"), st.none()),
        st.tuples(st.just("resize"), st.sampled_from(((320, 240), (401, 303)))),
        st.tuples(st.just("blind"), st.booleans()),
    ),
    max_size=15,
)


@pytest.mark.parametrize("encodings", [STANDARD, (*STANDARD, Wire.COPY_RECT), KASMS])
@settings(max_examples=15, deadline=None)
@given(steps=st.just([("film", 30)]).flatmap(lambda first: STEPS.map(lambda more: first + more)))
def test_whatever_happens_the_picture_ends_exact(encodings: tuple[int, ...], steps: list) -> None:
    scene = Scene()
    scene.encoders.found = X264
    watcher = scene.watch(*encodings, kasm=encodings is KASMS)
    watcher.request()
    for what, value in steps:
        happen(scene, watcher, what, value)
    watcher.line.resume()
    scene.registry.set("writer", RIGHTS["writer"])
    # Echoes that are a second late make the link a thin one, which gets rows in turn.
    for _ in range(60):
        scene.clock.advance(1)
        scene.settle(watcher)
        if watcher.shows(scene.display.picture):
            break
    assert (watcher.line.closed, watcher.line.aborted) == (None, False)
    assert watcher.shows(scene.display.picture)
    watcher.leave()
    assert (len(scene.streams), scene.left_behind()) == (0, (0, 0, 0, 0))


def happen(scene: Scene, watcher: Watcher, what: str, value: object) -> None:
    """Let one thing happen."""
    display, line = scene.display, watcher.line
    if what == "film":
        for number in range(value):
            scene.clock.advance(FRAME)
            display.paint(SMALL_FILM, gradient(SMALL_FILM, number))
            watcher.request(incremental=True)
            scene.tick(watcher)
    elif what == "noise":
        display.noise(Rect(20 * value, 10 * value, 60, 50), value)
    elif what == "scroll":
        display.scroll(value)
    elif what == "wait":
        scene.clock.advance(value)
    elif what == "request":
        watcher.request(incremental=value)
    elif what == "pause after":
        line.room = value
        if value == 0:
            line.pause()
    elif what == "resume":
        line.resume()
    elif what == "resize":
        display.resize(*value, ())
    elif what == "blind":
        scene.registry.set("writer", Right.ENTER if value else RIGHTS["writer"])
    watcher.exchange()


class PrepareTests(TestCase):
    """What is made while the viewer cannot take it."""

    def test_one_picture_is_made_ahead_and_the_newest_follows(self) -> None:
        display, clock = MemoryDisplay(64, 48), Clock()
        streams = Streams(Encoders(clock))
        streams.encoders.found = X264
        streaming = Streaming(
            streams, Motion(clock), display.snapshot, lambda: None, clock, display.screens
        )
        streaming.serve(Capabilities(kasm=KasmSettings(stream_mode=STREAM_MODE)), None)
        screen = Region([Rect(0, 0, 64, 48)])
        for colour in range(5):
            display.paint(screen.rects[0], np.full((48, 64, 4), 50 * colour, np.uint8))
            streaming.changed(screen, ())
            streaming.prepare(screen)
        old, new = streaming.take(screen), streaming.take(screen)
        self.assertEqual((len(old.rectangles), old.shown, old.held), (1, [], screen))
        self.assertEqual((len(new.rectangles), new.shown), (1, [screen.rects[0]]))
        self.assertEqual(streaming.take(screen).rectangles, [])
        streaming.close()


class ThinTests(TestCase):
    """A link on which a picture takes a while: the left screen of two is a stream."""

    STREAM, BESIDE = Rect(0, 0, 64, 48), Rect(70, 0, 20, 20)

    def setUp(self) -> None:
        self.display, self.clock = Display(96, 48), Clock()
        streams = Streams(Encoders(self.clock))
        streams.encoders.found = X264
        left = self.display.screens[0]._replace(width=self.STREAM.width)
        self.streaming = Streaming(
            streams, Motion(self.clock), self.display.snapshot, lambda: None, self.clock, [left]
        )
        self.addCleanup(self.streaming.close)
        self.streaming.serve(Capabilities(kasm=KasmSettings(stream_mode=STREAM_MODE)), None)

    def take(self, budget: Optional[int], *owed: Rect) -> tuple[int, bool]:
        """Give how many pictures there are after a change, and whether images wait for them."""
        self.display.noise(self.STREAM, round(self.clock.seconds() * 10))
        self.streaming.changed(Region([self.STREAM]), ())
        self.streaming.prepare(Region([self.STREAM]))
        taken = self.streaming.take(Region(owed), budget)
        self.clock.advance(0.1)
        return len(taken.rectangles), bool(taken.held)

    def test_what_changed_beside_a_long_picture_goes_first_every_other_time(self) -> None:
        both = self.STREAM, self.BESIDE
        self.assertEqual([self.take(None, *both) for _ in range(4)], [(1, True)] * 4)
        self.assertEqual(
            [self.take(600, *both) for _ in range(4)], [(0, True), (1, True)] * 2
        )
        self.assertEqual([self.take(600, self.STREAM) for _ in range(2)], [(1, True)] * 2)
        self.assertEqual([self.take(1_000_000, *both) for _ in range(2)], [(1, True)] * 2)

    def test_a_thin_link_has_coarser_pictures_not_fewer(self) -> None:
        for _ in range(4):
            self.take(None, self.STREAM)
        before = self.sizes(self.streaming)
        self.assertEqual(self.take(90, self.STREAM), (0, True), "there is no new stream")
        self.assertEqual([self.take(90, self.STREAM) for _ in range(8)], [(1, True)] * 8)
        self.assertLess(self.sizes(self.streaming), before / 3)

    def sizes(self, streaming: Streaming) -> float:
        """Give the bytes of the next pictures, some of them."""
        return sum(len(self.next_picture(streaming)) for _ in range(4)) / 4

    def next_picture(self, streaming: Streaming) -> bytes:
        self.display.noise(self.STREAM, round(self.clock.seconds() * 10))
        streaming.changed(Region([self.STREAM]), ())
        streaming.prepare(Region([self.STREAM]))
        self.clock.advance(0.1)
        picture, = streaming.take(Region([self.STREAM])).rectangles
        return picture

    def test_where_pictures_take_too_long_there_are_images_for_a_while(self) -> None:
        self.assertEqual([self.take(None, self.STREAM) for _ in range(2)], [(1, True)] * 2)
        self.assertEqual(self.take(10, self.STREAM), (0, False))
        self.assertEqual(self.take(None, self.STREAM), (0, False))
        self.clock.advance(ASIDE)
        self.assertTrue(self.take(20, self.STREAM)[1], "it is not tried again")


class FarTests(TestCase):
    """A film beside which somebody presses keys, over 2 Mbit/s and 100 ms, and over less."""

    def test_all_of_a_film_and_each_key_are_seen_soon(self) -> None:
        far = (*STANDARD, Wire.CONTINUOUS_UPDATES)
        for rate in (250_000, 125_000):
            ages, updates = keys_over(rate, 0.1, 6, film_of(500), *far, video=X264)
            self.assertGreater(len(ages), 7)
            self.assertLessEqual(percentile(ages, 0.95), 0.25)
            self.assertGreater(updates, 6 * 20)


class AreasTests(TestCase):
    """What is video, for whom."""

    def setUp(self) -> None:
        encoders = Encoders(Clock())
        encoders.found = {codec: ENCODINGS[codec][-1] for codec in (Codec.H264, Codec.AV1)}
        self.streams = Streams(encoders, gop=7)
        self.film: Optional[Rect] = None
        self.screens = [Screen(9, 0, 0, 641, 480), Screen(3, 641, 0, 320, 201)]

    def areas(self, jpeg_quality: int = 79, **said: object) -> list[Area]:
        return areas_of(Capabilities(**said), jpeg_quality, self.screens, self.film, self.streams)

    def test_each_screen_is_a_stream(self) -> None:
        areas = self.areas(kasm=KasmSettings(stream_mode=-1037, stream_quality=40, gop=24))
        self.assertEqual(areas, [
            Area(Kind(Rect(0, 0, 640, 480), Codec.AV1, 23, 24), -1037, 0),
            Area(Kind(Rect(641, 0, 320, 200), Codec.AV1, 23, 24), -1037, 1),
        ])

    def test_what_was_not_said_is_as_configured(self) -> None:
        self.assertEqual(self.areas(kasm=KasmSettings(stream_mode=-1027))[0].kind[2:4], (34, 7))

    def test_modes_that_are_not_offered_are_images(self) -> None:
        for mode in (-1025, -1026, -1028, -1029, -1034, None):
            self.assertEqual(self.areas(kasm=KasmSettings(stream_mode=mode)), [])

    def test_a_film_has_the_quality_of_the_rest(self) -> None:
        self.film = FILM
        self.assertEqual(self.areas(open_h264=True), [Area(Kind(FILM, Codec.H264, 23, 7))])
        self.assertEqual(self.areas(42, open_h264=True)[0].kind.quality, 29)
        self.assertEqual(self.areas(), [])
