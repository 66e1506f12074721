"""How many calls a small update takes from damage to slice.

At typing and dragging they are what an update costs, and unlike its time they are the
same each time.
"""

import sys
from statistics import median
from typing import Callable

import numpy as np
import pytest

from kasmd.rfb.numbers import Encoding
from kasmd.screen.geometry import Move, Rect, bounding
from kasmd.screen.pixels import Pixels
from tests.viewer.scene import Scene, Watcher

#: Quality 6, as browsers ask for.
_QUALITY = -26


def calls_of(work: Callable[[], None]) -> int:
    """Count the calls of functions, Python's and others', that some work makes."""
    count = 0

    def called(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(called)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@pytest.fixture
def scene() -> Scene:
    return Scene(960, 540)


def watcher_of(scene: Scene) -> Watcher:
    watcher = scene.watch(
        Encoding.TIGHT, Encoding.COPY_RECT, _QUALITY, Encoding.LAST_RECT, Encoding.COLUMNS
    )
    watcher.request()
    scene.settle(watcher)
    return watcher


def rest(scene: Scene, watcher: Watcher) -> None:
    """Let a frame's time go by, and ask for what comes next."""
    watcher.request(incremental=True)
    scene.clock.advance(0.04)
    watcher.exchange()


def letter(number: int) -> Pixels:
    bits = np.random.default_rng(number).integers(0, 2, (13, 6, 1), np.uint8)
    return bits * np.array([90, 200, 240, 0], np.uint8)


def test_a_letter_typed(scene: Scene) -> None:
    watcher = watcher_of(scene)
    counts = []
    for number in range(20):
        rest(scene, watcher)
        place, pixels = Rect(100 + 6 * number, 200, 6, 13), letter(number)
        counts.append(calls_of(lambda: scene.display.paint(place, pixels)))
        watcher.exchange()
        assert (watcher.picture[place.slices] == pixels).all()
    assert median(counts) <= 340


def test_a_window_dragged(scene: Scene) -> None:
    watcher = watcher_of(scene)
    chance = np.random.default_rng(1)
    wall = chance.integers(0, 256, (540, 960, 4), np.uint8)
    window = chance.integers(0, 256, (300, 400, 4), np.uint8)
    place, counts = Rect(40, 30, 400, 300), []
    for number in range(30):
        rest(scene, watcher)
        before, place = place, place.moved(8, 5)
        wall[..., 3] = window[..., 3] = 0
        screen = wall.copy()
        screen[place.slices] = window
        around, move = bounding(before, place), Move(place, 8, 5)
        if not number:
            scene.display.paint(Rect(0, 0, 960, 540), screen)
        else:
            counts.append(calls_of(lambda: scene.display.drag(around, screen[around.slices], move)))
        watcher.exchange()
        scene.settle(watcher)
    assert median(counts) <= 700
    assert Encoding.COPY_RECT in watcher.encodings()
