"""The CLIPBOARD selection, both ways (ICCCM, section 2)."""

from __future__ import annotations

from typing import Any, Callable

import xcffib.xfixes
import xcffib.xproto

from kasmd.display.x11_connection import XConnection
from kasmd.display.x11_selection import Giver, Taker
from kasmd.display.x11_server import Server
from kasmd.interfaces import ClipboardContent

_EVENTS = xcffib.xfixes.SelectionEventMask.SetSelectionOwner
_NOBODY = 0


class Clipboard:
    """Owns CLIPBOARD for the viewers, and takes what the desktop's programs copy.

    ``deliver`` gets what others copied, never our own offer.  ``limit`` bounds
    the bytes of a content, both ways.
    """

    def __init__(
        self,
        reactor: Any,
        connection: XConnection,
        server: Server,
        limit: int,
        deliver: Callable[[ClipboardContent], None],
    ) -> None:
        self._connection = connection
        self._server = server
        self._limit = limit
        self._giver = Giver(reactor, connection, server)
        self._taker = Taker(reactor, connection, server, deliver)
        server.xfixes.SelectSelectionInput(server.window, server.atoms["CLIPBOARD"], _EVENTS)

    def handlers(self) -> dict[type, Callable[[Any], None]]:
        """Give what is to be called for which events."""
        return {
            xcffib.xfixes.SelectionNotifyEvent: self._owner_changed,
            xcffib.xproto.SelectionRequestEvent: self._giver.requested,
            xcffib.xproto.SelectionNotifyEvent: self._taker.converted,
            xcffib.xproto.PropertyNotifyEvent: self._property_changed,
        }

    def offer(self, content: ClipboardContent) -> None:
        """Own the clipboard, or clear it; what is too large is not taken."""
        if sum(map(len, content.values())) > self._limit:
            return
        self._giver.content = dict(content)
        owner = self._server.window if content else _NOBODY
        core = self._connection.core
        core.SetSelectionOwner(owner, self._server.atoms["CLIPBOARD"], xcffib.CurrentTime)
        self._connection.flush()

    def set_limit(self, limit: int) -> None:
        """Take and give at most ``limit`` bytes from the next content on."""
        self._limit = limit

    def clear(self) -> None:
        """Take what was copied, and what was selected, from whoever has it."""
        self.offer({})
        self._connection.core.SetSelectionOwner(
            _NOBODY, xcffib.xproto.Atom.PRIMARY, xcffib.CurrentTime
        )
        self._connection.flush()

    def close(self) -> None:
        """End; the connection must be closed already."""
        self._giver.close()
        self._taker.close()

    def _owner_changed(self, event: Any) -> None:
        if event.owner == self._server.window:
            self._giver.owned_since = event.selection_timestamp
            self._taker.close()
        elif event.owner != _NOBODY:
            self._taker.take(event.selection_timestamp, self._limit)

    def _property_changed(self, event: Any) -> None:
        if event.window == self._server.window:
            self._taker.property_changed(event)
        else:
            self._giver.property_changed(event)
