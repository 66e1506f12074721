"""The painter: whatever happens on the way, a viewer ends with the display's pixels."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from kasmd.rfb.client import BellRung, ContinuousUpdatesEnded, CutTextSent, UpdateReceived
from kasmd.rfb.numbers import Encoding
from kasmd.screen.geometry import Move, Rect
from kasmd.screen.pixels import BGRX, PixelFormat
from tests.viewer.lives import happen
from tests.viewer.scene import PATIENCE, SMALL_SLICES, Scene, Watcher

BIG_ENDIAN = PixelFormat(32, 24, True, True, 255, 255, 255, 16, 8, 0)
RGB565 = PixelFormat(16, 16, False, True, 31, 63, 31, 11, 5, 0)
RGB565_BIG = RGB565._replace(big_endian=True)
BGR233 = PixelFormat(8, 8, False, True, 7, 7, 3, 0, 3, 6)
FORMATS = (BGRX, BIG_ENDIAN, RGB565, RGB565_BIG, BGR233)
SIZES = ((320, 240), (200, 300), (333, 127), (16, 16))


class Kind(NamedTuple):
    """A sort of viewer program."""

    encodings: tuple[int, ...]
    kasm: bool = False
    #: Of the desktop: its picture is more than a slice.
    size: tuple[int, int] = (320, 240)


FENCES = Encoding.FENCE, Encoding.CONTINUOUS_UPDATES
RICH = *FENCES, Encoding.COPY_RECT, Encoding.LAST_RECT, Encoding.EXTENDED_DESKTOP_SIZE
POOR = Encoding.FENCE, Encoding.DESKTOP_SIZE
KINDS = {
    "Raw": Kind((Encoding.RAW, *RICH)),
    "Raw, counted": Kind((Encoding.RAW, *POOR)),
    "Hextile": Kind((Encoding.HEXTILE, *RICH)),
    "Hextile, counted": Kind((Encoding.HEXTILE, *POOR, Encoding.COPY_RECT)),
    "ZRLE": Kind((Encoding.ZRLE, SMALL_SLICES, *RICH)),
    "ZRLE, counted": Kind((Encoding.ZRLE, SMALL_SLICES, *POOR, *FENCES)),
    "Zlib": Kind((Encoding.ZLIB, SMALL_SLICES, *RICH)),
    "Tight": Kind((Encoding.TIGHT, SMALL_SLICES, *RICH), size=(700, 400)),
    "Tight, counted": Kind((Encoding.TIGHT, SMALL_SLICES, *POOR, Encoding.COPY_RECT),
                           size=(700, 400)),
    "Kasm": Kind((Encoding.TIGHT, SMALL_SLICES, *RICH), kasm=True, size=(700, 400)),
}

FRACTIONS = st.tuples(*[st.integers(0, 15)] * 4)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("fill"), FRACTIONS),
        st.tuples(st.just("noise"), FRACTIONS),
        st.tuples(st.just("scroll"), st.integers(1, 40) | st.integers(-40, -1)),
        st.tuples(st.just("request"), st.booleans()),
        st.tuples(st.just("request part"), FRACTIONS),
        st.tuples(st.just("continuous"), FRACTIONS | st.none()),
        st.tuples(st.just("pause after"), st.integers(0, 3)),
        st.tuples(st.just("resume"), st.none()),
        st.tuples(st.just("tick"), st.none()),
        st.tuples(st.just("resize"), st.sampled_from(SIZES)),
        st.tuples(st.just("format"), st.sampled_from(FORMATS)),
        st.tuples(st.just("blind"), st.booleans()),
    ),
    max_size=25,
)


def part(scene: Scene, fractions: tuple[int, int, int, int]) -> Rect:
    """Give a rectangle inside the display, from sixteenths of what is possible."""
    width, height = scene.display.size
    x, y = fractions[0] * width // 16, fractions[1] * height // 16
    return Rect(x, y, 1 + fractions[2] * (width - x - 1) // 15,
                1 + fractions[3] * (height - y - 1) // 15)


def play(scene: Scene, watcher: Watcher, what: str, value: object, continuous: bool) -> None:
    """Let one thing happen."""
    display = scene.display
    if what == "fill":
        display.fill((value[0] * 16, value[1] * 16, value[2] * 16), part(scene, value))
    elif what == "noise":
        display.noise(part(scene, value), sum(value))
    elif what == "scroll":
        display.scroll(max(1 - display.size[1], min(value, display.size[1] - 1)))
    elif what == "request part":
        watcher.request(incremental=True, rect=part(scene, value))
    elif what == "continuous" and continuous:
        watcher.client.send_continuous_updates(
            value is not None, part(scene, value or (0, 0, 0, 0))
        )
    elif what == "tick":
        scene.tick()
    elif what == "format":
        watcher.change_format(value)
        watcher.request()
    else:
        happen(scene, watcher, what, value)
    watcher.exchange()


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
@settings(max_examples=25, deadline=None)
@given(steps=STEPS)
def test_a_viewer_ends_with_the_displays_pixels(kind: Kind, steps: list) -> None:
    scene = Scene(*kind.size)
    scene.display.noise(Rect(10, 10, 300, 200), 1)
    watcher = scene.watch(*kind.encodings, kasm=kind.kasm)
    continuous = Encoding.CONTINUOUS_UPDATES in kind.encodings
    watcher.request()
    for what, value in steps:
        play(scene, watcher, what, value, continuous)
    watcher.line.resume()
    play(scene, watcher, "blind", False, continuous)
    play(scene, watcher, "continuous", None, continuous)
    scene.tick(watcher)
    scene.settle(watcher)
    assert (watcher.line.closed, watcher.line.aborted) == (None, False)
    assert watcher.shows(scene.display.picture)
    watcher.leave()
    assert scene.left_behind() == (0, 0, 0, 0)


ALL = Rect(0, 0, 320, 240)
RAW = Encoding.RAW, Encoding.LAST_RECT


class MovesTests(TestCase):
    """Scrolling costs a CopyRect where the viewer can make one."""

    def setUp(self) -> None:
        self.scene = Scene()
        self.scene.display.noise(ALL, 1)

    def scrolled(self, *encodings: int, rect: Rect = ALL) -> list[int]:
        watcher = self.scene.watch(*encodings)
        watcher.request()
        self.scene.tick(watcher)
        watcher.encodings()
        self.scene.display.scroll(16)
        watcher.request(incremental=True, rect=rect)
        self.scene.tick(watcher)
        return watcher.encodings()

    def test_the_move_goes_before_the_new_pixels(self) -> None:
        self.assertEqual(self.scrolled(Encoding.RAW, Encoding.COPY_RECT), [1, 0])

    def test_pixels_for_one_who_cannot(self) -> None:
        self.assertEqual(set(self.scrolled(Encoding.RAW)), {0})

    def test_pixels_for_one_who_wants_a_part_only(self) -> None:
        rect = Rect(0, 0, 320, 100)
        self.assertEqual(set(self.scrolled(Encoding.RAW, Encoding.COPY_RECT, rect=rect)), {0})

    def test_kasms_client_is_told_the_end_of_a_move_alone(self) -> None:
        watcher = self.scene.watch(*RICH, kasm=True)
        self.scene.settle(watcher)
        watcher.heard.clear()
        self.scene.display.move(Move(Rect(10, 20, 50, 60), 5, -7))
        watcher.request(incremental=True)
        (update,) = watcher.told(UpdateReceived)
        self.assertEqual({rectangle.encoding for rectangle in update.rectangles}, {1})
        self.assertFalse(update.counted)
        self.assertTrue(watcher.shows(self.scene.display.picture))

    def test_a_move_while_an_update_is_under_way_is_owed_as_pixels(self) -> None:
        watcher = self.scene.watch(*RAW, Encoding.COPY_RECT)
        watcher.request()
        self.scene.display.scroll(16)
        self.scene.tick(watcher)
        watcher.request(incremental=True)
        self.scene.tick(watcher)
        self.assertNotIn(Encoding.COPY_RECT, watcher.encodings())
        self.assertTrue(watcher.shows(self.scene.display.picture))


class AnswerTests(TestCase):
    """What is answered to a request, and when."""

    def setUp(self) -> None:
        self.scene = Scene()

    def test_nothing_unasked(self) -> None:
        watcher = self.scene.watch(Encoding.RAW)
        self.scene.display.fill((1, 2, 3))
        self.scene.tick(watcher)
        self.assertEqual(watcher.told(UpdateReceived), [])

    def test_a_first_request_for_changes_only_is_answered_with_all(self) -> None:
        watcher = self.scene.watch(Encoding.RAW)
        watcher.request(incremental=True)
        self.scene.tick(watcher)
        self.assertTrue(watcher.shows(self.scene.display.picture))

    def test_new_encodings_without_news_are_no_update(self) -> None:
        watcher = self.scene.watch(Encoding.RAW)
        self.scene.settle(watcher)
        watcher.encodings()
        watcher.client.send_encodings([Encoding.RAW])
        watcher.request(incremental=True)
        self.assertEqual(watcher.told(UpdateReceived), [])

    def test_a_request_outside_the_picture_is_no_request(self) -> None:
        watcher = self.scene.watch(Encoding.RAW)
        watcher.request(rect=Rect(320, 0, 10, 10))
        self.assertEqual(watcher.told(UpdateReceived), [])

    def test_a_full_request_in_the_middle_of_an_update_is_answered_whole(self) -> None:
        watcher = self.scene.watch(*RAW)
        watcher.request()
        watcher.request()
        self.scene.tick(watcher)
        drawn = sum(rectangle.rect.area for rectangle in watcher.rectangles)
        self.assertEqual(drawn, 2 * ALL.area)

    def test_continuous_updates_come_unasked_until_they_are_ended(self) -> None:
        watcher = self.scene.watch(*RAW, *FENCES)
        watcher.client.send_continuous_updates(True, ALL)
        watcher.exchange()
        self.scene.tick(watcher)
        for colour in range(1, 4):
            self.scene.display.fill((colour, 0, 0))
            self.scene.tick(watcher)
            self.assertTrue(watcher.shows(self.scene.display.picture))
        watcher.client.send_continuous_updates(False, ALL)
        watcher.exchange()
        watcher.heard.clear()
        self.scene.display.fill((9, 0, 0))
        self.scene.tick(watcher)
        self.assertEqual(watcher.told(UpdateReceived), [])

    def test_the_end_of_continuous_updates_follows_the_update_under_way(self) -> None:
        watcher = self.scene.watch(*RAW, *FENCES)
        watcher.client.send_continuous_updates(True, ALL)
        watcher.client.send_continuous_updates(False, ALL)
        watcher.exchange()
        before = len(watcher.told(ContinuousUpdatesEnded))
        self.scene.tick(watcher)
        kinds = [type(event) for event in watcher.heard]
        self.assertEqual(len(watcher.told(ContinuousUpdatesEnded)), before + 1)
        self.assertLess(kinds.index(UpdateReceived), len(kinds) - 1)

    def test_a_size_is_told_alone_and_before_the_picture(self) -> None:
        watcher = self.scene.watch(*RAW, Encoding.EXTENDED_DESKTOP_SIZE)
        self.scene.settle(watcher)
        watcher.heard.clear()
        self.scene.display.resize(100, 50, ())
        self.scene.settle(watcher)
        first, *others = watcher.told(UpdateReceived)
        self.assertEqual([rect.encoding for rect in first.rectangles], [-308])
        self.assertTrue(watcher.shows(self.scene.display.picture))

    def test_one_who_cannot_follow_a_change_of_size_is_closed(self) -> None:
        for ask_first in (True, False):
            watcher = self.scene.watch(Encoding.RAW)
            if ask_first:
                watcher.request()
            self.scene.display.resize(100 + ask_first, 50, ())
            watcher.request()
            self.assertEqual(
                watcher.line.closed, (1011, "cannot follow the desktop's change of size")
            )
            self.assertEqual(self.scene.left_behind()[1:], (0, 0, 0))

    def test_a_size_that_changes_before_a_viewer_can_follow_is_told_it_then(self) -> None:
        watcher = self.scene.watch()
        self.scene.display.resize(100, 50, ())
        watcher.client.send_encodings([*RAW, Encoding.DESKTOP_SIZE])
        self.scene.settle(watcher)
        self.assertTrue(watcher.shows(self.scene.display.picture))

    def test_bell_and_clipboard_wait_for_the_end_of_an_update(self) -> None:
        watcher = self.scene.watch(*RAW)
        watcher.request()
        self.scene.display.ring()
        self.scene.display.ring()
        self.scene.display.copy({"text/plain": b"old"})
        self.scene.display.copy({"text/plain": b"new"})
        self.scene.tick(watcher)
        kinds = [type(event) for event in watcher.heard[1:]]
        self.assertEqual(kinds, [UpdateReceived, CutTextSent, BellRung])
        self.assertEqual([event.data for event in watcher.told(CutTextSent)], [b"new"])


class SharingTests(TestCase):
    """One encoding serves all viewers of one kind."""

    def encodings_for(self, count: int, *encodings: int) -> int:
        scene = Scene()
        watchers = [scene.watch(*encodings) for _ in range(count)]
        for watcher in watchers:
            scene.settle(watcher)
        for seed in range(5):
            for watcher in watchers:
                watcher.request(incremental=True)
            scene.display.noise(Rect(20, 20, 280, 200), seed)
            scene.tick(*watchers)
        for watcher in watchers:
            self.assertTrue(watcher.shows(scene.display.picture))
        return scene.encodings.made

    def test_many_cost_as_much_as_one(self) -> None:
        for encoding in (Encoding.TIGHT, Encoding.RAW, Encoding.HEXTILE):
            kind = encoding, SMALL_SLICES, Encoding.LAST_RECT, Encoding.FENCE
            self.assertEqual(self.encodings_for(8, *kind), self.encodings_for(1, *kind))

    def test_those_who_may_not_see_are_sent_nothing_that_is_shared(self) -> None:
        scene = Scene()
        writer, nobody = scene.watch(*RAW), scene.watch(*RAW, name="nobody")
        writer.request()
        nobody.request()
        scene.tick(writer, nobody)
        self.assertTrue(writer.shows(scene.display.picture))
        self.assertEqual(nobody.told(UpdateReceived), [])


class StalledTests(TestCase):
    """One who takes nothing costs nobody else anything."""

    def setUp(self) -> None:
        self.scene = Scene(640, 480)
        self.stalled = self.scene.watch(*RAW)
        self.lively = self.scene.watch(*RAW)

    def test_others_go_on_and_nothing_piles_up(self) -> None:
        self.stalled.request()
        self.stalled.line.pause()
        for seed in range(20):
            self.stalled.request()
            self.scene.display.noise(Rect(0, 0, 640, 480), seed)
            self.lively.request(incremental=True)
            self.scene.tick(self.lively)
            self.assertTrue(self.lively.shows(self.scene.display.picture))
            self.assertEqual(self.stalled.line.items, [])
        self.stalled.line.resume()
        self.scene.tick(self.stalled)
        self.scene.settle(self.stalled)
        self.assertTrue(self.stalled.shows(self.scene.display.picture))

    def test_a_slice_is_all_that_a_pause_lets_through(self) -> None:
        self.stalled.line.room = 1
        self.stalled.client.send_update_request(False, Rect(0, 0, 640, 480))
        for item in self.stalled.client.data_to_send():
            self.stalled.viewer.received(item)
        self.scene.clock.advance(1)
        self.assertLess(sum(map(len, self.stalled.line.items)), 300_000)

    def test_patience_ends(self) -> None:
        self.stalled.request()
        self.stalled.line.pause()
        self.scene.clock.advance(PATIENCE - 1)
        self.assertFalse(self.stalled.line.aborted)
        self.scene.clock.advance(2)
        self.assertTrue(self.stalled.line.aborted)
        self.assertFalse(self.lively.line.aborted)
        self.lively.leave()
        self.assertEqual(self.scene.left_behind(), (0, 0, 0, 0))

    def test_one_that_asks_for_echoes_and_takes_none_is_closed(self) -> None:
        self.stalled.line.pause()
        fence = bytes([248, 0, 0, 0, 128, 0, 0, 0, 64]) + bytes(64)
        for _ in range(100):
            self.stalled.viewer.received(fence * 200)
        self.assertTrue(self.stalled.line.aborted)
        self.assertEqual(self.stalled.line.items, [])

    def test_one_that_never_echoes_is_sent_no_queue_and_then_closed(self) -> None:
        mute = self.scene.watch(*RAW, Encoding.FENCE)
        sent = 0
        for seed in range(10):
            self.scene.display.noise(Rect(0, 0, 640, 480), seed)
            mute.viewer.received(bytes([3, 1, 0, 0, 0, 0, 2, 128, 1, 224]))
            self.scene.clock.advance(1)
            sent += sum(map(len, mute.line.take()))
        self.assertLess(sent, 2 * 640 * 480 * 4)
        self.scene.clock.advance(PATIENCE)
        self.scene.display.noise(Rect(0, 0, 640, 480), 99)
        self.assertEqual(mute.line.closed, (1011, "took nothing for 30 s"))
        self.assertEqual(self.scene.around.totals.limits["stalled_viewer_seconds"], 1)


class BrokenTests(TestCase):
    """A failure of the display's ends the viewer with a word, not in silence."""

    def test_in_the_middle_of_an_update(self) -> None:
        scene = Scene()
        watcher = scene.watch(*RAW)
        watcher.request()
        scene.display.broken = ZeroDivisionError()
        scene.tick()
        self.assertEqual(watcher.line.closed, (1011, "internal error; the log has more"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(scene.left_behind(), (0, 0, 0, 0))
