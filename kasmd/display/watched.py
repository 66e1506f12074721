"""What every display has: a picture, a pointer's shape, lock keys, observers."""

from __future__ import annotations

from itertools import count
from typing import Any, Callable, Iterable, Sequence

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from zope.interface import implementer

from kasmd.display.layout import Layout, fitting
from kasmd.interfaces import ClipboardContent, IReachable
from kasmd.permission.callbacks import Callbacks
from kasmd.screen.cursor import INVISIBLE, Cursor
from kasmd.screen.framebuffer import Framebuffer, Identity, Pixels, Snapshot
from kasmd.screen.geometry import Move, Rect, Screen
from kasmd.screen.region import Region
from kasmd.screen.steps import Steps, finished

#: Copies of the current frame kept for the next viewer that wants the same.
SHARED_BYTES = 8 << 20

Patch = tuple[Rect, Pixels]
_idents = count(1)


@implementer(IReachable)
class WatchedDisplay:
    """The half of an IDisplay that looks out: subclasses say what there is to see.

    An exception from one observer is logged and does not reach the others.
    """

    log = Logger()
    #: Where the picture comes from, as the log calls it.
    where: object = ""

    def __init__(self, width: int, height: int, name: str) -> None:
        self.name = name
        self.screens = fitting(width, height, ())
        self._ident = next(_idents)
        self._frame = 0
        self._framebuffer = Framebuffer(width, height)
        self._cursor = INVISIBLE
        self._leds = 0
        self._copied: ClipboardContent = {}
        self._observers: list[Any] = []
        self._shared: dict[Rect, Snapshot] = {}
        self._shared_bytes = 0
        #: How often it was lost, or could not be reached.
        self.losses = 0
        #: Why it cannot be reached, as the log was told; empty: it can.
        self.trouble = ""
        self._watchers = Callbacks()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        _, _, width, height = self._framebuffer.bounds
        return width, height

    def observe(self, observer: Any) -> Callable[[], None]:
        """Tell ``observer`` of all that happens (see IDisplay)."""
        self._observers.append(observer)
        self._tell_one(observer, "cursor_changed", self._cursor)
        self._tell_one(observer, "leds_changed", self._leds)
        self._audience_changed()
        told = [observer]

        def end() -> None:
            if told:
                self._observers.remove(told.pop())
                self._audience_changed()

        return end

    def watch(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` after each loss and each return (see IReachable)."""
        return self._watchers.add(callback)

    def snapshot(self, rect: Rect) -> Snapshot:
        """Copy ``rect``; whoever wants the same of one frame gets the same copy."""
        snapshot = self._shared.get(rect)
        if snapshot is None:
            if rect.area <= 0 or not self._framebuffer.bounds.contains(rect):
                raise ValueError(f"{rect} is not inside a display of {self.size}")
            pixels = self._framebuffer.copy(rect)
            snapshot = Snapshot(Identity(self._ident, self._frame), rect, pixels)
            if self._shared_bytes + pixels.nbytes <= SHARED_BYTES:
                self._shared[rect] = snapshot
                self._shared_bytes += pixels.nbytes
        return snapshot

    def screenshot(self) -> Deferred[Snapshot]:
        """Copy all of the picture, which is always of now here."""
        return succeed(self.snapshot(Rect(0, 0, *self.size)))

    def offer_clipboard(self, content: ClipboardContent) -> None:
        """Own the desktop's clipboard (see IDisplay)."""
        raise NotImplementedError

    def copied(self) -> ClipboardContent:
        """Give what was copied last."""
        return self._copied

    def clear_clipboard(self) -> None:
        """Forget what was copied, and tell everybody."""
        self._drop_clipboard()
        self._offer({})

    def rename(self, name: str) -> None:
        """Be called ``name`` from now on."""
        if name != self.name:
            self.name = name
            self._tell("renamed", name)

    def _drop_clipboard(self) -> None:
        """Forget what the desktop's programs copied."""
        self.offer_clipboard({})

    def _audience_changed(self) -> None:
        """Hear that an observer came or went."""

    def _show(self, patches: Sequence[Patch]) -> None:
        """Take pixels, and tell what they changed."""
        finished(self._showing(patches))

    def _showing(self, patches: Sequence[Patch], hints: Sequence[Move] = (), seen: bool = True
                 ) -> Steps[None]:
        """Do as `_show`, in steps (see `Framebuffer.updating`); ``hints`` are what may have moved.

        Unless anybody has ``seen`` what was there, all of a patch is told that changes anything.
        """
        framebuffer = self._framebuffer
        if seen:
            change = yield from framebuffer.updating(patches, hints)
        else:
            change = framebuffer.draw(patches)
        if change.region or change.moves:
            self._next_frame()
            self._tell("changed", change.region, change.moves)

    def _show_moved(self, move: Move) -> None:
        """Move pixels, and tell."""
        self._framebuffer.move(move)
        self._next_frame()
        self._tell("changed", Region(), (move,))

    def _wanted(self, width: int, height: int, screens: Sequence[Screen]) -> Layout:
        """Give the layout that is asked for; one screen that covers all keeps its ident."""
        whole = self.screens[0]._replace(x=0, y=0, width=width, height=height)
        return fitting(width, height, screens or (whole,))

    def _arrange(self, screens: Iterable[Screen]) -> None:
        """Take another layout of this size, and tell."""
        layout = fitting(*self.size, screens)
        if layout != self.screens:
            self.screens = layout
            self._tell_resized()

    def _show_anew(self, width: int, height: int, patches: Sequence[Patch],
                   screens: Iterable[Screen] = ()) -> None:
        """Take a new size, a layout and the pixels for it."""
        self.screens = fitting(width, height, screens)
        self._framebuffer = Framebuffer(width, height)
        self._framebuffer.draw(patches)
        self._next_frame()
        self._tell_resized()

    def _tell_resized(self) -> None:
        self._tell("resized", *self.size, self.screens)

    def _show_cursor(self, cursor: Cursor) -> None:
        if cursor != self._cursor:
            self._cursor = cursor
            self._tell("cursor_changed", cursor)

    def _offer(self, content: ClipboardContent) -> None:
        """Offer what a program copied, and remember it."""
        self._copied = content
        self._tell("clipboard_offered", content)

    def _show_leds(self, leds: int) -> None:
        if leds != self._leds:
            self._leds = leds
            self._tell("leds_changed", leds)

    def _log_lost(self, reason: str) -> None:
        """Count it, and say in the log why, unless that was the last to be said."""
        self.losses += 1
        if reason != self.trouble:
            self.trouble = reason
            self.log.warn("display {display.where} cannot be reached, trying on: {reason}",
                          display=self, reason=reason)
            self._watchers.call()

    def _log_back(self) -> None:
        """Say in the log that the display is there, if it was said to be gone."""
        if self.trouble:
            self.trouble = ""
            self.log.info("display {display.where} is back", display=self)
            self._watchers.call()

    def _next_frame(self) -> None:
        self._frame += 1
        self._shared.clear()
        self._shared_bytes = 0

    def _tell(self, what: str, *details: Any) -> None:
        for observer in tuple(self._observers):
            if observer in self._observers:
                self._tell_one(observer, what, *details)

    def _tell_one(self, observer: Any, what: str, *details: Any) -> None:
        try:
            getattr(observer, what)(*details)
        except Exception:
            self.log.failure("an observer failed on {what}", what=what)
