"""KasmVNC's video rectangles, byte by byte from the protocol reference."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.codec import kasmvideo
from kasmd.codec.base import complete
from kasmd.codec.compact import MAX_LENGTH, TooLong
from kasmd.codec.kasmvideo import FAMILIES, IMAGES, MODES, Picture
from kasmd.codec.video import ENCODINGS, Codec, Unit
from kasmd.errors import ProtocolError
from kasmd.screen.geometry import Rect

SCREEN = Rect(1280, 0, 1280, 720)


@pytest.mark.parametrize(
    "mode, head",
    [(-1027, "02 10 02 01"), (-1029, "02 10 04 01"), (-1034, "02 20 09 01"),
     (-1037, "02 30 0c 01"), (-1039, "02 30 0e 01")],
)
def test_the_wire(mode, head):
    rectangle = kasmvideo.encode(SCREEN, 2, mode, Unit(b"x" * 200, True))
    assert rectangle[:2] == (SCREEN, 17)
    assert rectangle.payload == bytes.fromhex(head) + b"\xc8\x01" + b"x" * 200


@given(st.integers(0, 255), st.sampled_from(sorted(MODES)), st.binary(max_size=300), st.booleans())
def test_what_is_written_is_read(screen, mode, data, key):
    payload = kasmvideo.encode(SCREEN, screen, mode, Unit(data, key)).payload
    picture, end = complete(kasmvideo.decode(), payload + b"next")
    assert picture == Picture(screen, mode, MODES[mode].codec, Unit(data, key))
    assert end == len(payload)


def test_a_picture_that_was_left_out():
    assert complete(kasmvideo.decode(), b"\3\0next") == (Picture(3, IMAGES, None, None), 2)


def test_what_does_not_fit():
    with pytest.raises(TooLong):
        kasmvideo.encode(SCREEN, 0, -1027, Unit(bytes(MAX_LENGTH + 1), True))


@pytest.mark.parametrize("data", ["0040", "0011", "00", "00100201", "0010020105aa"])
def test_refusals(data):
    with pytest.raises(ProtocolError):
        complete(kasmvideo.decode(), bytes.fromhex(data))


def test_modes_are_encoders_that_we_have():
    for mode in MODES.values():
        encoding, = (one for one in ENCODINGS[mode.codec] if one.name == mode.encoder)
        assert mode.best <= mode.presets[0] <= mode.presets[-1] == mode.worst <= encoding.worst
    assert set(FAMILIES.values()) == set(Codec)


@pytest.mark.parametrize(
    "mode, theirs, ours",
    [(-1027, 17, 34), (-1027, 63, 0), (-1027, 0, 50), (-1037, 17, 46), (-1039, 63, 19)],
)
def test_quality(mode, theirs, ours):
    assert kasmvideo.quality_of(mode, theirs) == ours


@given(st.binary(max_size=60))
def test_only_protocol_errors_leave_the_decoder(data):
    try:
        complete(kasmvideo.decode(), data)
    except ProtocolError:
        pass
