"""A FramebufferUpdate on its way to one viewer (RFC 6143 section 7.6.1).

It is cut into pieces that each take a few milliseconds to encode, and leaves
in slices: between them the reactor serves others, and the transport may ask for
a pause.  A piece is copied from the display when its turn comes, so what is
sent is never older than it must be, and a viewer that stalls holds no picture.
"""

from __future__ import annotations

from collections import deque
from typing import Callable, Optional, Sequence

import numpy as np

from kasmd.codec import choose, quality
from kasmd.codec.base import Parameters
from kasmd.codec.deflate import ZlibStream
from kasmd.rfb import update as wire
from kasmd.rfb.capabilities import Capabilities
from kasmd.screen.framebuffer import Identity, Snapshot
from kasmd.screen.geometry import Rect
from kasmd.screen.pixels import PixelFormat
from kasmd.viewer.sharing import Encodings

#: Gives the pixels of a rectangle, or None where they may not be seen.
Look = Callable[[Rect], Optional[Snapshot]]

#: What stands in for pixels that may not be seen, or that are gone: it must
#: not be taken for a picture of any display.
_NOTHING = Identity(-1, -1)


class Update:
    """What is left of one update; ``head`` is its header and first rectangles."""

    def __init__(self, head: bytes, pieces: Sequence[Rect], parameters: Parameters,
                 last_rect: bool, encodings: Encodings, stream: Optional[ZlibStream]) -> None:
        self._head = head
        self._left = deque(pieces)
        self._parameters = parameters
        self._last_rect = last_rect
        self._encodings = encodings
        self._stream = stream

    @property
    def done(self) -> bool:
        """Tell whether all was given out."""
        return not self._left and not self._head

    def next_slice(self, look: Look) -> tuple[bytes, list[Rect]]:
        """Give the next bytes, and the rectangles that are then as the display has them."""
        rects = self._take()
        seen = [look(rect) for rect in rects]
        if self._last_rect and None in seen:
            # No pixel may follow, and none must: LastRect may come at any time.
            self._left.clear()
            rects, seen = [], []
        shown = [rect for rect, snapshot in zip(rects, seen) if snapshot is not None]
        snapshots = [snapshot or _blank(rect) for rect, snapshot in zip(rects, seen)]
        head, self._head = self._head, b""
        tail = wire.last_rect() if self._last_rect and not self._left else b""
        return self._encoded(head, snapshots, tail), shown

    def _take(self) -> list[Rect]:
        taken: list[Rect] = []
        budget = choose.most_pixels(self._parameters)
        while self._left and (not taken or budget >= self._left[0].area):
            taken.append(self._left.popleft())
            budget -= taken[-1].area
        return taken

    def _encoded(self, head: bytes, snapshots: list[Snapshot], tail: bytes) -> bytes:
        def make() -> bytes:
            parts = [head]
            for snapshot in snapshots:
                for rectangle in choose.encode(
                    snapshot.pixels, snapshot.rect, self._parameters, self._stream
                ):
                    parts.append(wire.rectangle(*rectangle))
            parts.append(tail)
            return b"".join(parts)

        if self._stream is not None:
            return make()
        where = tuple((snapshot.identity, snapshot.rect) for snapshot in snapshots)
        return self._encodings.get((head, where, self._parameters, tail), make)


def parameters_of(can: Capabilities, pixel_format: PixelFormat) -> Parameters:
    """Give how a viewer that can do this wants its pixels."""
    return quality.parameters_for(
        can.preferred,
        pixel_format,
        jpeg_level=can.jpeg_level,
        fine_quality=can.fine_quality,
        subsampling=can.subsampling,
        compress_level=can.compress_level,
        single=not can.last_rect,
    )


def _blank(rect: Rect) -> Snapshot:
    return Snapshot(_NOTHING, rect, np.zeros((rect.height, rect.width, 4), np.uint8))
