"""One conversation with an X server: its parts, and who of them hears which event."""

from __future__ import annotations

import struct
from typing import Any, Callable, NamedTuple, Optional, Sequence

import xcffib
import xcffib.xfixes
import xcffib.xkb
import xcffib.xproto
from twisted.internet.defer import Deferred

from kasmd.display.watched import Patch
from kasmd.display.x11_capture import Capture, Deliver
from kasmd.display.x11_clipboard import Clipboard
from kasmd.display.x11_connection import XConnection
from kasmd.display.x11_cursor import CursorShape
from kasmd.display.x11_events import ConfigureNotify, DamageNotify
from kasmd.display.x11_input import Input
from kasmd.display.x11_monitors import Monitors
from kasmd.display.x11_server import CORE_KEYBOARD, Server
from kasmd.display.x11_windows import Windows
from kasmd.errors import DisplayLost
from kasmd.interfaces import ClipboardContent
from kasmd.screen.cursor import Cursor
from kasmd.screen.pixels import Pixels
from kasmd.screen.steps import Steps

#: XKB tells its events apart by their second byte.
_XKB_MAP = (0, 1)
_XKB_LAMPS = 4
_XKB_BELL = 8


class Opened(NamedTuple):
    """An X server that is ready: what is known of it before anything is shown."""

    connection: XConnection
    server: Server
    monitors: Monitors


class Face(NamedTuple):
    """The display: what it is told."""

    captured: Deliver
    cursor: Callable[[Cursor], None]
    leds: Callable[[int], None]
    bell: Callable[[], None]
    copied: Callable[[ClipboardContent], None]
    silent: Callable[[bool], None]
    lost: Callable[[str], None]


class XSession:
    """What lives as long as a connection; ``memory`` is the X server's own, where we have it."""

    def __init__(self, reactor: Any, face: Face, opened: Opened, interval: float,
                 clipboard_bytes: int, memory: Optional[Pixels]) -> None:
        self.connection, self.server, self.monitors = opened
        connection, server, _ = opened
        self._face = face
        #: The display left, or the connection is lost: what comes now is not for it.
        self._over = False
        if memory is not None:
            # In its memory the pointer would be part of the picture.
            server.xfixes.HideCursor(server.root)
        self.capture = Capture(reactor, connection, server, interval, self._captured, memory)
        self.cursor = CursorShape(connection, server, face.cursor)
        self.input = Input(reactor, connection, server)
        self.clipboard = Clipboard(reactor, connection, server, clipboard_bytes, face.copied)
        self.windows = Windows()
        self._handlers: dict[type, Callable[[Any], None]] = {
            DamageNotify: self.capture.notified,
            xcffib.xfixes.CursorNotifyEvent: lambda event: self.cursor.changed(),
            ConfigureNotify: self._configured,
            xcffib.xproto.MappingNotifyEvent: lambda event: self.input.keymap_changed(),
            xcffib.xkb.NewKeyboardNotifyEvent: self._xkb_event,
            **self.clipboard.handlers(),
        }

    def begin(self) -> None:
        """Hear the X server, and ask for its lamps."""
        connection, handlers = self.connection, self._handlers
        connection.on_event = lambda event: handlers.get(type(event), _ignore)(event)
        connection.on_events_taken = self.capture.consider
        connection.on_silence = self._fell_silent
        connection.on_lost = self._lost
        lamps = connection.request(self.server.xkb.GetIndicatorState(CORE_KEYBOARD))
        lamps.addCallback(lambda reply: self._lamps(reply.state))
        lamps.addErrback(lambda failure: failure.trap(DisplayLost))

    def leave(self) -> Deferred[Any]:
        """Show nothing more and let go of all keys; fires when that is done (DisplayLost)."""
        self._over = True
        self.capture.want(False)
        self.input.release_all()
        return self.connection.sync()

    async def is_managed(self) -> bool:
        """Tell whether a window manager has said that it is there (EWMH); DisplayLost."""
        check = self.server.atoms["_NET_SUPPORTING_WM_CHECK"]
        window = xcffib.xproto.Atom.WINDOW
        reply = await self.connection.request(
            self.connection.core.GetProperty(False, self.server.root, check, window, 0, 1)
        )
        return bool(reply.value_len)

    def _captured(self, size: tuple[int, int], patches: Sequence[Patch], seen: bool
                  ) -> Steps[None]:
        if not self._over:
            yield from self._face.captured(size, patches, seen)

    def _configured(self, event: ConfigureNotify) -> None:
        if self._over:
            return
        if event.window != self.server.root:
            self.windows.configured(event)
        else:
            # Also told of other screens; these are asked for first, as pictures show them.
            self.monitors.look()
            self.capture.resized(event.width, event.height)

    def _xkb_event(self, event: Any) -> None:
        raw = bytes(xcffib.ffi.buffer(event.unpacker.cdata, 32))
        if raw[1] in _XKB_MAP:
            self.input.keymap_changed()
        elif raw[1] == _XKB_LAMPS:
            self._lamps(struct.unpack_from("=I", raw, 12)[0])
        elif raw[1] == _XKB_BELL:
            self._face.bell()

    def _lamps(self, state: int) -> None:
        if not self._over:
            self._face.leds(sum(bit for theirs, bit in self.server.lamps if state & theirs))

    def _fell_silent(self, silent: bool) -> None:
        if not self._over:
            self.input.deafen(silent)
            self._face.silent(silent)

    def _lost(self, reason: str) -> None:
        self.capture.close()
        self.input.close()
        self.clipboard.close()
        if not self._over:
            self._over = True
            self._face.lost(reason)


def _ignore(event: Any) -> None:
    """Most events are for others."""
