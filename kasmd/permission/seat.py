"""Gate one: a display as one person may use it, checked both ways.

NEEDS is the whole policy.  Inward, a viewer without the right is not heard (as
in KasmVNC: no error, its client may not know better).  Outward, what happens on
the display passes only to those who may see it.

What passes is held to the rules against the loss of data (`dlp`), for everyone.

A seat lets go of what it holds down when it loses the right or leaves; letting
go needs no right.  When VIEW comes back its observers are told everything anew.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, Mapping, Optional, Sequence

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from zope.interface import implementer

from kasmd.interfaces import ClipboardContent, IDisplay, IDisplayObserver, IGrant, ISeat
from kasmd.permission.callbacks import isolated
from kasmd.permission.held import Held, Hold
from kasmd.permission.prevention import Prevention
from kasmd.rights import NOTHING, Right
from kasmd.screen.cursor import Cursor
from kasmd.screen.framebuffer import Snapshot
from kasmd.screen.geometry import Move, Rect, Screen
from kasmd.screen.region import Region

#: The right that each member of ISeat and each event of IDisplayObserver needs.
NEEDS: Mapping[str, Right] = {
    # Told to everyone who was admitted (ServerInit), or the seat's own.
    "size": NOTHING,
    "screens": NOTHING,
    "name": NOTHING,
    "grant": NOTHING,
    "leave": NOTHING,
    # Inward.
    "observe": Right.ENTER,
    "snapshot": Right.VIEW,
    "key": Right.KEYBOARD,
    "pointer": Right.POINTER,
    "offer_clipboard": Right.CLIPBOARD_IN,
    "resize": Right.RESIZE,
    # The owner's, who in KasmVNC needs no right to read for them.
    "screenshot": Right.MANAGE,
    "clear_clipboard": Right.MANAGE,
    "copied": Right.CLIPBOARD_OUT,
    # Outward.
    "changed": Right.VIEW,
    "resized": Right.VIEW,
    "cursor_changed": Right.VIEW,
    "leds_changed": Right.VIEW,
    "bell_rung": Right.VIEW,
    "clipboard_offered": Right.CLIPBOARD_OUT,
    "renamed": Right.ENTER,
    "display_lost": Right.ENTER,
}

#: The answer to a resize without the right (rfbproto, ExtendedDesktopSize).
PROHIBITED = 1

_log = Logger()


@implementer(ISeat)
class Seat:
    """``display`` (an `IDisplay`) under ``grant`` (an `IGrant`), which it owns."""

    def __init__(self, display: IDisplay, grant: IGrant, hold: Optional[Hold] = None,
                 prevention: Optional[Prevention] = None) -> None:
        self.grant = grant
        self._display = display
        self._prevention = prevention if prevention is not None else Prevention()
        self._input = self._prevention.input(grant.name)
        self._holding = Held(display, hold if hold is not None else Hold())
        self._outlets: set[_Outlet] = set()
        self._viewing = grant.holds(Right.VIEW)
        self._unheard: set[str] = set()
        self._end_watching = grant.when_changed(self._grant_changed)

    @property
    def size(self) -> tuple[int, int]:
        """The display's (width, height) in pixels."""
        width, height = self._display.size
        return width, height

    @property
    def screens(self) -> Sequence[Screen]:
        """The display's layout."""
        screens: Sequence[Screen] = self._display.screens
        return screens

    @property
    def name(self) -> str:
        """What the desktop is called."""
        return str(self._display.name)

    def observe(self, observer: IDisplayObserver) -> Callable[[], None]:
        """Tell ``observer`` of all that it may know, until the answer is called."""
        outlet = _Outlet(self.grant, self._display, self._prevention, observer)
        if self._heard("observe"):
            self._outlets.add(outlet)
            outlet.open(self._display.observe(outlet))
        return partial(self._close, outlet)

    def snapshot(self, rect: Rect) -> Snapshot:
        """Copy what may be seen of ``rect`` (PermissionDenied without the right)."""
        self.grant.require(NEEDS["snapshot"])
        snapshot: Snapshot = self._display.snapshot(rect)
        return self._prevention.look(snapshot, self._display.size)

    def key(self, keysym: int, keycode: int, down: bool) -> None:
        """Press or release a key, if it may."""
        if self._heard("key") and self._input.key(keysym, down):
            self._holding.key(keysym, keycode, down)

    def pointer(self, x: int, y: int, buttons: int) -> None:
        """Put the pointer, if it may and no other seat drags."""
        if not self._heard("pointer"):
            return
        visible = self._prevention.visible(self.size).contains(Rect(x, y, 1, 1))
        held = self._input.buttons(buttons, self._holding.buttons, visible)
        # What stays held only because nobody saw it let go keeps no other seat waiting.
        self._holding.pointer(x, y, held, held & buttons)

    def offer_clipboard(self, content: ClipboardContent) -> None:
        """Own the desktop's clipboard, if it may."""
        if self._heard("offer_clipboard"):
            passed = self._input.pasted(content)
            if passed is not None:
                self._display.offer_clipboard(passed)

    def resize(self, width: int, height: int, screens: Sequence[Screen]) -> Deferred[int]:
        """Change the size; PROHIBITED without the right."""
        if not self._heard("resize"):
            return succeed(PROHIBITED)
        resizing: Deferred[int] = self._display.resize(width, height, screens)
        return resizing

    def screenshot(self) -> Deferred[Snapshot]:
        """Copy all that may be seen as it is now (PermissionDenied, also if the right goes)."""
        self.grant.require(NEEDS["screenshot"])
        taking: Deferred[Snapshot] = self._display.screenshot()
        return taking.addCallback(self._prevention.cover).addCallback(self._still_allowed)

    def _still_allowed(self, snapshot: Snapshot) -> Snapshot:
        self.grant.require(NEEDS["screenshot"])
        return snapshot

    def copied(self) -> ClipboardContent:
        """Give what may be known of what was copied last on the desktop (PermissionDenied)."""
        self.grant.require(NEEDS["copied"])
        return self._prevention.reading(self.grant.name).copied(self._display.copied()) or {}

    def clear_clipboard(self) -> None:
        """Forget what was copied (PermissionDenied)."""
        self.grant.require(NEEDS["clear_clipboard"])
        self._display.clear_clipboard()

    def leave(self) -> None:
        """Let go of all that is held, tell nobody anything more, release the grant."""
        self._holding.release_keys()
        self._holding.release_buttons()
        for outlet in list(self._outlets):
            isolated(self._close, outlet)
        self._end_watching()
        self._input.close()
        self.grant.release()

    def _close(self, outlet: _Outlet) -> None:
        self._outlets.discard(outlet)
        outlet.close()

    def _heard(self, member: str) -> bool:
        if self.grant.holds(NEEDS[member]):
            return True
        if member not in self._unheard:
            self._unheard.add(member)
            _log.info("{name} is not heard: no right {right}", name=ascii(self.grant.name),
                      right=str(NEEDS[member].name).lower())
        return False

    def _grant_changed(self) -> None:
        if not self.grant.holds(NEEDS["key"]):
            self._holding.release_keys()
        if not self.grant.holds(NEEDS["pointer"]):
            self._holding.release_buttons()
        viewing = self.grant.holds(Right.VIEW)
        regained, self._viewing = viewing and not self._viewing, viewing
        if regained:
            for outlet in list(self._outlets):
                isolated(outlet.refresh)


@implementer(IDisplayObserver)
class _Outlet:
    """What one observer hears; it keeps the state that is to be told when VIEW comes back."""

    def __init__(self, grant: IGrant, display: IDisplay, prevention: Prevention,
                 observer: IDisplayObserver) -> None:
        self._grant = grant
        self._display = display
        self._prevention = prevention
        self._output = prevention.output(grant.name)
        self._observer = observer
        self._state: dict[str, tuple[Any, ...]] = {}
        self._closed = False
        self._end: Optional[Callable[[], None]] = None
        self._end_redrawing = prevention.when_redrawn(self._redrawn)

    def open(self, end: Callable[[], None]) -> None:
        """Keep ``end``, which ends the observation; at once if `close` came before."""
        self._end = end
        if self._closed:
            end()

    def close(self) -> None:
        """Pass on nothing more."""
        self._closed = True
        self._end_redrawing()
        if self._end is not None:
            self._end()

    def refresh(self) -> None:
        """Tell the size, the cursor, the lock keys and that every pixel changed."""
        width, height = self._display.size
        self.resized(width, height, self._display.screens)
        for event in ("cursor_changed", "leds_changed"):
            if event in self._state:
                self._tell(event, *self._state[event])
        self.changed(Region([Rect(0, 0, width, height)]), ())

    def changed(self, region: Region, moves: Sequence[Move]) -> None:
        """Pass on that pixels changed, as far as they may be seen."""
        mask = self._prevention.mask(self._display.size)
        if mask is not None:
            region, moves = mask.change(region, moves)
        if region or moves:
            self._tell("changed", region, moves)

    def resized(self, width: int, height: int, screens: Sequence[Screen]) -> None:
        """Pass on a new size or layout."""
        self._tell("resized", width, height, screens)

    def cursor_changed(self, cursor: Cursor) -> None:
        """Pass on a new shape of the pointer."""
        self._keep("cursor_changed", cursor)

    def leds_changed(self, leds: int) -> None:
        """Pass on the state of the lock keys."""
        self._keep("leds_changed", leds)

    def clipboard_offered(self, content: ClipboardContent) -> None:
        """Pass on what was copied."""
        if self._grant.holds(NEEDS["clipboard_offered"]):
            passed = self._output.copied(content)
            if passed is not None:
                self._tell("clipboard_offered", passed)

    def bell_rung(self) -> None:
        """Pass on the bell."""
        self._tell("bell_rung")

    def renamed(self, name: str) -> None:
        """Pass on a new name."""
        self._tell("renamed", name)

    def display_lost(self, reason: str) -> None:
        """Pass on that the display does not answer."""
        self._tell("display_lost", reason)

    def _redrawn(self) -> None:
        self.changed(self._prevention.redrawn, ())

    def _keep(self, event: str, *args: Any) -> None:
        self._state[event] = args
        self._tell(event, *args)

    def _tell(self, event: str, *args: Any) -> None:
        if not self._closed and self._grant.holds(NEEDS[event]):
            getattr(self._observer, event)(*args)
