"""CopyRect (RFC 6143 section 7.7.2): where the pixels are on the client already."""

from __future__ import annotations

from struct import Struct

from kasmd.codec.base import COPYRECT, Reading, Rectangle
from kasmd.screen.geometry import Move

_SOURCE = Struct(">HH")


def encode(move: Move) -> Rectangle:
    """Give the rectangle for a move."""
    x, y, _, _ = move.source
    return Rectangle(move.target, COPYRECT, _SOURCE.pack(x, y))


def decode() -> Reading[tuple[int, int]]:
    """Read the top left corner of the source."""
    x, y = _SOURCE.unpack((yield _SOURCE.size))
    return x, y
