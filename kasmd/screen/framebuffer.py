"""The picture as the display holds it, and immutable copies of its parts."""

from __future__ import annotations

from typing import NamedTuple, Optional, Sequence

import numpy as np

from kasmd.screen.damage import COLOUR, LEAST_SCROLL, differences, moved_rows, scrolled_by
from kasmd.screen.geometry import Move, Rect
from kasmd.screen.pixels import Pixels, Values, as_values
from kasmd.screen.region import Region

#: A scroll is sought where at least one in so many pixels of the bounds changed.
_SCROLL_SHARE = 4
#: A move is worth its rectangle where one in so many of its pixels changed.
_MOVE_SHARE = 8
#: Where an area was all new so many times, it is searched for scrolls only now and then.
_FILM = 3
_FILM_SEARCH = 8


class Identity(NamedTuple):
    """What makes two snapshots equal: the display, its frame, and the mask."""

    display: int
    frame: int
    mask: int = 0


class Snapshot(NamedTuple):
    """An immutable copy of ``rect`` of a display.

    Equal identity and rectangle mean equal pixels, so what is encoded for one
    viewer serves every viewer that wants the same.
    """

    identity: Identity
    rect: Rect
    pixels: Pixels


class Change(NamedTuple):
    """How a picture became another: first ``moves`` in order, then all of ``region``."""

    region: Region
    moves: tuple[Move, ...]


class Framebuffer:
    """A picture of ``width`` x ``height``, black at first; the byte without meaning is 0."""

    def __init__(self, width: int, height: int) -> None:
        self.bounds = Rect(0, 0, width, height)
        self.pixels: Pixels = np.zeros((height, width, 4), np.uint8)
        self._film: Optional[Rect] = None
        self._frames = 0

    def copy(self, rect: Rect) -> Pixels:
        """Give a contiguous copy of ``rect`` that nobody can write to (ValueError outside)."""
        pixels = self._part(rect).copy()
        pixels.flags.writeable = False
        return pixels

    def update(self, patches: Sequence[tuple[Rect, Pixels]]) -> Change:
        """Put ``patches`` in, the later over the earlier, and tell what truly changed.

        A patch outside the picture, or not of its rectangle's shape, is a
        ValueError, and nothing is changed.
        """
        for rect, pixels in patches:
            if pixels.shape != self._part(rect).shape:
                raise ValueError(f"pixels of shape {pixels.shape} for {rect}")
        news = [(rect, as_values(pixels)) for rect, pixels in patches if rect.area]
        region = Region()
        for rect, new in news:
            changed = differences(as_values(self._part(rect)), new)
            region = region.union(changed.translate(rect.x, rect.y))
        if not region:
            return Change(region, ())
        moves = self._moves(region, news)
        for rect, new in news:
            np.bitwise_and(new, COLOUR, out=as_values(self._part(rect)))
        return Change(region.subtract(Region(move.target for move in moves)), moves)

    def move(self, move: Move) -> None:
        """Copy pixels from one place to another, which may overlap (ValueError outside)."""
        source = self._part(move.source).copy()
        self._part(move.target)[...] = source

    def _part(self, rect: Rect) -> Pixels:
        if not self.bounds.contains(rect) or rect.width < 0 or rect.height < 0:
            raise ValueError(f"{rect} is not inside {self.bounds}")
        return self.pixels[_slices(rect)]

    def _moves(self, region: Region, news: Sequence[tuple[Rect, Values]]) -> tuple[Move, ...]:
        """Find what scrolled, before the new pixels are put in."""
        bounds = region.bounds
        if bounds is None or min(bounds.width, bounds.height) < LEAST_SCROLL:
            return ()
        if region.area * _SCROLL_SHARE < bounds.area or self._is_film(region, bounds):
            return ()
        old = as_values(self._part(bounds))
        new = self._patched(bounds, news)
        dy = scrolled_by(old, new)
        moves = [
            Move(move.target.moved(bounds.x, bounds.y), 0, dy)
            for move in (moved_rows(old, new, dy) if dy else [])
        ]
        kept = tuple(
            move for move in moves
            if region.intersect(Region([move.target])).area * _MOVE_SHARE >= move.target.area
        )
        if kept:
            self._film = None
        return kept

    def _is_film(self, region: Region, bounds: Rect) -> bool:
        """Tell whether to pass over the search: the same area was all new, unscrolled, before.

        It is searched again now and then, for a film may end and its place scroll.
        """
        if region.rects != (bounds,) or bounds != self._film:
            self._film, self._frames = bounds, 0
        self._frames += 1
        return self._frames > _FILM and self._frames % _FILM_SEARCH != 0

    def _patched(self, bounds: Rect, news: Sequence[tuple[Rect, Values]]) -> Values:
        """Give what ``bounds`` will look like, copying only where it must."""
        for rect, new in reversed(news):
            if rect.contains(bounds):
                return new[_slices(bounds.moved(-rect.x, -rect.y))]
            if rect.intersection(bounds):
                break
        patched = as_values(self._part(bounds)).copy()
        for rect, new in news:
            part = rect.intersection(bounds)
            if part is not None:
                source = new[_slices(part.moved(-rect.x, -rect.y))]
                patched[_slices(part.moved(-bounds.x, -bounds.y))] = source
        return patched


def _slices(rect: Rect) -> tuple[slice, slice]:
    return slice(rect.y, rect.bottom), slice(rect.x, rect.right)
