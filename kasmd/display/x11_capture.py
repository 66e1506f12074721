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

from struct import Struct
from typing import Any, Callable, Optional, Sequence

import xcffib.damage
import xcffib.xfixes
from twisted.internet.base import DelayedCall
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from xcffib.xproto import RECTANGLE

from kasmd.display.stepping import Stepping
from kasmd.display.watched import Patch
from kasmd.display.x11_connect import Repeated
from kasmd.display.x11_connection import XConnection, XError
from kasmd.display.x11_events import DamageNotify
from kasmd.display.x11_images import Images
from kasmd.display.x11_server import Server
from kasmd.errors import DisplayLost
from kasmd.screen.geometry import Rect, area_of, bounding
from kasmd.screen.pixels import Pixels
from kasmd.screen.region import Region
from kasmd.screen.steps import Steps

#: More rectangles than this cost more to ask for than the pixels between them.
MAX_RECTS = 64
#: Asking what of a box was drawn costs more than reading so many pixels.
SMALL = 1 << 14
#: So many times a larger box is taken to be as full as it was when we asked.
TRUSTED = 16
#: Rest after a refused request, for instance while the size changes.
RETRY_SECONDS = 0.25
#: What was only likely is looked at again when it was the same for so long.
DOUBT_SECONDS = 0.5

_EXTENTS = Struct("=hhHH")
#: Requests of DAMAGE and XFIXES.
_SUBTRACT, _FETCH_REGION = 3, 19

#: Is given the size of the screen, what was read, and whether what was there before was seen.
Deliver = Callable[[tuple[int, int], Sequence[Patch], bool], Steps[None]]


class Capture:
    """Reads what was damaged, at once and then at most every ``interval`` seconds.

    ``interval`` may be changed; ``size`` is the screen's.  ``deliver`` gets the screen's
    size and pixels, to be read in its first step, and whether anybody looks who saw what was
    there before; pixels of ``memory``, where the X server keeps its screen, may change
    meanwhile.  Others have the reactor between its steps.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        connection: XConnection,
        server: Server,
        interval: float,
        deliver: Deliver,
        memory: Optional[Pixels] = None,
    ) -> None:
        self._reactor = reactor
        self._connection = connection
        self._server = server
        self._images = Images(connection, server)
        ids = server.damage_id, 0, server.region_id
        self._subtract = Repeated(connection.xcb, xcffib.damage.key, _SUBTRACT, ids)
        self._fetch = Repeated(connection.xcb, xcffib.xfixes.key, _FETCH_REGION, ids[2:], True)
        self._memory = memory
        self.interval = interval
        self._deliver = deliver
        self.size = server.size
        self._wanted = False
        #: What is in the box was drawn before anybody came who looks now.
        self._missed = False
        #: What was drawn is in this box, and what is read whether it was drawn or not.
        self._box: Optional[Rect] = None
        self._stale: Optional[Rect] = None
        self._doubtful: Optional[Rect] = None
        self._doubt_ends: Optional[DelayedCall] = None
        self._full, self._trusted = Rect(0, 0, 0, 0), 0
        #: The request that took the damage last.
        self._taken_by = 0
        self._awaiting: list[Deferred[None]] = []
        self._busy = False
        self._next_at = 0.0
        self._timer: Optional[DelayedCall] = None
        self._stepping = Stepping(reactor)
        self.read_all()

    def notified(self, event: DamageNotify) -> None:
        """Hear that something was drawn.

        An event from before the damage was taken last tells nothing new: its pixels are read.
        """
        ago = self._taken_by - event.sequence
        if not 0 < ago < 1 << 31:
            self.damaged(event.area)

    def damaged(self, box: Rect) -> None:
        """Hear that pixels were drawn in ``box``; `consider` when all was heard."""
        self._box = bounding(self._box, box)

    def want(self, wanted: bool) -> None:
        """Say whether anybody looks."""
        if wanted and not self._wanted:
            self._missed = self._box is not None
        self._wanted = wanted
        self.consider()

    def resized(self, width: int, height: int) -> None:
        """Hear that the screen has this size; all is read, wanted or not."""
        if (width, height) != self.size:
            self.size = (width, height)
            self.read_all()

    def read_all(self) -> None:
        """Read the whole screen, wanted or not."""
        self._read_anyway(Rect(0, 0, *self.size))

    def doubt(self, rect: Optional[Rect]) -> None:
        """Hear that what ``rect`` shows is only likely; it is read again when it stands."""
        self._doubtful = rect
        if rect and not self._doubt_ends:
            self._doubt_ends = self._reactor.callLater(DOUBT_SECONDS, self._look_again, rect)

    def _look_again(self, rect: Rect) -> None:
        self._doubt_ends = None
        if rect != self._doubtful:
            self.doubt(self._doubtful)
        else:
            self._doubtful = None
            self._read_anyway(rect)

    def _read_anyway(self, rect: Rect) -> None:
        self._stale = bounding(self._stale, rect)
        self.damaged(rect)
        self.consider()

    def catch_up(self) -> Deferred[None]:
        """Fire when all that was drawn until now is delivered (DisplayLost)."""
        awaiting: Deferred[None] = Deferred()
        self._awaiting.append(awaiting)
        if self._doubtful:
            self._stale = bounding(self._stale, self._doubtful)
        self.damaged(Rect(0, 0, *self.size))
        self.consider()
        return awaiting

    def close(self) -> None:
        """End; the connection must be closed already."""
        self._images.close()
        self._stepping.stop()
        self._box = self._stale = None
        awaiting, self._awaiting = self._awaiting, []
        for each in awaiting:
            each.errback(DisplayLost("the connection to the X server is closed"))
        for timer in (self._timer, self._doubt_ends):
            if timer is not None and timer.active():
                timer.cancel()

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
            self._capture(box)

    def _rested(self) -> None:
        self._timer = None
        self.consider()

    def _capture(self, box: Rect) -> None:
        """Take the damage, read what it says, and look whether there is more."""
        self._next_at = self._reactor.seconds() + self.interval
        stale, self._stale = self._stale, None
        seen, self._missed = self._wanted and not self._missed, False
        screen, memory, awaited = Rect(0, 0, *self.size), self._seen_memory(), len(self._awaiting)

        def taken(outcome: bytes | Failure) -> None:
            if isinstance(outcome, Failure):
                self._failed(outcome)
            else:
                drawn = self._drawn(outcome, box)
                drawn = [*drawn, stale] if stale else drawn
                self._read(_inside(screen, drawn), screen, memory, awaited, seen)

        if not stale and box.intersection(screen) is None:
            # An event of no pixels comes when windows are arranged.  To take its
            # damage would make older events look read, and nothing is read here.
            self._done(awaited)
        elif stale or memory is not None or not self._is_full(box):
            self._ask_damage(taken)
        else:
            self._forget_damage(box)
            self._read(_inside(screen, [box]), screen, memory, awaited, seen)

    def _read(self, rects: Sequence[Rect], screen: Rect, memory: Optional[Pixels],
              awaited: int, seen: bool) -> None:
        def read(patches: Sequence[Patch]) -> None:
            steps = self._deliver((screen.width, screen.height), patches, seen)
            self._stepping.do(steps, lambda: self._done(awaited))

        if not rects:
            self._done(awaited)
        elif memory is None:
            Deferred.fromCoroutine(self._images.read(rects)).addCallbacks(read, self._failed)
        else:
            read([(rect, memory[rect.slices]) for rect in rects])

    def _done(self, awaited: int) -> None:
        """Tell the first so many who await what was drawn before they asked; go on."""
        done, self._awaiting = self._awaiting[:awaited], self._awaiting[awaited:]
        for each in done:
            each.callback(None)
        self._busy = False
        self.consider()

    def _failed(self, failure: Failure) -> None:
        self._busy = False
        if failure.check(XError):
            error = failure.value
            self.log.info("reading the screen failed, trying again: {error}", error=error)
            self._box = self._stale = Rect(0, 0, *self.size)
            self._next_at += RETRY_SECONDS
            self.consider()
        elif not failure.check(DisplayLost):
            self.log.failure("reading the screen failed", failure)

    def _seen_memory(self) -> Optional[Pixels]:
        """Give the X server's memory if we see all of the screen in it."""
        if self._memory is None:
            return None
        height, width, _ = self._memory.shape
        return self._memory if width >= self.size[0] and height >= self.size[1] else None

    def _is_full(self, box: Rect) -> bool:
        """Tell whether to read all of ``box`` without asking what of it was drawn."""
        if box == self._full and self._trusted:
            self._trusted -= 1
            return True
        return box.area <= SMALL

    def _ask_damage(self, taken: Callable[[bytes | Failure], None]) -> None:
        self._taken_by = self._subtract()
        self._connection.ask(self._fetch(), taken)

    def _drawn(self, reply: bytes, box: Rect) -> Sequence[Rect]:
        """Give what was drawn, by the reply to FetchRegion, or the box around most of it."""
        extents = Rect(*_EXTENTS.unpack_from(reply, 8))
        if extents.area <= SMALL:
            return [extents]
        drawn = [Rect(*fields) for fields in _EXTENTS.iter_unpack(reply[32:])]
        if area_of(drawn) * 8 < extents.area * 7:
            return drawn
        if extents == box:
            self._full, self._trusted = box, TRUSTED
        return [extents]

    def _forget_damage(self, box: Rect) -> None:
        """Have ``box`` undamaged; damage that is left makes an event."""
        server = self._server
        server.xfixes.SetRegion(server.region_id, 1, [RECTANGLE.synthetic(*box)])
        taking = server.damage.Subtract(server.damage_id, server.region_id, 0)
        self._taken_by = taking.sequence


def _inside(screen: Rect, drawn: Sequence[Rect]) -> Sequence[Rect]:
    """Give what to read of what was drawn."""
    if len(drawn) == 1:
        inside = drawn[0].intersection(screen)
        return [inside] if inside else []
    return Region(drawn).intersect(Region([screen])).coarsened(MAX_RECTS).rects
