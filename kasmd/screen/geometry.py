"""Rectangles, moves and screen layouts, in pixels, the origin at the top left."""

from __future__ import annotations

from typing import Iterable, NamedTuple, Optional, Sequence


class Rect(NamedTuple):
    """A rectangle: ``x``, ``y`` of its top left corner, ``width``, ``height``."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """The first column to the right of the rectangle."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """The first row below the rectangle."""
        return self.y + self.height

    @property
    def area(self) -> int:
        """The number of pixels."""
        return self.width * self.height

    @property
    def slices(self) -> tuple[slice, slice]:
        """Where its pixels are in an array of rows."""
        x, y, width, height = self
        return slice(y, y + height), slice(x, x + width)

    def within(self, outer: Rect) -> tuple[slice, slice]:
        """Give where its pixels are in an array of those of ``outer``."""
        x, y, width, height = self
        left, top, _, _ = outer
        return slice(y - top, y - top + height), slice(x - left, x - left + width)

    def intersection(self, other: Rect) -> Optional[Rect]:
        """Give the part that both cover, or None where there is none."""
        left, top, width, height = self
        x, y, other_width, other_height = other
        right, bottom = min(left + width, x + other_width), min(top + height, y + other_height)
        x, y = max(left, x), max(top, y)
        return Rect(x, y, right - x, bottom - y) if right > x and bottom > y else None

    def contains(self, other: Rect) -> bool:
        """Tell whether ``other`` lies wholly inside."""
        left, top, width, height = self
        x, y, other_width, other_height = other
        return (
            left <= x
            and top <= y
            and left + width >= x + other_width
            and top + height >= y + other_height
        )

    def without(self, other: Rect) -> Sequence[Rect]:
        """Give what ``other`` does not cover, from the top down and from left to right."""
        both = self.intersection(other)
        if both is None:
            return (self,)
        x, y, width, height = self
        left, top, columns, rows = both
        right, bottom = left + columns, top + rows
        parts = (
            (x, y, width, top - y),
            (x, top, left - x, rows),
            (right, top, x + width - right, rows),
            (x, bottom, width, y + height - bottom),
        )
        return [Rect(*part) for part in parts if part[2] and part[3]]

    def moved(self, dx: int, dy: int) -> Rect:
        """Give the same rectangle ``dx`` to the right and ``dy`` down."""
        return Rect(self.x + dx, self.y + dy, self.width, self.height)


def bounding(first: Optional[Rect], second: Rect) -> Rect:
    """Give the smallest rectangle that covers both."""
    if first is None:
        return second
    left, top, width, height = first
    x, y, other_width, other_height = second
    right, bottom = max(left + width, x + other_width), max(top + height, y + other_height)
    x, y = min(left, x), min(top, y)
    return Rect(x, y, right - x, bottom - y)


def cropped(rects: Iterable[Rect], bounds: Rect) -> tuple[Rect, ...]:
    """Give what of ``rects`` is in ``bounds``."""
    inside = [rect.intersection(bounds) for rect in rects]
    return tuple([rect for rect in inside if rect is not None])


def area_of(rects: Iterable[Rect]) -> int:
    """Give how many pixels rectangles have; those of an overlap count for each."""
    return sum([width * height for _, _, width, height in rects])


def nearest(x: int, y: int, size: tuple[int, int]) -> tuple[int, int]:
    """Give the pixel of a picture of ``size`` that is nearest to a place."""
    width, height = size
    return min(max(x, 0), width - 1), min(max(y, 0), height - 1)


class Move(NamedTuple):
    """Pixels that moved: ``target`` now shows what was ``(dx, dy)`` before it.

    The source is ``target.moved(-dx, -dy)``.
    """

    target: Rect
    dx: int
    dy: int

    @property
    def source(self) -> Rect:
        """Where the pixels came from."""
        return self.target.moved(-self.dx, -self.dy)


class Screen(NamedTuple):
    """One screen of a layout (rfbproto, ExtendedDesktopSize)."""

    ident: int
    x: int
    y: int
    width: int
    height: int
    flags: int = 0

    @property
    def rect(self) -> Rect:
        """Where it is on the desktop."""
        return Rect(self.x, self.y, self.width, self.height)
