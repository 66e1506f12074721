"""The head of an X window dump (XWDFile.h, version 7), of just the pixels that we have."""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from kasmd.errors import ProtocolError

#: Where the head ends that tells how long the whole head is, a window's name included.
HEAD_BYTES = 100
#: Heads and dumps that are longer are no screen's.
MAX_HEAD_BYTES = 1 << 16
MAX_BYTES = 1 << 30
#: The longest side that X has.
MAX_SIDE = 32767

_HEAD = Struct(">25I")
_COLOUR_BYTES = 12
_Z_PIXMAP = 2
_LSB_FIRST = 0


class Dump(NamedTuple):
    """Where the pixels are: rows of ``stride`` bytes from ``offset`` on."""

    width: int
    height: int
    stride: int
    offset: int


def parse(head: bytes, length: int) -> Dump:
    """Read the first bytes of a dump of ``length`` bytes (ProtocolError).

    It must be of 32 bits a pixel, blue first, and have all its rows.
    """
    if len(head) < HEAD_BYTES or length > MAX_BYTES:
        raise ProtocolError(f"a window dump of {length} bytes")
    (
        head_bytes, version, pixmap_format, depth, width, height, x_offset, byte_order,
        _, _, _, bits_per_pixel, stride, _, red, green, blue, _, _, colours, *_,
    ) = _HEAD.unpack_from(head)
    form = version, pixmap_format, depth, bits_per_pixel, byte_order, x_offset
    if form != (7, _Z_PIXMAP, 24, 32, _LSB_FIRST, 0):
        raise ProtocolError(f"a window dump of the form {form}")
    if (red, green, blue) != (0xFF0000, 0xFF00, 0xFF):
        raise ProtocolError("a window dump of pixels that are not blue first")
    offset = head_bytes + _COLOUR_BYTES * colours
    if head_bytes < HEAD_BYTES or offset > MAX_HEAD_BYTES:
        raise ProtocolError(f"a window dump's head of {offset} bytes")
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise ProtocolError(f"a window dump of {width} x {height}")
    if stride < 4 * width or offset + stride * height > length:
        raise ProtocolError(f"a window dump of {width} x {height} in {length} bytes")
    return Dump(width, height, stride, offset)
