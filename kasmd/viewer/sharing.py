"""One encoding for every viewer that wants the same.

What is encoded is known by where it came from (the snapshot's identity and
rectangles) and how it was encoded: equal keys give equal bytes.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Callable, Hashable

#: Bytes kept at the most; more than one frame is never asked for again.
CAPACITY = 4 * 1024 * 1024


class Encodings:
    """The last encodings made, by key, oldest out first."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._size = 0
        #: How often an encoding was made, and how often one served again.
        self.made = 0
        self.shared = 0

    def get(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        """Give the bytes for ``key``, making them where they are not kept."""
        kept = self._kept.get(key)
        if kept is not None:
            self.shared += 1
            return kept
        made = make()
        self.made += 1
        self._kept[key] = made
        self._size += len(made)
        while self._size > self._capacity:
            _, dropped = self._kept.popitem(last=False)
            self._size -= len(dropped)
        return made
