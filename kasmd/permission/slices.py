"""Much work, a little at a time: a change for thousands holds nobody else up."""

from __future__ import annotations

from collections import deque
from typing import Any, Iterator

from kasmd.permission.callbacks import isolated

#: Seconds for which the reactor is held.
SLICE = 0.002


class Slices:
    """Takes the steps of what it is given, in order, and lets others have their turns between."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._waiting: deque[Iterator[None]] = deque()
        self._busy = False

    def run(self, steps: Iterator[None]) -> None:
        """Take ``steps``: now as far as there is time, the rest soon, each after what came before.

        One that fails is logged, and ends those that it is of.
        """
        self._waiting.append(steps)
        if not self._busy:
            self._work()

    def _work(self) -> None:
        self._busy = True
        ends = self._reactor.seconds() + SLICE
        while self._waiting and self._reactor.seconds() < ends:
            isolated(self._step)
        self._busy = bool(self._waiting)
        if self._busy:
            self._reactor.callLater(0, self._work)

    def _step(self) -> None:
        steps = self._waiting.popleft()
        for _ in steps:
            self._waiting.appendleft(steps)
            return
