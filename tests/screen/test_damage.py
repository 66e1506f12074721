"""Finding changes and scrolls in pictures made for it."""

import numpy as np
import pytest

from kasmd.screen.damage import (
    differences,
    equal,
    moved_rows,
    runs,
    scrolled_by,
    scrolls_on,
    shows,
)
from kasmd.screen.geometry import Rect
from kasmd.screen.region import Region


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 1 << 24, (height, width), np.uint32)


def lines_of_text(height, width, seed=0):
    """White paper with dark dots in lines of 12 rows, 4 rows apart, ragged at the right."""
    random = np.random.default_rng(seed)
    paper = np.full((height, width), 0xFFFFFF, np.uint32)
    for top in range(2, height - 12, 16):
        end = int(random.integers(width // 3, width - 8))
        paper[top:top + 12, 4:end][random.random((12, end - 4)) < 0.3] = 0x202020
    return paper


@pytest.mark.parametrize(
    "flags, gap, expected",
    [
        ("", 1, []),
        ("...", 1, []),
        ("##.#", 1, [(0, 2), (3, 4)]),
        ("##.#", 2, [(0, 4)]),
        (".#..##", 2, [(1, 2), (4, 6)]),
        ("#####", 1, [(0, 5)]),
    ],
)
def test_runs(flags, gap, expected):
    assert runs(np.array([flag == "#" for flag in flags], bool), gap) == expected


def test_nothing_changed():
    picture = noise(200, 300)
    assert not differences(picture, picture.copy())


def test_a_letter_is_a_small_rectangle():
    old = noise(600, 800)
    new = old.copy()
    new[301:313, 411:419] ^= 1
    region = differences(old, new)
    assert region.rects == (Rect(408, 301, 16, 12),)


def test_far_changes_stay_apart():
    old = noise(600, 800)
    new = old.copy()
    new[5, 5] ^= 1
    new[5, 700] ^= 1
    new[500, 5] ^= 1
    assert [rect.area for rect in differences(old, new).rects] == [8, 8, 8]


def test_nearly_everything_is_everything():
    old, new = noise(600, 800), noise(600, 800, seed=1)
    new[100:140, 100:140] = old[100:140, 100:140]
    assert differences(old, new) == Region([Rect(0, 0, 800, 600)])


def test_a_still_half_of_a_large_picture_is_not_reported():
    old, new = noise(600, 800), noise(600, 800, seed=1)
    new[:, :400] = old[:, :400]
    assert differences(old, new) == Region([Rect(400, 0, 400, 600)])


@pytest.mark.parametrize("dy", [-200, -16, -3, 1, 16, 77])
def test_a_scroll_is_found(dy):
    page = lines_of_text(1000, 640)
    old, new = page[300:700], page[300 - dy:700 - dy]
    assert scrolled_by(old, new) == (0, dy)
    moves = moved_rows(old, new, 0, dy)
    assert [move.target for move in moves] == [Rect(0, max(dy, 0), 640, 400 - abs(dy))]


@pytest.mark.parametrize("dx", [-200, -16, -3, 1, 16, 77])
def test_a_scroll_aside_is_found(dx):
    page = lines_of_text(400, 1000)
    old, new = page[:, 300:700], page[:, 300 - dx:700 - dx]
    assert scrolled_by(old, new) == (dx, 0)
    moves = moved_rows(old, new, dx, 0)
    assert [move.target for move in moves] == [Rect(max(dx, 0), 0, 400 - abs(dx), 400)]


@pytest.mark.parametrize("turned", [False, True])
def test_the_search_takes_as_long_however_large_the_area(turned):
    """It looks at four strips, and never at what is between them."""
    page = lines_of_text(1016, 2000)
    old, new = noise(1000, 2000), noise(1000, 2000, seed=1)
    for left in np.linspace(0, 2000 - 32, 4).astype(int):
        old[:, left:left + 32], new[:, left:left + 32] = (
            part[:, left:left + 32] for part in (page[:-16], page[16:])
        )
    if turned:
        assert scrolled_by(old.T, new.T) == (-16, 0)
    else:
        assert scrolled_by(old, new) == (0, -16)


def test_a_still_margin_is_left_out_of_the_move():
    page = lines_of_text(600, 640)
    old, new = page[100:500].copy(), page[116:516].copy()
    old[:, :128] = new[:, :128] = noise(400, 128)
    assert scrolled_by(old, new) == (0, -16)
    moves = moved_rows(old, new, 0, -16)
    assert [move.target.x for move in moves] == [128]
    assert all(move.target.right == 640 for move in moves)


@pytest.mark.parametrize("dy", [-16, 16])
def test_moves_are_in_the_order_in_which_they_can_be_applied(dy):
    page = lines_of_text(600, 640)
    old, new = page[100:500], page[100 - dy:500 - dy].copy()
    new[150:160, 200:208] = 0xFF0000
    moves = moved_rows(old, new, 0, dy)
    assert len(moves) == 2
    picture = old.copy()
    for move in moves:
        target, source = move.target, move.source
        assert 0 <= source.y and source.bottom <= 400
        picture[target.y:target.bottom, target.x:target.right] = picture[
            source.y:source.bottom, source.x:source.right
        ].copy()
        at = np.s_[target.y:target.bottom, target.x:target.right]
        assert (picture[at] == new[at]).all()


@pytest.mark.parametrize("dy", [-16, 16])
def test_a_scroll_that_goes_on_is_known_from_one_that_does_not(dy):
    page = lines_of_text(1000, 640)
    old, new = page[300:700], page[300 - dy:700 - dy]
    assert scrolls_on(old, new, 0, dy)
    assert not scrolls_on(old, new, 0, -dy)
    assert not scrolls_on(old, old, 0, dy)
    assert not scrolls_on(np.zeros_like(old), np.zeros_like(old), 0, dy)


@pytest.mark.parametrize(
    "old, new",
    [
        (noise(300, 300), noise(300, 300, seed=1)),
        (np.zeros((300, 300), np.uint32), np.full((300, 300), 7, np.uint32)),
        (lines_of_text(30, 640), lines_of_text(30, 640, seed=1)),
    ],
)
def test_no_scroll_where_there_is_none(old, new):
    assert scrolled_by(old, new) == (0, 0)


@pytest.mark.parametrize("shape", [(1, 1), (64, 8), (65, 9), (200, 131)])
def test_equal_is_to_the_last_pixel(shape):
    old = noise(*shape)
    assert equal(old, old.copy())
    for y, x in ((0, 0), (shape[0] - 1, shape[1] - 1)):
        new = old.copy()
        new[y, x] ^= 1
        assert not equal(old, new)


@pytest.mark.parametrize("height, width", [(1, 1), (70, 480), (1080, 31), (3, 40000)])
def test_the_byte_without_meaning_shows_nothing_and_every_other_does(height, width):
    old = np.random.default_rng(1).integers(0, 1 << 24, (height, width), np.uint32)
    pixels = old | np.uint32(0x77000000)
    assert shows(pixels, old)
    for y, x in ((0, 0), (height - 1, width - 1), (height // 2, width // 2)):
        pixels[y, x] ^= 1
        assert not shows(pixels, old)
        pixels[y, x] ^= 1
