"""kasmd.codec.cuts: rectangles that are all of a picture, along bands of one colour."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kasmd.codec.cuts import BROAD, MOST, cut
from kasmd.screen.geometry import Rect

WINDOWS = (Rect(20, 20, 100, 60), Rect(160, 20, 100, 60))


def desktop() -> np.ndarray:
    """Give a grey desktop with two windows of two colours."""
    picture = np.full((120, 300), 2, np.uint8)
    for window in WINDOWS:
        text = np.random.default_rng(window.x).integers(0, 2, (window.height, window.width))
        picture[window.y:window.bottom, window.x:window.right] = text
    return picture


def test_windows_are_cut_from_what_is_between_them() -> None:
    picture = desktop()
    parts = cut(picture)
    assert set(WINDOWS) <= set(parts)
    assert all(
        (picture[part.y:part.bottom, part.x:part.right] == 2).all()
        for part in parts if part not in WINDOWS
    )


def test_lines_of_text_are_not_parted() -> None:
    text = np.random.default_rng(1).integers(0, 2, (100, 90)).astype(np.uint8)
    text[10:10 + BROAD - 1] = 0
    assert cut(text) == [Rect(0, 0, 90, 100)]


def test_blank_paper_goes_with_its_text() -> None:
    picture = desktop()
    for window in WINDOWS:
        picture[window.y + 20:window.bottom - 10, window.x:window.right] = 0
        picture[window.y:window.bottom, window.x + 40:window.right] = 0
    assert set(WINDOWS) <= set(cut(picture))


def test_bands_of_two_colours_are_two() -> None:
    picture = np.repeat(np.array([0, 1], np.uint8), BROAD)[:, None].repeat(600, axis=1)
    assert cut(picture) == [Rect(0, 0, 600, BROAD), Rect(0, BROAD, 600, BROAD)]


def test_what_falls_into_too_many_is_left_whole() -> None:
    stripes = (np.arange(BROAD * (MOST + 1)) // BROAD % 2).astype(np.uint8)
    assert cut(stripes[:, None].repeat(20, axis=1)) == [Rect(0, 0, 20, len(stripes))]


@given(st.lists(
    st.tuples(st.integers(0, 190), st.integers(0, 90), st.integers(1, 99), st.integers(1, 60),
              st.integers(0, 5)),
    max_size=8,
))
def test_each_pixel_is_in_one_part(rects: list[tuple[int, int, int, int, int]]) -> None:
    picture = np.zeros((100, 200), np.uint8)
    for x, y, width, height, colour in rects:
        picture[y:y + height, x:x + width] = colour
    covered = np.zeros(picture.shape, int)
    for part in cut(picture):
        covered[part.y:part.bottom, part.x:part.right] += 1
    assert (covered == 1).all()
