"""Who encodes beside the reactor, where many want pictures that differ."""

from __future__ import annotations

import os
from typing import Any, Callable, Sequence, TypeVar

from twisted.internet.defer import Deferred

from kasmd.interfaces import IWorker
from kasmd.viewer.worker import ThreadWorker

#: The most threads of one desktop's crew.
MOST = 15

T = TypeVar("T")


class Crew:
    """Workers, each of whom has one thing to do at a time; nothing waits for them."""

    def __init__(self, workers: Sequence[IWorker] = ()) -> None:
        self._idle = list(workers)

    @property
    def idle(self) -> bool:
        """Tell whether one has nothing to do."""
        return bool(self._idle)

    def do(self, work: Callable[[], T]) -> Deferred[T]:
        """Have an idle one do ``work``."""
        worker = self._idle.pop()
        done: Deferred[T] = worker.do(work)
        return done.addBoth(self._did, worker)

    def _did(self, result: Any, worker: IWorker) -> Any:
        self._idle.append(worker)
        return result


def crew_for(reactor: Any) -> Crew:
    """Give threads of the reactor's pool: with the reactor's, as many as there are cores."""
    count = min(MOST, len(os.sched_getaffinity(0)) - 1)
    pool = reactor.getThreadPool()
    reactor.suggestThreadPoolSize(pool.max + count)
    return Crew([ThreadWorker(reactor) for _ in range(count)])
