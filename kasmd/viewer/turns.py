"""Whose turn it is on the reactor: encoding is shared out in slices of time.

A change of the display concerns every viewer at once.  The first encodes at
once; when that took a while the rest wait for the reactor's next rounds, so that
however many viewers there are, keys, requests and the X server are served between
them.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Callable, Hashable, Optional

from twisted.internet.interfaces import IDelayedCall, IReactorTime

#: Seconds of work in one round of the reactor; the last piece may go over.
ROUND = 0.002


class Turns:
    """Calls work in the order in which it was asked for, a little in each round.

    A round is that of the reactor while somebody waits.  Else nobody asks the reactor:
    work may take as much time as has passed without any, up to a round's.
    ``elapsed`` is a clock for short times, in seconds.
    """

    def __init__(
        self, clock: IReactorTime, elapsed: Callable[[], float] = time.perf_counter
    ) -> None:
        self._clock = clock
        self._elapsed = elapsed
        self._waiting: OrderedDict[Hashable, Callable[[], None]] = OrderedDict()
        self._next_round: Optional[IDelayedCall] = None
        self._left = ROUND
        self._rests_since = elapsed()
        self._busy = False

    @property
    def crowded(self) -> bool:
        """Tell whether somebody waits for a turn."""
        return bool(self._waiting)

    def ask(self, who: Hashable, work: Callable[[], None]) -> None:
        """Call ``work`` now if this round has time, else in one of the next.

        Who asks again before its turn came has one turn for both; who asks in
        its turn has another one in a later round.
        """
        if who in self._waiting:
            return
        if not self._busy and self._next_round is None:
            self._left = min(ROUND, self._left + self._elapsed() - self._rests_since)
            if self._left > 0:
                self._do(work)
                return
        self._waiting[who] = work
        if self._next_round is None:
            self._next_round = self._clock.callLater(0, self._begin_round)

    def leave(self, who: Hashable) -> None:
        """Want no turn any more."""
        self._waiting.pop(who, None)

    def _do(self, work: Callable[[], None]) -> None:
        began, self._busy = self._elapsed(), True
        try:
            work()
        finally:
            self._busy = False
            self._rests_since = self._elapsed()
            self._left -= self._rests_since - began

    def _begin_round(self) -> None:
        self._left = ROUND
        try:
            while self._waiting and self._left > 0:
                _, work = self._waiting.popitem(last=False)
                self._do(work)
        finally:
            waits = bool(self._waiting)
            self._next_round = self._clock.callLater(0, self._begin_round) if waits else None
