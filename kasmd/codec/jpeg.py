"""JPEG (JFIF), as Tight carries it."""

from __future__ import annotations

import numpy as np
import simplejpeg

from kasmd.codec.base import check_area
from kasmd.errors import ProtocolError
from kasmd.screen.pixels import Pixels

#: Scans of one picture: 55 bytes of one can cost as much as all of a large picture, again
#: and again.  No known encoder writes as many.
_MAX_SCANS = 32
_SCAN = b"\xff\xda"


def encode(pixels: Pixels, quality: int, subsampling: str) -> bytes:
    """Compress ``pixels``; ``quality`` and ``subsampling`` as in `Parameters`."""
    data: bytes = simplejpeg.encode_jpeg(
        np.ascontiguousarray(pixels), quality, "BGRX", subsampling
    )
    return data


def decode(data: bytes, width: int, height: int) -> Pixels:
    """Read a picture, which must be of this size (else ProtocolError)."""
    check_area(width, height)
    if data.count(_SCAN) > _MAX_SCANS:
        raise ProtocolError(f"a JPEG of more than {_MAX_SCANS} scans")
    try:
        found_height, found_width, _, _ = simplejpeg.decode_jpeg_header(data)
        if (found_width, found_height) != (width, height):
            raise ProtocolError(f"a JPEG of {found_width} x {found_height} for {width} x {height}")
        pixels: Pixels = simplejpeg.decode_jpeg(data, "BGRX")
    except ValueError as error:
        raise ProtocolError(f"JPEG data: {error}") from error
    pixels[..., 3] = 0
    return pixels
