"""From a client's wishes to parameters, by the tables of the protocol reference."""

import pytest

from kasmd.codec.base import TIGHT, ZRLE, Parameters
from kasmd.codec.quality import parameters_for
from kasmd.screen.pixels import BGRX, RGBX


def test_what_browsers_ask_for():
    parameters = parameters_for(TIGHT, RGBX, jpeg_level=6, compress_level=2)
    assert parameters == Parameters(TIGHT, RGBX, 79, "444", 2, False)


def test_without_a_quality_nothing_is_lost():
    assert parameters_for(ZRLE, single=True) == Parameters(ZRLE, BGRX, None, "444", 2, True)


@pytest.mark.parametrize(
    "level, expected",
    [(0, (15, "420")), (3, (42, "422")), (5, (77, "422")), (6, (79, "444")), (9, (100, "444"))],
)
def test_quality_levels(level, expected):
    parameters = parameters_for(TIGHT, jpeg_level=level)
    assert (parameters.jpeg_quality, parameters.subsampling) == expected


@pytest.mark.parametrize("level", range(10))
def test_compress_levels(level):
    assert parameters_for(TIGHT, compress_level=level).compress_level == level


@pytest.mark.parametrize("fine, quality", [(0, 1), (1, 1), (75, 75), (100, 100)])
def test_fine_qualities_come_before_levels(fine, quality):
    assert parameters_for(TIGHT, jpeg_level=2, fine_quality=fine).jpeg_quality == quality


@pytest.mark.parametrize(
    "named, subsampling", [("444", "444"), ("gray", "gray"), ("8X", "420"), (None, "422")]
)
def test_subsampling_comes_before_that_of_the_level(named, subsampling):
    assert parameters_for(TIGHT, jpeg_level=4, subsampling=named).subsampling == subsampling


@pytest.mark.parametrize(
    "wishes, quality",
    [
        ({"jpeg_level": 0, "webp": True}, 5),
        ({"jpeg_level": 6, "webp": True}, 78),
        ({"jpeg_level": 6, "fine_quality": 33, "webp": True}, 33),
        ({"jpeg_level": 6}, None),
        ({"webp": True}, None),
    ],
)
def test_webp_levels(wishes, quality):
    assert parameters_for(TIGHT, **wishes).webp_quality == quality


def test_flags_are_passed_on():
    parameters = parameters_for(TIGHT, qoi=True, jpeg_rectangles=True, columns=True)
    assert parameters.qoi and parameters.jpeg_rectangles and parameters.columns


@pytest.mark.parametrize("encoding, fmt", [(ZRLE, BGRX), (TIGHT, BGRX._replace(depth=32))])
def test_columns_beside_tight_in_its_usual_pixels_only(encoding, fmt):
    assert not parameters_for(encoding, fmt, columns=True).columns
