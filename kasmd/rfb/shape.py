"""The rectangles that are not pixels, as a client reads them; `update` writes them."""

from __future__ import annotations

from typing import Callable

import numpy as np
from numpy.typing import NDArray

from kasmd.errors import ProtocolError
from kasmd.rfb.numbers import Encoding
from kasmd.rfb.said import Received
from kasmd.rfb.update import SCREEN, SCREENS
from kasmd.rfb.wire import S32
from kasmd.screen.cursor import INVISIBLE, Cursor
from kasmd.screen.geometry import Rect, Screen
from kasmd.screen.pixels import BGRX, PixelFormat, Pixels, from_format

_OPAQUE = 255


def cursor_of(received: Received, pixel_format: PixelFormat) -> Cursor:
    """Read the pointer's shape in any of its forms."""
    rect, encoding, payload = received
    if not rect.area:
        return INVISIBLE
    rgba = _CURSORS[Encoding(encoding)](rect, payload, pixel_format)
    hot_x, hot_y = min(rect.x, rect.width - 1), min(rect.y, rect.height - 1)
    return Cursor(rect.width, rect.height, hot_x, hot_y, rgba)


def screens_of(received: Received) -> tuple[Screen, ...]:
    """Read the layout of ExtendedDesktopSize."""
    return tuple(Screen(*each) for each in SCREEN.iter_unpack(received.payload[SCREENS.size:]))


def name_of(received: Received) -> str:
    """Read DesktopName."""
    return received.payload[4:].decode("utf-8", "replace")


def _masked(rect: Rect, payload: bytes, pixel_format: PixelFormat) -> bytes:
    """RFC 6143 section 7.8.1: pixels, then a bit for each that is shown."""
    size = rect.area * pixel_format.bytes_per_pixel
    pixels = from_format(payload[:size], pixel_format, rect.height, rect.width)
    rows = np.frombuffer(payload[size:], np.uint8).reshape(rect.height, -1)
    return _shown(pixels, np.unpackbits(rows, axis=1, count=rect.width).astype(bool))


def _with_alpha(rect: Rect, payload: bytes, pixel_format: PixelFormat) -> bytes:
    """rfbproto, Cursor With Alpha: a rectangle in an encoding of its own."""
    (encoding,) = S32.unpack_from(payload)
    if encoding != Encoding.RAW:
        raise ProtocolError(f"a cursor with alpha in encoding {encoding}")
    pixels = np.frombuffer(payload[S32.size:], np.uint8).reshape(-1, 4)
    # More colour than alpha is no premultiplied pixel.
    return np.minimum(pixels, pixels[:, 3:]).tobytes()


def _vmware(rect: Rect, payload: bytes, pixel_format: PixelFormat) -> bytes:
    """rfbproto, VMware Cursor: type 0 is an AND and an XOR mask, type 1 has alpha."""
    if payload[0] > 1:
        raise ProtocolError(f"a VMware cursor of type {payload[0]}")
    data = np.frombuffer(payload[2:], np.uint8)
    if payload[0] == 1:
        pixels = data.reshape(-1, 4).astype(np.uint16)
        pixels[:, :3] = (pixels[:, :3] * pixels[:, 3:] + 127) // _OPAQUE
        return pixels.astype(np.uint8).tobytes()
    kept, drawn = (part.tobytes() for part in np.split(data, 2))
    keeps = np.any(from_format(kept, BGRX, rect.height, rect.width)[..., :3], axis=2)
    pixels_of = from_format(drawn, BGRX, rect.height, rect.width)
    # What would invert the screen is shown as it is drawn.
    return _shown(pixels_of, np.logical_or(~keeps, pixels_of[..., :3].any(axis=2)))


def _shown(pixels: Pixels, mask: NDArray[np.bool_]) -> bytes:
    """Give red, green, blue, alpha: opaque where ``mask`` is set, else nothing."""
    rgba = np.zeros((*pixels.shape[:2], 4), np.uint8)
    rgba[..., :3] = pixels[..., 2::-1]
    rgba[..., 3] = _OPAQUE
    rgba[~mask] = 0
    return rgba.tobytes()


_CURSORS: dict[Encoding, Callable[[Rect, bytes, PixelFormat], bytes]] = {
    Encoding.CURSOR: _masked,
    Encoding.CURSOR_WITH_ALPHA: _with_alpha,
    Encoding.VMWARE_CURSOR: _vmware,
}
