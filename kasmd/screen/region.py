"""Sets of pixels as disjoint rectangles in one canonical order."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from itertools import repeat
from operator import attrgetter
from typing import Iterable, NamedTuple, Optional, Sequence

from kasmd.screen.geometry import Rect

#: Columns where a row enters and leaves the region, in turn: (in, out, in, out, ...).
Edges = tuple[int, ...]


class _Band(NamedTuple):
    """Rows ``top`` to ``bottom`` (not included) that all have the same edges."""

    top: int
    bottom: int
    edges: Edges


Bands = tuple[_Band, ...]
#: Whether a pixel is in the result that is in neither, in the one, in the other, in both.
Keep = tuple[bool, bool, bool, bool]
_EITHER: Keep = False, True, True, True
_BOTH: Keep = False, False, False, True
_FIRST_ONLY: Keep = False, True, False, False


def _combine_edges(one: Edges, other: Edges, keep: Keep) -> Edges:
    """Combine two rows."""
    if one == other:
        return one if keep[3] else ()
    if not one or not other:
        return (one or other) if keep[1 if one else 2] else ()
    if one[-1] < other[0] or other[-1] < one[0]:
        left = one if keep[1] else ()
        right = other if keep[2] else ()
        return left + right if one[0] < other[0] else right + left
    edges: list[int] = []
    where, inside = 0, False
    for x, which in sorted([*zip(one, repeat(1)), *zip(other, repeat(2))]):
        where ^= which
        if keep[where] is not inside:
            inside = not inside
            if edges and edges[-1] == x:
                edges.pop()
            else:
                edges.append(x)
    return tuple(edges)


def _combine(one: Bands, other: Bands, keep: Keep) -> Bands:
    """Combine two regions: row by row only where both have some."""
    if not one or not other:
        return (one or other) if keep[1 if one else 2] else ()
    top, bottom = max(one[0].top, other[0].top), min(one[-1].bottom, other[-1].bottom)
    above, both, below = _split(one, top, bottom)
    other_above, other_both, other_below = _split(other, top, bottom)
    if not keep[1]:
        above = below = ()
    if keep[2]:
        above, below = above + other_above, below + other_below
    return _join(_join(above, _combine_rows(both, other_both, keep)), below)


def _split(bands: Bands, top: int, bottom: int) -> tuple[Bands, Bands, Bands]:
    """Give the bands above ``top``, those below ``bottom`` last, and the others between."""
    first = bisect_right(bands, top, key=attrgetter("bottom"))
    last = max(first, bisect_left(bands, bottom, key=attrgetter("top")))
    return bands[:first], bands[first:last], bands[last:]


def _join(above: Bands, below: Bands) -> Bands:
    """Put bands below others."""
    if above and below and (above[-1].bottom, above[-1].edges) == (below[0].top, below[0].edges):
        return above[:-1] + (_Band(above[-1].top, *below[0][1:]),) + below[1:]
    return above + below


def _combine_rows(one: Bands, other: Bands, keep: Keep) -> Bands:
    """Combine two regions, row by row of equal rows."""
    rows = sorted({y for band in one + other for y in band[:2]})
    bands: list[_Band] = []
    i = j = 0
    for top, bottom in zip(rows, rows[1:]):
        while i < len(one) and one[i].bottom <= top:
            i += 1
        while j < len(other) and other[j].bottom <= top:
            j += 1
        edges = _combine_edges(
            one[i].edges if i < len(one) and one[i].top <= top else (),
            other[j].edges if j < len(other) and other[j].top <= top else (),
            keep,
        )
        if not edges:
            continue
        if bands and bands[-1].bottom == top and bands[-1].edges == edges:
            bands[-1] = _Band(bands[-1].top, bottom, edges)
        else:
            bands.append(_Band(top, bottom, edges))
    return tuple(bands)


def _bands_of(rects: Sequence[Rect]) -> Bands:
    """Unite rectangles that may overlap."""
    if len(rects) == 1:
        return _bands_in(rects)
    middle = len(rects) // 2
    return _combine(_bands_of(rects[:middle]), _bands_of(rects[middle:]), _EITHER)


def _bands_in(rects: Sequence[Rect]) -> Bands:
    """Put those side by side together, of rectangles in canonical order."""
    bands: list[_Band] = []
    for x, y, width, height in rects:
        edges: Edges = (x, x + width)
        if bands and bands[-1].top == y:
            edges = bands.pop().edges + edges
        bands.append(_Band(y, y + height, edges))
    return tuple(bands)


def _rects_in(bands: Bands) -> tuple[Rect, ...]:
    return tuple([
        Rect(left, top, right - left, bottom - top)
        for top, bottom, edges in bands
        for left, right in zip(edges[::2], edges[1::2])
    ])


def _are_stacked(rects: Sequence[Rect]) -> bool:
    """Tell whether each is below the one before, and could not be put together with it."""
    x = bottom = width = -1
    for left, top, columns, rows in rects:
        if top < bottom or (top == bottom and left == x and columns == width):
            return False
        x, width, bottom = left, columns, top + rows
    return True


class Region:
    """An immutable set of pixels; empty rectangles and overlaps are absorbed.

    Two regions are equal when they hold the same pixels: ``rects`` are disjoint, from
    the top down and from left to right, in bands of equal rows, each as tall and each
    span as wide as can be.  Most regions are one rectangle, or some below one another;
    with others the bands of both are combined.
    """

    __slots__ = ("rects", "_area")

    def __init__(self, rects: Iterable[Rect] = ()) -> None:
        some = tuple([rect for rect in rects if rect[2] > 0 and rect[3] > 0])
        self.rects = some if _are_stacked(some) else _rects_in(_bands_of(some))
        self._area: Optional[int] = None

    @classmethod
    def of_rows(cls, rows: Iterable[tuple[int, int, Edges]]) -> Region:
        """Unite rows, from the top down, each of a top, a bottom and edges."""
        return cls._of(_rects_in(_combine_rows(tuple([_Band(*row) for row in rows]), (), _EITHER)))

    @classmethod
    def _of(cls, rects: tuple[Rect, ...]) -> Region:
        region = cls.__new__(cls)
        region.rects = rects
        region._area = None
        return region

    def _combined(self, other: Region, keep: Keep) -> Region:
        return self._of(_rects_in(_combine(_bands_in(self.rects), _bands_in(other.rects), keep)))

    def union(self, other: Region) -> Region:
        """Give the pixels in either."""
        if not other.rects or self._covers(other):
            return self
        if not self.rects or other._covers(self):
            return other
        return self._combined(other, _EITHER)

    def subtract(self, other: Region) -> Region:
        """Give the pixels that ``other`` does not have."""
        if not self.rects or not other.rects:
            return self
        if self.rects == other.rects or other._covers(self):
            return EMPTY
        if len(self.rects) == len(other.rects) == 1:
            return Region(self.rects[0].without(other.rects[0]))
        return self._combined(other, _FIRST_ONLY)

    def intersect(self, other: Region) -> Region:
        """Give the pixels in both."""
        if not other.rects or other._covers(self):
            return self if other.rects else EMPTY
        if not self.rects or self._covers(other):
            return other if self.rects else EMPTY
        if len(self.rects) == len(other.rects) == 1:
            both = self.rects[0].intersection(other.rects[0])
            return Region((both,)) if both else EMPTY
        return self._combined(other, _BOTH)

    def translate(self, dx: int, dy: int) -> Region:
        """Give the same region ``dx`` to the right and ``dy`` down."""
        return self._of(tuple([rect.moved(dx, dy) for rect in self.rects]))

    @property
    def bounds(self) -> Optional[Rect]:
        """The smallest rectangle that covers all, or None where there is nothing."""
        rects = self.rects
        if len(rects) < 2:
            return rects[0] if rects else None
        left, right = min([x for x, _, _, _ in rects]), max([x + width for x, _, width, _ in rects])
        return Rect(left, rects[0].y, right - left, rects[-1].bottom - rects[0].y)

    @property
    def area(self) -> int:
        """The number of pixels."""
        if self._area is None:
            self._area = sum([width * height for _, _, width, height in self.rects])
        return self._area

    def coarsened(self, limit: int) -> Region:
        """Give a region of at most ``limit`` rectangles that covers this one.

        It stays inside the bounds.  Rows of pixels that double in height until
        there are few enough rectangles lose the gaps that are narrower than
        they are tall.
        """
        if len(self.rects) <= limit:
            return self
        bounds, coarse, height = self.bounds, self, 8
        while bounds is not None and len(coarse.rects) > limit:
            height *= 2
            coarse = self._in_rows(height).intersect(Region([bounds]))
        return coarse

    def _in_rows(self, height: int) -> Region:
        rows: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for rect in self.rects:
            for row in range(rect.y // height, (rect.bottom - 1) // height + 1):
                rows[row].append((rect.x, rect.right))
        return self.of_rows(
            (row * height, (row + 1) * height, _without_gaps(spans, height))
            for row, spans in sorted(rows.items())
        )

    def _covers(self, other: Region) -> bool:
        """Tell whether this is one rectangle around all of the other."""
        return len(self.rects) == 1 and all(map(self.rects[0].contains, other.rects))

    def __bool__(self) -> bool:
        return bool(self.rects)

    def __eq__(self, other: object) -> bool:
        return self.rects == other.rects if isinstance(other, Region) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.rects)

    def __repr__(self) -> str:
        return f"Region({list(self.rects)!r})"


def _without_gaps(spans: list[tuple[int, int]], least: int) -> Edges:
    """Unite spans, and those with a gap of less than ``least`` between them."""
    edges: list[int] = []
    for left, right in sorted(spans):
        if edges and left - edges[-1] < least:
            edges[-1] = max(edges[-1], right)
        else:
            edges += (left, right)
    return tuple(edges)


EMPTY = Region()
