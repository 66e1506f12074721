"""Rectangles that are not pixels, byte by byte: `kasmd.rfb.update`."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.rfb import update
from kasmd.rfb.numbers import DesktopSizeReason, DesktopSizeResult, Encoding
from kasmd.screen.cursor import INVISIBLE, Cursor
from kasmd.screen.geometry import Rect, Screen
from kasmd.screen.pixels import BGRX, RGBX, PixelFormat

RGB565 = PixelFormat(16, 16, True, True, 31, 63, 31, 11, 5, 0)

#: Nothing, half-transparent red (premultiplied), opaque (1, 2, 3).
CURSOR = Cursor(3, 1, 2, 0, bytes([0, 0, 0, 0, 128, 0, 0, 128, 1, 2, 3, 255]))


@pytest.mark.parametrize(
    "written, wire",
    [
        (update.update_header(2), "00 00 0002"),
        (update.update_header(None), "00 00 ffff"),
        (update.last_rect(), "0000 0000 0000 0000 ffffff20"),
        (
            update.rectangle(Rect(1, 2, 3, 65535), Encoding.TIGHT, b"\xab"),
            "0001 0002 0003 ffff 00000007 ab",
        ),
        (
            update.acknowledgement(Encoding.EXTENDED_MOUSE_BUTTONS),
            "0000 0000 0000 0000 fffffec4",
        ),
        (update.desktop_size(800, 600), "0000 0000 0320 0258 ffffff21"),
        (update.desktop_name("h\u00e9"), "0000 0000 0000 0000 fffffecd 00000003 68c3a9"),
        (update.led_state(0xFE), "0000 0000 0000 0000 fffffefb 06"),
        (
            update.extended_desktop_size(
                800,
                600,
                [Screen(2, 400, 0, 400, 600), Screen(1, 0, 0, 400, 600, 9)],
                DesktopSizeReason.THIS_CLIENT,
                DesktopSizeResult.INVALID_LAYOUT,
            ),
            "0001 0003 0320 0258 fffffecc 02 000000"
            "00000001 0000 0000 0190 0258 00000009"
            "00000002 0190 0000 0190 0258 00000000",
        ),
    ],
)
def test_rectangles(written: bytes, wire: str) -> None:
    assert written == bytes.fromhex(wire)


@pytest.mark.parametrize(
    "kind, pixel_format, payload",
    [
        (Encoding.VMWARE_CURSOR, RGBX, "0100 00000000 ff000080 010203ff"),
        (Encoding.CURSOR_WITH_ALPHA, RGBX, "00000000 00000000 80000080 010203ff"),
    ],
)
def test_cursors_with_alpha(kind: Encoding, pixel_format: PixelFormat, payload: str) -> None:
    wire = update.cursor_shape(CURSOR, kind, pixel_format)
    assert wire[:12] == bytes.fromhex("0002 0000 0003 0001") + int(kind).to_bytes(
        4, "big", signed=True
    )
    assert wire[12:] == bytes.fromhex(payload)


@pytest.mark.parametrize(
    "pixel_format, pixels",
    [
        (RGBX, [(255, 0, 0), (1, 2, 3)]),
        (BGRX, [(0, 0, 255), (3, 2, 1)]),
    ],
)
def test_the_oldest_cursor_has_the_viewers_pixels_and_a_mask(
    pixel_format: PixelFormat, pixels: list[tuple[int, int, int]]
) -> None:
    payload = update.cursor_shape(CURSOR, Encoding.CURSOR, pixel_format)[12:]
    assert [tuple(payload[n : n + 3]) for n in (4, 8)] == pixels
    assert payload[12:] == b"\x60"


def test_the_oldest_cursor_in_sixteen_bits() -> None:
    payload = update.cursor_shape(CURSOR, Encoding.CURSOR, RGB565)[12:]
    assert payload[2:4] == b"\xf8\x00"
    assert len(payload) == 3 * 2 + 1


@pytest.mark.parametrize(
    "kind, payload",
    [
        (Encoding.VMWARE_CURSOR, b"\x01\0"),
        (Encoding.CURSOR_WITH_ALPHA, bytes(4)),
        (Encoding.CURSOR, b""),
    ],
)
def test_an_invisible_cursor(kind: Encoding, payload: bytes) -> None:
    assert update.cursor_shape(INVISIBLE, kind, BGRX)[12:] == payload


@given(st.integers(1, 255), st.integers(0, 255))
def test_dividing_by_alpha_undoes_multiplying(alpha: int, colour: int) -> None:
    premultiplied = (colour * alpha + 127) // 255
    cursor = Cursor(1, 1, 0, 0, bytes([premultiplied, 0, 0, alpha]))
    straight = np.frombuffer(update.cursor_shape(cursor, Encoding.VMWARE_CURSOR, BGRX)[14:], "u1")
    assert abs(int(straight[0]) - colour) <= 255 / alpha / 2 + 1
    assert straight[3] == alpha
