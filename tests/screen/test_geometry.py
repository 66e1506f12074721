"""Rectangles against the pixels that they cover."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kasmd.screen.geometry import Move, Rect, bounding, nearest

SIDE = st.integers(0, 6)
PLACE = st.integers(-3, 6)
RECTS = st.builds(Rect, PLACE, PLACE, SIDE, SIDE)
Places = set[tuple[int, int]]


def covered(rect: Rect) -> Places:
    return {(x, y) for x in range(rect.x, rect.right) for y in range(rect.y, rect.bottom)}


@given(RECTS)
def test_the_area_is_the_number_of_pixels(rect: Rect) -> None:
    assert rect.area == len(covered(rect))


@given(RECTS, RECTS)
def test_the_intersection_is_what_both_cover(one: Rect, other: Rect) -> None:
    both = one.intersection(other)
    assert (covered(both) if both is not None else set()) == covered(one) & covered(other)
    assert both == other.intersection(one)


@given(RECTS, RECTS)
def test_one_contains_another_whose_pixels_it_has(one: Rect, other: Rect) -> None:
    if other.area:
        assert one.contains(other) == (covered(other) <= covered(one))
    assert one.contains(one)


@given(RECTS, PLACE, PLACE)
def test_where_it_is_in_the_pixels_of_another(outer: Rect, x: int, y: int) -> None:
    inner = outer.intersection(Rect(x, y, 4, 4)) or outer
    rows, columns = inner.within(outer)
    assert (rows.start, columns.start) == (inner.y - outer.y, inner.x - outer.x)
    assert (rows.stop, columns.stop) == (inner.bottom - outer.y, inner.right - outer.x)


@given(RECTS, RECTS)
def test_without_another_its_pixels_are_left_in_order(one: Rect, other: Rect) -> None:
    parts = one.without(other)
    assert set().union(*map(covered, parts)) == covered(one) - covered(other)
    assert sum(part.area for part in parts) == len(covered(one) - covered(other))
    assert list(parts) == sorted(parts, key=lambda part: (part.y, part.x))


@given(RECTS, RECTS)
def test_around_two_is_around_each(one: Rect, other: Rect) -> None:
    both = bounding(one, other)
    assert (both.x, both.right) == (min(one.x, other.x), max(one.right, other.right))
    assert (both.y, both.bottom) == (min(one.y, other.y), max(one.bottom, other.bottom))
    assert bounding(None, one) == one


@given(RECTS, PLACE, PLACE)
def test_moving(rect: Rect, dx: int, dy: int) -> None:
    assert covered(rect.moved(dx, dy)) == {(x + dx, y + dy) for x, y in covered(rect)}
    assert Move(rect.moved(dx, dy), dx, dy).source == rect


@given(PLACE, PLACE)
def test_the_nearest_pixel_of_a_picture(x: int, y: int) -> None:
    pixels = covered(Rect(0, 0, 3, 2))
    assert nearest(x, y, (3, 2)) == min(
        pixels, key=lambda pixel: abs(pixel[0] - x) + abs(pixel[1] - y)
    )
