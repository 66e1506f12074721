"""From DAMAGE to pixels.

The damage is of report level BoundingBox: an event whenever the box around it grows,
until what accumulated is subtracted.  So a picture that nobody wants costs next to
nothing, and whoever comes later gets what changed since.

What is drawn before the damage is taken makes no other event: so pixels are read after.
X servers do what a connection asks for in order, reading included.  Where we read an X
server's memory ourselves, we wait until the damage is taken; pixels that are drawn while
we read are damaged again, and read again.
"""

from __future__ import annotations

import struct
from typing import Any, Callable, Optional, Sequence

from twisted.internet.base import DelayedCall
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from xcffib.xproto import RECTANGLE

from kasmd.display.watched import Patch
from kasmd.display.x11_connection import XConnection, XError
from kasmd.display.x11_images import Images
from kasmd.display.x11_server import Server
from kasmd.errors import DisplayLost
from kasmd.screen.geometry import Rect, bounding
from kasmd.screen.pixels import Pixels
from kasmd.screen.region import EMPTY, Region

#: More rectangles than this cost more to ask for than the pixels between them.
MAX_RECTS = 64
#: Asking what of a box was drawn costs more than reading so many pixels.
SMALL = 1 << 14
#: So many times a larger box is taken to be as full as it was when we asked.
TRUSTED = 16
#: Rest after a refused request, for instance while the size changes.
RETRY_SECONDS = 0.25


class Capture:
    """Reads what was damaged, at once and then at most every ``interval`` seconds.

    ``interval`` may be changed; ``size`` is the screen's.  ``deliver`` gets the screen's
    size and pixels, good until it returns; those of ``memory``, where the X server keeps
    its screen, may change meanwhile.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        connection: XConnection,
        server: Server,
        interval: float,
        deliver: Callable[[tuple[int, int], Sequence[Patch]], None],
        memory: Optional[Pixels] = None,
    ) -> None:
        self._reactor = reactor
        self._connection = connection
        self._server = server
        self._images = Images(connection, server)
        self._memory = memory
        self.interval = interval
        self._deliver = deliver
        self.size = server.size
        self._wanted = False
        #: What was drawn is in this box.
        self._box: Optional[Rect] = None
        self._full, self._trusted = Rect(0, 0, 0, 0), 0
        #: The request that took the damage last.
        self._taken_by = 0
        self._awaiting: list[Deferred[None]] = []
        self._busy = False
        self._next_at = 0.0
        self._timer: Optional[DelayedCall] = None
        self.read_all()

    def notified(self, event: Any) -> None:
        """Hear a DamageNotify.

        One from before the damage was taken last tells nothing new: its pixels are read.
        """
        ago = self._taken_by - event.unpacker.cdata.full_sequence
        if not 0 < ago < 1 << 31:
            area = event.area
            self.damaged(Rect(area.x, area.y, area.width, area.height))

    def damaged(self, box: Rect) -> None:
        """Hear that pixels were drawn in ``box``; `consider` when all was heard."""
        self._box = bounding(self._box, box)

    def want(self, wanted: bool) -> None:
        """Say whether anybody looks."""
        self._wanted = wanted
        self.consider()

    def resized(self, width: int, height: int) -> None:
        """Hear that the screen has this size; all is read, wanted or not."""
        if (width, height) != self.size:
            self.size = (width, height)
            self.read_all()

    def read_all(self) -> None:
        """Read the whole screen, wanted or not."""
        self._stale = True
        self.damaged(Rect(0, 0, *self.size))
        self.consider()

    def catch_up(self) -> Deferred[None]:
        """Fire when all that was drawn until now is delivered (DisplayLost)."""
        awaiting: Deferred[None] = Deferred()
        self._awaiting.append(awaiting)
        self.damaged(Rect(0, 0, *self.size))
        self.consider()
        return awaiting

    def close(self) -> None:
        """End; the connection must be closed already."""
        self._images.close()
        self._box, self._stale = None, False
        awaiting, self._awaiting = self._awaiting, []
        for each in awaiting:
            each.errback(DisplayLost("the connection to the X server is closed"))
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def consider(self) -> None:
        """Read now, later or not at all."""
        wanted = self._wanted or self._stale or self._awaiting
        if self._busy or self._timer or self._box is None or not wanted:
            return
        wait = self._next_at - self._reactor.seconds()
        if wait > 0:
            self._timer = self._reactor.callLater(wait, self._rested)
        else:
            box, self._box = self._box, None
            self._busy = True
            Deferred.fromCoroutine(self._capture(box))

    def _rested(self) -> None:
        self._timer = None
        self.consider()

    async def _capture(self, box: Rect) -> None:
        self._next_at = self._reactor.seconds() + self.interval
        size, stale, memory = self.size, self._stale, self._seen_memory()
        self._stale = False
        awaited = len(self._awaiting)
        try:
            screen = Rect(0, 0, *size)
            region = Region([screen])
            if stale:
                await self._ask_damage(screen)
            elif box.intersection(screen) is None:
                # An event of no pixels comes when windows are arranged.  To take its
                # damage would make older events look read, and nothing is read here.
                region = EMPTY
            else:
                taken = self._take_damage(box) if memory is None else self._ask_damage(box)
                region = region.intersect(await taken)
            rects = region.coarsened(MAX_RECTS).rects
            if rects and memory is not None:
                self._deliver(size, [(rect, memory[rect.slices]) for rect in rects])
            elif rects:
                self._deliver(size, await self._images.read(rects))
            self._caught_up(awaited)
        except XError as error:
            self.log.info("reading the screen failed, trying again: {error}", error=error)
            self._box, self._stale = Rect(0, 0, *self.size), True
            self._next_at += RETRY_SECONDS
        except DisplayLost:
            return
        finally:
            self._busy = False
        self.consider()

    def _seen_memory(self) -> Optional[Pixels]:
        """Give the X server's memory if we see all of the screen in it."""
        if self._memory is None:
            return None
        height, width, _ = self._memory.shape
        seen = Rect(0, 0, width, height).contains(Rect(0, 0, *self.size))
        return self._memory if seen else None

    def _caught_up(self, count: int) -> None:
        """Tell the first ``count`` who await what was drawn before they asked."""
        done, self._awaiting = self._awaiting[:count], self._awaiting[count:]
        for each in done:
            each.callback(None)

    async def _take_damage(self, box: Rect) -> Region:
        """Give where to read: ``box``, or what was drawn since the last time."""
        if box == self._full and self._trusted:
            self._trusted -= 1
        elif box.area > SMALL:
            return await self._ask_damage(box)
        self._forget_damage(box)
        return Region([box])

    async def _ask_damage(self, box: Rect) -> Region:
        server = self._server
        self._taken_by = server.damage.Subtract(server.damage_id, 0, server.region_id).sequence
        reply = await self._connection.request_raw(server.xfixes.FetchRegion(server.region_id))
        extents = Rect(*struct.unpack_from("=hhHH", reply, 8))
        if extents.area <= SMALL:
            return Region([extents])
        drawn = Region(Rect(*fields) for fields in struct.iter_unpack("=hhHH", reply[32:]))
        if drawn.area * 8 < extents.area * 7:
            return drawn
        if extents == box:
            self._full, self._trusted = box, TRUSTED
        return Region([extents])

    def _forget_damage(self, box: Rect) -> None:
        """Have ``box`` undamaged; damage that is left makes an event."""
        server = self._server
        server.xfixes.SetRegion(server.region_id, 1, [RECTANGLE.synthetic(*box)])
        taking = server.damage.Subtract(server.damage_id, server.region_id, 0)
        self._taken_by = taking.sequence
