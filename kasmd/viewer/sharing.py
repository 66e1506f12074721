"""One encoding for every viewer that wants the same.

What is encoded is known by where it came from (the snapshot's identity and
rectangles) and how it was encoded: equal keys give equal bytes.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Callable, Hashable, NamedTuple

from kasmd.screen.geometry import Rect

#: Bytes kept at the most; more than one frame is never asked for again.
CAPACITY = 4 * 1024 * 1024


class Encoded(NamedTuple):
    """Bytes of an update, and the rectangles that they show with loss."""

    data: bytes
    lossy: tuple[Rect, ...] = ()


class Encodings:
    """The last encodings made, by key, oldest out first."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[Hashable, Encoded] = OrderedDict()
        self._size = 0
        #: How often an encoding was made, and how often one served again.
        self.made = 0
        self.shared = 0

    def get(self, key: Hashable, make: Callable[[], Encoded]) -> Encoded:
        """Give what is encoded for ``key``, making it where it is not kept."""
        kept = self._kept.get(key)
        if kept is not None:
            self.shared += 1
            return kept
        made = make()
        self.made += 1
        self._kept[key] = made
        self._size += len(made.data)
        while self._size > self._capacity:
            _, dropped = self._kept.popitem(last=False)
            self._size -= len(dropped.data)
        return made
