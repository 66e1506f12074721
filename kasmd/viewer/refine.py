"""What one viewer was shown with loss, and is to be shown without once it stands still."""

from __future__ import annotations

from itertools import chain
from typing import Iterable, Optional, Sequence

from kasmd.codec.base import JPEG, TIGHT, Rectangle
from kasmd.screen.geometry import Move, Rect
from kasmd.screen.region import EMPTY, Region
from kasmd.viewer.updates import MAX_RECTANGLES

#: The kinds of a Tight rectangle, the upper half of its first byte, that lose something.
_LOSSY_KINDS = frozenset({0x90, 0xB0})

#: A rest has two halves; what was sent during one is seen to the end of it.
_HALVES = 3
#: Rectangles that wait, while others move, for the refinement of all that is near them.
_MAX_RIPE = 32
#: What is lost is remembered in blocks of so many pixels a side: many small losses are few.
_BLOCK = 32


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
        #: What may be refined, and what is not old enough.
        self.ripe = self._young = EMPTY
        #: What was sent with loss in this half and in each before it, the latest first.
        self._sent: list[list[Rect]] = [[] for _ in range(_HALVES)]
        self._older_at: Optional[float] = None

    def __bool__(self) -> bool:
        return bool(self.ripe) or self.ripening

    @property
    def ripening(self) -> bool:
        """Tell whether time makes more ripe."""
        return bool(self._young)

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
            source = Region([move.source])
            lost = self.ripe.intersect(source).union(self._young.intersect(source))
            self._forget(Region([move.target]))
            self._lose(lost.translate(move.dx, move.dy))
        self._forget(region)

    def sent(self, shown: Iterable[Rect], lossy: Sequence[Rect]) -> None:
        """The viewer gets ``shown``, and ``lossy`` of it with loss."""
        if self:
            self._forget(Region(shown))
        self._lose(Region(map(_blocks, lossy)))

    def clear(self) -> None:
        """All is sent anew."""
        self.ripe = self._young = EMPTY

    def _grow_older(self) -> None:
        self._sent = [[], *self._sent[:-1]]
        moving = Region(chain.from_iterable(self._sent))
        self.ripe = self.ripe.union(self._young.subtract(moving)).coarsened(_MAX_RIPE)
        self._young = self._young.intersect(moving)

    def _lose(self, lost: Region) -> None:
        if not lost:
            return
        latest = self._sent[0]
        latest += lost.rects
        if len(latest) > 2 * MAX_RECTANGLES:
            latest[:] = Region(latest).coarsened(MAX_RECTANGLES).rects
        self._young = self._young.union(lost).coarsened(MAX_RECTANGLES)

    def _forget(self, region: Region) -> None:
        self.ripe = self.ripe.subtract(region)
        self._young = self._young.subtract(region)


def _blocks(rect: Rect) -> Rect:
    """Give the blocks in which ``rect`` lies."""
    x, y = rect.x // _BLOCK * _BLOCK, rect.y // _BLOCK * _BLOCK
    right, bottom = -(-rect.right // _BLOCK) * _BLOCK, -(-rect.bottom // _BLOCK) * _BLOCK
    return Rect(x, y, right - x, bottom - y)
