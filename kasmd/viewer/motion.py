"""Where a film plays on a display: what changes often, in one place, for a while.

The screen is looked at in cells; each has a heat, which every change of it adds
to and time takes away.
"""

from __future__ import annotations

from math import exp, inf
from typing import NamedTuple, Optional, Sequence

import numpy as np
from numpy.typing import NDArray
from twisted.internet.interfaces import IReactorTime

from kasmd.screen.framebuffer import Identity
from kasmd.screen.geometry import Rect, bounding
from kasmd.screen.region import Region

#: The side of a cell, in pixels.
CELL = 32
#: The seconds in which heat falls to a third; so many changes a second keep it at
#: `_HOT`, where a film may be, and at `_COLD`, where none is any more.
_MEMORY = 0.5
_HOT, _COLD = 8 * _MEMORY, 3 * _MEMORY
#: Seconds that the same cells are hot before there is a film.
STEADY = 0.5
#: A film is so large, and so much of its rectangle moves: at its beginning, and to its end.
_LEAST = 200 * 150
_FULL, _EMPTY = 0.6, 0.2
#: Not every picture of a film is looked at: after one, none for so many seconds.
_APART = 0.06
#: A change of fewer pixels, by so much, than a film has is no picture of one.
_SMALL = 4
#: Rectangles of one change that are looked at.
_MOST = 64


class _Candidate(NamedTuple):
    """Cells that are hot ``since`` then, and the ``bounds`` in pixels of what changed there."""

    cells: Rect
    since: float
    bounds: Optional[Rect]


class Motion:
    """What moves on one display; `film` is where one plays, if any does."""

    def __init__(self, clock: IReactorTime) -> None:
        self.film: Optional[Rect] = None
        self._clock = clock
        self._size = (0, 0)
        self._heat: NDArray[np.float32] = np.zeros((0, 0), np.float32)
        self._seen: Optional[Identity] = None
        self._seen_at = 0.0
        self._looked_at = -inf
        self._candidate: Optional[_Candidate] = None
        self._cells: Optional[Rect] = None

    def resized(self, size: tuple[int, int]) -> None:
        """The display has this size; if it is another, what was known is of no use."""
        if size == self._size:
            return
        width, height = self._size = size
        self._heat = np.zeros((-(-height // CELL), -(-width // CELL)), np.float32)
        self.film = self._candidate = self._cells = None

    def heeds(self, region: Region) -> bool:
        """Tell whether a change of ``region`` may tell of a film: one that there is, or begins."""
        return self.film is not None or not _is_small(region)

    def changed(self, now: Identity, size: tuple[int, int], region: Region) -> None:
        """Note that ``region`` changed; told by all who see it, it counts once."""
        if now == self._seen or not self.heeds(region):
            return
        seconds = self._clock.seconds()
        self.resized(size)
        plays_on = self._plays_on(region)
        if plays_on and seconds - self._looked_at < _APART:
            return
        self._heat *= exp((self._seen_at - seconds) / _MEMORY)
        self._seen, self._seen_at = now, seconds
        if not _is_small(region):
            self._warm(region)
            if plays_on:
                self._looked_at = seconds
            else:
                self._seek_film(region, seconds)
        self._end_film()

    def _plays_on(self, region: Region) -> bool:
        """Tell whether no more changed than another picture of the film that there is."""
        film, bounds = self.film, region.bounds
        return (
            film is not None and bounds is not None
            and film.contains(bounds) and bounds.area * 2 > film.area
        )

    def _warm(self, region: Region) -> None:
        touched = np.zeros(self._heat.shape, np.bool_)
        for rect in region.coarsened(_MOST).rects:
            touched[_cells_of(rect).slices] = True
        self._heat += touched

    def _end_film(self) -> None:
        if self._cells is not None:
            warm = self._heat[self._cells.slices] > _COLD
            if np.count_nonzero(warm) < _EMPTY * warm.size:
                self.film = self._cells = None

    def _seek_film(self, region: Region, seconds: float) -> None:
        cells = self._hot_cells()
        if cells is None or not self._is_news(cells):
            self._candidate = None
            return
        if self._candidate is None or self._candidate.cells != cells:
            self._candidate = _Candidate(cells, seconds, None)
        changed = region.intersect(Region([_pixels_of(cells)])).bounds
        bounds = self._candidate.bounds
        if changed is not None:
            bounds = bounding(bounds, changed)
        self._candidate = self._candidate._replace(bounds=bounds)
        if bounds is None or bounds.area < _LEAST:
            return
        if seconds - self._candidate.since >= STEADY:
            self.film, self._cells = bounds, cells
            self._candidate = None

    def _hot_cells(self) -> Optional[Rect]:
        """Give a rectangle of cells most of which are hot, if there is a large one."""
        hot = self._heat > _HOT
        if np.count_nonzero(hot) * CELL * CELL < _LEAST:
            return None
        top, bottom = _longest(hot.sum(axis=1).tolist())
        left, right = _longest(hot[top:bottom].sum(axis=0).tolist())
        cells = Rect(left, top, right - left, bottom - top)
        if cells.area * CELL * CELL < _LEAST:
            return None
        return cells if np.count_nonzero(hot[cells.slices]) >= _FULL * cells.area else None

    def _is_news(self, cells: Rect) -> bool:
        """Tell whether these cells are no part, or a small part, of the film there is."""
        film = self._cells
        return film is None or not film.contains(cells) or cells.area * 2 < film.area


def _is_small(region: Region) -> bool:
    return region.area * _SMALL < _LEAST


def _longest(counts: Sequence[int]) -> tuple[int, int]:
    """Give where the longest run of counts is, none under half of the highest; not all are 0."""
    least = max(counts) / 2
    longest, first = (0, 0), 0
    for number, count in enumerate((*counts, -1)):
        if count < least:
            if number - first > longest[1] - longest[0]:
                longest = first, number
            first = number + 1
    return longest


def _cells_of(rect: Rect) -> Rect:
    x, y = rect.x // CELL, rect.y // CELL
    return Rect(x, y, -(-rect.right // CELL) - x, -(-rect.bottom // CELL) - y)


def _pixels_of(cells: Rect) -> Rect:
    return Rect(*(CELL * part for part in cells))
