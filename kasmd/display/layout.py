"""Which sizes and layouts of screens a display can have (rfbproto, SetDesktopSize).

A layout is its screens, sorted by their idents, as viewers are told them.  They lie
inside the desktop, may overlap, and need not cover all of it.
"""

from __future__ import annotations

from typing import Iterable, Sequence

from kasmd.rfb.limits import DESKTOP_PIXELS
from kasmd.screen.geometry import Rect, Screen

#: rfbproto's answers.
DONE, NO_RESOURCES, INVALID_LAYOUT = 0, 2, 3
#: X11 has 16-bit signed places.
MAX_SIDE = 32767
#: As many as Kasm's client can show.
MAX_SCREENS = 4
#: Changes of one display that wait for their answers.
MAX_WAITING = 8

Layout = tuple[Screen, ...]


def judge(width: int, height: int, screens: Sequence[Screen], most: int = MAX_SCREENS) -> int:
    """Give rfbproto's status for what is asked; no screens are one that covers all."""
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        return INVALID_LAYOUT
    whole = Rect(0, 0, width, height)
    inside = all(screen.rect.area and whole.contains(screen.rect) for screen in screens)
    if not inside or len({screen.ident for screen in screens}) < len(screens):
        return INVALID_LAYOUT
    if len(screens) > most or width * height > DESKTOP_PIXELS:
        return NO_RESOURCES
    return DONE


def is_whole(size: tuple[int, int], layout: Layout) -> bool:
    """Tell whether this is one screen that covers all."""
    return [screen.rect for screen in layout] == [(0, 0, *size)]


def fitting(width: int, height: int, screens: Iterable[Screen]) -> Layout:
    """Give what there is of ``screens`` on a desktop of this size, never nothing.

    It is for what an X server or an upstream says, which is to be believed in nothing.
    """
    whole = Rect(0, 0, width, height)
    inside: dict[int, Screen] = {}
    for screen in screens:
        seen = screen.rect.intersection(whole)
        if seen is not None:
            inside.setdefault(screen.ident, Screen(screen.ident, *seen, screen.flags))
    return tuple(sorted(inside.values())[:MAX_SCREENS]) or (Screen(0, *whole),)
