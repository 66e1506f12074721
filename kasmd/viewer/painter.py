"""Keeps one viewer's picture like the display's: what it is owed, and when it leaves."""

from __future__ import annotations

from time import perf_counter
from typing import Callable, Optional, Sequence

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from kasmd.codec import choose, copyrect
from kasmd.codec.deflate import ZlibStream
from kasmd.errors import PermissionDenied
from kasmd.interfaces import ClipboardContent, IDisplayObserver, ISeat
from kasmd.rfb import update as wire
from kasmd.rfb.numbers import DesktopSizeReason, DesktopSizeResult, Encoding, ServerMessage
from kasmd.rfb.server import ServerSession
from kasmd.rights import Right
from kasmd.screen.cursor import Cursor
from kasmd.screen.framebuffer import Snapshot
from kasmd.screen.geometry import Move, Rect, Screen
from kasmd.screen.pixels import BGRX, PixelFormat
from kasmd.screen.region import Region
from kasmd.viewer.measures import Measures, Scores
from kasmd.viewer.outbox import Outbox
from kasmd.viewer.pacing import Pacing
from kasmd.viewer.pseudo import PseudoRectangles
from kasmd.viewer.sharing import Encodings
from kasmd.viewer.turns import Turns
from kasmd.viewer.update import Update, parameters_of
from kasmd.viewer.updates import Owed, Wish

#: The payload of the fences that measure the link (any byte but the session's would do).
_PROBE = b"\x01"
_BROKEN = "internal error; the log has more"
_LEFT_BEHIND = "cannot follow the desktop's change of size"
#: The messages that carry what was copied.
_CLIPBOARDS = ServerMessage.SERVER_CUT_TEXT, ServerMessage.BINARY_CLIPBOARD


@implementer(IDisplayObserver)
class Painter:
    """Sends one viewer the picture it is owed, as it asks and as the link allows.

    ``failed`` is told the reason when the viewer cannot be served any longer.
    """

    _log = Logger()

    def __init__(self, seat: ISeat, session: ServerSession, outbox: Outbox,
                 encodings: Encodings, turns: Turns, clock: IReactorTime, patience: float,
                 failed: Callable[[str], None], measures: Measures) -> None:
        self.measures = measures
        self._seat = seat
        self._session = session
        self._outbox = outbox
        self._encodings = encodings
        self._turns = turns
        self._clock = clock
        self._patience = patience
        self._failed = failed
        #: What the viewer was told at first; it can say that it follows changes of the
        #: size only after that, but before it asks for a picture.
        self._first_size = seat.size
        self._asked = False
        self._owed = Owed()
        self._owed.everything(*seat.size)
        self._wish = Wish()
        self._pacing = Pacing()
        self._update: Optional[Update] = None
        #: Whether what the update shows is no longer owed: what was owed anew
        #: while it is under way must follow it, whole.
        self._counting = True
        self._begun_at = 0
        self._format = BGRX
        self._parameters = parameters_of(session.capabilities, BGRX)
        self._stream: Optional[ZlibStream] = None
        self._pseudo = PseudoRectangles(session, seat.size)
        self._clipboard: Optional[ClipboardContent] = None
        self._probe: Optional[int] = None
        self._bell = False
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
        if self._asked and (width, height) != self._pseudo.size and not self._pseudo.followed:
            self._failed(_LEFT_BEHIND)
            return
        self._pseudo.resized(width, height, screens)
        self._wish.resized(width, height)
        self._owed.everything(width, height)
        self._counting = False
        self.pump()

    def cursor_changed(self, cursor: Cursor) -> None:
        """Send the pointer's new shape."""
        self._pseudo.cursor_changed(cursor)
        self.pump()

    def leds_changed(self, leds: int) -> None:
        """Send the state of the lock keys."""
        self._pseudo.leds_changed(leds)
        self.pump()

    def clipboard_offered(self, content: ClipboardContent) -> None:
        """Offer what was copied; only the newest matters."""
        self._clipboard = content
        self.pump()

    def bell_rung(self) -> None:
        """Ring; once is enough for one who does not listen."""
        self._bell = True
        self.pump()

    def renamed(self, name: str) -> None:
        """Send the desktop's new name."""
        self._pseudo.renamed(name)
        self.pump()

    def display_lost(self, reason: str) -> None:
        """Nothing: the last picture stands until the display is back."""

    # What the viewer says.

    def format_set(self, pixel_format: PixelFormat) -> None:
        """Encode for another pixel format."""
        self._format = pixel_format
        self.encodings_set()

    def encodings_set(self) -> None:
        """Encode as the session's capabilities now say, and acknowledge new ones."""
        self._parameters = parameters_of(self._session.capabilities, self._format)
        if not self._session.capabilities.copy_rect:
            self._owed.forget_moves()
        self._pseudo.tell_again()

    def requested(self, rect: Rect, incremental: bool) -> None:
        """Answer a FramebufferUpdateRequest, now or when there is something to say."""
        if not self._keeps_up():
            return
        wanted = rect.intersection(self._screen)
        if wanted is None:
            return
        self._wish.requested(wanted, incremental)
        if not incremental:
            self._owed.changed(Region([wanted]), (), False)
            self._counting = False
            if self._session.capabilities.extended_desktop_size:
                self._pseudo.tell_size(DesktopSizeReason.SERVER, DesktopSizeResult.DONE)
        self.pump()

    def continuous_set(self, rect: Optional[Rect]) -> None:
        """Send updates of ``rect`` unasked; None: no more."""
        if not self._keeps_up():
            return
        self._wish.continuous_set(rect and rect.intersection(self._screen))
        if rect is None:
            self._session.send_end_of_continuous_updates()
        self.pump()

    def _keeps_up(self) -> bool:
        """Tell whether the viewer knows the size when it first asks; if not, that is the end."""
        first, self._asked = not self._asked, True
        if first and self._pseudo.size != self._first_size and not self._pseudo.followed:
            self._failed(_LEFT_BEHIND)
            return False
        return True

    def echoed(self, payload: bytes) -> None:
        """A fence came back."""
        if payload == _PROBE:
            self._pacing.echoed(self._clock.seconds())
            pacing = self._pacing
            self.measures.linked(pacing.round_trip, pacing.rate, pacing.jitter)
            self.pump()

    def repaint(self) -> None:
        """Owe all of the picture again."""
        self._owed.everything(*self._pseudo.size)
        self._counting = False
        self.pump()

    def scores(self) -> Scores:
        """Give how well this viewer is served."""
        return self.measures.scores(self._clock.seconds())

    def latency_probed(self, ident: int) -> None:
        """Say ``ident`` back behind the next update."""
        self._probe = ident

    def tell_size(self, reason: DesktopSizeReason, result: int) -> None:
        """Say the size and layout, and why."""
        self._pseudo.tell_size(reason, result)
        self.pump()

    # What the grant says.

    def view_lost(self) -> None:
        """Ring no more; all else waits for the right, and then the seat says all anew."""
        self._bell = False

    def clipboard_lost(self) -> None:
        """Forget what was to be offered."""
        self._clipboard = None
        self._session.forget_clipboard()
        self._outbox.drop(*_CLIPBOARDS)

    def set_patience(self, seconds: float) -> None:
        """Wait so long for a viewer to take what it is sent."""
        self._patience = seconds
        self._outbox.set_patience(seconds)

    def close(self) -> None:
        """Send nothing more."""
        self._unobserve()
        self._outbox.close()
        self._turns.leave(self)

    # Sending.

    def pump(self) -> None:
        """Send all that may leave now, or when it is this viewer's turn."""
        with self._log.failuresHandled("a viewer could not be served") as serving:
            self._say()
        if serving.failed:
            self._failed(_BROKEN)
        else:
            self._ask_turn()

    def _take_turn(self) -> None:
        """Send the next slice, and ask for another turn where there may be more."""
        with self._log.failuresHandled("a viewer could not be served") as serving:
            if self._outbox.stopped or not (self._update or self._begin()):
                return
            self._give_slice()
        if serving.failed:
            self._failed(_BROKEN)
        else:
            self._ask_turn()

    def _ask_turn(self) -> None:
        if (self._update or self._owed or self._pseudo.news) and not self._outbox.stopped:
            self._turns.ask(self, self._take_turn)
        self.measures.link(self._held_back, self._clock.seconds())

    def _say(self) -> None:
        """Send what the session has to say; the clipboard and the bell can wait."""
        if self._outbox.free and self._clipboard is not None:
            self._session.send_clipboard(self._clipboard)
            self._clipboard = None
        if self._outbox.free and self._bell:
            self._session.send_bell()
            self._bell = False
        self._outbox.put(self._session.data_to_send())

    @property
    def _screen(self) -> Rect:
        return Rect(0, 0, *self._pseudo.size)

    @property
    def _held_back(self) -> bool:
        """Tell whether the link is what keeps a picture from leaving."""
        due = self._update is not None or (bool(self._owed) and self._wish.area is not None)
        return due and (self._outbox.paused or not self._pacing.may_send())

    def _begin(self) -> bool:
        """Begin an update, if one is wanted, allowed, and there is something to send."""
        area = self._wish.area
        if area is None or not self._outbox.free or not self._seat.grant.holds(Right.VIEW):
            return False
        if self._pseudo.size_due:
            self._start(self._pseudo.take_sizes(), [], last_rect=False)
            return True
        if not self._may_send():
            return False
        if area != self._screen:
            self._owed.forget_moves()
        rectangles = self._pseudo.take(self._format)
        moves = self._owed.take_moves()
        pieces = choose.pieces(self._owed.within(area), self._parameters)
        if not (rectangles or moves or pieces):
            return False
        rectangles += [wire.rectangle(*copyrect.encode(move)) for move in moves]
        # Kasm's client shows an update with pixels only if LastRect ends it.
        self._start(rectangles, pieces, last_rect=bool(pieces or moves))
        return True

    def _may_send(self) -> bool:
        if self._pacing.may_send():
            return True
        if self._pacing.waiting_since(self._clock.seconds()) > self._patience:
            self._failed(f"took nothing for {self._patience:.0f} s")
        return False

    def _start(self, rectangles: list[bytes], pieces: list[Rect], last_rect: bool) -> None:
        last_rect = last_rect and self._session.capabilities.last_rect
        count = None if last_rect else len(rectangles) + len(pieces)
        head = b"".join((wire.update_header(count), *rectangles))
        self._begun_at = self._outbox.sent
        self._counting = True
        self._wish.answered()
        self._update = Update(
            head, pieces, self._parameters, last_rect, self._encodings, self._zlib()
        )

    def _zlib(self) -> Optional[ZlibStream]:
        if self._parameters.encoding != Encoding.ZRLE:
            return None
        self._stream = self._stream or ZlibStream(self._parameters.compress_level)
        return self._stream

    def _give_slice(self) -> None:
        assert self._update is not None
        began = perf_counter()
        data, shown = self._update.next_slice(self._look)
        self.measures.encoded(perf_counter() - began)
        if self._counting:
            self._owed.sent(shown)
        last = self._update.done
        self._update = None if last else self._update
        self._outbox.put_slice(data, last)
        if last:
            self._updated()

    def _updated(self) -> None:
        """An update is complete: ask for an echo of it."""
        self.measures.updated(self._clock.seconds())
        if self._probe is not None:
            self._session.send_latency(self._probe)
            self._probe = None
        if self._session.capabilities.fence:
            self._pacing.sent(self._outbox.sent - self._begun_at, self._clock.seconds())
            self._session.send_fence(_PROBE)
        self._say()

    def _look(self, rect: Rect) -> Optional[Snapshot]:
        try:
            return self._seat.snapshot(rect)
        except (PermissionDenied, ValueError):
            return None
