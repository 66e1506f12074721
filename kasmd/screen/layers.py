"""A picture in two layers: what is drawn over and over, or moves, lies apart from the rest.

That saves to copy it into the rest, and out of it again for whoever wants just that.
"""

from __future__ import annotations

from typing import Sequence

import numpy as np

from kasmd.screen.geometry import Rect
from kasmd.screen.pixels import Pixels, Values

#: The pixels of what may lie apart, at least and at most.
_APART = 1 << 16, 1 << 22
#: So few pixels, of both layers, are put together for who wants them.
_LITTLE = 1 << 15

_NOWHERE = Rect(0, 0, 0, 0)


class Layers:
    """A picture of ``width`` x ``height``, black at first; rectangles must be inside.

    ``place`` is where something lies apart, of no pixels where nothing does.
    """

    def __init__(self, width: int, height: int) -> None:
        self.place = _NOWHERE
        self._below: Values = np.zeros((height, width), np.uint32)
        self._above = self._below
        #: What was drawn last that is large enough to lie apart.
        self._drawn = _NOWHERE

    def part(self, rect: Rect) -> Pixels:
        """Give ``rect`` as `values` does, as pixels."""
        return self.values(rect)[..., None].view(np.uint8)

    def values(self, rect: Rect) -> Values:
        """Give ``rect`` to be read: of one layer, or else a copy, or both are made one."""
        if self.place is _NOWHERE:
            return self._below[rect.slices]
        if self.place.contains(rect):
            return self._above[rect.within(self.place)]
        both = self.place.intersection(rect)
        if both is None:
            return self._below[rect.slices]
        if rect.area > _LITTLE:
            self._flatten()
            return self._below[rect.slices]
        values = self._below[rect.slices].copy()
        values[both.within(rect)] = self._above[both.within(self.place)]
        return values

    def move(self, source: Rect, target: Rect, redrawn: bool = False) -> None:
        """Copy pixels from one place to another; if just these lie apart, they need not be.

        ``redrawn`` says that what is left of the source will be drawn before anybody looks.
        """
        if source != self.place:
            self.draw(target, self.values(source).copy(), True)
        else:
            if not redrawn:
                self._sink(source.without(target))
            self.place = self._drawn = target

    def draw(self, rect: Rect, new: Values, moved: bool = False) -> None:
        """Draw ``new``, which may be kept and drawn on; ``moved``: it was elsewhere before."""
        if self._is_apart(rect, moved):
            self._sink(self.place.without(rect))
            new.flags.writeable = False
            self.place, self._above = rect, new
            return
        if self.place is not _NOWHERE:
            if rect.contains(self.place):
                self.place = _NOWHERE
            elif rect.intersection(self.place):
                self._flatten()
        if new.shape == self._below.shape and new.flags.writeable and new.flags.c_contiguous:
            self._below = new
        else:
            self._below[rect.slices] = new

    def _is_apart(self, rect: Rect, moved: bool) -> bool:
        """Tell whether to keep ``rect`` apart: it is large, and moves, or was drawn before."""
        least, most = _APART
        if not least <= rect.area <= most:
            return False
        again, self._drawn = moved or rect == self._drawn, rect
        return again

    def _flatten(self) -> None:
        self._sink([self.place])
        self.place = _NOWHERE

    def _sink(self, parts: Sequence[Rect]) -> None:
        """Put below these parts of what lies above."""
        for part in parts:
            self._below[part.slices] = self._above[part.within(self.place)]
