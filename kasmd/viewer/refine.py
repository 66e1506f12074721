"""What one viewer was shown with loss, and is to be shown without once it stands still."""

from __future__ import annotations

from typing import Iterable, Optional, Sequence

from kasmd.codec.base import JPEG, TIGHT, Rectangle
from kasmd.screen.geometry import Move, Rect
from kasmd.screen.region import EMPTY, Region
from kasmd.viewer.updates import MAX_RECTANGLES

#: The kinds of a Tight rectangle, the upper half of its first byte, that lose something.
_LOSSY_KINDS = frozenset({0x90, 0xB0})


def is_lossy(rectangle: Rectangle) -> bool:
    """Tell whether a rectangle does not show its pixels exactly."""
    if rectangle.encoding == TIGHT:
        return rectangle.payload[0] & 0xF0 in _LOSSY_KINDS
    return rectangle.encoding == JPEG


def rest(interval: float) -> float:
    """Give how long, in seconds, an area stands still before it is refined: KasmVNC's.

    ``interval`` is that of frames.
    """
    return 0.08 + 2 * interval


class Refinement:
    """Areas with loss, by age.

    Whenever half a rest is over they grow older; those that lived through two halves
    and what was left of a third have stood still for a rest.
    """

    def __init__(self) -> None:
        self._new = Region()
        self._resting = [Region(), Region()]
        self._older_at: Optional[float] = None
        #: What may be refined.
        self.ripe = Region()

    def __bool__(self) -> bool:
        return bool(self.ripe) or self.ripening

    @property
    def ripening(self) -> bool:
        """Tell whether time makes more ripe."""
        return bool(self._new) or any(self._resting)

    def ripen(self, now: float, half: float) -> Optional[float]:
        """Let time go by; give the seconds until ``ripe`` may grow, None if it will not.

        ``half`` is that of a rest, in seconds.
        """
        if self.ripening and self._older_at is None:
            self._older_at = now + half
        while self.ripening and self._older_at is not None and now >= self._older_at:
            self._grow_older()
            self._older_at += half
        if not self.ripening:
            self._older_at = None
        return None if self._older_at is None else self._older_at - now

    def changed(self, region: Region, moves: Sequence[Move]) -> None:
        """Forget what is sent again; what was moved took its losses along."""
        if not self:
            return
        for move in moves:
            lost = self._lost(Region([move.source])).translate(move.dx, move.dy)
            self._forget(Region([move.target]))
            self._new = self._new.union(lost)
        self._forget(region)

    def sent(self, shown: Iterable[Rect], lossy: Sequence[Rect]) -> None:
        """The viewer gets ``shown``, and ``lossy`` of it with loss."""
        if self:
            self._forget(Region(shown))
        if lossy:
            self._new = self._new.union(Region(lossy)).coarsened(MAX_RECTANGLES)

    def clear(self) -> None:
        """All is sent anew."""
        self.ripe = self._new = EMPTY
        self._resting = [EMPTY, EMPTY]

    def _grow_older(self) -> None:
        self.ripe = self.ripe.union(self._resting.pop()).coarsened(MAX_RECTANGLES)
        self._resting.insert(0, self._new)
        self._new = Region()

    def _lost(self, part: Region) -> Region:
        """Give what of ``part`` shows with loss."""
        lost = EMPTY
        for region in (self.ripe, self._new, *self._resting):
            lost = lost.union(region.intersect(part))
        return lost

    def _forget(self, region: Region) -> None:
        self.ripe = self.ripe.subtract(region)
        self._new = self._new.subtract(region)
        self._resting = [each.subtract(region) for each in self._resting]
