"""Sets of pixels as disjoint rectangles in one canonical order."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from operator import attrgetter
from typing import Callable, Iterable, NamedTuple, Optional

from kasmd.screen.geometry import Rect

#: Columns where a row enters and leaves the region, in turn: (in, out, in, out, ...).
Edges = tuple[int, ...]


class _Band(NamedTuple):
    """Rows ``top`` to ``bottom`` (not included) that all have the same edges."""

    top: int
    bottom: int
    edges: Edges


Bands = tuple[_Band, ...]
#: Whether a pixel is in the result, by whether it is in the one and the other.
Keep = Callable[[bool, bool], bool]


def _combine_edges(one: Edges, other: Edges, keep: Keep) -> Edges:
    """Combine two rows."""
    if one == other:
        return one if keep(True, True) else ()
    if not one or not other:
        return (one or other) if keep(bool(one), bool(other)) else ()
    if one[-1] < other[0] or other[-1] < one[0]:
        left = one if keep(True, False) else ()
        right = other if keep(False, True) else ()
        return left + right if one[0] < other[0] else right + left
    edges: list[int] = []
    in_one = in_other = inside = False
    i = j = 0
    while i < len(one) or j < len(other):
        x = min(one[i:i + 1] + other[j:j + 1])
        if i < len(one) and one[i] == x:
            in_one, i = not in_one, i + 1
        if j < len(other) and other[j] == x:
            in_other, j = not in_other, j + 1
        if keep(in_one, in_other) != inside:
            inside = not inside
            edges.append(x)
    return tuple(edges)


def _combine(one: Bands, other: Bands, keep: Keep) -> Bands:
    """Combine two regions: row by row only where both have some."""
    if not one or not other:
        return (one or other) if keep(bool(one), bool(other)) else ()
    top, bottom = max(one[0].top, other[0].top), min(one[-1].bottom, other[-1].bottom)
    above, both, below = _split(one, top, bottom)
    other_above, other_both, other_below = _split(other, top, bottom)
    if not keep(True, False):
        above = below = ()
    if keep(False, True):
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


def _either(one: bool, other: bool) -> bool:
    return one or other


def _both(one: bool, other: bool) -> bool:
    return one and other


def _first_only(one: bool, other: bool) -> bool:
    return one and not other


def _bands_of(rects: list[Rect]) -> Bands:
    """Unite rectangles that may overlap."""
    if not rects:
        return ()
    if len(rects) == 1:
        rect = rects[0]
        return (_Band(rect.y, rect.bottom, (rect.x, rect.right)),)
    middle = len(rects) // 2
    return _combine(_bands_of(rects[:middle]), _bands_of(rects[middle:]), _either)


class Region:
    """An immutable set of pixels; empty rectangles and overlaps are absorbed.

    Two regions are equal when they hold the same pixels: rectangles are kept
    as bands of equal rows, each as tall and each span as wide as can be.
    """

    __slots__ = ("_bands", "_rects")

    def __init__(self, rects: Iterable[Rect] = ()) -> None:
        self._bands = _bands_of([r for r in rects if r.width > 0 and r.height > 0])
        self._rects: Optional[tuple[Rect, ...]] = None

    @classmethod
    def _from_bands(cls, bands: Bands) -> Region:
        region = cls.__new__(cls)
        region._bands, region._rects = bands, None
        return region

    @classmethod
    def of_rows(cls, rows: Iterable[tuple[int, int, Edges]]) -> Region:
        """Unite rows, from the top down, each of a top, a bottom and edges."""
        return cls._from_bands(_combine_rows(tuple(_Band(*row) for row in rows), (), _either))

    @property
    def rects(self) -> tuple[Rect, ...]:
        """The disjoint rectangles, from the top down and from left to right."""
        if self._rects is None:
            self._rects = tuple(
                Rect(left, band.top, right - left, band.bottom - band.top)
                for band in self._bands
                for left, right in zip(band.edges[::2], band.edges[1::2])
            )
        return self._rects

    def union(self, other: Region) -> Region:
        """Give the pixels in either."""
        if not self or not other:
            return self or other
        if self._covers(other):
            return self
        if other._covers(self):
            return other
        return self._from_bands(_combine(self._bands, other._bands, _either))

    def subtract(self, other: Region) -> Region:
        """Give the pixels that ``other`` does not have."""
        if not self or not other:
            return self
        if other._covers(self):
            return EMPTY
        return self._from_bands(_combine(self._bands, other._bands, _first_only))

    def intersect(self, other: Region) -> Region:
        """Give the pixels in both."""
        if not self or not other:
            return EMPTY
        if self._covers(other):
            return other
        if other._covers(self):
            return self
        return self._from_bands(_combine(self._bands, other._bands, _both))

    def translate(self, dx: int, dy: int) -> Region:
        """Give the same region ``dx`` to the right and ``dy`` down."""
        return self._from_bands(tuple(
            _Band(band.top + dy, band.bottom + dy, tuple(x + dx for x in band.edges))
            for band in self._bands
        ))

    @property
    def bounds(self) -> Optional[Rect]:
        """The smallest rectangle that covers all, or None where there is nothing."""
        if not self._bands:
            return None
        left = min(band.edges[0] for band in self._bands)
        right = max(band.edges[-1] for band in self._bands)
        top, bottom = self._bands[0].top, self._bands[-1].bottom
        return Rect(left, top, right - left, bottom - top)

    @property
    def area(self) -> int:
        """The number of pixels."""
        return sum(
            (band.bottom - band.top) * (sum(band.edges[1::2]) - sum(band.edges[::2]))
            for band in self._bands
        )

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
        """Tell whether this is one rectangle around all of the other; neither is empty."""
        top, bottom, edges = self._bands[0]
        if len(self._bands) > 1 or len(edges) > 2:
            return False
        bands = other._bands
        return top <= bands[0].top and bands[-1].bottom <= bottom and all(
            edges[0] <= band.edges[0] and band.edges[-1] <= edges[1] for band in bands
        )

    def __bool__(self) -> bool:
        return bool(self._bands)

    def __eq__(self, other: object) -> bool:
        return self._bands == other._bands if isinstance(other, Region) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._bands)

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
