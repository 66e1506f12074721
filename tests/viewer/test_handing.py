"""What is encoded beside the reactor: the same pictures, never what may not be seen any more."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from kasmd.rfb.client import ContinuousUpdatesEnded, UpdateReceived
from kasmd.rfb.numbers import Encoding
from kasmd.rights import READ, Right
from kasmd.screen.geometry import Rect
from kasmd.screen.pixels import RGBX
from kasmd.viewer.crew import Crew
from kasmd.viewer.turns import Turns
from tests.viewer.scene import Display, Scene, Watcher
from tests.viewer.slowcoach import Slowcoach

WIDTH, HEIGHT = 640, 400
ALL = Rect(0, 0, WIDTH, HEIGHT)
TIGHT = Encoding.TIGHT, Encoding.FENCE, Encoding.CONTINUOUS_UPDATES
RICH = *TIGHT, Encoding.LAST_RECT, Encoding.EXTENDED_DESKTOP_SIZE, Encoding.COPY_RECT
#: Without loss, and yet each other bytes: pairs want the same.
LEVELS = (-256, -255, -254, -256, -255, -254)


class Costly(Display):
    """To look at its pixels takes 3 ms: the others' turns wait for another round.

    Under a ``mask`` all is black.
    """

    spent = 0.0
    mask = 0

    def snapshot(self, rect: Rect) -> Any:
        """Copy ``rect``."""
        self.spent += 0.003
        snapshot = super().snapshot(rect)
        if not self.mask:
            return snapshot
        identity = snapshot.identity._replace(mask=self.mask)
        return snapshot._replace(identity=identity, pixels=np.zeros_like(snapshot.pixels))


class Crowd:
    """Six who want three kinds of the same picture, and a crew of two."""

    def __init__(self, *encodings: int) -> None:
        self.scene = scene = Scene(WIDTH, HEIGHT)
        self.display = scene.display = display = Costly(WIDTH, HEIGHT)
        self.workers = Slowcoach(), Slowcoach()
        scene.around.crew = Crew(self.workers)
        scene.around.turns = Turns(scene.clock, elapsed=lambda: display.spent)
        self.watchers = [
            scene.watch(*encodings, level, name="writer" if number else "reader")
            for number, level in enumerate(LEVELS)
        ]
        for watcher in self.watchers:
            watcher.request()
            watcher.client.send_continuous_updates(True, ALL)
            watcher.exchange()
        self.finish()

    def paint(self, seed: int) -> int:
        """Change all; tell how many encodings were handed out."""
        self.scene.display.noise(ALL, seed)
        self.carry()
        return self.handed

    @property
    def handed(self) -> int:
        """Encodings that are made elsewhere."""
        return sum(len(worker.given) for worker in self.workers)

    def carry(self) -> None:
        """Carry what was said, until nothing but what is made elsewhere is to come."""
        for _ in range(30):
            self.scene.tick(*self.watchers)

    def finish(self) -> None:
        """Make what was handed out, and what comes of it."""
        self.carry()
        while self.handed:
            for worker in self.workers:
                worker.finish()
            self.carry()

    def shows(self, *watchers: Watcher) -> bool:
        """Tell whether these, or all, see what there is."""
        picture = self.scene.display.picture
        return all(watcher.shows(picture) for watcher in watchers or self.watchers)


class HandingTests(TestCase):
    """What others wait for is encoded elsewhere, once for all who want the same."""

    def test_all_see_the_picture_and_each_kind_is_made_once(self) -> None:
        crowd = Crowd(*RICH)
        before = crowd.scene.encodings.made
        self.assertGreater(crowd.paint(1), 0)
        crowd.finish()
        self.assertTrue(crowd.shows())
        self.assertEqual(crowd.scene.encodings.made - before, 3)

    def test_where_nobody_waits_nothing_is_handed_out(self) -> None:
        crowd = Crowd(*RICH)
        for watcher in crowd.watchers[1:]:
            watcher.leave()
        self.assertEqual(crowd.paint(1), 0)
        self.assertTrue(crowd.shows(crowd.watchers[0]))

    def test_where_all_want_the_same_it_is_made_once(self) -> None:
        crowd = Crowd(*RICH)
        for watcher in crowd.watchers:
            watcher.client.send_encodings([*RICH, -254])
            watcher.exchange()
        crowd.finish()
        before = crowd.scene.encodings.made
        self.assertLessEqual(crowd.paint(1), 1)
        crowd.finish()
        self.assertTrue(crowd.shows())
        self.assertEqual(crowd.scene.encodings.made - before, 1)

    def test_what_changes_meanwhile_is_sent_after_it(self) -> None:
        crowd = Crowd(*RICH)
        crowd.paint(1)
        crowd.display.noise(Rect(10, 20, 300, 200), 2)
        crowd.finish()
        self.assertTrue(crowd.shows())

    def test_who_loses_the_right_meanwhile_does_not_get_it(self) -> None:
        for encodings, name in ((RICH, "LastRect"), (TIGHT, "counted")):
            crowd = Crowd(*encodings)
            before = crowd.display.picture
            self.assertGreater(crowd.paint(1), 0)
            held = [watcher for watcher in crowd.watchers[1:] if watcher.shows(before)]
            self.assertTrue(held, name)
            crowd.scene.registry.set("writer", Right.ENTER)
            crowd.finish()
            for watcher in held:
                seen = (watcher.picture[..., :3] == crowd.display.picture[..., :3]).all(2)
                self.assertLess(seen.mean(), 0.01, name)
            self.assertTrue(crowd.shows(crowd.watchers[0]))
            crowd.scene.registry.set("writer", READ)
            crowd.finish()
            self.assertTrue(crowd.shows())

    def test_what_is_concealed_meanwhile_is_not_seen(self) -> None:
        crowd = Crowd(*RICH)
        before = crowd.display.picture
        crowd.paint(1)
        painted = crowd.display.picture
        held = [watcher for watcher in crowd.watchers if watcher.shows(before)]
        crowd.display.mask = 1
        crowd.finish()
        self.assertTrue(held)
        for watcher in held:
            self.assertFalse(watcher.shows(painted))
            self.assertFalse(watcher.picture[..., :3].any())

    def test_the_answers_to_what_is_said_meanwhile_follow_it(self) -> None:
        crowd = Crowd(*RICH)
        crowd.paint(1)
        for watcher in crowd.watchers:
            watcher.heard.clear()
            watcher.change_format(RGBX)
            watcher.client.send_continuous_updates(False, ALL)
            watcher.exchange()
        crowd.finish()
        for watcher in crowd.watchers:
            ends = [type(event) for event in watcher.heard].index(ContinuousUpdatesEnded)
            self.assertNotIn(UpdateReceived, [type(event) for event in watcher.heard[ends:]])
        self.assertTrue(crowd.shows())

    def test_who_leaves_meanwhile_is_gone(self) -> None:
        crowd = Crowd(*RICH)
        crowd.paint(1)
        for watcher in crowd.watchers:
            watcher.leave()
        crowd.finish()
        self.assertEqual(crowd.scene.left_behind(), (0, 0, 0, 0))

    def test_another_size_meanwhile(self) -> None:
        for size in ((500, 300), (800, 600)):
            crowd = Crowd(*RICH)
            crowd.paint(1)
            crowd.display.resize(size[0], size[1], ())
            crowd.display.noise(Rect(0, 0, *size), 3)
            crowd.finish()
            for watcher in crowd.watchers:
                watcher.client.send_continuous_updates(True, Rect(0, 0, *size))
                watcher.exchange()
            crowd.finish()
            self.assertTrue(crowd.shows())

    def test_all_is_asked_for_anew_meanwhile(self) -> None:
        crowd = Crowd(*RICH)
        crowd.paint(1)
        for watcher in crowd.watchers:
            watcher.heard.clear()
            watcher.request()
        crowd.finish()
        for watcher in crowd.watchers:
            drawn = sum(each.rect.area for each in watcher.rectangles if each.encoding == 7)
            self.assertGreaterEqual(drawn, ALL.area)
        self.assertTrue(crowd.shows())

    def test_what_cannot_be_made_ends_those_who_want_it_only(self) -> None:
        crowd = Crowd(*RICH)
        crowd.paint(1)
        for worker in crowd.workers:
            for done, _, _ in worker.given:
                done.errback(ZeroDivisionError())
            worker.given.clear()
        crowd.finish()
        self.assertTrue(self.flushLoggedErrors(ZeroDivisionError))
        ended = [watcher for watcher in crowd.watchers if watcher.line.closed]
        self.assertTrue(0 < len(ended) < len(LEVELS))
        self.assertTrue(crowd.shows(*set(crowd.watchers).difference(ended)))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.one_of(
    st.tuples(st.just("noise"), st.integers(0, 99)),
    st.tuples(st.just("part"), st.integers(0, 99)),
    st.tuples(st.just("scroll"), st.integers(1, 40)),
    st.tuples(st.just("blind"), st.booleans()),
    st.tuples(st.just("resize"), st.sampled_from([(640, 400), (500, 300), (700, 500)])),
    st.tuples(st.just("finish"), st.integers(0, 1)),
    st.tuples(st.just("tick"), st.integers(1, 3)),
    st.tuples(st.just("full"), st.integers(0, 5)),
), max_size=20))
def test_all_end_with_the_displays_pixels(steps: list[tuple[str, Any]]) -> None:
    crowd = Crowd(*RICH)
    display = crowd.display
    for what, value in steps:
        if what == "noise":
            display.noise(Rect(0, 0, *display.size), value)
        elif what == "part":
            display.noise(Rect(value, value, 300, 200), value)
        elif what == "scroll":
            display.scroll(value)
        elif what == "blind":
            crowd.scene.registry.set("writer", Right.ENTER if value else READ)
        elif what == "resize":
            display.resize(value[0], value[1], ())
        elif what == "finish":
            crowd.workers[value].finish()
        elif what == "full":
            crowd.watchers[value].request()
        else:
            for _ in range(value):
                crowd.scene.tick(*crowd.watchers)
    crowd.scene.registry.set("writer", READ)
    crowd.finish()
    for watcher in crowd.watchers:
        watcher.client.send_continuous_updates(True, Rect(0, 0, *display.size))
        watcher.exchange()
    crowd.finish()
    assert [watcher.line.closed for watcher in crowd.watchers] == [None] * len(LEVELS)
    assert crowd.shows()


def test_a_crowd_is_told_of_its_updates_once_each() -> None:
    crowd = Crowd(*RICH)
    before = [len(watcher.told(UpdateReceived)) for watcher in crowd.watchers]
    for seed in range(3):
        crowd.paint(seed)
        crowd.finish()
    after = [len(watcher.told(UpdateReceived)) for watcher in crowd.watchers]
    assert [late - early for early, late in zip(before, after)] == [3] * len(LEVELS)
