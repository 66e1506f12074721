"""Work in steps, between which others have the reactor."""

from __future__ import annotations

from typing import Any, Callable, Optional

from twisted.internet.base import DelayedCall
from twisted.logger import Logger

from kasmd.screen.steps import Steps

#: After so long others have their turn, when the step is done.
TURN_SECONDS = 0.001


class Stepping:
    """Does one work at a time; its failure is logged."""

    log = Logger()

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._next: Optional[DelayedCall] = None

    def do(self, steps: Steps[None], done: Callable[[], None]) -> None:
        """Begin at once, and call ``done`` when it is done or has failed."""
        ends = self._reactor.seconds() + TURN_SECONDS
        try:
            next(steps)
            while self._reactor.seconds() < ends:
                next(steps)
        except StopIteration:
            done()
        except Exception:
            self.log.failure("a step failed")
            done()
        else:
            self._next = self._reactor.callLater(0, self.do, steps, done)

    def stop(self) -> None:
        """Leave what is under way, and call nobody."""
        if self._next is not None and self._next.active():
            self._next.cancel()
