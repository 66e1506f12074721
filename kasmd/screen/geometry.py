"""Rectangles, moves and screen layouts, in pixels, the origin at the top left."""

from __future__ import annotations

from typing import NamedTuple, Optional


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
        return slice(self.y, self.bottom), slice(self.x, self.right)

    def intersection(self, other: Rect) -> Optional[Rect]:
        """Give the part that both cover, or None where there is none."""
        x, y = max(self.x, other.x), max(self.y, other.y)
        width = min(self.right, other.right) - x
        height = min(self.bottom, other.bottom) - y
        return Rect(x, y, width, height) if width > 0 and height > 0 else None

    def contains(self, other: Rect) -> bool:
        """Tell whether ``other`` lies wholly inside."""
        return (
            self.x <= other.x
            and self.y <= other.y
            and self.right >= other.right
            and self.bottom >= other.bottom
        )

    def moved(self, dx: int, dy: int) -> Rect:
        """Give the same rectangle ``dx`` to the right and ``dy`` down."""
        return Rect(self.x + dx, self.y + dy, self.width, self.height)


def bounding(first: Optional[Rect], second: Rect) -> Rect:
    """Give the smallest rectangle that covers both."""
    if first is None:
        return second
    x, y = min(first.x, second.x), min(first.y, second.y)
    right, bottom = max(first.right, second.right), max(first.bottom, second.bottom)
    return Rect(x, y, right - x, bottom - y)


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
