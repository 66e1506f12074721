"""The pointer's shape."""

from __future__ import annotations

from typing import NamedTuple


class Cursor(NamedTuple):
    """A cursor of ``width`` x ``height``, its hot spot at ``hot_x``, ``hot_y``.

    ``rgba`` holds height * width * 4 bytes, row by row, red first, alpha
    premultiplied (as XFIXES gives it).  A cursor of 0 x 0 is invisible.
    """

    width: int
    height: int
    hot_x: int
    hot_y: int
    rgba: bytes


INVISIBLE = Cursor(0, 0, 0, 0, b"")
