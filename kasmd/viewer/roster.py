"""Who is here."""

from __future__ import annotations

from typing import Callable, Sequence

from twisted.logger import Logger
from zope.interface import implementer

from kasmd.interfaces import IRoster, IViewer


@implementer(IRoster)
class Roster:
    """The viewers whose handshake is done, oldest first."""

    _log = Logger()

    def __init__(self) -> None:
        self._viewers: list[IViewer] = []
        self._watchers: list[Callable[[], None]] = []

    def viewers(self) -> Sequence[IViewer]:
        """Give every viewer, oldest first."""
        return tuple(self._viewers)

    def joined(self, viewer: IViewer) -> None:
        """A viewer finished its handshake."""
        self._viewers.append(viewer)
        self._log.info("{name} joined from {peer}", name=viewer.name, peer=viewer.peer)
        self._tell()

    def left(self, viewer: IViewer) -> None:
        """A viewer is gone; one that never joined is no matter."""
        if viewer in self._viewers:
            self._viewers.remove(viewer)
            self._tell()

    def watch(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` after each arrival and departure."""
        self._watchers.append(callback)

        def stop() -> None:
            if callback in self._watchers:
                self._watchers.remove(callback)

        return stop

    def _tell(self) -> None:
        for watcher in tuple(self._watchers):
            try:
                watcher()
            except Exception:
                self._log.failure("a watcher of the roster failed")
