"""A worker that takes its time."""

from __future__ import annotations

from collections import deque
from typing import Any, Callable

from twisted.internet.defer import Deferred, maybeDeferred
from zope.interface import implementer

from kasmd.interfaces import IWorker


@implementer(IWorker)
class Slowcoach:
    """Does what it was given when it is told to."""

    def __init__(self) -> None:
        self.given: deque[tuple[Deferred[Any], Callable[..., Any], tuple[Any, ...]]] = deque()

    def do(self, work: Callable[..., Any], *args: Any) -> Deferred[Any]:
        """Remember it."""
        done: Deferred[Any] = Deferred()
        self.given.append((done, work, args))
        return done

    def finish(self) -> None:
        """Do all of it."""
        while self.given:
            done, work, args = self.given.popleft()
            maybeDeferred(work, *args).chainDeferred(done)
