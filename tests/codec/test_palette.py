"""Palettes must give their picture back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.codec.palette import _MULTIPLIERS, palette_of
from kasmd.screen.geometry import Rect


@given(st.integers(1, 300), st.integers(1, 70), st.integers(1, 70), st.integers(0, 99))
def test_a_palette_gives_its_picture_back(colours, height, width, seed):
    random = np.random.default_rng(seed)
    table = random.integers(0, 256, (colours, 4), np.uint8)
    pixels = table[random.integers(0, colours, (height, width))]
    there = len(np.unique(pixels.reshape(-1, 4), axis=0))
    palette = palette_of(pixels)
    if there > 256:
        assert palette is None
    else:
        assert palette.size == there
        assert (palette.colours[0][palette.indices] == pixels).all()


@pytest.mark.parametrize("most, found", [(3, True), (2, False)])
def test_the_ceiling(most, found):
    pixels = np.arange(12, dtype=np.uint8).reshape(1, 3, 4)
    assert (palette_of(pixels, most) is not None) is found


def test_a_part_of_a_picture():
    pixels = np.random.default_rng(1).integers(0, 2, (20, 20, 4), np.uint8)
    palette = palette_of(pixels[3:9, 2:17])
    assert (palette.colours[0][palette.indices] == pixels[3:9, 2:17]).all()


def colliding(multiplier):
    """Two colours that this multiplier hashes alike."""
    multiplier = int(multiplier)
    inverse = pow(multiplier, -1, 1 << 32)
    for step in range(1, 1 << 16):
        distance = step * inverse % (1 << 32)
        for colour in range(distance < 1 << 23 and 1000):
            if colour * multiplier % (1 << 16) + step < 1 << 16:
                return colour, colour + distance
    raise AssertionError("no such colours")


def test_colours_that_defeat_every_hash_are_found_nevertheless():
    colours = sorted({c for multiplier in _MULTIPLIERS for c in colliding(multiplier)})
    assert len(colours) <= 256
    pixels = np.array([colours, colours[::-1]], "<u4").view(np.uint8).reshape(2, -1, 4)
    palette = palette_of(pixels)
    assert (palette.colours[0][palette.indices] == pixels).all()


def test_a_part_has_the_colours_that_are_in_it() -> None:
    pixels = np.zeros((8, 12, 4), np.uint8)
    pixels[:, 4:8, 0], pixels[:, 8:, 0], pixels[0, 8:, 0] = 1, 2, 3
    palette = palette_of(pixels)
    assert palette is not None
    part = palette.part(Rect(8, 0, 4, 8))
    assert part.colours[0, :, 0].tolist() == [2, 3]
    assert (part.colours[0][part.indices] == pixels[:, 8:]).all()
    assert palette.part(Rect(0, 0, 4, 8)).size == 1
