"""The pointer's shape, by XFIXES."""

from __future__ import annotations

import struct
from typing import Callable

import numpy as np
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from kasmd.display.x11_connection import XConnection, XError
from kasmd.display.x11_server import Server
from kasmd.errors import DisplayLost
from kasmd.screen.cursor import INVISIBLE, Cursor

#: Larger shapes are not pointers; they are shown as none.
MAX_SIDE = 1024


class CursorShape:
    """Asks for the shape when it changed, one question at a time."""

    log = Logger()

    def __init__(
        self, connection: XConnection, server: Server, deliver: Callable[[Cursor], None]
    ) -> None:
        self._connection = connection
        self._server = server
        self._deliver = deliver
        self._busy = self._changed = False
        self.changed()

    def changed(self) -> None:
        """Hear that there is another shape."""
        self._changed = True
        if not self._busy:
            self._busy = True
            Deferred.fromCoroutine(self._ask())

    async def _ask(self) -> None:
        try:
            while self._changed:
                self._changed = False
                question = self._server.xfixes.GetCursorImage()
                self._deliver(parse_cursor(await self._connection.request_raw(question)))
        except XError as error:
            self.log.info("no pointer shape: {error}", error=error)
        except DisplayLost:
            return
        finally:
            self._busy = False


def parse_cursor(reply: bytes) -> Cursor:
    """Read XFIXES' GetCursorImage reply: 32-bit words, alpha in the highest byte."""
    width, height, hot_x, hot_y = struct.unpack_from("=HHHH", reply, 12)
    if not width or not height or max(width, height) > MAX_SIDE:
        return INVISIBLE
    bgra = np.frombuffer(reply, np.uint8, 4 * width * height, 32).reshape(-1, 4)
    if not bgra[:, 3].any():
        return INVISIBLE
    return Cursor(width, height, hot_x, hot_y, bgra[:, [2, 1, 0, 3]].tobytes())
