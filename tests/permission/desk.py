"""A desk in place of a display, seats at it, and an eye at a seat."""

from __future__ import annotations

from typing import Any, Callable, Sequence

import numpy as np
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from kasmd.errors import PermissionDenied
from kasmd.interfaces import ClipboardContent, IDisplay, IDisplayObserver, Principal
from kasmd.permission.dlp import Rules
from kasmd.permission.held import Hold
from kasmd.permission.prevention import Prevention
from kasmd.permission.registry import MemoryRegistry
from kasmd.permission.seat import Seat
from kasmd.rights import WRITE, Right
from kasmd.screen.cursor import INVISIBLE
from kasmd.screen.framebuffer import Identity, Snapshot
from kasmd.screen.geometry import Rect, Screen
from kasmd.screen.region import Region

RECT = Rect(0, 0, 4, 3)
SCREENS = (Screen(7, 0, 0, 4, 3),)
REGION = Region([Rect(1, 1, 1, 1)])
TEXT = {"text/plain": b"secret"}


@implementer(IDisplay)
class Desk:
    """A display that writes down what it is told, and keeps its observers."""

    name = "desk"

    def __init__(self) -> None:
        self.size = (4, 3)
        self.screens = SCREENS
        self.told: list[tuple[Any, ...]] = []
        self.observers: list[Any] = []

    def observe(self, observer: Any) -> Callable[[], None]:
        self.observers.append(observer)
        observer.cursor_changed(INVISIBLE)
        observer.leds_changed(2)
        return lambda: observer in self.observers and self.observers.remove(observer)

    def snapshot(self, rect: Rect) -> Snapshot:
        self.told.append(("snapshot", rect))
        return Snapshot(Identity(1, 1), rect, np.zeros((rect.height, rect.width, 4), np.uint8))

    def key(self, keysym: int, keycode: int, down: bool) -> None:
        self.told.append(("key", keysym, keycode, down))

    def pointer(self, x: int, y: int, buttons: int) -> None:
        self.told.append(("pointer", x, y, buttons))

    def offer_clipboard(self, content: ClipboardContent) -> None:
        self.told.append(("offer_clipboard", content))

    def resize(self, width: int, height: int, screens: Sequence[Screen]) -> Deferred[int]:
        self.told.append(("resize", width, height, screens))
        return succeed(0)

    def screenshot(self) -> Deferred[Snapshot]:
        return succeed(self.snapshot(RECT))

    def copied(self) -> Any:
        self.told.append(("copied",))
        return TEXT

    def clear_clipboard(self) -> None:
        self.told.append(("clear_clipboard",))


@implementer(IDisplayObserver)
class Eye:
    """An observer that writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    def changed(self, region: Region, moves: Any) -> None:
        self.heard.append(("changed", region, moves))

    def resized(self, width: int, height: int, screens: Any) -> None:
        self.heard.append(("resized", width, height, tuple(screens)))

    def cursor_changed(self, cursor: Any) -> None:
        self.heard.append(("cursor_changed", cursor))

    def leds_changed(self, leds: int) -> None:
        self.heard.append(("leds_changed", leds))

    def clipboard_offered(self, content: Any) -> None:
        self.heard.append(("clipboard_offered", content))

    def bell_rung(self) -> None:
        self.heard.append(("bell_rung",))

    def renamed(self, name: str) -> None:
        self.heard.append(("renamed", name))

    def display_lost(self, reason: str) -> None:
        self.heard.append(("display_lost", reason))


INWARD: dict[str, tuple[Any, ...]] = {
    "snapshot": (RECT,),
    "key": (0x61, 30, True),
    "pointer": (1, 2, 1),
    "offer_clipboard": (TEXT,),
    "copied": (),
    "resize": (8, 6, SCREENS),
}
#: What the owner does by the API; a screenshot ends in the display's own snapshot.
OWNERS: dict[str, tuple[Any, ...]] = {"screenshot": (), "clear_clipboard": ()}
OUTWARD: dict[str, tuple[Any, ...]] = {
    "changed": (REGION, ()),
    "resized": (4, 3, SCREENS),
    "cursor_changed": (INVISIBLE,),
    "leds_changed": (1,),
    "bell_rung": (),
    "clipboard_offered": (TEXT,),
    "renamed": ("den",),
    "display_lost": ("it died",),
}
FULL = Region([RECT])


class Room:
    """A desk, and seats at it."""

    def __init__(self, rights: Right = WRITE, rules: Rules = Rules()) -> None:
        self.desk = Desk()
        self.prevention = Prevention(rules)
        self.registry = MemoryRegistry({"ann": rights, "bob": WRITE})
        self.hold = Hold()
        self.seat = self.sit("ann")
        self.eye = Eye()

    def sit(self, name: str) -> Seat:
        return Seat(self.desk, self.registry.admit(Principal(name), "desktop"), self.hold,
                    self.prevention)

    def look(self) -> Callable[[], None]:
        end = self.seat.observe(self.eye)
        self.eye.heard.clear()
        return end

    def happen(self, event: str) -> None:
        for observer in list(self.desk.observers):
            getattr(observer, event)(*OUTWARD[event])


def call(seat: Seat, member: str) -> object:
    try:
        return getattr(seat, member)(*INWARD[member])
    except PermissionDenied:
        return None
