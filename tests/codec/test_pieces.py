"""Pieces: all of a region, none above its size, in the shape that its encoding likes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.codec.base import HEXTILE, RAW, TIGHT, ZLIB, ZRLE, Parameters
from kasmd.codec.pieces import LEAST_TEXT, pieces_of, texts_of, work_of
from kasmd.screen.geometry import Rect
from kasmd.screen.pixels import BGRX, PixelFormat
from kasmd.screen.region import Region

BGR233 = PixelFormat(8, 8, False, True, 7, 7, 3, 0, 3, 6)
LOSSY = Parameters(jpeg_quality=80)
any_parameters = st.builds(
    Parameters,
    st.sampled_from([RAW, HEXTILE, TIGHT, ZLIB, ZRLE]),
    st.sampled_from([BGRX, BGR233]),
    st.sampled_from([None, 80]),
    compress_level=st.integers(0, 9),
    webp_quality=st.sampled_from([None, 50]),
    qoi=st.booleans(),
)
big_rects = st.builds(
    Rect, st.integers(0, 9), st.integers(0, 9), st.integers(1, 9000), st.integers(1, 5000)
)


@given(st.lists(big_rects, max_size=3), any_parameters)
def test_pieces_tile_the_region(rects, parameters):
    region = Region(rects)
    cut = pieces_of(region, parameters)
    assert sum(piece.area for piece in cut) == region.area
    assert all(piece.area for piece in cut)
    assert Region(cut) == region
    for piece in cut:
        assert piece.width <= 2048 and piece.area <= 1 << 20
        if parameters.encoding == RAW:
            assert piece.area * parameters.format.bytes_per_pixel <= 256 << 10


@given(st.lists(big_rects, max_size=3), any_parameters, st.integers(1 << 12, 1 << 17))
def test_no_piece_has_more_pixels_than_it_may(rects, parameters, most):
    region = Region(rects)
    cut = pieces_of(region, parameters, most)
    assert all(piece.area <= most for piece in cut)
    assert sum(piece.area for piece in cut) == region.area


@pytest.mark.parametrize("parameters, high", [
    (LOSSY._replace(webp_quality=78), True),
    (Parameters(HEXTILE), True),
    (Parameters(ZRLE), True),
    (Parameters(ZRLE, compress_level=6), True),
    (Parameters(RAW), False),
    (Parameters(ZLIB), False),
])
def test_pieces_are_high_for_what_goes_by_tiles_and_wide_for_what_goes_by_lines(parameters, high):
    screen, line = Rect(0, 0, 1920, 1080), Rect(0, 500, 1920, 17)
    cut = pieces_of(Region([screen]), parameters)
    assert {piece.width == 1920 for piece in cut} == {not high}
    assert (max(piece.height for piece in cut) >= 128) == high
    assert pieces_of(Region([line]), parameters) == [line]


@pytest.mark.parametrize("width, height, count", [(1280, 720, 1), (1920, 1080, 2)])
def test_pieces_of_video(width, height, count):
    assert len(pieces_of(Region([Rect(0, 0, width, height)]), LOSSY)) == count


def test_bands_of_a_region_are_put_together_again():
    video, clock = Rect(100, 100, 640, 480), Rect(900, 300, 60, 16)
    assert sorted(pieces_of(Region([video, clock]), LOSSY)) == [video, clock]


COLUMNS = Parameters(columns=True)


def test_lines_of_a_text_are_one_piece():
    lines = [
        Rect(100 + 8 * (number % 3), 50 + 64 * number, 500 + 90 * (number % 4), 60)
        for number in range(6)
    ]
    region = Region(lines)
    assert texts_of(region, COLUMNS) == [(region.bounds, tuple(lines))]


@pytest.mark.parametrize("rects", [
    [Rect(0, 0, 400, 300), Rect(500, 0, 400, 300)],
    [Rect(0, 0, 400, 300), Rect(0, 317, 400, 300)],
    [Rect(0, 0, 800, 200), Rect(0, 200, 100, 400)],
    [Rect(0, 0, 100, 20), Rect(0, 30, 120, 20)],
])
def test_what_is_apart_unlike_or_little_is_not_put_together(rects):
    assert texts_of(Region(rects), COLUMNS) == [(rect, ()) for rect in rects]


def test_what_is_just_large_enough():
    high, low = Rect(0, 0, 128, 60), Rect(0, 64, 120, 64)
    assert texts_of(Region([high, low]), COLUMNS) == [(Rect(0, 0, 128, 128), (high, low))]
    assert 128 * 128 == LEAST_TEXT


@given(st.lists(big_rects, max_size=8), st.integers(1 << 12, 1 << 20))
def test_texts_have_all_of_the_region(rects, most):
    region = Region(rects)
    cut = texts_of(region, COLUMNS, most)
    shown = [rect for piece, lines in cut for rect in lines or (piece,)]
    assert Region(shown) == region
    assert sum(rect.area for rect in shown) == region.area
    for piece, lines in cut:
        assert 0 < piece.area <= most
        assert all(piece.contains(line) for line in lines)


def test_many_small_texts_are_more_work_than_their_area():
    rect = Rect(0, 0, 128, 128)
    assert work_of(rect, COLUMNS) > work_of(rect, Parameters())
    assert work_of(rect._replace(width=127), COLUMNS) < 1 / 8
