"""Masks against a model: what is concealed never leaves, and the watermark is always there."""

from __future__ import annotations

from typing import Optional

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.screen.framebuffer import Identity, Snapshot
from kasmd.screen.geometry import Move, Rect
from kasmd.screen.mask import Mask, Stamp
from kasmd.screen.pixels import Pixels
from kasmd.screen.region import EMPTY, Region

WIDTH, HEIGHT = 24, 18
SCREEN = Rect(0, 0, WIDTH, HEIGHT)
RED = (0, 0, 255)

_levels = st.integers(0, 9).map(
    lambda seed: np.random.default_rng(seed).choice(np.array([0, 60, 256], np.uint16), (4, 5))
)
_locations = st.none() | st.tuples(st.integers(-9, 20), st.integers(-9, 20))
stamps = st.none() | st.builds(Stamp, _levels, st.just(RED), _locations)


@st.composite
def rects(draw: st.DrawFn) -> Rect:
    x, y = draw(st.integers(0, WIDTH - 1)), draw(st.integers(0, HEIGHT - 1))
    return Rect(x, y, draw(st.integers(1, WIDTH - x)), draw(st.integers(1, HEIGHT - y)))


@st.composite
def moves(draw: st.DrawFn) -> Move:
    source, target = draw(rects()), draw(rects())
    size = min(source.width, target.width), min(source.height, target.height)
    return Move(Rect(target.x, target.y, *size), target.x - source.x, target.y - source.y)


def picture(seed: int) -> Pixels:
    pixels = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 4), np.uint8)
    pixels[..., 3] = 0
    return pixels


def part(pixels: Pixels, rect: Rect) -> Pixels:
    return pixels[rect.y:rect.bottom, rect.x:rect.right]


def snapshot(pixels: Pixels, rect: Rect = SCREEN) -> Snapshot:
    return Snapshot(Identity(3, 4), rect, part(pixels, rect).copy())


def modelled(pixels: Pixels, visible: Rect, stamp: Optional[Stamp]) -> Pixels:
    """What is seen, pixel by pixel."""
    seen = np.zeros_like(pixels)
    for y in range(visible.y, visible.bottom):
        for x in range(visible.x, visible.right):
            level = _level(stamp, x, y)
            for i, colour in enumerate((*RED, 0)):
                seen[y, x, i] = (int(pixels[y, x, i]) * (256 - level) + colour * level) // 256
    return seen


def _level(stamp: Optional[Stamp], x: int, y: int) -> int:
    if stamp is None:
        return 0
    rows, columns = stamp.levels.shape
    if stamp.location is None:
        return int(stamp.levels[y % rows, x % columns])
    left, top = (
        (side - length) // 2 if offset == 0 else offset if offset > 0 else side - length + offset
        for offset, length, side in zip(stamp.location, (columns, rows), (WIDTH, HEIGHT))
    )
    if left <= x < left + columns and top <= y < top + rows:
        return int(stamp.levels[y - top, x - left])
    return 0


@given(st.integers(0, 99), rects(), stamps, rects())
def test_what_is_seen_of_any_part(
    seed: int, visible: Rect, stamp: Optional[Stamp], rect: Rect
) -> None:
    pixels = picture(seed)
    mask = Mask(7, (WIDTH, HEIGHT), visible, stamp)
    given = snapshot(pixels, rect)
    seen = mask.cover(given)
    assert seen.identity == Identity(3, 4, 7) and seen.rect == rect
    assert np.array_equal(seen.pixels, part(modelled(pixels, visible, stamp), rect))
    assert np.array_equal(given.pixels, part(pixels, rect))


@given(
    st.just(SCREEN) | rects(), stamps, st.lists(moves(), max_size=4), st.lists(rects(), max_size=3),
    st.integers(0, 99),
)
def test_a_viewer_that_follows_any_change_sees_what_may_be_seen_and_no_more(
    visible: Rect, stamp: Optional[Stamp], moved: list[Move], damaged: list[Rect], seed: int
) -> None:
    mask = Mask(7, (WIDTH, HEIGHT), visible, stamp)
    pixels = picture(seed)
    seen = mask.cover(snapshot(pixels)).pixels.copy()
    for move in moved:
        part(pixels, move.target)[:] = part(pixels, move.source).copy()
    fresh = picture(seed + 1)
    for rect in damaged:
        part(pixels, rect)[:] = part(fresh, rect)

    region, kept = mask.change(Region(damaged), moved)

    assert not region.subtract(Region([visible]))
    for move in kept:
        assert visible.contains(move.source) and visible.contains(move.target)
        assert not Region([move.source, move.target]).intersect(mask.stamped)
        part(seen, move.target)[:] = part(seen, move.source).copy()
    for rect in region.rects:
        part(seen, rect)[:] = mask.cover(snapshot(pixels, rect)).pixels
    assert np.array_equal(seen, modelled(pixels, visible, stamp))


def test_a_scroll_is_still_a_move_where_it_is_seen() -> None:
    mask = Mask(1, (WIDTH, HEIGHT), Rect(2, 3, 20, 12), None)
    region, kept = mask.change(EMPTY, [Move(Rect(0, 0, WIDTH, 16), 0, -2)])
    assert kept == (Move(Rect(2, 3, 20, 10), 0, -2),)
    assert region == Region([Rect(2, 13, 20, 2)])


def test_what_was_spoilt_is_not_copied_further() -> None:
    mask = Mask(1, (WIDTH, HEIGHT), Rect(0, 0, WIDTH, 10), None)
    up, on = Move(Rect(0, 4, 4, 2), 0, -6), Move(Rect(8, 4, 4, 2), 8, 0)
    assert mask.change(EMPTY, [on]) == (EMPTY, (on,))
    assert mask.change(EMPTY, [up, on]) == (Region([up.target, on.target]), ())


@pytest.mark.parametrize("move", [Move(Rect(0, 9, 4, 4), 0, -4), Move(Rect(0, 1, 4, 4), 0, -8)])
def test_under_a_watermark_nothing_moves(move: Move) -> None:
    """Neither into it, which would cover it, nor out of it, which would copy it."""
    stamp = Stamp(np.full((4, 4), 60, np.uint16), RED, (1, 9))
    mask = Mask(1, (WIDTH, HEIGHT), SCREEN, stamp)
    assert mask.change(EMPTY, [move]) == (Region([move.target]), ())


def test_what_happens_out_of_sight_is_nothing() -> None:
    mask = Mask(1, (WIDTH, HEIGHT), Rect(0, 0, 10, 10), None)
    change = mask.change(Region([Rect(12, 0, 5, 18)]), [Move(Rect(10, 12, 4, 4), 0, 4)])
    assert change == (EMPTY, ())


def test_what_is_not_covered_is_not_copied() -> None:
    stamp = Stamp(np.full((2, 2), 9, np.uint16), RED, (20, 15))
    mask = Mask(1, (WIDTH, HEIGHT), Rect(0, 0, WIDTH, 17), stamp)
    clear = snapshot(picture(1), Rect(0, 0, 20, 17))
    assert mask.cover(clear).pixels is clear.pixels
    assert mask.cover(snapshot(picture(1))).pixels.flags.writeable is False


@pytest.mark.parametrize("location, place", [
    ((0, 0), Rect(45, 48, 10, 4)),
    ((1, -1), Rect(1, 95, 10, 4)),
    ((-5, 3), Rect(85, 3, 10, 4)),
    (None, Rect(0, 0, 100, 100)),
])
def test_where_a_watermark_lies(location: Optional[tuple[int, int]], place: Rect) -> None:
    assert Stamp(np.zeros((4, 10), np.uint16), RED, location).place(100, 100) == place
