"""The reactor of a daemon and of its workers, and how seldom it stops for garbage."""

from __future__ import annotations

import gc
import sys
from typing import Any, Optional

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import installReactor
from twisted.logger import Logger
from twisted.python.failure import Failure

_log = Logger(namespace="kasmd")

#: Objects that are made and not yet gone, after which the new ones are looked through.
#: That takes a millisecond; Python's own 700 are made by a few requests.
YOUNG = 10_000


class Reactor(EPollReactor):
    """Twisted's, whose events have no log context: nothing here reads one."""

    def doPoll(self, timeout: Optional[float]) -> None:
        """Wait for events, ``timeout`` seconds at most (None: for ever), and act on them."""
        selectables, act = self._selectables, self._doReadOrWrite
        for descriptor, event in self._poller.poll(timeout, len(selectables)):
            # What was acted on before may have closed it.
            selectable = selectables.get(descriptor)
            if selectable is None:
                continue
            try:
                act(selectable, descriptor, event)
            except Exception:
                _log.failure("An event broke what it was for")

    doIteration = doPoll


def take_reactor() -> Any:
    """Give the process its reactor: this one, unless it has another (``twistd --reactor``)."""
    if "twisted.internet.reactor" not in sys.modules:
        installReactor(Reactor())
    from twisted.internet import reactor

    return reactor


def forget_frames(failure: Failure) -> None:
    """Let go of the frames that a failure came through, when it was answered.

    Some of them hold it (`Deferred`'s and coroutines' do), so that they all, and what
    they worked on, would wait for the garbage collector.
    """
    failure.cleanFailure()
    failure.value.__context__ = None


def settle() -> None:
    """All that the process needs is loaded: look for garbage in what comes later only."""
    # To look through it would take 50 ms each time.
    gc.freeze()
    gc.set_threshold(YOUNG)
