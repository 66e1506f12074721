"""When the next update for one viewer may begin: its link, its frame rate, a timer."""

from __future__ import annotations

from math import inf
from typing import Callable, Optional

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from kasmd.permission.callbacks import nobody
from kasmd.viewer.pacing import Pacing


class Rhythm:
    """Told what leaves and what comes back; ``wake`` is called when more may leave.

    There are timers only while something waits for them.
    """

    def __init__(self, clock: IReactorTime, wake: Callable[[], None]) -> None:
        self.pacing = Pacing()
        #: Seconds from one update to the next, as the viewer asked for.
        self.interval = 0.0
        self._clock = clock
        self._wake = wake
        self._timer: Optional[IDelayedCall] = None
        self._look: Optional[IDelayedCall] = None
        self._begun_at = -inf

    def may_begin(self) -> bool:
        """Tell whether an update may begin; if time is all it takes, ``wake`` follows."""
        now = self._clock.seconds()
        wait = max(self.pacing.wait(now), self._begun_at + self.interval - now)
        if 0 < wait < inf:
            self.wake_in(wait)
        return wait <= 0

    def begun(self) -> None:
        """An update begins."""
        self._begun_at = self._clock.seconds()

    def sent(self, size: int, echoing: bool) -> None:
        """It is complete: ``size`` bytes, and a fence if ``echoing``."""
        self.pacing.sent(size, self._begun_at, self._clock.seconds(), echoing)

    def wake_in(self, seconds: float) -> None:
        """Call ``wake`` after so long, or sooner."""
        at = self._clock.seconds() + seconds
        if self._timer is not None and self._timer.active():
            if self._timer.getTime() <= at:
                return
            self._timer.cancel()
        self._timer = self._clock.callLater(seconds, self._wake)

    def look_in(self, seconds: float) -> None:
        """Call ``wake`` after so long, and not when it was to be called so before."""
        if self._look is not None and self._look.active():
            # Later than before costs next to nothing.
            self._look.reset(seconds)
        else:
            self._look = self._clock.callLater(seconds, self._wake)

    def close(self) -> None:
        """Wake nobody any more."""
        for timer in (self._timer, self._look):
            if timer is not None and timer.active():
                timer.cancel()
        # Timers that rang know whom.
        self._timer = self._look = None
        self._wake = nobody
