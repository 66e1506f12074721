"""What one seat holds down at a display, until it is let go; and whose turn a drag is."""

from __future__ import annotations

from typing import Optional

from kasmd.interfaces import IDisplay
from kasmd.permission.callbacks import isolated

#: Keys held at once; of more, the one that was held longest is let go.
HELD_LIMIT = 256


class Hold:
    """Who drags on a display: while one seat holds a button down, others wait.

    One for all seats of a display; an X server has one pointer, and a button
    mask from another seat would end the drag.
    """

    def __init__(self) -> None:
        self._by: Optional[object] = None

    def take(self, seat: object, buttons: int) -> bool:
        """Tell whether ``seat`` may point now; with ``buttons`` it holds, without it lets go."""
        if self._by is not None and self._by is not seat:
            return False
        self._by = seat if buttons else None
        return True


class Held:
    """The keys and buttons of one seat at ``display``, whose seats share ``hold``."""

    def __init__(self, display: IDisplay, hold: Hold) -> None:
        self._display = display
        self._hold = hold
        self._keys: dict[tuple[str, int], tuple[int, int]] = {}
        self._pointer = (0, 0, 0)

    @property
    def buttons(self) -> int:
        """The mask of those that are down."""
        return self._pointer[2]

    def key(self, keysym: int, keycode: int, down: bool) -> None:
        """Press or release a key."""
        # The keysym of one key may differ between press and release (Shift).
        key = ("keycode", keycode) if keycode else ("keysym", keysym)
        if not down and key not in self._keys and ("keysym", keysym) in self._keys:
            # It was pressed before the viewer knew that it may name keycodes.
            keycode, key = 0, ("keysym", keysym)
        self._keys.pop(key, None)
        if down:
            if len(self._keys) >= HELD_LIMIT:
                self._release_key(next(iter(self._keys)))
            self._keys[key] = keysym, keycode
        self._display.key(keysym, keycode, down)

    def pointer(self, x: int, y: int, buttons: int, pressed: int) -> None:
        """Put the pointer, if no other seat drags; with buttons ``pressed`` this one does."""
        if self._hold.take(self, pressed):
            self._pointer = x, y, buttons
            self._display.pointer(x, y, buttons)

    def release_keys(self) -> None:
        """Let go of every key."""
        for key in list(self._keys):
            self._release_key(key)

    def _release_key(self, key: tuple[str, int]) -> None:
        keysym, keycode = self._keys.pop(key)
        isolated(self._display.key, keysym, keycode, False)

    def release_buttons(self) -> None:
        """Let go of every button, where the pointer is."""
        x, y, buttons = self._pointer
        self._pointer = x, y, 0
        if buttons:
            self._hold.take(self, 0)
            isolated(self._display.pointer, x, y, 0)
