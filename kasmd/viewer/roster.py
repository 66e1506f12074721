"""Who is here."""

from __future__ import annotations

from typing import Callable, Sequence

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from zope.interface import implementer

from kasmd.interfaces import IRoster, IViewer
from kasmd.permission.callbacks import Callbacks


@implementer(IRoster)
class Roster:
    """The viewers whose handshake is done, oldest first."""

    _log = Logger()

    def __init__(self) -> None:
        self._viewers: list[IViewer] = []
        self._watchers = Callbacks()
        self._connected: list[IViewer] = []
        self._waiting: list[Deferred[None]] = []

    def viewers(self) -> Sequence[IViewer]:
        """Give every viewer, oldest first."""
        return tuple(self._viewers)

    def joined(self, viewer: IViewer) -> None:
        """A viewer finished its handshake."""
        self._viewers.append(viewer)
        self._connected.append(viewer)
        self._log.info("{name} joined from {peer}", name=viewer.name, peer=viewer.peer)
        self._watchers.call()

    def left(self, viewer: IViewer) -> None:
        """A viewer is gone; one that never joined is no matter."""
        if viewer in self._viewers:
            self._viewers.remove(viewer)
            self._watchers.call()

    def lost(self, viewer: IViewer) -> None:
        """A viewer's connection is closed; it may have left before."""
        if viewer in self._connected:
            self._connected.remove(viewer)
        if not self._connected:
            waiting, self._waiting = self._waiting, []
            for deferred in waiting:
                deferred.callback(None)

    def when_alone(self) -> Deferred[None]:
        """Fire when no viewer's connection is open any more."""
        if not self._connected:
            return succeed(None)
        alone: Deferred[None] = Deferred()
        self._waiting.append(alone)
        return alone

    def watch(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` after each arrival and departure."""
        return self._watchers.add(callback)
