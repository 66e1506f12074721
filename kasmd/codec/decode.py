"""Payloads of an upstream's rectangles into pixels: whatever is wrong is a ProtocolError."""

from __future__ import annotations

from typing import Callable, Union

from kasmd.codec import columns, copyrect, hextile, raw, zrle
from kasmd.codec.base import COLUMNS, COPYRECT, HEXTILE, RAW, TIGHT, ZRLE, Reading, complete
from kasmd.codec.deflate import Inflater
from kasmd.codec.tight import TightDecoder
from kasmd.errors import ProtocolError
from kasmd.screen.geometry import Move, Rect
from kasmd.screen.pixels import PixelFormat, Pixels


class Streams:
    """What the rectangles of one connection have in common: zlib's windows."""

    def __init__(self) -> None:
        self.tight = TightDecoder()
        self.zrle = Inflater()


def _raw(rect: Rect, fmt: PixelFormat, streams: Streams) -> Reading[Pixels]:
    return raw.decode(rect.width, rect.height, fmt)


def _hextile(rect: Rect, fmt: PixelFormat, streams: Streams) -> Reading[Pixels]:
    return hextile.decode(rect.width, rect.height, fmt)


def _tight(rect: Rect, fmt: PixelFormat, streams: Streams) -> Reading[Pixels]:
    return streams.tight.decode(rect.width, rect.height, fmt)


def _zrle(rect: Rect, fmt: PixelFormat, streams: Streams) -> Reading[Pixels]:
    return zrle.decode(rect.width, rect.height, fmt, streams.zrle)


def _columns(rect: Rect, fmt: PixelFormat, streams: Streams) -> Reading[Pixels]:
    return columns.decode(rect.width, rect.height)


_PIXELS: dict[int, Callable[[Rect, PixelFormat, Streams], Reading[Pixels]]] = {
    RAW: _raw,
    HEXTILE: _hextile,
    TIGHT: _tight,
    ZRLE: _zrle,
    COLUMNS: _columns,
}


def decode(
    rect: Rect, encoding: int, payload: bytes, fmt: PixelFormat, streams: Streams,
    bounds: Rect,
) -> Union[Pixels, Move]:
    """Give the pixels of ``rect``, or where they are found in what is shown already.

    All of ``payload`` must be needed, and the rectangle and its source lie in ``bounds``.
    """
    if not bounds.contains(rect):
        raise ProtocolError(f"{tuple(rect)} is not inside {bounds.width} x {bounds.height}")
    if encoding == COPYRECT:
        (x, y), used = complete(copyrect.decode(), payload)
        move = Move(rect, rect.x - x, rect.y - y)
        if not bounds.contains(move.source):
            raise ProtocolError(f"CopyRect from outside: {tuple(move.source)}")
        return _all_used(move, used, payload)
    if encoding not in _PIXELS:
        raise ProtocolError(f"encoding {encoding} has no pixels")
    pixels, used = complete(_PIXELS[encoding](rect, fmt, streams), payload)
    return _all_used(pixels, used, payload)


def _all_used(
    found: Union[Pixels, Move], used: int, payload: bytes
) -> Union[Pixels, Move]:
    if used != len(payload):
        raise ProtocolError(f"{len(payload) - used} bytes of a payload are left over")
    return found
