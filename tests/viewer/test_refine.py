"""What was shown with loss is known, moves with its pixels, and ripens with time."""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.codec import choose
from kasmd.codec.base import COLUMNS, TIGHT, Parameters
from kasmd.screen.geometry import Move, Rect
from kasmd.screen.region import Region
from kasmd.viewer.refine import Refinement, is_lossy, rest
from tests.written import written

HERE, THERE = Rect(0, 0, 64, 64), Rect(128, 0, 64, 64)
HALF = rest(1 / 60) / 2


def ripe(refinement: Refinement, now: float) -> Region:
    """Let time go by until ``now``."""
    refinement.ripen(now, HALF)
    return refinement.ripe


@pytest.mark.parametrize("parameters, lossy", [
    (Parameters(TIGHT), False),
    (Parameters(TIGHT, jpeg_quality=80), True),
    (Parameters(TIGHT, jpeg_quality=100), True),
    (Parameters(TIGHT, jpeg_quality=80, webp_quality=80), True),
    (Parameters(TIGHT, jpeg_quality=80, qoi=True), False),
    (Parameters(16, jpeg_quality=80, jpeg_rectangles=True), True),
])
def test_what_loses_something(parameters: Parameters, lossy: bool) -> None:
    from kasmd.codec.deflate import ZlibStreams

    pixels = np.random.default_rng(1).integers(0, 255, (64, 64, 4), np.uint8)
    rectangles = choose.encode(pixels, HERE, parameters, ZlibStreams())
    assert [is_lossy(rectangle) for rectangle in rectangles] == [lossy]


def test_columns_lose_nothing() -> None:
    text, rect = written(320, 800), Rect(0, 0, 800, 320)
    rectangle, = choose.encode(text, rect, Parameters(jpeg_quality=80, columns=True))
    assert rectangle.encoding == COLUMNS and not is_lossy(rectangle)


def test_it_ripens_within_one_rest_and_a_half() -> None:
    refinement = Refinement()
    refinement.sent([HERE], [HERE])
    assert refinement.ripen(5.0, HALF) == pytest.approx(3 * HALF), "nothing comes of less"
    assert not ripe(refinement, 5.0 + 2 * HALF - 0.001)
    assert refinement.ripen(5.0 + 2.5 * HALF, HALF) == pytest.approx(HALF / 2)
    assert ripe(refinement, 5.0 + 3 * HALF) == Region([HERE])
    assert refinement.ripen(10.0, HALF) is None, "a timer for nothing"


def test_what_is_sent_later_is_waited_for_when_the_rest_is_ripe() -> None:
    refinement = Refinement()
    refinement.sent([HERE], [HERE])
    refinement.ripen(0.0, HALF)
    refinement.ripen(HALF, HALF)
    refinement.sent([THERE], [THERE])
    assert refinement.ripen(HALF, HALF) == pytest.approx(2 * HALF)
    assert refinement.ripen(3 * HALF, HALF) == pytest.approx(HALF)
    assert refinement.ripe == Region([HERE])
    assert refinement.ripen(4 * HALF, HALF) is None
    assert refinement.ripe == Region([HERE, THERE])


def test_what_was_found_to_be_lost_no_more_is_not_waited_for() -> None:
    """Of what was sent with loss last, nothing is seen; something older is ripe."""
    refinement = Refinement()
    refinement.sent([HERE], [HERE])
    for number in range(4):
        refinement.ripen(number * HALF, HALF)
    refinement.sent([THERE], [THERE])
    for half in (THERE._replace(width=32), THERE._replace(x=160, width=32)):
        refinement.sent([half], [])
    assert refinement.ripe == Region([HERE])
    assert refinement.ripen(3 * HALF, HALF) is None


def test_what_changes_all_the_time_never_does_and_what_is_beside_it_does() -> None:
    refinement = Refinement()
    refinement.sent([THERE], [THERE])
    for frame in range(40):
        refinement.sent([HERE], [HERE])
        refinement.ripen(frame / 30, HALF)
    assert refinement.ripe == Region([THERE])


def test_what_was_sent_without_loss_is_done() -> None:
    refinement = Refinement()
    refinement.sent([HERE, THERE], [HERE, THERE])
    refinement.ripen(0, HALF)
    assert ripe(refinement, 1.0)
    refinement.sent([HERE], [])
    assert refinement.ripe == Region([THERE])
    refinement.sent([THERE], [])
    assert not refinement


def test_small_losses_are_few() -> None:
    refinement = Refinement()
    for x in range(10, 54, 4):
        refinement.sent([Rect(x, 70, 3, 20)], [Rect(x, 70, 3, 20)])
    refinement.ripen(0, HALF)
    assert ripe(refinement, 1.0).rects == (Rect(10, 70, 43, 20),)


def test_losses_here_and_there_are_told_apart_as_long_as_they_are_few() -> None:
    few, many = Refinement(), Refinement()
    for refinement, count in ((few, 40), (many, 1200)):
        spots = [Rect(32 * (n % 40), 32 * (n * 7 // 40 % 30), 16, 16) for n in range(count)]
        refinement.sent(spots, spots)
        refinement.ripen(0, HALF)
        found = ripe(refinement, 1.0)
        assert not Region(spots).subtract(found) and len(found.rects) <= 64
        if refinement is few:
            assert found == Region(spots)


def test_a_window_that_is_dragged_takes_its_losses_along_however_far() -> None:
    refinement, window = Refinement(), Rect(0, 0, 512, 512)
    refinement.sent([window], [window])
    for x in range(0, 960, 10):
        refinement.moved([Move(Rect(x + 10, 0, 512, 512), 10, 0)])
        refinement.sent([Rect(x, 0, 10, 512)], [])
    refinement.ripen(0, HALF)
    assert ripe(refinement, 1.0) == Region([Rect(960, 0, 512, 512)])


def test_what_is_drawn_over_what_moves_moves_with_it() -> None:
    refinement = Refinement()
    refinement.sent([HERE], [])
    refinement.sent([THERE], [THERE])
    for x in range(0, 32, 8):
        refinement.moved([Move(HERE.moved(x + 8, 0), 8, 0)])
        refinement.sent([Rect(x + 10, 8, 16, 16)], [Rect(x + 10, 8, 16, 16)])
    refinement.sent([Rect(0, 0, 32, 64)], [])
    refinement.ripen(0, HALF)
    found = ripe(refinement, 1.0).intersect(Region([Rect(0, 0, 128, 64)]))
    assert found == Region([Rect(32, 0, 32, 32)]), "the blocks around the last place"


def test_what_is_covered_by_what_moves_is_not_lost() -> None:
    refinement = Refinement()
    for x in range(0, 320, 8):
        refinement.moved([Move(Rect(x + 8, 0, 64, 64), 8, 0)])
        refinement.sent([Rect(x, 0, 8, 64)], [Rect(x, 0, 8, 64)])
    refinement.ripen(0, HALF)
    assert ripe(refinement, 1.0) == Region([Rect(0, 0, 320, 64)])


def test_of_much_that_was_sent_without_loss_nothing_is_left() -> None:
    refinement = Refinement()
    refinement.sent([HERE], [HERE])
    refinement.sent([Rect(100, 0, 3000, 2700)], [])
    assert refinement
    refinement.sent([HERE, Rect(100, 3000, 2000, 200)], [])
    assert not refinement


def test_losses_move_with_their_pixels() -> None:
    refinement = Refinement()
    refinement.sent([HERE], [HERE])
    refinement.moved([Move(THERE, 128, 0)])
    refinement.ripen(0, HALF)
    assert ripe(refinement, 1.0) == Region([HERE, THERE])
    refinement.moved([Move(HERE, 0, -300)])
    assert refinement.ripe == Region([THERE])


places = st.builds(
    lambda x, y, width, height: Rect(x, y, min(width, 200 - x), min(height, 150 - y)),
    st.integers(0, 199), st.integers(0, 149), st.integers(1, 120), st.integers(1, 90),
)
moves = st.builds(
    lambda source, x, y: Move(
        Rect(x, y, min(source.width, 200 - x), min(source.height, 150 - y)),
        x - source.x, y - source.y,
    ),
    places, st.integers(0, 199), st.integers(0, 149),
)
exact, lossy = st.tuples(st.just("exact"), places), st.tuples(st.just("lossy"), places)
moved, waited = st.tuples(st.just("moved"), moves), st.tuples(st.just("waited"), st.just(HALF))


def drags(first: Rect, steps: list[tuple[int, int]]) -> list[tuple[str, Any]]:
    """Give how a window moves on and on, and what shows where it was, in one way or another."""
    events: list[tuple[str, Any]] = []
    for number, (dx, dy) in enumerate(steps):
        x = min(max(0, first.x + dx), 200 - first.width)
        y = min(max(0, first.y + dy), 150 - first.height)
        second = first._replace(x=x, y=y)
        events.append(("moved", Move(second, x - first.x, y - first.y)))
        for left in first.without(second):
            events.append((("lossy", "exact", "nothing")[number % 3], left))
        first = second
    return events


step = st.integers(-20, 20)
dragged = st.builds(drags, places, st.lists(st.tuples(step, step), min_size=2, max_size=9))


@given(st.lists(
    st.one_of(exact, lossy, moved, waited).map(lambda event: [event]) | dragged, max_size=60
))
def test_each_pixel_that_was_lost_is_refined(actions: list[list[tuple[str, Any]]]) -> None:
    events = chain.from_iterable(actions)
    refinement, lost, now = Refinement(), np.zeros((150, 200), bool), 0.0
    for what, where in events:
        if what == "waited":
            now += HALF
            refinement.ripen(now, HALF)
        elif what == "moved":
            source, target = where.source, where.target
            part = lost[source.y:source.bottom, source.x:source.right].copy()
            lost[target.y:target.bottom, target.x:target.right] = part
            refinement.moved([where])
        elif what != "nothing":
            lost[where.y:where.bottom, where.x:where.right] = what == "lossy"
            refinement.sent([where], [where] if what == "lossy" else [])
        wait = refinement.ripen(now, HALF)
        assert wait is None or 0 < wait <= 3 * HALF
        looked = refinement.ripe
        assert refinement.ripened or not looked
    refinement.ripen(now, HALF)
    found = ripe(refinement, now + 4 * HALF)
    shown = np.zeros(lost.shape, bool)
    for rect in found.rects:
        assert Rect(0, 0, 200, 150).contains(rect)
        shown[rect.y:rect.bottom, rect.x:rect.right] = True
    assert not (lost & ~shown).any()
    refinement.sent(found.rects, [])
    assert not ripe(refinement, now + 9 * HALF) and not refinement


def test_a_film_is_one_loss() -> None:
    refinement = Refinement()
    for frame in range(1000):
        refinement.sent([HERE], [HERE])
        refinement.sent([THERE], [THERE])
        refinement.ripen(frame / 30, HALF)
        assert not refinement.ripened, "nothing is old, so nothing has to be found out"


def test_kasmvncs_time() -> None:
    assert rest(1 / 60) == pytest.approx(0.08 + 2 / 60)
