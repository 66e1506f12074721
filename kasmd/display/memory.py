"""A display in memory: whoever holds it draws on it and reads what was typed."""

from __future__ import annotations

from typing import NamedTuple, Optional, Sequence

import numpy as np
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from kasmd.display.layout import DONE, NO_RESOURCES, judge
from kasmd.display.watched import WatchedDisplay
from kasmd.interfaces import ClipboardContent, IDisplay
from kasmd.screen.cursor import Cursor
from kasmd.screen.framebuffer import Pixels
from kasmd.screen.geometry import Rect, Screen


class KeyTyped(NamedTuple):
    """A key went down or up."""

    keysym: int
    keycode: int
    down: bool


class PointerPut(NamedTuple):
    """The pointer went somewhere."""

    x: int
    y: int
    buttons: int


@implementer(IDisplay)
class MemoryDisplay(WatchedDisplay):
    """A display of ``width`` x ``height``, black; ``max_size`` bounds `resize`.

    ``keys``, ``pointers`` and ``clipboard`` are what it was told.
    """

    def __init__(
        self,
        width: int,
        height: int,
        name: str = "memory",
        max_size: tuple[int, int] = (4096, 4096),
    ) -> None:
        super().__init__(width, height, name)
        self.keys: list[KeyTyped] = []
        self.pointers: list[PointerPut] = []
        self.clipboard: ClipboardContent = {}
        self._max_size = max_size

    def key(self, keysym: int, keycode: int, down: bool) -> None:
        """Record the key."""
        self.keys.append(KeyTyped(keysym, keycode, down))

    def pointer(self, x: int, y: int, buttons: int) -> None:
        """Record the place."""
        self.pointers.append(PointerPut(x, y, buttons))

    def offer_clipboard(self, content: ClipboardContent) -> None:
        """Keep the content."""
        self.clipboard = dict(content)

    def resize(self, width: int, height: int, screens: Sequence[Screen]) -> Deferred[int]:
        """Obey, up to the largest size; the picture is black then."""
        status = judge(width, height, screens)
        if status == DONE and (width > self._max_size[0] or height > self._max_size[1]):
            status = NO_RESOURCES
        if status == DONE:
            layout = self._wanted(width, height, screens)
            if (width, height) == self.size:
                self._arrange(layout)
            else:
                self._show_anew(width, height, (), layout)
        return succeed(status)

    def paint(self, rect: Rect, pixels: Pixels) -> None:
        """Draw ``pixels`` (height x width x 4)."""
        self._show([(rect, pixels)])

    def fill(self, colour: tuple[int, int, int], rect: Optional[Rect] = None) -> None:
        """Draw one colour (red, green, blue) over ``rect`` or all."""
        rect = rect or Rect(0, 0, *self.size)
        red, green, blue = colour
        pixels = np.empty((rect.height, rect.width, 4), np.uint8)
        pixels[:] = blue, green, red, 0
        self.paint(rect, pixels)

    def set_cursor(self, cursor: Cursor) -> None:
        """Give the pointer another shape."""
        self._show_cursor(cursor)

    def set_leds(self, leds: int) -> None:
        """Light lock keys (see IDisplayObserver.leds_changed)."""
        self._show_leds(leds)

    def ring(self) -> None:
        """Ring the bell."""
        self._tell("bell_rung")

    def copy(self, content: ClipboardContent) -> None:
        """Copy as a program on the desktop would."""
        self.clipboard = dict(content)
        self._offer(self.clipboard)

    def lose(self, reason: str) -> None:
        """Stop answering."""
        self._log_lost(reason)
        self._tell("display_lost", reason)

    def come_back(self) -> None:
        """Answer again."""
        self._log_back()
        self._tell_resized()
