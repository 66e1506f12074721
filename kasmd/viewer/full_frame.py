"""What one full frame takes: a picture, found changed all over and encoded whole.

A pure function of a picture, for a thread: nothing of what viewers are sent
takes part, so it can be measured on a still screen and beside everything else.
"""

from __future__ import annotations

from time import perf_counter
from typing import NamedTuple, Optional

from kasmd.codec import choose
from kasmd.codec.base import TIGHT, Parameters
from kasmd.codec.pieces import pieces_of
from kasmd.codec.quality import parameters_for
from kasmd.screen.framebuffer import Framebuffer, Snapshot
from kasmd.screen.region import Region

#: The control byte of a JPEG (rfbproto, Tight encoding).
_JPEG = 0x90
#: As for a browser of KasmVNC's that asks for nothing special.
ENCODED = parameters_for(TIGHT, jpeg_level=7)


class Pictures(NamedTuple):
    """What rectangles of one encoder took: seconds, how many, how many pixels."""

    seconds: float = 0.0
    number: int = 0
    area: int = 0


class FullFrame(NamedTuple):
    """Seconds for each stage, and the share of ``encoding`` that was JPEG's."""

    analysis: float
    encoding: float
    jpeg: Pictures


def measure(snapshot: Snapshot, parameters: Optional[Parameters] = None) -> FullFrame:
    """Do to ``snapshot``, all of a picture, what is done to one that changed everywhere."""
    parameters = parameters or ENCODED
    began = perf_counter()
    Framebuffer(snapshot.rect.width, snapshot.rect.height).update(
        [(snapshot.rect, snapshot.pixels)]
    )
    pieces = pieces_of(Region([snapshot.rect]), parameters)
    found = perf_counter()
    jpeg = Pictures()
    for piece in pieces:
        start = perf_counter()
        pixels = snapshot.pixels[piece.y : piece.bottom, piece.x : piece.right]
        rectangles = choose.encode(pixels, piece, parameters)
        seconds = perf_counter() - start
        photos = [each.rect.area for each in rectangles if each.payload[0] == _JPEG]
        share = sum(photos) / piece.area
        jpeg = Pictures(
            jpeg.seconds + share * seconds, jpeg.number + len(photos), jpeg.area + sum(photos)
        )
    return FullFrame(found - began, perf_counter() - found, jpeg)
