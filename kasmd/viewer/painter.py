"""Keeps one viewer's picture like the display's: what it is owed, and when it leaves."""

from __future__ import annotations

from typing import Callable, Optional, Sequence

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from kasmd.codec import choose, quality
from kasmd.codec.base import Parameters
from kasmd.codec.zrle import ZlibStream
from kasmd.errors import PermissionDenied
from kasmd.interfaces import ClipboardContent, IDisplayObserver, ISeat
from kasmd.rfb import update as wire
from kasmd.rfb.numbers import DesktopSizeReason, DesktopSizeResult, Encoding, FenceFlag
from kasmd.rfb.server import ServerSession
from kasmd.rights import Right
from kasmd.screen.cursor import Cursor
from kasmd.screen.framebuffer import Snapshot
from kasmd.screen.geometry import Move, Rect, Screen
from kasmd.screen.pixels import BGRX, PixelFormat
from kasmd.screen.region import Region
from kasmd.viewer.outbox import Outbox
from kasmd.viewer.pacing import Pacing
from kasmd.viewer.sharing import Encodings
from kasmd.viewer.update import Update
from kasmd.viewer.updates import Owed, Wish

#: The payload of the fences that measure the link (any byte would do).
_PROBE = b"\x01"
_ECHO_ME = FenceFlag.REQUEST | FenceFlag.BLOCK_BEFORE


@implementer(IDisplayObserver)
class Painter:
    """Sends one viewer the picture it is owed, as it asks and as the link allows.

    ``failed`` is told the reason when the viewer cannot be served any longer.
    """

    def __init__(self, seat: ISeat, session: ServerSession, outbox: Outbox,
                 encodings: Encodings, clock: IReactorTime, patience: float,
                 failed: Callable[[str], None]) -> None:
        self._seat = seat
        self._session = session
        self._outbox = outbox
        self._encodings = encodings
        self._clock = clock
        self._patience = patience
        self._failed = failed
        self._owed = Owed()
        self._wish = Wish()
        self._pacing = Pacing()
        self._update: Optional[Update] = None
        self._begun_at = 0
        self._next_slice: Optional[IDelayedCall] = None
        self._format = session.pixel_format
        self._parameters = self._chosen()
        self._stream: Optional[ZlibStream] = None
        self._size = seat.size
        self._screens: tuple[Screen, ...] = (Screen(0, 0, 0, *seat.size),)
        self._cursor: Optional[Cursor] = None
        self._leds = 0
        #: Pseudo-rectangles that are due, in the order in which they became so.
        self._due: dict[Encoding, None] = {}
        self._sizes_due: dict[DesktopSizeReason, int] = {}
        self._clipboard: Optional[ClipboardContent] = None
        self._bell = False
        self._probe: Optional[int] = None
        self._unobserve = seat.observe(self)

    # What the display says.

    def changed(self, region: Region, moves: Sequence[Move]) -> None:
        """Owe the change, and send it if it may leave."""
        # While an update is under way, a move would copy pixels that it replaces.
        copying = self._session.capabilities.copy_rect and self._update is None
        self._owed.changed(region, moves, copying)
        self.pump()

    def resized(self, width: int, height: int, screens: Sequence[Screen]) -> None:
        """Tell the new size, and owe all of the new picture."""
        can = self._session.capabilities
        if (width, height) != self._size and not (can.desktop_size or can.extended_desktop_size):
            self._failed("the desktop's size changed, which this viewer cannot follow")
            return
        self._size, self._screens = (width, height), tuple(screens)
        self._wish.resized(width, height)
        self._owed.everything(width, height)
        self.tell_size(DesktopSizeReason.SERVER, DesktopSizeResult.DONE)

    def cursor_changed(self, cursor: Cursor) -> None:
        """Send the pointer's new shape."""
        self._cursor = cursor
        self._now_due(self._session.capabilities.cursor)

    def leds_changed(self, leds: int) -> None:
        """Send the state of the lock keys."""
        self._leds = leds
        if self._session.capabilities.led_state:
            self._now_due(Encoding.LED_STATE)

    def clipboard_offered(self, content: ClipboardContent) -> None:
        """Offer what was copied; only the newest matters."""
        self._clipboard = content
        self._say()

    def bell_rung(self) -> None:
        """Ring; once is enough for one who does not listen."""
        self._bell = True
        self._say()

    def display_lost(self, reason: str) -> None:
        """Nothing: the last picture stands until the display is back."""

    # What the viewer says.

    def format_set(self, pixel_format: PixelFormat) -> None:
        """Encode for another pixel format."""
        self._format = pixel_format
        self._parameters = self._chosen()
        self._now_due(self._session.capabilities.cursor)

    def encodings_set(self) -> None:
        """Encode as the session's capabilities now say, and acknowledge new ones."""
        can = self._session.capabilities
        self._parameters = self._chosen()
        if not can.copy_rect:
            self._owed.forget_moves()
        if can.qemu_key:
            self._due[Encoding.QEMU_EXTENDED_KEY_EVENT] = None
        if can.extended_mouse:
            self._due[Encoding.EXTENDED_MOUSE_BUTTONS] = None
        if can.led_state:
            self._due[Encoding.LED_STATE] = None
        self._now_due(can.cursor)

    def requested(self, rect: Rect, incremental: bool) -> None:
        """Answer a FramebufferUpdateRequest, now or when there is something to say."""
        wanted = rect.intersection(Rect(0, 0, *self._size))
        if wanted is None:
            return
        self._wish.requested(wanted, incremental)
        if not incremental:
            self._owed.changed(Region([wanted]), (), False)
            if self._session.capabilities.extended_desktop_size:
                self._sizes_due.setdefault(DesktopSizeReason.SERVER, DesktopSizeResult.DONE)
        self.pump()

    def continuous_set(self, rect: Optional[Rect]) -> None:
        """Send updates of ``rect`` unasked; None: no more."""
        self._wish.continuous_set(rect and rect.intersection(Rect(0, 0, *self._size)))
        self.pump()

    def echoed(self, payload: bytes) -> None:
        """A fence came back."""
        if payload == _PROBE:
            self._pacing.echoed(self._clock.seconds())
            self.pump()

    def latency_probed(self, ident: int) -> None:
        """Say ``ident`` back behind the next update."""
        self._probe = ident

    def tell_size(self, reason: DesktopSizeReason, result: int) -> None:
        """Say the size and layout, and why."""
        self._sizes_due[reason] = result
        self.pump()

    # What the grant says.

    def view_lost(self) -> None:
        """Forget what was to be shown; the seat says anew what there is, if ever."""
        self._owed.nothing()
        self._due.clear()
        self._sizes_due.clear()
        self._cursor = None
        self._bell = False

    def clipboard_lost(self) -> None:
        """Forget what was to be offered."""
        self._clipboard = None
        self._session.forget_clipboard()

    def close(self) -> None:
        """Send nothing more."""
        self._unobserve()
        self._outbox.close()
        if self._next_slice is not None:
            self._next_slice.cancel()
            self._next_slice = None

    # Sending.

    def flush(self) -> None:
        """Send what the session has to say."""
        self._outbox.put(self._session.data_to_send())

    def pump(self) -> None:
        """Send all that may leave now."""
        self._say()
        while not self._outbox.stopped and self._next_slice is None:
            if self._update is None and not self._begin():
                return
            self._give_slice()
            if self._update is not None:
                # Others first: a slice takes a few milliseconds.
                self._next_slice = self._clock.callLater(0, self._continue)

    def _continue(self) -> None:
        self._next_slice = None
        self.pump()

    def _say(self) -> None:
        """Send the clipboard and the bell, unless they must wait."""
        if not self._outbox.free:
            return
        if self._clipboard is not None:
            content, self._clipboard = self._clipboard, None
            self._session.send_clipboard(content)
        if self._bell:
            self._bell = False
            self._session.send_bell()
        self.flush()

    def _now_due(self, encoding: Optional[Encoding]) -> None:
        if encoding is not None:
            self._due[encoding] = None
            self.pump()

    def _begin(self) -> bool:
        """Begin an update, if one is wanted, allowed, and there is something to send."""
        area = self._wish.area
        if area is None or not self._outbox.free or not self._seat.grant.holds(Right.VIEW):
            return False
        if self._sizes_due:
            self._begin_size()
            return True
        if not self._may_send():
            return False
        if area != Rect(0, 0, *self._size):
            self._owed.forget_moves()
        region = self._owed.within(area)
        if not (region or self._owed.moves or self._due):
            return False
        self._begin_picture(region)
        return True

    def _may_send(self) -> bool:
        if self._pacing.may_send():
            return True
        if self._pacing.waiting_since(self._clock.seconds()) > self._patience:
            self._failed(f"took nothing for {self._patience:.0f} s")
        return False

    def _begin_size(self) -> None:
        # An update that tells the size must not carry pixels (rfbproto).
        rectangles = self._size_rectangles()
        self._sizes_due.clear()
        self._start(rectangles, [])

    def _size_rectangles(self) -> list[bytes]:
        can = self._session.capabilities
        width, height = self._size
        if can.extended_desktop_size:
            return [
                wire.extended_desktop_size(reason, result, width, height, self._screens)
                for reason, result in self._sizes_due.items()
            ]
        return [wire.desktop_size(width, height)] if can.desktop_size else []

    def _begin_picture(self, region: Region) -> None:
        moves = self._owed.take_moves()
        rectangles = [self._pseudo(encoding) for encoding in self._due]
        self._due.clear()
        rectangles += [wire.copy_rect(move.target, move.source.x, move.source.y) for move in moves]
        if self._parameters.encoding == Encoding.ZRLE and self._stream is None:
            self._stream = ZlibStream()
        self._start(rectangles, choose.pieces(region, self._parameters), data=True)

    def _start(self, rectangles: list[bytes], pieces: list[Rect], data: bool = False) -> None:
        last_rect = data and self._session.capabilities.last_rect
        count = None if last_rect else len(rectangles) + len(pieces)
        head = b"".join((wire.update_header(count), *rectangles))
        stream = self._stream if self._parameters.encoding == Encoding.ZRLE else None
        self._begun_at = self._outbox.sent
        self._wish.answered()
        self._update = Update(
            head, pieces, self._parameters, last_rect, self._encodings, stream
        )

    def _pseudo(self, encoding: Encoding) -> bytes:
        if encoding == Encoding.LED_STATE:
            return wire.led_state(self._leds)
        if encoding == Encoding.QEMU_EXTENDED_KEY_EVENT:
            return wire.qemu_key_acknowledged()
        if encoding == Encoding.EXTENDED_MOUSE_BUTTONS:
            self._session.extended_mouse_acknowledged()
            return wire.extended_mouse_acknowledged()
        return wire.cursor(encoding, self._cursor, self._format)

    def _give_slice(self) -> None:
        assert self._update is not None
        data, shown = self._update.next_slice(self._look)
        for rect in shown:
            self._owed.sent(rect)
        if not self._update.done:
            self._outbox.put_slice(data, last=False)
            return
        self._update = None
        self._outbox.put_slice(data, last=True)
        self._updated()

    def _updated(self) -> None:
        """An update is complete: ask for an echo of it."""
        if self._probe is not None:
            self._session.send_latency(self._probe)
            self._probe = None
        if self._session.capabilities.fence:
            self._pacing.sent(self._outbox.sent - self._begun_at, self._clock.seconds())
            self._session.send_fence(_ECHO_ME, _PROBE)
        self.flush()

    def _look(self, rect: Rect) -> Optional[Snapshot]:
        try:
            return self._seat.snapshot(rect)
        except (PermissionDenied, ValueError):
            return None

    def _chosen(self) -> Parameters:
        can = self._session.capabilities
        return quality.parameters_for(
            encoding=can.preferred,
            format=self._format,
            jpeg_level=can.jpeg_level,
            fine_quality=can.fine_quality,
            subsampling=can.subsampling,
            compress_level=can.compress_level,
            single=not can.last_rect,
        )
