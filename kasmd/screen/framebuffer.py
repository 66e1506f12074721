"""The picture as the display holds it, and immutable copies of its parts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kasmd.screen.geometry import Rect

#: height x width x 4 bytes: blue, green, red, and one that means nothing.
Pixels = NDArray[np.uint8]


class Identity(NamedTuple):
    """What makes two snapshots equal: the display, its frame, and the mask."""

    display: int
    frame: int
    mask: int = 0


class Snapshot(NamedTuple):
    """An immutable copy of ``rect`` of a display.

    Equal identity and rectangle mean equal pixels, so what is encoded for one
    viewer serves every viewer that wants the same.
    """

    identity: Identity
    rect: Rect
    pixels: Pixels
