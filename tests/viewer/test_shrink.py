"""A picture is sent smaller, and looks the same."""

from __future__ import annotations

import numpy as np
import pytest
import simplejpeg

from kasmd.codec.base import Parameters, complete
from kasmd.codec.compact import read_counted
from kasmd.screen.geometry import Rect
from kasmd.viewer import shrink


@pytest.mark.parametrize("size, scale", [
    ((1920, 1080), 0.5), ((960, 540), 1.0), ((640, 1080), 0.5), ((100, 100), 1.0),
])
def test_it_fits_and_keeps_its_shape(size: tuple[int, int], scale: float) -> None:
    assert shrink.scale_for(size, (960, 540)) == scale


@pytest.mark.parametrize("scaling", range(3))
def test_colours_stay_in_their_place(scaling: int) -> None:
    pixels = np.zeros((80, 120, 4), np.uint8)
    pixels[:, 60:, 2] = 255
    pixels[:, :60, 0] = 255
    rect = Rect(8, 8, 120, 80)
    sent = shrink.encode(pixels, rect, 0.5, scaling, Parameters(jpeg_quality=90))
    data, _ = complete(read_counted(), sent.payload, 1)
    small = simplejpeg.decode_jpeg(data, "BGRX")
    assert sent.rect == rect and small.shape == (40, 60, 4)
    assert small[20, 10, 0] > 240 and small[20, 10, 2] < 15
    assert small[20, 50, 2] > 240 and small[20, 50, 0] < 15


@pytest.mark.parametrize("scaling, seen", [(0, [0, 0]), (1, [96, 32]), (2, [128, 0])])
def test_each_way_of_scaling_is_its_own(scaling: int, seen: list[int]) -> None:
    """One column of four is white: one of two is taken, or they are mixed with those beside."""
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[:, ::4] = 255
    sent = shrink.encode(pixels, Rect(0, 0, 64, 64), 0.5, scaling, Parameters(jpeg_quality=100))
    data, _ = complete(read_counted(), sent.payload, 1)
    columns = simplejpeg.decode_jpeg(data, "BGRX")[8, 8:24, 0].reshape(-1, 2).astype(int)
    assert (abs(columns - seen) < 5).all(), columns
