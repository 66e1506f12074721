"""What lies over a picture before anybody sees it: black where it is concealed, a watermark."""

from __future__ import annotations

from typing import NamedTuple, Optional, Sequence

import numpy as np
import numpy.typing as npt

from kasmd.screen.changes import Change
from kasmd.screen.framebuffer import Snapshot
from kasmd.screen.geometry import Move, Rect
from kasmd.screen.pixels import Pixels
from kasmd.screen.region import EMPTY, Region

#: (height, width): 0 where a pixel stays as it is to 256 where it takes the stamp's colour.
Levels = npt.NDArray[np.uint16]


class Stamp(NamedTuple):
    """A watermark: one colour (blue, green, red), of which each pixel takes so much.

    It lies at ``location``, 0 being the middle and a negative number a distance
    from the far edge; or with None again and again, from the top left corner.
    """

    levels: Levels
    colour: tuple[int, int, int]
    location: Optional[tuple[int, int]]

    def place(self, width: int, height: int) -> Rect:
        """Give where it lies on a screen of this size (all of it, if again and again)."""
        if self.location is None:
            return Rect(0, 0, width, height)
        rows, columns = self.levels.shape
        x, y = self.location
        return Rect(_start(x, columns, width), _start(y, rows, height), columns, rows)


def _start(offset: int, length: int, side: int) -> int:
    if offset == 0:
        return (side - length) // 2
    return offset if offset > 0 else side - length + offset


class Mask:
    """What is seen of a picture of ``size``: only ``visible``, under ``stamp``.

    ``ident`` is no other mask's; ``stamped`` is where the watermark may be seen.
    """

    def __init__(self, ident: int, size: tuple[int, int], visible: Rect,
                 stamp: Optional[Stamp]) -> None:
        self.ident = ident
        self.size = size
        self.visible = visible
        self._stamp = stamp
        place = stamp.place(*size).intersection(visible) if stamp is not None else None
        self._place = place
        self.stamped = Region([place]) if place is not None else EMPTY

    def cover(self, snapshot: Snapshot) -> Snapshot:
        """Give what is seen of ``snapshot``, which stays as it is."""
        identity, rect = snapshot.identity._replace(mask=self.ident), snapshot.rect
        place = self._place and self._place.intersection(rect)
        if place is None and self.visible.contains(rect):
            return Snapshot(identity, rect, snapshot.pixels)
        pixels = np.zeros_like(snapshot.pixels)
        shown = self.visible.intersection(rect)
        if shown is not None:
            part = shown.within(rect)
            pixels[part] = snapshot.pixels[part]
        if place is not None:
            self._draw(pixels[place.within(rect)], place)
        pixels.flags.writeable = False
        return Snapshot(identity, rect, pixels)

    def change(self, region: Region, moves: Sequence[Move]) -> Change:
        """Give what is seen of a change.

        Nothing moves into or out of what is concealed, nor under the watermark:
        that is drawn anew, and so is what would be copied from there later on.
        """
        kept: list[Move] = []
        stale = EMPTY
        for move in moves:
            left = Region([move.target])
            clear = self._clear(move)
            if clear is not None and not stale.intersect(Region([clear.source])):
                kept.append(clear)
                left = left.subtract(Region([clear.target]))
            stale = stale.union(left)
        return Change(region.union(stale).intersect(Region([self.visible])), tuple(kept))

    def _clear(self, move: Move) -> Optional[Move]:
        """Give the part of ``move`` that is seen both before and after."""
        target = move.target.intersection(self.visible)
        target = target and target.intersection(self.visible.moved(move.dx, move.dy))
        if target is None:
            return None
        clear = move._replace(target=target)
        if self._place and any(map(self._place.intersection, (clear.target, clear.source))):
            return None
        return clear

    def _draw(self, pixels: Pixels, rect: Rect) -> None:
        """Draw the watermark's ``rect`` on its ``pixels``."""
        assert self._stamp is not None
        levels = _cut(self._stamp, self._stamp.place(*self.size), rect)
        where = np.nonzero(levels)
        level = levels[where][:, None]
        colour = np.array((*self._stamp.colour, 0), np.uint16)
        pixels[where] = (pixels[where] * (256 - level) + colour * level) >> 8


def _cut(stamp: Stamp, place: Rect, rect: Rect) -> Levels:
    """Give the levels of ``rect``; the stamp begins again where it ends."""
    height, width = stamp.levels.shape
    columns = np.arange(rect.x - place.x, rect.right - place.x) % width
    rows = np.arange(rect.y - place.y, rect.bottom - place.y) % height
    return stamp.levels[rows[:, None], columns]
