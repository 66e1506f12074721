"""Where a picture of few colours falls apart: along broad bands of one colour.

A desktop's windows lie in such bands.  What is between them has fewer colours
than all together, and two colours take an eighth of the bits that three do.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kasmd.screen.geometry import Rect

#: Lines of pixels of one colour that part what is on their sides; lines of text do not.
BROAD = 16
#: Rectangles at most; a picture that falls into more is left whole.
MOST = 256
#: A picture of more colours is not cut: a bit stands for each of them.
COLOURS = 16
#: What has no more pixels is not cut.
_SMALL = 1 << 13

Indices = NDArray[np.uint8]
_Sets = NDArray[np.uint16]


class _Part(NamedTuple):
    """Lines ``first`` to ``last``, and the set of their colours."""

    first: int
    last: int
    colours: int


def cut(indices: Indices) -> list[Rect]:
    """Cut a picture, given as the number of each pixel's colour; together they are all of it."""
    height, width = indices.shape
    parts = _cut(np.left_shift(1, indices, dtype=np.uint16), Rect(0, 0, width, height), 0, False)
    return parts if len(parts) <= MOST else [Rect(0, 0, width, height)]


def _cut(colours: _Sets, rect: Rect, axis: int, tried: bool) -> list[Rect]:
    """Cut by bands across one axis, then what is between them by bands across the other."""
    if rect.area <= _SMALL:
        return [rect]
    there = colours[rect.y:rect.bottom, rect.x:rect.right]
    parts = _joined(_bands(np.bitwise_or.reduce(there, axis=1 - axis)))
    whole = len(parts) == 1
    cut: list[Rect] = []
    for part in parts:
        here = _lines(rect, axis, part.first, part.last)
        if part.colours.bit_count() <= 2 or (whole and tried):
            cut.append(here)
        else:
            cut += _cut(colours, here, 1 - axis, whole)
    return cut


def _lines(rect: Rect, axis: int, first: int, last: int) -> Rect:
    if axis == 0:
        return rect._replace(y=rect.y + first, height=last - first)
    return rect._replace(x=rect.x + first, width=last - first)


def _bands(lines: _Sets) -> list[_Part]:
    """Give the broad bands of one colour, and what is between them."""
    plain = lines & (lines - 1) == 0
    starts = np.flatnonzero(np.concatenate(([True], lines[1:] != lines[:-1])))
    stops = np.append(starts[1:], len(lines))
    broad = plain[starts] & (stops - starts >= BROAD)
    inner = zip(starts[broad].tolist(), stops[broad].tolist())
    parts: list[_Part] = []
    at = 0
    for first, last in (*inner, (len(lines), len(lines))):
        for start, stop in ((at, first), (first, last)):
            if stop > start:
                parts.append(_Part(start, stop, int(np.bitwise_or.reduce(lines[start:stop]))))
        at = last
    return parts


def _joined(parts: list[_Part]) -> list[_Part]:
    """Put together neighbours of the same two colours: blank paper goes with its text."""
    joined = parts[:1]
    for part in parts[1:]:
        before = joined[-1]
        both = before.colours | part.colours
        if both.bit_count() == 2 and both in (before.colours, part.colours):
            joined[-1] = _Part(before.first, part.last, both)
        else:
            joined.append(part)
    return joined
