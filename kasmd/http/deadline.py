"""A time-out that is moved with each message and seldom runs out."""

from __future__ import annotations

from typing import Callable, Optional

from twisted.internet.interfaces import IDelayedCall, IReactorTime

#: Seconds between two looks; times that are longer are moved without touching a timer.
LOOK = 5.0


class Deadline:
    """Calls once when its time is over.

    The reactor's timers take time to be moved, and to an earlier moment as much
    as there are timers.  So one looks now and then whether it was moved.
    """

    __slots__ = ("_clock", "_at", "_then", "_look")

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._at = 0.0
        self._then: Optional[Callable[[], None]] = None
        self._look: Optional[IDelayedCall] = None

    def move(self, seconds: float, then: Callable[[], None]) -> None:
        """Call ``then`` in ``seconds`` from now, and forget what was to be before."""
        self._then = then
        self._at = self._clock.seconds() + seconds
        if self._look is None:
            self._look = self._clock.callLater(min(seconds, LOOK), self._looked)
        elif self._look.getTime() > self._at:
            self._look.reset(seconds)

    def stop(self) -> None:
        """Call nothing."""
        look, self._look = self._look, None
        self._then = None
        if look is not None:
            look.cancel()

    def _looked(self) -> None:
        left = self._at - self._clock.seconds()
        if left > 0:
            self._look = self._clock.callLater(min(left, LOOK), self._looked)
            return
        then, self._then, self._look = self._then, None, None
        if then is not None:
            then()
