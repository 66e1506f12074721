"""Where a picture of few colours falls apart: along broad bands of one colour.

A desktop's windows lie in such bands.  What is between them has fewer colours
than all together, and two colours take an eighth of the bits that three do.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kasmd.screen.geometry import Rect

#: Lines of pixels of one colour that part what is on their sides; lines of text do not.
BROAD = 16
#: Rectangles at most; a picture that falls into more is left whole.
MOST = 256
#: What has no more pixels is not cut.
_SMALL = 1 << 13

Indices = NDArray[np.uint8]


def cut(indices: Indices) -> list[Rect]:
    """Cut a picture, given as the number of each pixel's colour; together they are all of it."""
    height, width = indices.shape
    parts = _cut(indices, Rect(0, 0, width, height), 0, False)
    return parts if len(parts) <= MOST else [Rect(0, 0, width, height)]


def _cut(indices: Indices, rect: Rect, axis: int, tried: bool) -> list[Rect]:
    """Cut by bands across one axis, then what is between them by bands across the other."""
    part = indices[rect.y:rect.bottom, rect.x:rect.right]
    bands = _bands(part if axis == 0 else part.T) if rect.area > _SMALL else []
    if not bands and (tried or rect.area <= _SMALL):
        return [rect]
    parts: list[Rect] = []
    at = 0
    length = rect.height if axis == 0 else rect.width
    for first, last in (*bands, (length, length)):
        if first > at:
            parts += _cut(indices, _part(rect, axis, at, first), 1 - axis, not bands)
        if last > first:
            parts.append(_part(rect, axis, first, last))
        at = last
    return parts


def _part(rect: Rect, axis: int, first: int, last: int) -> Rect:
    if axis == 0:
        return rect._replace(y=rect.y + first, height=last - first)
    return rect._replace(x=rect.x + first, width=last - first)


def _bands(lines: Indices) -> list[tuple[int, int]]:
    """Give where bands begin and end."""
    colours = lines[:, 0]
    plain = (lines == colours[:, None]).all(axis=1)
    new = np.flatnonzero((plain[1:] != plain[:-1]) | (plain[1:] & (colours[1:] != colours[:-1])))
    starts = np.concatenate(([0], new + 1))
    stops = np.concatenate((new + 1, [len(lines)]))
    broad = plain[starts] & (stops - starts >= BROAD)
    return list(zip(starts[broad].tolist(), stops[broad].tolist()))
