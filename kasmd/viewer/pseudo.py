"""The rectangles of an update that are not pixels: size, name, cursor, lock keys, and
what acknowledges an extension.  Of each only the newest is told."""

from __future__ import annotations

from typing import Optional, Sequence

from kasmd.rfb import update
from kasmd.rfb.numbers import DesktopSizeReason, DesktopSizeResult
from kasmd.rfb.server import ServerSession
from kasmd.screen.cursor import Cursor
from kasmd.screen.geometry import Rect, Screen
from kasmd.screen.pixels import PixelFormat


class PseudoRectangles:
    """What is to be told to one viewer besides pixels."""

    def __init__(self, session: ServerSession, size: tuple[int, int],
                 screens: Sequence[Screen]) -> None:
        self._session = session
        self.screen = Rect(0, 0, *size)
        self._screens = tuple(screens)
        self._sizes: dict[DesktopSizeReason, int] = {}
        self._cursor: Optional[Cursor] = None
        self._cursor_due = False
        self._leds = 0
        self._leds_due = False
        self._name: Optional[str] = None

    @property
    def size(self) -> tuple[int, int]:
        """The display's width and height."""
        return self.screen.width, self.screen.height

    @property
    def followed(self) -> bool:
        """Tell whether the viewer can follow a change of size."""
        can = self._session.capabilities
        return can.desktop_size or can.extended_desktop_size

    @property
    def size_due(self) -> bool:
        """Tell whether the size must be told, in an update of its own (rfbproto)."""
        return bool(self._sizes) and self.followed

    @property
    def news(self) -> bool:
        """Tell whether there may be something to tell; what it is depends on the viewer."""
        return bool(self._sizes) or self._cursor_due or self._leds_due or self._name is not None

    def resized(self, width: int, height: int, screens: Sequence[Screen],
                reason: DesktopSizeReason = DesktopSizeReason.SERVER) -> None:
        """The display has this size and layout, and why."""
        self.screen, self._screens = Rect(0, 0, width, height), tuple(screens)
        self.tell_size(reason, DesktopSizeResult.DONE)

    def tell_size(self, reason: DesktopSizeReason, result: int) -> None:
        """Tell the size again, and why."""
        self._sizes[reason] = result

    def tell_again(self) -> None:
        """The viewer's abilities or its pixel format are new."""
        self._cursor_due = self._leds_due = True

    def cursor_changed(self, cursor: Cursor) -> None:
        """The pointer has a new shape."""
        self._cursor, self._cursor_due = cursor, True

    def leds_changed(self, leds: int) -> None:
        """The lock keys changed."""
        self._leds, self._leds_due = leds, True

    def renamed(self, name: str) -> None:
        """The desktop is not called any more what ServerInit said."""
        self._name = name

    def take_sizes(self) -> list[bytes]:
        """Give the rectangles that tell the size, which is then no longer due."""
        sizes, self._sizes = self._sizes, {}
        width, height = self.size
        if not self._session.capabilities.extended_desktop_size:
            return [update.desktop_size(width, height)]
        return [
            update.extended_desktop_size(width, height, self._screens, reason, result)
            for reason, result in sizes.items()
        ]

    def take(self, pixel_format: PixelFormat) -> list[bytes]:
        """Give the other rectangles that are due, if any, which then no longer are."""
        if not self.news:
            return []
        can = self._session.capabilities
        taken = self._session.acknowledgements()
        if self._cursor_due and self._cursor is not None and can.cursor is not None:
            taken.append(update.cursor_shape(self._cursor, can.cursor, pixel_format))
        if self._leds_due and can.led_state:
            taken.append(update.led_state(self._leds))
        if self._name is not None and can.desktop_name:
            taken.append(update.desktop_name(self._name))
        self._cursor_due = self._leds_due = False
        self._name = None
        return taken
