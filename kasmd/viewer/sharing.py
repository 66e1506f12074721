"""One encoding for every viewer that wants the same.

What is encoded is known by where it came from (the snapshot's identity and
rectangles) and how it was encoded: equal keys give equal bytes.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Callable, Hashable, NamedTuple, Optional

from twisted.internet.defer import Deferred

from kasmd.screen.geometry import Rect
from kasmd.viewer.crew import Crew

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
        #: Who waits for what is made elsewhere.
        self._awaited: dict[Hashable, list[Deferred[Encoded]]] = {}
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
        self._keep(key, made)
        return made

    def elsewhere(
        self, key: Hashable, make: Callable[[], Encoded], crew: Optional[Crew]
    ) -> Optional[Deferred[Encoded]]:
        """Have ``crew`` make it, or wait for who makes it already.

        None where it is kept, or nobody there is idle: `get` it.
        """
        awaiting: Deferred[Encoded] = Deferred()
        if key in self._awaited:
            self.shared += 1
            self._awaited[key].append(awaiting)
        elif crew is not None and crew.idle and key not in self._kept:
            self._awaited[key] = [awaiting]
            crew.do(make).addBoth(self._made_elsewhere, key)
        else:
            return None
        return awaiting

    @property
    def awaited(self) -> bool:
        """Tell whether something is made elsewhere."""
        return bool(self._awaited)

    def _made_elsewhere(self, made: Any, key: Hashable) -> None:
        if isinstance(made, Encoded):
            self._keep(key, made)
        for awaiting in self._awaited.pop(key):
            awaiting.callback(made)

    def _keep(self, key: Hashable, made: Encoded) -> None:
        self.made += 1
        self._kept[key] = made
        self._size += len(made.data)
        while self._size > self._capacity:
            _, dropped = self._kept.popitem(last=False)
            self._size -= len(dropped.data)
