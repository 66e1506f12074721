"""Payloads into pixels: ours are read back, and no others do more than raise ProtocolError."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.codec import columns, hextile, raw, tight, zrle
from kasmd.codec.base import COLUMNS, COPYRECT, HEXTILE, RAW, TIGHT, ZRLE
from kasmd.codec.decode import Streams, decode
from kasmd.codec.deflate import ZlibStream
from kasmd.errors import ProtocolError
from kasmd.screen.geometry import Move, Rect
from kasmd.screen.pixels import BGRX, as_values
from tests.written import BRIGHT, written

BOUNDS = Rect(0, 0, 200, 100)
RECT = Rect(10, 20, 70, 33)
PIXELS = written(33, 70, inks=BRIGHT)
PAYLOADS = {
    RAW: raw.encode(PIXELS, BGRX),
    HEXTILE: hextile.encode(PIXELS, BGRX),
    TIGHT: tight.encode_copy(PIXELS, BGRX, 2),
    ZRLE: zrle.encode(PIXELS, BGRX, ZlibStream()),
    COLUMNS: columns.encode(as_values(PIXELS), times=1) or b"",
}


@pytest.mark.parametrize("encoding", PAYLOADS)
def test_what_we_encode(encoding: int) -> None:
    found = decode(RECT, encoding, PAYLOADS[encoding], BGRX, Streams(), BOUNDS)
    assert not isinstance(found, Move)
    assert (found[..., :3] == PIXELS[..., :3]).all()


def test_moves() -> None:
    found = decode(RECT, COPYRECT, b"\0\x05\0\x07", BGRX, Streams(), BOUNDS)
    assert found == Move(RECT, 5, 13)


@pytest.mark.parametrize(
    ("rect", "encoding", "payload", "reason"),
    [
        (Rect(199, 0, 2, 1), RAW, bytes(8), "is not inside 200 x 100"),
        (RECT, COPYRECT, b"\0\x83\0\0", "CopyRect from outside"),
        (RECT, RAW, PAYLOADS[RAW] + b"x", "1 bytes of a payload are left over"),
        (RECT, RAW, PAYLOADS[RAW][1:], "bytes needed"),
        (RECT, 99, b"", "encoding 99 has no pixels"),
    ],
)
def test_what_cannot_be(rect: Rect, encoding: int, payload: bytes, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason):
        decode(rect, encoding, payload, BGRX, Streams(), BOUNDS)


@given(
    st.sampled_from(sorted(PAYLOADS)), st.integers(0, 5000), st.binary(max_size=40),
    st.booleans(), st.sampled_from([RECT, Rect(0, 0, 1, 1), Rect(0, 0, 0, 9), Rect(3, 4, 17, 2)]),
)
def test_mutated_payloads(encoding: int, place: int, noise: bytes, cut: bool, rect: Rect) -> None:
    payload = PAYLOADS[encoding]
    mutated = payload[:place] + noise + payload[place + (0 if cut else len(noise)):]
    streams = Streams()
    for _ in range(2):
        try:
            found = decode(rect, encoding, mutated, BGRX, streams, BOUNDS)
        except ProtocolError:
            continue
        assert isinstance(found, Move) or found.shape == (rect.height, rect.width, 4)
