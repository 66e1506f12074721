"""Parts of what is owed, where there is no room for all of it."""

from __future__ import annotations

from itertools import chain
from typing import Sequence

from kasmd.codec.choose import LEAST_JPEG
from kasmd.screen.geometry import Rect, area_of
from kasmd.screen.region import Region
from kasmd.viewer.quality import Room

#: Parts are at least so high and wide, for JPEG's sake.
BLOCK = 16


def smallest_of(region: Region, room: Room) -> Region:
    """Give the smallest patches of a region, whole, for which there is room."""
    taken: list[Rect] = []
    for patch in sorted(patches(region.rects), key=area_of):
        if pixels_of(taken + patch, room) <= room.pixels:
            taken += patch
    return Region(taken)


def patches(rects: Sequence[Rect]) -> list[list[Rect]]:
    """Part rectangles into those that touch one another: what is dragged leaves one patch."""
    found: list[list[Rect]] = []
    for rect in rects:
        around = Rect(rect.x - 1, rect.y - 1, rect.width + 2, rect.height + 2)
        touching = [patch for patch in found if any(map(around.intersection, patch))]
        found = [patch for patch in found if patch not in touching]
        found.append([*chain.from_iterable(touching), rect])
    return found


def next_of(region: Region, place: tuple[int, int], room: Room, step: int = 1
            ) -> tuple[Region, tuple[int, int]]:
    """Give about what there is room for of a region that is not empty, and the place behind.

    It begins at ``place``, a row and a column, and goes on at the top where there is no
    more below.  Parts as wide as the region have a multiple of ``step`` rows.
    """
    bounds, (row, column) = region.bounds, place
    assert bounds is not None
    region = region.intersect(Region([
        Rect(column, row, max(0, bounds.right - column), BLOCK),
        Rect(0, row + BLOCK, bounds.right, max(0, bounds.bottom - row - BLOCK)),
    ])) or region
    taken: list[Rect] = []
    left = room.pixels
    for rect in region.rects:
        height = min(rect.height, max(BLOCK, left // rect.width // step * step))
        width = min(rect.width, max(BLOCK, left // height // BLOCK * BLOCK))
        if height > BLOCK:
            width = rect.width
        taken.append(rect._replace(width=width, height=height))
        left -= taken[-1].area + room.rectangle
        place = (rect.y, rect.x + width) if width < rect.width else (rect.y + height, 0)
        if left <= 0 or place[0] < rect.bottom:
            break
    return Region(taken), place


def pixels_of(rects: Sequence[Rect], room: Room) -> int:
    """Give how many pixels they take of the room; the smallest have no tables."""
    large = sum([rect.area >= LEAST_JPEG for rect in rects])
    return area_of(rects) + max(0, large - 1) * room.rectangle
