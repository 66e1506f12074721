"""Which sizes and screen layouts a display can have (rfbproto, SetDesktopSize)."""

from __future__ import annotations

from typing import Sequence

from kasmd.screen.geometry import Screen

#: rfbproto's answers.
DONE, NO_RESOURCES, INVALID_LAYOUT = 0, 2, 3
#: X11 has 16-bit signed places.
MAX_SIDE = 32767


def is_valid(width: int, height: int, screens: Sequence[Screen]) -> bool:
    """Tell whether this is one screen that covers all; no screens mean that too."""
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        return False
    return not screens or [screen[1:5] for screen in screens] == [(0, 0, width, height)]
