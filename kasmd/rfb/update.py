"""FramebufferUpdate (RFC 6143 section 7.6.1) and the rectangles that are not pixels.

A message is a header and rectangles, joined::

    b"".join([update_header(None), *rectangles, last_rect()])

Pseudo-rectangles go before pixels.
"""

from __future__ import annotations

import struct
from typing import Callable, Optional, Sequence

import numpy as np

from kasmd.rfb.numbers import Encoding, ServerMessage
from kasmd.rfb.wire import text
from kasmd.screen.cursor import Cursor
from kasmd.screen.framebuffer import Pixels
from kasmd.screen.geometry import Rect, Screen
from kasmd.screen.pixels import PixelFormat, to_format

HEADER = struct.Struct(">BxH")
RECTANGLE = struct.Struct(">HHHHi")
SCREENS = struct.Struct(">B3x")
SCREEN = struct.Struct(">IHHHHI")

#: The count of an update that ends in LastRect.
UNCOUNTED = 0xFFFF


def update_header(count: Optional[int]) -> bytes:
    """The message's beginning; None where `last_rect` ends it."""
    return HEADER.pack(ServerMessage.FRAMEBUFFER_UPDATE, UNCOUNTED if count is None else count)


def rectangle(rect: Rect, encoding: int, payload: bytes = b"") -> bytes:
    """One rectangle, header and payload."""
    return RECTANGLE.pack(*rect, encoding) + payload


def parts(rect: Rect, encoding: int, payload: bytes) -> tuple[bytes, bytes]:
    """The same in parts to be joined: a picture is large."""
    return RECTANGLE.pack(*rect, encoding), payload


def last_rect() -> bytes:
    """The end of an update whose rectangles were not counted."""
    return rectangle(Rect(0, 0, 0, 0), Encoding.LAST_RECT)


def acknowledgement(encoding: Encoding) -> bytes:
    """An empty rectangle that says: this extension works here."""
    return rectangle(Rect(0, 0, 0, 0), encoding)


def desktop_size(width: int, height: int) -> bytes:
    """RFC 6143 section 7.8.2; send no other rectangle after it."""
    return rectangle(Rect(0, 0, width, height), Encoding.DESKTOP_SIZE)


def extended_desktop_size(
    width: int, height: int, screens: Sequence[Screen], reason: int = 0, result: int = 0
) -> bytes:
    """rfbproto; ``reason`` and ``result`` are DesktopSizeReason and DesktopSizeResult.

    Screens go by their idents; at most 255.
    """
    parts = [SCREEN.pack(*screen) for screen in sorted(screens)]
    payload = SCREENS.pack(len(parts)) + b"".join(parts)
    return rectangle(Rect(reason, result, width, height), Encoding.EXTENDED_DESKTOP_SIZE, payload)


def desktop_name(name: str) -> bytes:
    """rfbproto, DesktopName."""
    return rectangle(Rect(0, 0, 0, 0), Encoding.DESKTOP_NAME, text(name))


def led_state(leds: int) -> bytes:
    """rfbproto, LED State: bit 0 scroll, bit 1 num, bit 2 caps."""
    return rectangle(Rect(0, 0, 0, 0), Encoding.LED_STATE, bytes([leds & 7]))


def cursor_shape(cursor: Cursor, kind: Encoding, pixel_format: PixelFormat) -> bytes:
    """The pointer's shape in one of the forms of `Capabilities.cursor`.

    ``pixel_format`` is the viewer's; only the oldest form uses it.
    """
    rect = Rect(cursor.hot_x, cursor.hot_y, cursor.width, cursor.height)
    return rectangle(rect, kind, _CURSORS[kind](cursor, pixel_format))


def _straight(cursor: Cursor) -> Pixels:
    """Red, green, blue, alpha, not premultiplied: height x width x 4."""
    pixels = np.frombuffer(cursor.rgba, np.uint8).reshape(cursor.height, cursor.width, 4)
    alpha = pixels[..., 3:].astype(np.uint16)
    colours = (pixels[..., :3] * np.uint16(255) + alpha // 2) // np.maximum(alpha, 1)
    return np.concatenate((np.minimum(colours, 255).astype(np.uint8), pixels[..., 3:]), axis=2)


def _vmware(cursor: Cursor, pixel_format: PixelFormat) -> bytes:
    """rfbproto, VMware Cursor: type 1 is red, green, blue, alpha."""
    return b"\x01\x00" + _straight(cursor).tobytes()


def _with_alpha(cursor: Cursor, pixel_format: PixelFormat) -> bytes:
    """rfbproto, Cursor With Alpha: a Raw rectangle, alpha premultiplied."""
    return struct.pack(">i", Encoding.RAW) + cursor.rgba


def _masked(cursor: Cursor, pixel_format: PixelFormat) -> bytes:
    """RFC 6143 section 7.8.1: pixels, then a bit for each that is at all opaque enough."""
    straight = _straight(cursor)
    mask = np.packbits(straight[..., 3] >= 128, axis=1)
    colours = np.ascontiguousarray(straight[..., (2, 1, 0, 3)])
    return to_format(colours, pixel_format) + mask.tobytes()


_CURSORS: dict[Encoding, Callable[[Cursor, PixelFormat], bytes]] = {
    Encoding.VMWARE_CURSOR: _vmware,
    Encoding.CURSOR_WITH_ALPHA: _with_alpha,
    Encoding.CURSOR: _masked,
}
