"""An observer that remembers what it was told, for whoever wants to wait for it."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Sequence

from twisted.internet.defer import Deferred
from zope.interface import implementer

from kasmd.interfaces import ClipboardContent, IDisplayObserver
from kasmd.screen.cursor import Cursor
from kasmd.screen.geometry import Move, Screen
from kasmd.screen.region import Region

#: Older events are forgotten.
MAX_EVENTS = 10000

Wanted = Callable[..., bool]


class Event(NamedTuple):
    """The name of an IDisplayObserver method, and what it was called with."""

    name: str
    details: tuple[Any, ...]


@implementer(IDisplayObserver)
class Recorder:
    """Keeps ``events``, oldest first."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._waiting: list[tuple[str, Wanted, Deferred[tuple[Any, ...]]]] = []

    def named(self, name: str) -> list[tuple[Any, ...]]:
        """Give what this method was called with, each time."""
        return [event.details for event in self.events if event.name == name]

    def next(self, name: str, wanted: Wanted = lambda *details: True) -> Deferred[Any]:
        """Fire with the details of the next such event."""
        deferred: Deferred[Any] = Deferred()
        self._waiting.append((name, wanted, deferred))
        return deferred

    def changed(self, region: Region, moves: Sequence[Move]) -> None:
        """See IDisplayObserver."""
        self._heard("changed", region, moves)

    def resized(self, width: int, height: int, screens: Sequence[Screen]) -> None:
        """See IDisplayObserver."""
        self._heard("resized", width, height, screens)

    def cursor_changed(self, cursor: Cursor) -> None:
        """See IDisplayObserver."""
        self._heard("cursor_changed", cursor)

    def leds_changed(self, leds: int) -> None:
        """See IDisplayObserver."""
        self._heard("leds_changed", leds)

    def clipboard_offered(self, content: ClipboardContent) -> None:
        """See IDisplayObserver."""
        self._heard("clipboard_offered", content)

    def bell_rung(self) -> None:
        """See IDisplayObserver."""
        self._heard("bell_rung")

    def renamed(self, name: str) -> None:
        """See IDisplayObserver."""
        self._heard("renamed", name)

    def display_lost(self, reason: str) -> None:
        """See IDisplayObserver."""
        self._heard("display_lost", reason)

    def _heard(self, name: str, *details: Any) -> None:
        self.events.append(Event(name, details))
        del self.events[:-MAX_EVENTS]
        for entry in tuple(self._waiting):
            if entry[0] == name and entry[1](*details):
                self._waiting.remove(entry)
                entry[2].callback(details)
