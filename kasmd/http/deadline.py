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

    __slots__ = ("_clock", "_at", "_then", "_look", "_looks_at")

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._at = 0.0
        self._then: Optional[Callable[[], None]] = None
        self._look: Optional[IDelayedCall] = None
        self._looks_at = 0.0

    def move(self, seconds: float, then: Callable[[], None]) -> None:
        """Call ``then`` in ``seconds`` from now, and forget what was to be before."""
        now = self._clock.seconds()
        self._then = then
        self._at = now + seconds
        if self._look is None:
            self._look_in(now, seconds)
        elif self._looks_at > self._at:
            self._look.reset(seconds)
            self._looks_at = self._at

    def stop(self) -> None:
        """Call nothing."""
        look, self._look = self._look, None
        self._then = None
        if look is not None:
            look.cancel()

    def _look_in(self, now: float, seconds: float) -> None:
        seconds = min(seconds, LOOK)
        self._look = self._clock.callLater(seconds, self._looked)
        self._looks_at = now + seconds

    def _looked(self) -> None:
        now = self._clock.seconds()
        if self._at > now:
            self._look_in(now, self._at - now)
            return
        then, self._then, self._look = self._then, None, None
        if then is not None:
            then()
