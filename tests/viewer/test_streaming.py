"""Streaming: what is a stream, what goes when, and that the picture ends as it is."""

from __future__ import annotations

from typing import Optional

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from kasmd.codec.video import ENCODINGS, Codec
from kasmd.display.memory import MemoryDisplay
from kasmd.rfb.capabilities import Capabilities, KasmSettings
from kasmd.screen.geometry import Rect, Screen
from kasmd.screen.region import Region
from kasmd.viewer.encoders import Encoders
from kasmd.viewer.motion import Motion
from kasmd.viewer.place import ASIDE, Area
from kasmd.viewer.stream import Kind
from kasmd.viewer.streaming import Streaming, areas_of
from kasmd.viewer.streams import Streams
from tests.viewer.films import FILM, FRAME, KASMS, STANDARD, STREAM_MODE, X264, Wire, gradient
from tests.viewer.link import percentile
from tests.viewer.lives import happen
from tests.viewer.pressing import film_of, keys_over
from tests.viewer.scene import RIGHTS, Display, Scene, Watcher

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
        play(scene, watcher, what, value)
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


def play(scene: Scene, watcher: Watcher, what: str, value: object) -> None:
    """Let one thing happen."""
    display = scene.display
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
    else:
        happen(scene, watcher, what, value)
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
