"""WebP (RFC 9649, its simple forms), as Tight carries it to Kasm's clients."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image

from kasmd.codec.base import check_area
from kasmd.errors import ProtocolError
from kasmd.screen.pixels import Pixels

#: The fastest of libwebp's methods.
_METHOD = 0
#: A picture's first bytes, where its size is.
_HEAD = 30
_LOSSY, _LOSSLESS = b"VP8 ", b"VP8L"


def encode(pixels: Pixels, quality: int) -> bytes:
    """Compress ``pixels``; ``quality`` is 0 to 100."""
    height, width = pixels.shape[:2]
    packed = np.ascontiguousarray(pixels)
    image = Image.frombuffer("RGB", (width, height), packed, "raw", "BGRX", 0, 1)
    out = BytesIO()
    image.save(out, "WEBP", quality=quality, method=_METHOD)
    return out.getvalue()


def decode(data: bytes, width: int, height: int) -> Pixels:
    """Read a picture, which must be of this size (else ProtocolError)."""
    check_area(width, height)
    found = _size(data)
    if found != (width, height):
        raise ProtocolError(f"a WebP of {found} for {width} x {height}")
    try:
        # Without alpha, which a lossless picture may have.
        image = Image.open(BytesIO(data), formats=["WEBP"]).convert("RGB")
    except (OSError, ValueError, SyntaxError) as error:
        raise ProtocolError(f"WebP data: {error}") from error
    return np.frombuffer(image.tobytes("raw", "BGRX"), np.uint8).reshape(height, width, 4).copy()


def _size(data: bytes) -> tuple[int, int]:
    """Read width and height before anything is decoded.

    ProtocolError for the extended form, which may be an animation.
    """
    kind = data[12:16]
    if len(data) < _HEAD or data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        raise ProtocolError("no WebP")
    if kind == _LOSSY and data[23:26] == b"\x9d\x01\x2a":
        sides = int.from_bytes(data[26:30], "little")
        return sides & 0x3FFF, sides >> 16 & 0x3FFF
    if kind == _LOSSLESS and data[20] == 0x2F:
        sides = int.from_bytes(data[21:25], "little")
        return (sides & 0x3FFF) + 1, (sides >> 14 & 0x3FFF) + 1
    raise ProtocolError(f"a WebP of kind {kind!r}")
