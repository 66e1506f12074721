"""A display over RFB: any VNC server, QEMU's consoles among them.

There is one connection for all who watch.  While nobody does, no picture is asked
for.  Whatever the upstream does, it can lose its own picture only: the last one
stays, `display_lost` is told, and it is tried again.
"""

from __future__ import annotations

from typing import Any, Optional, Sequence

from twisted.internet.defer import Deferred, TimeoutError, fail, succeed
from twisted.python.failure import Failure
from zope.interface import implementer

from kasmd.display.layout import DONE, MAX_SCREENS, NO_RESOURCES, fitting, judge
from kasmd.display.upstream_line import Line, Place, Terms
from kasmd.display.upstream_session import Face, UpstreamSession
from kasmd.display.upstream_wire import UpstreamWire
from kasmd.display.watched import Patch, WatchedDisplay
from kasmd.errors import DisplayLost
from kasmd.interfaces import ClipboardContent, IDisplay, IWorker
from kasmd.ranges import CLIPBOARD_BYTES
from kasmd.screen.framebuffer import Snapshot
from kasmd.screen.geometry import Move, Rect, Screen, nearest
from kasmd.screen.region import Region

#: Characters of a desktop's name that are kept.
NAME_KEPT = 255
#: Pixels of the old picture that are kept when the size changes; more would take too long.
CARRIED = 1 << 22
#: Rectangles of what came that are told apart.
RECTANGLES = 128


@implementer(IDisplay)
class UpstreamDisplay(WatchedDisplay):
    """The desktop of the RFB server at ``where``; ``name`` stands before its own.

    Between `connect` and `disconnect` it keeps trying to be connected.
    """

    where: Place

    def __init__(
        self,
        reactor: Any,
        where: Place,
        worker: IWorker,
        terms: Terms = Terms(),
        name: Optional[str] = None,
        max_frame_rate: float = 60.0,
        size: tuple[int, int] = (1024, 768),
        clipboard_bytes: int = CLIPBOARD_BYTES.most,
        max_screens: int = MAX_SCREENS,
    ) -> None:
        super().__init__(*size, name or str(where))
        self.where = where
        self._reactor = reactor
        self._worker = worker
        self._terms = terms
        self._interval = 1 / max_frame_rate
        self._clipboard_bytes = clipboard_bytes
        self._max_screens = max_screens
        self._named = name is not None
        self._line = Line(reactor, where, terms, self._meet, self._ended)
        self._waiting: list[Deferred[None]] = []
        self._resizes: list[Deferred[int]] = []
        self._lost = True
        #: What is in the picture, and nobody was told of yet.
        self._taken = Region()

    def connect(self) -> Deferred[None]:
        """Connect; fires with the first picture, or fails with DisplayLost.

        A failure does not end the trying.
        """
        self._leave("connecting anew")
        first: Deferred[None] = Deferred()
        self._waiting.append(first)
        self._line.dial()
        return first

    def disconnect(self) -> Deferred[None]:
        """Leave the upstream alone, which lets go of all keys then."""
        self._leave("disconnected")
        return succeed(None)

    def screenshot(self) -> Deferred[Snapshot]:
        """Ask for what changed until now, and copy all."""
        if self._session is None or self._lost:
            return fail(DisplayLost(f"{self.where} cannot be reached"))
        shown: Deferred[None] = Deferred()
        self._waiting.append(shown)
        self._session.ask_for_all()
        shown.addTimeout(self._terms.patience.resize, self._reactor)
        shown.addErrback(self._not_shown, shown)
        return shown.addCallback(lambda _: self.snapshot(Rect(0, 0, *self.size)))

    def rename(self, name: str) -> None:
        """Be called ``name``, whatever the upstream says."""
        self._named = True
        super().rename(name)

    def set_frame_rate(self, most: float) -> None:
        """Ask for at most so many pictures a second."""
        self._interval = 1 / most

    def set_clipboard_bytes(self, most: int) -> None:
        """Take and give at most so much at one time."""
        self._clipboard_bytes = most
        if self._session is not None:
            self._session.clipboard.most = most

    def key(self, keysym: int, keycode: int, down: bool) -> None:
        """Press or release a key; dropped while there is no upstream."""
        if self._session is not None:
            self._session.key(keysym, keycode, down)

    def pointer(self, x: int, y: int, buttons: int) -> None:
        """Move the pointer and hold ``buttons``; places outside are drawn to the edge."""
        if self._session is not None:
            self._session.pointer(*nearest(x, y, self.size), buttons)

    def offer_clipboard(self, content: ClipboardContent) -> None:
        """Own the upstream's clipboard; dropped while there is no upstream."""
        if self._session is not None:
            self._session.offer(content)

    def resize(self, width: int, height: int, screens: Sequence[Screen]) -> Deferred[int]:
        """Ask for another size and layout, which not every upstream can have."""
        status = judge(width, height, screens, self._max_screens)
        if status != DONE:
            return succeed(status)
        if self._session is None or self._lost:
            return succeed(NO_RESOURCES)
        layout = self._wanted(width, height, screens)
        if (width, height) == self.size and layout == self.screens:
            return succeed(DONE)
        answer = self._session.resize(width, height, layout)
        if answer is None:
            return succeed(NO_RESOURCES)
        answer.addCallback(self._when_sized)
        answer.addTimeout(self._terms.patience.resize, self._reactor)
        return answer.addErrback(_no_resources)

    # What the session tells.

    def _take(self, patches: Sequence[Patch]) -> None:
        """Take pixels; that they came is told when all of the picture's are here."""
        change = self._framebuffer.update(patches)
        if change.moves:
            self._tell_taken()
            self._next_frame()
            self._tell("changed", change.region, change.moves)
        elif change.region:
            self._next_frame()
            self._taken = self._taken.union(change.region).coarsened(RECTANGLES)

    def _take_move(self, move: Move) -> None:
        self._tell_taken()
        self._show_moved(move)

    def _tell_taken(self) -> None:
        region, self._taken = self._taken, Region()
        if region:
            self._tell("changed", region, ())

    def _sized(self, width: int, height: int, screens: Sequence[Screen]) -> None:
        if (width, height) == self.size and self._lost:
            self.screens = fitting(width, height, screens)
        elif (width, height) == self.size:
            self._arrange(screens)
        else:
            kept = Rect(0, 0, *self.size).intersection(Rect(0, 0, width, height))
            patches = []
            if kept is not None and kept.area <= CARRIED:
                patches = [(kept, self._framebuffer.copy(kept))]
            self._lost = False
            self._show_anew(width, height, patches, screens)
        resizes, self._resizes = self._resizes, []
        for sized in resizes:
            sized.callback(DONE)

    def _update_ended(self, answer: bool) -> None:
        if self._lost:
            self._lost = False
            self._next_frame()
            self._tell_resized()
        self._log_back()
        if answer:
            waiting, self._waiting = self._waiting, []
            for deferred in waiting:
                deferred.callback(None)

    def _upstream_named(self, name: str) -> None:
        shown = "".join(c for c in name[:NAME_KEPT] if c.isprintable()).strip()
        if shown and not self._named:
            super().rename(shown)

    def _rang(self) -> None:
        self._tell("bell_rung")

    # The connection.

    def _audience_changed(self) -> None:
        if self._session is not None:
            self._session.audience_changed()

    @property
    def _session(self) -> Optional[UpstreamSession]:
        return self._line.session

    def _meet(self, wire: UpstreamWire) -> UpstreamSession:
        return UpstreamSession(
            self._reactor, self._face(), wire, self._worker, self._clipboard_bytes,
            self._terms.quality,
        )

    def _face(self) -> Face:
        return Face(
            show=self._take,
            move=self._take_move,
            shown=self._tell_taken,
            sized=self._sized,
            ended=self._update_ended,
            cursor=self._show_cursor,
            leds=self._show_leds,
            named=self._upstream_named,
            bell=self._rang,
            copied=self._offer,
            watched=lambda: bool(self._observers or self._waiting),
            interval=lambda: self._interval,
        )

    def _ended(self, reason: str) -> None:
        self._log_lost(reason)
        self._forget(reason)

    def _forget(self, reason: str) -> None:
        self._tell_taken()
        self._copied = {}
        if not self._lost:
            self._lost = True
            self._tell("display_lost", reason)
        waiting, self._waiting = self._waiting, []
        for deferred in waiting:
            deferred.errback(Failure(DisplayLost(reason)))
        resizes, self._resizes = self._resizes, []
        for sized in resizes:
            sized.callback(NO_RESOURCES)

    def _leave(self, reason: str) -> None:
        self._line.leave(reason)
        self._forget(reason)

    def _when_sized(self, result: int) -> Any:
        if result != DONE or self._session is None or not self._session.sizing:
            return result
        sized: Deferred[int] = Deferred()
        self._resizes.append(sized)
        return sized

    def _not_shown(self, failure: Failure, shown: Deferred[None]) -> Any:
        if shown in self._waiting:
            self._waiting.remove(shown)
        if failure.check(TimeoutError):
            raise DisplayLost(f"{self.where} does not answer")
        return failure


def _no_resources(failure: Failure) -> int:
    failure.trap(TimeoutError)
    return NO_RESOURCES
