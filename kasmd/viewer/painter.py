"""Keeps one viewer's picture like the display's: hears what happens on either side."""

from __future__ import annotations

from typing import Callable, Optional, Sequence

from twisted.internet.defer import Deferred
from zope.interface import implementer

from kasmd.interfaces import ClipboardContent, IDisplayObserver, ISeat
from kasmd.permission.callbacks import nobody
from kasmd.rfb.dialect import Dialect
from kasmd.rfb.numbers import DesktopSizeReason, DesktopSizeResult, ServerMessage
from kasmd.rfb.server import ServerSession
from kasmd.screen.cursor import Cursor
from kasmd.screen.geometry import Move, Rect, Screen
from kasmd.screen.pixels import PixelFormat
from kasmd.screen.region import Region
from kasmd.viewer.delivery import PROBE, Delivery
from kasmd.viewer.measures import Measures, Scores
from kasmd.viewer.offering import Offering
from kasmd.viewer.outbox import Outbox
from kasmd.viewer.surroundings import Surroundings

_LEFT_BEHIND = "cannot follow the desktop's change of size"
#: The messages that carry what was copied.
_CLIPBOARDS = ServerMessage.SERVER_CUT_TEXT, ServerMessage.BINARY_CLIPBOARD
#: Where a picture's identity is looked for.
_CORNER = Rect(0, 0, 1, 1)


@implementer(IDisplayObserver)
class Painter:
    """Sends one viewer the picture it is owed, as it asks and as the link allows.

    ``failed`` is told the reason when the viewer cannot be served any longer.
    """

    def __init__(self, seat: ISeat, session: ServerSession, outbox: Outbox,
                 around: Surroundings, measures: Measures,
                 failed: Callable[[str], None]) -> None:
        self.measures = measures
        self._session = session
        self._outbox = outbox
        self._clock = around.clock
        self._failed = failed
        #: What the viewer was told at first; it can say that it follows changes of the
        #: size only after that, but before it asks for a picture.
        self._first_size = seat.size
        self._asked = False
        self._motion = around.motion
        self._resizes = around.resizes
        #: Whether the viewer was told of the size that it asked for before the answer came.
        self._obeyed = False
        self._delivery = Delivery(seat, session, outbox, around, measures, failed)
        self._contents = self._delivery.contents
        self._streaming = self._delivery.streaming
        self._pseudo = self._delivery.pseudo
        self._wish = self._delivery.wish
        self.pump = self._delivery.pump
        self.offering = Offering(seat, session, around.streams.encoders, self.pump)
        self._unobserve = seat.observe(self)

    # What the display says.

    def changed(self, region: Region, moves: Sequence[Move]) -> None:
        """Owe the change, and send it if it may leave."""
        # While an update is under way, a move would copy pixels that it replaces.
        copying = (
            self._session.capabilities.copy_rect and not self._delivery.under_way
            and not self._streaming
        )
        if self._contents.quality.levels and self._motion.heeds(region):
            seen = self._delivery.look(_CORNER)
            if seen is not None:
                self._motion.changed(seen.identity, self._pseudo.size, region)
        self._streaming.changed(region, moves)
        self._contents.changed(region, moves, copying, self._clock.seconds())
        self.pump()

    def resized(self, width: int, height: int, screens: Sequence[Screen]) -> None:
        """Tell the new size, and owe all of the new picture."""
        if self._asked and (width, height) != self._pseudo.size and not self._pseudo.followed:
            self._failed(_LEFT_BEHIND)
            return
        reason = self._resizes.reason(self)
        self._obeyed |= reason is DesktopSizeReason.THIS_CLIENT
        self._pseudo.resized(width, height, screens, reason)
        self._streaming.resized(width, height, screens)
        self.offering.renew()
        self._wish.resized(width, height)
        self._contents.everything(width, height)
        self._delivery.start_over()
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
        self._delivery.clipboard = content
        self.pump()

    def bell_rung(self) -> None:
        """Ring; once is enough for one who does not listen."""
        self._delivery.bell = True
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
        self._delivery.format = pixel_format
        self.encodings_set()

    def encodings_set(self) -> None:
        """Encode as the session's capabilities now say, and acknowledge new ones."""
        can = self._session.capabilities
        self._contents.serve(can, self._delivery.format, self._session.dialect is Dialect.KASM)
        self._streaming.serve(can, self._contents.quality.plain.jpeg_quality)
        self._delivery.rhythm.interval = 1 / can.kasm.frame_rate if can.kasm.frame_rate else 0.0
        self._pseudo.tell_again()

    def limit_video(self, width: int, height: int) -> None:
        """Scale pictures of Kasm's video mode down to this size."""
        self._contents.max_resolution = max(width, 16), max(height, 16)

    def requested(self, rect: Rect, incremental: bool) -> None:
        """Answer a FramebufferUpdateRequest, now or when there is something to say."""
        if not self._keeps_up():
            return
        wanted = rect.intersection(self._pseudo.screen)
        if wanted is None:
            return
        self._wish.requested(wanted, incremental)
        if not incremental:
            self._contents.owed.changed(Region([wanted]), (), False)
            self._streaming.start_anew()
            self._delivery.start_over()
            if self._session.capabilities.extended_desktop_size:
                self._pseudo.tell_size(DesktopSizeReason.SERVER, DesktopSizeResult.DONE)
        self.pump()

    def continuous_set(self, rect: Optional[Rect]) -> None:
        """Send updates of ``rect`` unasked; None: no more."""
        if not self._keeps_up():
            return
        self._wish.continuous_set(rect and rect.intersection(self._pseudo.screen))
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
        if payload == PROBE:
            pacing = self._delivery.rhythm.pacing
            pacing.echoed(self._clock.seconds())
            self.measures.linked(pacing.round_trip, pacing.rate, pacing.jitter)
            self.pump()

    def repaint(self) -> None:
        """Owe all of the picture again."""
        self._contents.everything(*self._pseudo.size)
        self._streaming.start_anew()
        self._delivery.start_over()
        self.pump()

    def scores(self) -> Scores:
        """Give how well this viewer is served."""
        return self.measures.scores(self._clock.seconds())

    def latency_probed(self, ident: int) -> None:
        """Say ``ident`` back behind the next update."""
        self._delivery.latency_probe = ident

    def resize(self, asking: Callable[[], Deferred[int]]) -> Deferred[int]:
        """Have ``asking`` ask for the size that this viewer wants."""
        return self._resizes.ask(self, asking)

    def size_answered(self, result: int) -> None:
        """Say what came of it, and the size and layout as they are now."""
        obeyed, self._obeyed = self._obeyed, False
        if result != DesktopSizeResult.DONE or not obeyed:
            self._pseudo.tell_size(DesktopSizeReason.THIS_CLIENT, result)
            self.pump()

    # What the grant says.

    def view_lost(self) -> None:
        """Ring no more; all else waits for the right, and then the seat says all anew."""
        self._delivery.bell = False

    def clipboard_lost(self) -> None:
        """Forget what was to be offered."""
        self._delivery.clipboard = None
        self._session.forget_clipboard()
        self._outbox.drop(*_CLIPBOARDS)

    def set_patience(self, seconds: float) -> None:
        """Wait so long for a viewer to take what it is sent."""
        self._delivery.patience = seconds
        self._outbox.set_patience(seconds)

    def set_bandwidth(self, most: Optional[float]) -> None:
        """Send at most so many bytes a second, None: what the link carries."""
        self._delivery.set_bandwidth(most)
        self.pump()

    def close(self) -> None:
        """Send nothing more."""
        self._unobserve()
        # It holds the seat's way to this painter.
        self._unobserve = nobody
        self.offering.close()
        self._delivery.close()
