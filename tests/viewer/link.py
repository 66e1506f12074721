"""A link to a viewer, simulated: a rate, a delay, a queue; and what a viewer sees over it."""

from __future__ import annotations

from collections import deque
from typing import Callable

from twisted.internet.task import Clock

from tests.viewer.scene import Watcher

#: Seconds of one step of a simulation.
STEP = 0.002


class Link:
    """A pipe of ``rate`` bytes a second; what enters comes out ``delay`` seconds later.

    Both may be changed while it runs.  ``queue`` is what waits before it, in bytes.
    """

    def __init__(self, clock: Clock, rate: float, delay: float) -> None:
        self.rate = rate
        self.delay = delay
        self.worst = 0.0
        self._clock = clock
        self._free_at = 0.0
        self._inside: deque[tuple[float, Callable[[], None]]] = deque()

    @property
    def waits(self) -> float:
        """How long what enters now waits for what is before it, in seconds."""
        return max(0.0, self._free_at - self._clock.seconds())

    def enter(self, size: int, arrived: Callable[[], None]) -> None:
        """Carry ``size`` bytes, and call ``arrived`` at the other end."""
        self._free_at = self._clock.seconds() + self.waits + size / self.rate
        self.worst = max(self.worst, self.waits)
        out = self._free_at + self.delay
        if self._inside:
            # A shorter way does not overtake.
            out = max(out, self._inside[-1][0])
        self._inside.append((out, arrived))

    def carry(self) -> None:
        """Let out what is there."""
        while self._inside and self._inside[0][0] <= self._clock.seconds() + 1e-9:
            self._inside.popleft()[1]()


class Faraway:
    """A watcher at the end of a link; what it says comes back over another."""

    def __init__(self, watcher: Watcher, clock: Clock, rate: float, delay: float) -> None:
        self.watcher = watcher
        self.there, self.back = Link(clock, rate, delay), Link(clock, 1e9, delay)

    def carry(self) -> None:
        """Let in what was said, and out what is there."""
        watcher = self.watcher
        for item in watcher.line.take():
            self.there.enter(len(item), lambda item=item: watcher.hear(item))
        self.there.carry()
        for item in watcher.client.data_to_send():
            self.back.enter(len(item), lambda item=item: watcher.viewer.received(item))
        self.back.carry()


def percentile(values: list[float], share: float) -> float:
    """Give the value that ``share`` of all are not above."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
