"""The X server's pixels: asked for, or read where it keeps them."""

from __future__ import annotations

from typing import Any, Optional, Sequence

import numpy as np
import xcffib.xproto
from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.logger import Logger

from kasmd.display.watched import Patch
from kasmd.display.x11_connection import XConnection, XError
from kasmd.display.x11_server import Server
from kasmd.display.x11_shm import Segment
from kasmd.errors import DisplayLost
from kasmd.screen.geometry import Rect, area_of

#: Pixels in one reply where there is no shared memory.
PLAIN_PIXELS = 65536

_ALL_PLANES = 0xFFFFFFFF
_Z_PIXMAP = xcffib.xproto.ImageFormat.ZPixmap


class Images:
    """Reads the screen: through shared memory, or the connection where that fails."""

    log = Logger()

    def __init__(self, connection: XConnection, server: Server) -> None:
        self._connection = connection
        self._server = server
        self._segment: Optional[Segment] = None
        self._segment_id = server.segment_id
        self._shared = server.shm is not None

    async def read(self, rects: Sequence[Rect]) -> list[Patch]:
        """Give the pixels of disjoint rectangles; valid until the next call."""
        await self._make_room(4 * area_of(rects))
        if self._segment is None:
            return await self._read_plain(rects)
        return await self._read_shared(rects, self._segment)

    def close(self) -> None:
        """Give the shared memory back."""
        if self._segment is not None:
            self._segment.close()
            self._segment = None

    async def _read_shared(self, rects: Sequence[Rect], segment: Segment) -> list[Patch]:
        shm = self._server.shm
        assert shm is not None
        patches, replies, offset = [], [], 0
        for rect in rects:
            replies.append(self._connection.request_raw(shm.GetImage(
                self._server.root, *rect, _ALL_PLANES, _Z_PIXMAP, self._segment_id, offset
            )))
            pixels = segment.memory[offset : offset + 4 * rect.area]
            patches.append((rect, pixels.reshape(rect.height, rect.width, 4)))
            offset += 4 * rect.area
        await _all(replies)
        return patches

    async def _read_plain(self, rects: Sequence[Rect]) -> list[Patch]:
        core = self._connection.core
        patches = []
        for rect in rects:
            rows = max(1, PLAIN_PIXELS // rect.width)
            for top in range(rect.y, rect.bottom, rows):
                band = Rect(rect.x, top, rect.width, min(rows, rect.bottom - top))
                reply = await self._connection.request_raw(core.GetImage(
                    _Z_PIXMAP, self._server.root, *band, _ALL_PLANES
                ))
                pixels = np.frombuffer(reply, np.uint8, 4 * band.area, 32)
                patches.append((band, pixels.reshape(band.height, band.width, 4)))
        return patches

    async def _make_room(self, size: int) -> None:
        if not self._shared or (self._segment is not None and self._segment.size >= size):
            return
        shm = self._server.shm
        assert shm is not None
        if self._segment is not None:
            shm.Detach(self._segment_id)
            self.close()
        width, height = self._server.size
        try:
            segment = Segment(max(size, 4 * width * height))
        except OSError as error:
            self._do_without(str(error))
            return
        try:
            await self._connection.request_check(
                shm.AttachChecked(self._segment_id, segment.ident, False)
            )
        except XError as error:
            segment.close()
            self._do_without(str(error))
        except DisplayLost:
            segment.close()
            raise
        else:
            self._segment = segment
        finally:
            segment.forget()

    def _do_without(self, why: str) -> None:
        self._shared = False
        self.log.warn("no shared memory with the X server, pixels are slower: {why}", why=why)


async def _all(deferreds: Sequence[Deferred[Any]]) -> None:
    """Wait for all; raises the first error."""
    if len(deferreds) == 1:
        await deferreds[0]
        return
    try:
        await gatherResults(deferreds, consumeErrors=True)
    except FirstError as error:
        raise error.subFailure.value from None
