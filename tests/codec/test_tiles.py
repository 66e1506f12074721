"""Telling solid areas, text and photographs apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.codec.palette import palette_of
from kasmd.codec.tiles import (
    FLAT,
    PHOTO,
    areas_of,
    commonest_kind,
    is_surely_photograph,
    kinds_of,
)
from kasmd.screen.geometry import Rect
from kasmd.screen.region import Region

BLUE = 0x3C64A0


def desktop(height=640, width=1024):
    return np.full((height, width), BLUE, np.uint32)


def photograph(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 1 << 24, (height, width), np.uint32)


def text(height, width):
    paper = np.full((height, width), 0xFFFFFF, np.uint32)
    random = np.random.default_rng(3)
    for top in range(1, height - 11, 14):
        ink = random.random((11, width)) < 0.3
        paper[top:top + 11][ink] = random.integers(0, 16, ink.sum()) * 0x101010
    return paper


def kinds(areas, kind):
    return [area.rect for area in areas if area.kind == kind]


def test_one_colour():
    assert areas_of(desktop()) == [(Rect(0, 0, 1024, 640), BLUE)]


def test_one_other_pixel_is_seen():
    picture = desktop()
    picture[333, 777] = 0
    areas = areas_of(picture)
    assert kinds(areas, FLAT) == [Rect(768, 320, 64, 64)]
    assert sum(rect.area for rect in kinds(areas, BLUE)) == picture.size - 64 * 64


def test_a_video_is_one_photograph():
    assert areas_of(photograph(720, 1280)) == [(Rect(0, 0, 1280, 720), PHOTO)]


def test_a_video_with_still_parts_is_one_photograph():
    picture = photograph(720, 1280)
    picture[100:300, 100:500] = 0
    assert areas_of(picture) == [(Rect(0, 0, 1280, 720), PHOTO)]


def test_a_photograph_on_a_desktop():
    picture = desktop()
    picture[128:384, 256:640] = photograph(256, 384)
    areas = areas_of(picture)
    assert kinds(areas, PHOTO) == [Rect(256, 128, 384, 256)]
    assert not kinds(areas, FLAT)


def test_text_is_no_photograph():
    picture = desktop()
    picture[64:320, 128:640] = text(256, 512)
    areas = areas_of(picture)
    assert kinds(areas, FLAT) == [Rect(128, 64, 512, 256)]
    assert not kinds(areas, PHOTO)


def test_small_gaps_in_text_are_sent_with_it():
    picture = desktop(64, 1024)
    picture[:, :128] = picture[:, 256:384] = text(64, 128)
    assert areas_of(picture) == [(Rect(0, 0, 384, 64), FLAT), (Rect(384, 0, 640, 64), BLUE)]


def test_ragged_lines_are_one_text_and_what_stands_far_off_another():
    picture = desktop(1024, 1920)
    for row, (left, width) in enumerate(((2, 12), (2, 14), (3, 11), (2, 13), (1, 12))):
        at = np.s_[row * 64:(row + 1) * 64, left * 64:(left + width) * 64]
        picture[at] = text(64, width * 64)
    picture[:320, 28 * 64:] = text(320, 2 * 64)
    found = kinds(areas_of(picture), FLAT)
    assert found == [Rect(64, 0, 15 * 64, 320), Rect(28 * 64, 0, 128, 320)]


def test_a_photograph_between_lines_of_text_stays_one():
    picture = desktop(1024, 1920)
    for row, right in enumerate((20, 14, 20)):
        picture[row * 64:(row + 1) * 64, :right * 64] = text(64, right * 64)
    picture[64:128, 16 * 64:18 * 64] = photograph(64, 128)
    areas = areas_of(picture)
    assert kinds(areas, PHOTO) == [Rect(16 * 64, 64, 128, 64)]
    assert Region(kinds(areas, FLAT)) == Region([Rect(0, 0, 1280, 192)]).subtract(
        Region(kinds(areas, PHOTO)))


def test_a_chequered_picture_is_not_cut_into_very_many():
    picture = desktop()
    for y in range(0, 640, 64):
        for x in range(y % 128, 1024, 128):
            picture[y:y + 64, x:x + 64] = photograph(64, 64)
    assert areas_of(picture) == [(Rect(0, 0, 1024, 640), PHOTO)]


def test_thin_pictures():
    assert areas_of(desktop(1, 1)) == [(Rect(0, 0, 1, 1), BLUE)]
    assert kinds_of(photograph(200, 3)).shape == (4, 1)
    assert (kinds_of(photograph(3, 300)) == PHOTO).all()


@pytest.mark.parametrize("size", [(360, 11), (9, 500), (17, 19), (64, 128), (700, 900)])
def test_a_strip_of_a_photograph_is_known_at_once(size):
    assert is_surely_photograph(photograph(*size))
    assert not is_surely_photograph(text(*size))
    assert not is_surely_photograph(desktop(*size))


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 1600))
def test_what_has_a_palette_is_no_photograph_at_once(height, width, colours):
    picture = photograph(1, colours)[0][np.arange(height * width) % colours]
    picture = picture.reshape(height, width)
    pixels = picture.view(np.uint8).reshape(height, width, 4)
    assert not is_surely_photograph(picture) or palette_of(pixels) is None


def test_the_commonest_kind_favours_photographs():
    assert commonest_kind(np.array([[PHOTO, BLUE, FLAT]])) == PHOTO
    assert commonest_kind(np.array([[PHOTO, BLUE], [FLAT, 0]])) == FLAT


@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 1000))
def test_areas_tile_the_picture(height, width, seed):
    random = np.random.default_rng(seed)
    picture = desktop(height, width)
    for _ in range(4):
        y, x = random.integers(0, height), random.integers(0, width)
        part = picture[y:y + random.integers(1, 200), x:x + random.integers(1, 200)]
        part[...] = random.choice([photograph, text])(*part.shape) if random.random() < 0.7 else 7
    areas = areas_of(picture)
    assert sum(area.rect.area for area in areas) == picture.size
    assert Region(area.rect for area in areas) == Region([Rect(0, 0, width, height)])
    for area in areas:
        if area.kind >= 0:
            rect = area.rect
            assert (picture[rect.y:rect.bottom, rect.x:rect.right] == area.kind).all()


def test_text_has_paper_however_many_colours_its_edges_have():
    for share, kind in ((0.35, FLAT), (0.15, PHOTO)):
        picture = photograph(640, 640)
        picture[np.random.default_rng(1).random(picture.shape) < share] = 0xFFFFFF
        assert {area.kind for area in areas_of(picture)} == {kind}
