"""Open H.264: a decoder for each rectangle, and its ceilings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.codec import h264
from kasmd.codec.base import complete
from kasmd.codec.h264 import MAX_STREAMS, RESET, RESET_ALL, H264Decoder, Part
from kasmd.codec.video import ENCODINGS, Codec, Unit, VideoEncoder
from kasmd.errors import ProtocolError
from kasmd.screen.geometry import Rect

HERE, THERE = Rect(8, 16, 64, 64), Rect(100, 16, 64, 64)
X264 = ENCODINGS[Codec.H264][-1]


def shades(number):
    return np.full((64, 64, 4), (20 * number, 200, 255 - 20 * number, 0), np.uint8)


def stream(count):
    encoder = VideoEncoder(64, 64, X264, 10)
    return [encoder.encode(shades(number)) for number in range(count)]


@given(st.binary(max_size=100), st.integers(0, 3))
def test_the_wire(data, flags):
    rectangle = h264.encode(HERE, Unit(data, True), flags)
    assert rectangle[:2] == (HERE, 50)
    assert rectangle.payload[:8] == bytes([0, 0, 0, len(data), 0, 0, 0, flags])
    assert complete(h264.decode(), rectangle.payload + b"next") == (
        Part(flags, data), 8 + len(data)
    )


def test_two_streams_side_by_side():
    decoder = H264Decoder()
    for number, unit in enumerate(stream(4)):
        for rect in (HERE, THERE):
            part, _ = complete(h264.decode(), h264.encode(rect, unit, RESET * unit.key).payload)
            seen = decoder.show(rect, part)
            assert np.abs(seen.astype(int) - shades(number)).max() < 12


def test_resets():
    first, second, third = stream(3)
    decoder = H264Decoder()
    for rect in (HERE, THERE):
        decoder.show(rect, Part(0, first.data))
    assert decoder.show(HERE, Part(RESET, b"")) is None
    assert decoder.show(THERE, Part(0, second.data)) is not None
    with pytest.raises(ProtocolError):
        decoder.show(HERE, Part(0, second.data))
    with pytest.raises(ProtocolError):
        decoder.show(THERE, Part(RESET_ALL, third.data))


def test_only_so_many_streams_are_kept():
    unit, = stream(1)
    decoder = H264Decoder()
    for number in range(MAX_STREAMS + 5):
        decoder.show(Rect(number, 0, 64, 64), Part(RESET, unit.data))
    assert len(decoder._streams) == MAX_STREAMS


def test_a_length_beyond_reason_is_refused_before_it_is_read():
    with pytest.raises(ProtocolError, match="bytes of H.264"):
        complete(h264.decode(), b"\xff" * 8)


@given(st.binary(max_size=100))
def test_only_protocol_errors_leave_the_decoder(data):
    try:
        part, _ = complete(h264.decode(), data)
        seen = H264Decoder().show(HERE, part)
    except ProtocolError:
        return
    assert seen is None
