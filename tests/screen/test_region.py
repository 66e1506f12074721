"""Regions against a bitmap of the same pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.screen.geometry import Rect
from kasmd.screen.region import Region

SIDE = 40

spans = st.tuples(st.integers(0, SIDE), st.integers(0, SIDE)).map(sorted)
rects = st.builds(
    lambda x, y: Rect(x[0], y[0], x[1] - x[0], y[1] - y[0]), spans, spans
)
rect_lists = st.lists(rects, max_size=7)


def bitmap(rects):
    bits = np.zeros((SIDE, SIDE), bool)
    for rect in rects:
        bits[rect.y:rect.bottom, rect.x:rect.right] = True
    return bits


@given(rect_lists)
def test_holds_the_pixels_of_its_rectangles(rects):
    region = Region(rects)
    assert (bitmap(region.rects) == bitmap(rects)).all()
    assert region.area == sum(r.area for r in region.rects) == bitmap(rects).sum()
    assert bool(region) == bitmap(rects).any()


@given(rect_lists, rect_lists)
def test_operations_are_those_of_sets(one, other):
    a, b = Region(one), Region(other)
    assert (bitmap(a.union(b).rects) == bitmap(one) | bitmap(other)).all()
    assert (bitmap(a.intersect(b).rects) == bitmap(one) & bitmap(other)).all()
    assert (bitmap(a.subtract(b).rects) == bitmap(one) & ~bitmap(other)).all()


@given(rect_lists)
def test_rows_are_put_together(rects):
    edges = np.diff(bitmap(rects), axis=1, prepend=False, append=False)
    rows = [(y, y + 1, tuple(np.flatnonzero(row).tolist())) for y, row in enumerate(edges)]
    assert Region.of_rows(rows) == Region(rects)


@given(rect_lists, st.randoms())
def test_equal_pixels_are_equal_regions(rects, random):
    region = Region(rects)
    shuffled = list(rects)
    random.shuffle(shuffled)
    for other in (Region(shuffled), Region(region.rects), region.union(Region(rects[:1]))):
        assert other == region and hash(other) == hash(region)
        assert other.rects == region.rects


@given(rect_lists, rect_lists)
def test_different_pixels_are_different_regions(one, other):
    assert (Region(one) == Region(other)) == (bitmap(one) == bitmap(other)).all()


@given(rect_lists)
def test_rectangles_are_in_bands(rects):
    found = Region(rects).rects
    assert list(found) == sorted(found, key=lambda r: (r.y, r.x))
    for above, below in zip(found, found[1:]):
        if above.y == below.y:
            assert above.height == below.height and above.right < below.x
        else:
            assert above.bottom <= below.y


@given(rect_lists)
def test_bounds_are_tight(rects):
    rows, columns = bitmap(rects).nonzero()
    if not len(rows):
        assert Region(rects).bounds is None
        return
    bounds = Region(rects).bounds
    assert (bounds.x, bounds.right) == (columns.min(), columns.max() + 1)
    assert (bounds.y, bounds.bottom) == (rows.min(), rows.max() + 1)


@given(rect_lists, st.integers(-50, 50), st.integers(-50, 50))
def test_translation(rects, dx, dy):
    moved = Region(rects).translate(dx, dy)
    assert moved == Region([r.moved(dx, dy) for r in rects if r.area])


@given(
    st.lists(
        st.builds(
            Rect, st.integers(0, 4000), st.integers(0, 2000), st.integers(1, 90), st.integers(1, 90)
        ),
        max_size=30,
    ),
    st.integers(1, 12),
)
def test_coarsened_covers_with_few_rectangles_inside_the_bounds(rects, limit):
    region = Region(rects)
    coarse = region.coarsened(limit)
    assert len(coarse.rects) <= limit
    assert not region.subtract(coarse)
    assert coarse.bounds == region.bounds


def test_coarsening_keeps_what_is_few_already():
    region = Region([Rect(3, 3, 1, 1), Rect(900, 900, 1, 1)])
    assert region.coarsened(2) == region


def test_coarsening_does_not_cover_distant_corners_with_everything():
    letters = [Rect(x, y, 8, 16) for y in (0, 1000) for x in range(0, 800, 20)]
    assert Region(letters).coarsened(4).area < 800 * 128 * 2


def test_empty_rectangles_are_nothing():
    assert Region([Rect(5, 5, 0, 9), Rect(5, 5, 9, 0)]) == Region()
    assert Region().rects == ()
    assert repr(Region()) == "Region([])"


def test_is_not_equal_to_other_things():
    assert Region() != ()


@pytest.mark.parametrize("operation", ["union", "subtract", "intersect"])
def test_operations_with_nothing(operation):
    one = Region([Rect(1, 2, 3, 4)])
    expected = {"union": (one, one), "subtract": (one, Region()), "intersect": (Region(),) * 2}
    forward, backward = expected[operation]
    assert getattr(one, operation)(Region()) == forward
    assert getattr(Region(), operation)(one) == backward
