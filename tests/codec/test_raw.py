"""Raw; against vncdotool in test_choose."""

import numpy as np
import pytest

from kasmd.codec import raw
from kasmd.codec.base import complete
from kasmd.errors import ProtocolError
from kasmd.screen.pixels import BGRX, RGBX


def test_the_wire():
    pixels = np.array([[[1, 2, 3, 0], [4, 5, 6, 0]]], np.uint8)
    assert raw.encode(pixels, BGRX).hex() == "0102030004050600"
    assert raw.encode(pixels, RGBX).hex() == "0302010006050400"


def test_round_trip_of_more_than_one_chunk():
    pixels = np.random.default_rng(1).integers(0, 256, (200, 300, 4), np.uint8)
    pixels[..., 3] = 0
    data = raw.encode(pixels, RGBX)
    decoded, end = complete(raw.decode(300, 200, RGBX), data + b"next")
    assert (decoded == pixels).all() and end == len(data)


def test_refusals():
    with pytest.raises(ProtocolError):
        complete(raw.decode(2, 2, BGRX), bytes(15))
    with pytest.raises(ProtocolError):
        complete(raw.decode(65535, 65535, BGRX), b"")
