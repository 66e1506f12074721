"""A display over X11."""

from __future__ import annotations

from functools import partial
from typing import Any, Optional, Sequence

from twisted.internet.base import DelayedCall
from twisted.internet.defer import Deferred, DeferredLock, fail, succeed
from twisted.python.failure import Failure
from zope.interface import implementer

from kasmd.display.layout import (
    DONE,
    MAX_SCREENS,
    MAX_WAITING,
    NO_RESOURCES,
    Layout,
    fitting,
    judge,
)
from kasmd.display.watched import Patch, WatchedDisplay
from kasmd.display.x11_connect import open_connection
from kasmd.display.x11_connection import XConnection, XError
from kasmd.display.x11_monitors import Monitors
from kasmd.display.x11_resize import resize_screen
from kasmd.display.x11_server import Server, prepare
from kasmd.display.x11_session import Face, Opened, XSession
from kasmd.errors import DisplayLost
from kasmd.interfaces import ClipboardContent, IDisplay
from kasmd.screen.framebuffer import Snapshot
from kasmd.screen.geometry import Rect, Screen, nearest
from kasmd.screen.pixels import Pixels
from kasmd.screen.steps import Steps

#: For an X server to take the last requests.
LEAVE_SECONDS = 1.0
#: Between attempts to reach a display that is gone.
RETRY_SECONDS = 1.0
#: The largest clipboard that is taken or given.
CLIPBOARD_BYTES = 16 << 20


@implementer(IDisplay)
class X11Display(WatchedDisplay):
    """Display ``where`` (such as ``:0``), opened by the Xauthority file ``authority``.

    Between `connect` and `disconnect` it keeps trying to be connected.  While
    there is no X server, or none that answers, the last picture stays.
    """

    where: str

    def __init__(
        self,
        reactor: Any,
        where: str,
        authority: Optional[str] = None,
        name: str = "kasmd",
        max_frame_rate: float = 60.0,
        size: tuple[int, int] = (1024, 768),
        clipboard_bytes: int = CLIPBOARD_BYTES,
        max_screens: int = MAX_SCREENS,
    ) -> None:
        super().__init__(*size, name)
        self.where = where
        self.authority = authority
        #: Where the X server keeps its screen, if it is our own.
        self.memory: Optional[Pixels] = None
        self._reactor = reactor
        self._interval = 1 / max_frame_rate
        self._clipboard_bytes = clipboard_bytes
        self._attempt = 0
        self._retry: Optional[DelayedCall] = None
        self._session: Optional[XSession] = None
        self._waiting: list[Deferred[None]] = []
        self._first: Optional[tuple[tuple[int, int], Sequence[Screen]]] = None
        self._max_screens = max_screens
        self._resizing = DeferredLock()
        #: The screens that the X server last told; they are shown when their picture is.
        self._found: Sequence[Screen] = ()
        self._lost = True

    def connect(self, size: Optional[tuple[int, int]] = None,
                screens: Sequence[Screen] = ()) -> Deferred[None]:
        """Connect; fires with the first picture, or fails with DisplayLost.

        A failure does not end the trying.  ``size`` and ``screens`` are what the
        display is resized to first, if it can be.
        """
        self._leave("connecting anew")
        self._first = size and (size, screens)
        return Deferred.fromCoroutine(self._connect(self._attempt))

    def disconnect(self) -> Deferred[None]:
        """Let go of all keys and leave the display alone; fires when that is done."""
        return self._leave("disconnected")

    def screenshot(self) -> Deferred[Snapshot]:
        """Read what was drawn until now, and copy all."""
        if self._session is None:
            return fail(DisplayLost(f"{self.where} cannot be reached"))
        read = self._session.capture.catch_up()
        return read.addCallback(lambda _: self.snapshot(Rect(0, 0, *self.size)))

    def set_frame_rate(self, most: float) -> None:
        """Read the screen at most so many times a second."""
        self._interval = 1 / most
        if self._session is not None:
            self._session.capture.interval = self._interval

    def set_clipboard_bytes(self, most: int) -> None:
        """Take and give at most so much at one time."""
        self._clipboard_bytes = most
        if self._session is not None:
            self._session.clipboard.set_limit(most)

    def key(self, keysym: int, keycode: int, down: bool) -> None:
        """Press or release a key; dropped while there is no X server."""
        if self._session is not None:
            self._session.input.key(keysym, keycode, down)

    def pointer(self, x: int, y: int, buttons: int) -> None:
        """Move the pointer and hold ``buttons``; places outside are drawn to the edge."""
        if self._session is not None:
            self._session.input.pointer(*nearest(x, y, self.size), buttons)

    def offer_clipboard(self, content: ClipboardContent) -> None:
        """Own the desktop's clipboard; dropped while there is no X server."""
        if self._session is not None:
            self._session.clipboard.offer(content)

    def _drop_clipboard(self) -> None:
        if self._session is not None:
            self._session.clipboard.clear()

    def resize(self, width: int, height: int, screens: Sequence[Screen]) -> Deferred[int]:
        """Change size and screens, as far as the X server can."""
        status = judge(width, height, screens, self._max_screens)
        if status != DONE:
            return succeed(status)
        if len(self._resizing.waiting) >= MAX_WAITING:
            return succeed(NO_RESOURCES)
        return self._resizing.run(
            lambda: Deferred.fromCoroutine(self._resize((width, height), screens))
        )

    async def _resize(self, size: tuple[int, int], screens: Sequence[Screen]) -> int:
        session = self._session
        if session is None or session.connection.silent:
            return NO_RESOURCES
        connection, server, monitors = session.connection, session.server, session.monitors
        layout = self._wanted(*size, screens)
        try:
            status = await resize_screen(connection, server, monitors, size, layout)
            if status == DONE:
                self._screens_found(monitors.screens_of(await monitors.read()))
                if self.size != size:
                    await self._next_picture()
            return status
        except XError as error:
            self.log.info("the X server refuses the size: {error}", error=error)
        except DisplayLost:
            pass
        return NO_RESOURCES

    async def is_managed(self) -> bool:
        """Tell whether a window manager has said that it is there (EWMH); DisplayLost."""
        if self._session is None:
            raise DisplayLost("not connected")
        return await self._session.is_managed()

    async def _connect(self, attempt: int) -> None:
        try:
            opened = await self._open(attempt)
        except DisplayLost as error:
            if attempt == self._attempt:
                self._retry = self._reactor.callLater(RETRY_SECONDS, self._try_again)
                self._log_lost(str(error))
            raise
        self._begin(opened)
        await self._next_picture()

    async def _open(self, attempt: int) -> Opened:
        xcb, server = await open_connection(
            self._reactor, self.where, self.authority, prepare
        )
        connection = XConnection(self._reactor, xcb)
        monitors = Monitors(connection, server, self._screens_found)
        found: Sequence[Screen] = monitors.screens_of(server.monitors or ())
        if attempt == self._attempt and self._first is not None:
            size, screens = self._first[0], fitting(*self._first[0], self._first[1])
            if await self._set_first(connection, server, monitors, size, screens):
                server, found = server._replace(size=size), screens
        if attempt != self._attempt:
            connection.close()
            raise DisplayLost("disconnected while connecting")
        # Only a new X server must be told; one that is found again has what it had.
        self._found, self._first = found, None
        return Opened(connection, server, monitors)

    async def _set_first(self, connection: XConnection, server: Server, monitors: Monitors,
                         size: tuple[int, int], layout: Layout) -> bool:
        try:
            return await resize_screen(connection, server, monitors, size, layout) == DONE
        except XError:
            return False

    def _next_picture(self) -> Deferred[None]:
        """Fire when the next size has its picture; fails with DisplayLost."""
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        return waiting

    def _try_again(self) -> None:
        trying = self.connect(*(self._first or ()))
        trying.addErrback(lambda failure: failure.trap(DisplayLost))

    def _begin(self, opened: Opened) -> None:
        face = Face(
            self._captured, self._show_cursor, self._show_leds, partial(self._tell, "bell_rung"),
            self._offer, self._fell_silent, self._connection_lost,
        )
        self._session = XSession(
            self._reactor, face, opened, self._interval, self._clipboard_bytes, self.memory
        )
        self._session.begin()
        self._audience_changed()

    def _audience_changed(self) -> None:
        if self._session is not None:
            self._session.capture.want(bool(self._observers))

    def _captured(self, size: tuple[int, int], patches: Sequence[Patch], seen: bool
                  ) -> Steps[None]:
        if self._lost or size != self.size:
            self._lost = False
            self._log_back()
            self._show_anew(*size, patches, self._found)
            waiting, self._waiting = self._waiting, []
            for deferred in waiting:
                deferred.callback(None)
        else:
            hints = self._session.windows.take() if self._session else ()
            for _ in self._showing(patches, hints, seen):
                yield
                if self._lost:
                    return  # for good, or all is read again
        if self._session is not None:
            self._session.capture.doubt(self._framebuffer.doubtful)

    def _screens_found(self, screens: Sequence[Screen]) -> None:
        self._found = screens
        session = self._session
        if session is not None and not self._lost and session.capture.size == self.size:
            self._arrange(screens)

    def _fell_silent(self, silent: bool) -> None:
        if silent:
            self._log_lost("not responding")
            self._tell_lost("not responding")
        elif self._lost and self._session is not None:
            self._session.capture.read_all()

    def _tell_lost(self, reason: str) -> None:
        if not self._lost:
            self._lost = True
            self._tell("display_lost", reason)

    def _connection_lost(self, reason: str) -> None:
        self._log_lost(reason)
        self._forget_session(reason)
        self._retry = self._reactor.callLater(RETRY_SECONDS, self._try_again)

    def _forget_session(self, reason: str) -> None:
        self._session = None
        self._copied = {}
        self._tell_lost(reason)
        waiting, self._waiting = self._waiting, []
        for deferred in waiting:
            deferred.errback(Failure(DisplayLost(reason)))

    def _leave(self, reason: str) -> Deferred[None]:
        """Fire when the connection is closed."""
        self._attempt += 1
        if self._retry is not None and self._retry.active():
            self._retry.cancel()
        session = self._session
        if session is None:
            return succeed(None)
        # X servers drop what a closed connection had asked for: so wait until it is done.
        done = session.leave().addTimeout(LEAVE_SECONDS, self._reactor)
        self._forget_session(reason)
        return done.addBoth(lambda result: session.connection.close(reason))
