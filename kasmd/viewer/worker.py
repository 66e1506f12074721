"""Where work is done: here and now, or on a thread; in order either way."""

from __future__ import annotations

from collections import deque
from typing import Any, Callable

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.threads import deferToThreadPool
from zope.interface import implementer

from kasmd.interfaces import IWorker


@implementer(IWorker)
class InlineWorker:
    """Does the work before `do` returns."""

    def do(self, work: Callable[..., Any], *args: Any) -> Deferred[Any]:
        """Call ``work(*args)`` now."""
        return maybeDeferred(work, *args)


@implementer(IWorker)
class ThreadWorker:
    """Does one piece of work at a time on a thread of the reactor's pool."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._waiting: deque[tuple[Deferred[Any], Callable[..., Any], tuple[Any, ...]]] = deque()
        self._busy = False

    def do(self, work: Callable[..., Any], *args: Any) -> Deferred[Any]:
        """Call ``work(*args)`` on a thread, after all that was given before."""
        done: Deferred[Any] = Deferred()
        self._waiting.append((done, work, args))
        self._next()
        return done

    def _next(self) -> None:
        if self._busy or not self._waiting:
            return
        self._busy = True
        done, work, args = self._waiting.popleft()
        running = deferToThreadPool(self._reactor, self._reactor.getThreadPool(), work, *args)
        running.addBoth(self._finished)
        running.chainDeferred(done)

    def _finished(self, result: Any) -> Any:
        self._busy = False
        self._next()
        return result
