"""Smooth scrolling as clicks of a wheel, which is what X knows."""

from __future__ import annotations

from typing import Iterator

#: Pixels of scrolling that make one click, as in KasmVNC and noVNC.
STEP = 50
#: Clicks made of one message at the most.
MAX_CLICKS = 20

_UP, _DOWN, _LEFT, _RIGHT = 1 << 3, 1 << 4, 1 << 5, 1 << 6


class Wheel:
    """Adds up scrolling until it makes a click."""

    def __init__(self) -> None:
        self._x = 0
        self._y = 0

    def scrolled(self, dx: int, dy: int) -> Iterator[int]:
        """Give the bit of the wheel button for each click; down and right are positive."""
        clicks_x, self._x = _clicks(self._x + dx)
        clicks_y, self._y = _clicks(self._y + dy)
        for clicks, back, forth in ((clicks_y, _UP, _DOWN), (clicks_x, _LEFT, _RIGHT)):
            for _ in range(min(abs(clicks), MAX_CLICKS)):
                yield forth if clicks > 0 else back


def _clicks(pixels: int) -> tuple[int, int]:
    clicks = int(pixels / STEP)
    return clicks, pixels - clicks * STEP
