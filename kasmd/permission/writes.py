"""What is kept in files at run time is changed in turn; a slow disk holds up a thread."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Awaitable, Callable, Iterator, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.defer import TimeoutError as Late
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from kasmd.errors import AccountsBusy, AccountsError
from kasmd.interfaces import IWorker

T = TypeVar("T")

#: Changes that wait while one is made.
CAPACITY = 32
#: Seconds for which a daemon that stops waits for the disk.
STOPPING = 5.0


class Writes(Service):
    """Changes of one thing, each begun when the one before it has ended.

    A change runs on the reactor, and has what waits for the disk done by ``do``.
    The service's end waits for what is asked for already.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, worker: IWorker) -> None:
        self.do = worker.do
        self._clock = clock
        self._turn = DeferredLock()
        self._later: set[Callable[[], Awaitable[None]]] = set()

    async def change(self, change: Callable[[], Awaitable[T]]) -> T:
        """Give what ``change`` gives (AccountsBusy where too many wait)."""
        if len(self._turn.waiting) >= CAPACITY:
            raise AccountsBusy(f"{CAPACITY} changes wait for the disk already")
        async with self._turn:
            return await change()

    def later(self, change: Callable[[], Awaitable[None]]) -> None:
        """Have ``change`` made, once if it waits already; a failure is logged."""
        if change not in self._later:
            self._later.add(change)
            Deferred.fromCoroutine(self._make(change)).addErrback(
                lambda failure: self._log.failure("{change} failed", failure, change=change)
            )

    def stopService(self) -> Deferred[None]:
        """Wait for what is being written, and for what waits."""
        super().stopService()
        idle = self._turn.run(lambda: None).addTimeout(STOPPING, self._clock)
        return idle.addErrback(self._not_idle)

    def _not_idle(self, failure: Any) -> None:
        failure.trap(Late)
        self._log.error("the disk takes longer than {seconds} s; the last changes may be lost",
                        seconds=STOPPING)

    async def _make(self, change: Callable[[], Awaitable[None]]) -> None:
        async with self._turn:
            self._later.discard(change)
            try:
                await change()
            except AccountsError as error:
                self._log.error("{error}", error=error)


@contextmanager
def writing(path: str) -> Iterator[None]:
    """Tell of what prevents that ``path`` is written as an AccountsError."""
    try:
        yield
    except TimeoutError as error:
        raise AccountsBusy(f"{path}: cannot be written: {error}") from error
    except OSError as error:
        raise AccountsError(f"{path}: cannot be written: {error.strerror or error}") from error
