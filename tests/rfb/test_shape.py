"""What `update` writes of cursors, screens and names is read back."""

from __future__ import annotations

import pytest

from kasmd.errors import ProtocolError
from kasmd.rfb import update
from kasmd.rfb.numbers import Encoding
from kasmd.rfb.said import Received
from kasmd.rfb.shape import cursor_of, name_of, screens_of
from kasmd.screen.cursor import INVISIBLE, Cursor
from kasmd.screen.geometry import Rect, Screen
from kasmd.screen.pixels import BGRX, PixelFormat

RGB565 = PixelFormat(16, 16, False, True, 31, 63, 31, 11, 5, 0)
OPAQUE = Cursor(3, 2, 1, 1, bytes([248, 0, 8, 255] * 3 + [0, 0, 0, 0] * 3))
CLEAR = Cursor(1, 1, 0, 0, bytes([100, 50, 0, 128]))


def received(rectangle: bytes) -> Received:
    *rect, encoding = update.RECTANGLE.unpack_from(rectangle)
    return Received(Rect(*rect), encoding, rectangle[update.RECTANGLE.size:])


@pytest.mark.parametrize("kind", [
    Encoding.CURSOR, Encoding.CURSOR_WITH_ALPHA, Encoding.VMWARE_CURSOR])
def test_cursors(kind: Encoding) -> None:
    assert cursor_of(received(update.cursor_shape(OPAQUE, kind, BGRX)), BGRX) == OPAQUE
    assert cursor_of(Received(Rect(0, 0, 0, 0), kind, b""), BGRX) == INVISIBLE


def test_other_formats_and_alpha() -> None:
    small = received(update.cursor_shape(OPAQUE, Encoding.CURSOR, RGB565))
    assert cursor_of(small, RGB565).rgba[:4] == bytes([255, 0, 8, 255])
    for kind in (Encoding.CURSOR_WITH_ALPHA, Encoding.VMWARE_CURSOR):
        assert cursor_of(received(update.cursor_shape(CLEAR, kind, BGRX)), BGRX) == CLEAR


def test_vmwares_masks() -> None:
    keep, drop = b"\xff\xff\xff\0", bytes(4)
    white, black = keep, drop
    masks = b"\0\0" + keep + drop + keep + black + black + white
    seen = cursor_of(Received(Rect(0, 0, 3, 1), Encoding.VMWARE_CURSOR, masks), BGRX)
    assert seen.rgba == bytes(4) + b"\0\0\0\xff" + b"\xff\xff\xff\xff"


def test_a_hot_spot_lies_inside() -> None:
    far = received(update.cursor_shape(OPAQUE, Encoding.CURSOR, BGRX))
    cursor = cursor_of(far._replace(rect=far.rect._replace(x=99, y=99)), BGRX)
    assert (cursor.hot_x, cursor.hot_y) == (2, 1)


def test_colour_beyond_alpha_is_cut() -> None:
    odd = Received(Rect(0, 0, 1, 1), Encoding.CURSOR_WITH_ALPHA, bytes(4) + b"\xff\x10\0\x20")
    assert cursor_of(odd, BGRX).rgba == b"\x20\x10\0\x20"


def test_cursors_that_cannot_be() -> None:
    for kind, payload in (
        (Encoding.CURSOR_WITH_ALPHA, b"\0\0\0\x07" + bytes(4)),
        (Encoding.VMWARE_CURSOR, b"\x02\0" + bytes(8)),
    ):
        with pytest.raises(ProtocolError):
            cursor_of(Received(Rect(0, 0, 1, 1), kind, payload), BGRX)


def test_screens_and_names() -> None:
    screens = (Screen(1, 0, 0, 8, 6, 3), Screen(9, 8, 0, 8, 6))
    assert screens_of(received(update.extended_desktop_size(16, 6, screens))) == screens
    assert name_of(received(update.desktop_name("d\u00e9sk"))) == "d\u00e9sk"
