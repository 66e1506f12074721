"""Where what waits for a disk is done in tests, and a disk that takes its time."""

from __future__ import annotations

import os
import threading
from typing import Any, Coroutine, TypeVar, Union

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from kasmd.permission.writes import Writes
from kasmd.viewer.worker import InlineWorker, ThreadWorker

T = TypeVar("T")


def inline() -> Writes:
    """Give what has all of it done before it returns."""
    return Writes(Clock(), InlineWorker())


def threaded() -> Writes:
    """Give what has it done on a thread, as in the daemon."""
    return Writes(reactor, ThreadWorker(reactor))  # type: ignore[arg-type]


def now(done: Union[Deferred[T], Coroutine[Any, Any, T]]) -> T:
    """Give what is there without a wait; raise its failure."""
    results: list[object] = []
    ensureDeferred(done).addBoth(results.append)
    (result,) = results
    if isinstance(result, Failure):
        result.raiseException()
    return result  # type: ignore[return-value]


class SlowDisk:
    """Lets ``os.fsync`` pass ``free`` times; the next one waits for `go`, as all do after it."""

    def __init__(self, case: TestCase, free: int = 0) -> None:
        self._free = free
        self._fsync = os.fsync
        self._going = threading.Event()
        #: Fires when somebody waits.
        self.busy: Deferred[None] = Deferred()
        case.patch(os, "fsync", self._slow)
        case.addCleanup(self._going.set)

    def go(self) -> None:
        """Let all pass."""
        self._going.set()

    def _slow(self, fd: int) -> None:
        if threading.current_thread() is threading.main_thread():
            raise AssertionError("the reactor waits for the disk")
        self._free -= 1
        if self._free == -1:
            reactor.callFromThread(self.busy.callback, None)  # type: ignore[attr-defined]
        if self._free < 0 and not self._going.wait(60):
            raise AssertionError("nobody let the disk go")
        self._fsync(fd)
