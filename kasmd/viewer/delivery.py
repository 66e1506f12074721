"""The way of one viewer's picture: what leaves, in whose turn, and when.

An update begins when it is wanted, allowed, due by the link and by the clock, and
when there is something to send; then it leaves in slices, between which the
reactor serves others.
"""

from __future__ import annotations

from functools import partial
from time import perf_counter
from typing import Callable, Optional

from twisted.logger import Logger
from twisted.python.failure import Failure

from kasmd.codec import copyrect
from kasmd.codec.deflate import ZlibStreams
from kasmd.codec.pieces import STREAMED
from kasmd.errors import PermissionDenied
from kasmd.interfaces import ClipboardContent, ISeat
from kasmd.rfb import update as wire
from kasmd.rfb.server import ServerSession
from kasmd.rights import Right
from kasmd.screen.framebuffer import Snapshot
from kasmd.screen.geometry import Rect
from kasmd.screen.pixels import BGRX
from kasmd.screen.region import EMPTY, Region
from kasmd.viewer.contents import Contents
from kasmd.viewer.handing import Handing
from kasmd.viewer.measures import Measures
from kasmd.viewer.outbox import Outbox
from kasmd.viewer.pacing import NEAR, SLOT
from kasmd.viewer.pseudo import PseudoRectangles
from kasmd.viewer.refine import rest
from kasmd.viewer.rhythm import Rhythm
from kasmd.viewer.sharing import Encoded
from kasmd.viewer.streaming import Streaming
from kasmd.viewer.surroundings import Surroundings
from kasmd.viewer.update import Draft, Piece, Slice, Update
from kasmd.viewer.updates import Wish

#: The payload of the fences that measure the link (any byte but the session's would do).
PROBE = b"\x01"
#: An update that takes the cap for so many seconds more is ended, where it can be.
_DEAR = 2 * SLOT
_BROKEN = "internal error; the log has more"


class Delivery:
    """Sends what ``contents`` and ``pseudo`` hold, as far as ``wish`` and ``rhythm`` allow.

    ``clipboard``, ``bell`` and ``latency_probe`` are what is to be said, and forgotten then.
    """

    _log = Logger()

    def __init__(self, seat: ISeat, session: ServerSession, outbox: Outbox,
                 around: Surroundings, measures: Measures,
                 failed: Callable[[str], None]) -> None:
        self.contents = Contents(around.rules, around.motion, *seat.size)
        self.pseudo = PseudoRectangles(session, seat.size, seat.screens)
        self.streaming = Streaming(
            around.streams, around.motion, self.look, self.pump, around.clock, seat.screens
        )
        self.wish = Wish()
        self.rhythm = Rhythm(around.clock, self.pump)
        self.format = BGRX
        self.patience = around.patience
        self.clipboard: Optional[ClipboardContent] = None
        self.bell = False
        self.latency_probe: Optional[int] = None
        self.measures = measures
        self._seat = seat
        self._session = session
        self._outbox = outbox
        self._pacing = self.rhythm.pacing
        self._encodings = around.encodings
        self._totals = around.totals
        self._turns = around.turns
        self._clock = around.clock
        self._failed = failed
        self._update: Optional[Update] = None
        self._handing = Handing(around.turns, around.encodings, around.crew, self.look)
        self._counting = True
        self._begun_at = self._charged = 0
        self._share = 1.0
        self._streams = ZlibStreams()
        self.set_bandwidth(around.rules.max_bandwidth)

    @property
    def under_way(self) -> bool:
        """Tell whether an update is begun, and not complete."""
        return self._update is not None

    def start_over(self) -> None:
        """What is under way is owed all the same: more than it shows was asked for anew."""
        self._counting = False

    def set_bandwidth(self, most: Optional[float]) -> None:
        """Send at most so many bytes a second; None: what the link carries."""
        self._pacing.limit(most)
        self.contents.quality.capped = most is not None

    def close(self) -> None:
        """Send nothing more."""
        self._handing.forget()
        self.streaming.close()
        self._outbox.close()
        self.rhythm.close()
        self._turns.leave(self)

    def pump(self) -> None:
        """Send all that may leave now, or when it is this viewer's turn."""
        try:
            self._say()
            self._ask_turn()
        except Exception:
            self._break()

    def _take_turn(self) -> None:
        """Send the next slice, and ask for another turn where there may be more."""
        try:
            if self._handing.busy:
                return
            if self._outbox.stopped or not (self._update or self._begin()):
                self._rest(self._clock.seconds(), True)
            else:
                self._give_slice()
                self._ask_turn()
        except Exception:
            self._break()

    def _break(self) -> None:
        """End what a mistake of ours has broken."""
        self._log.failure("a viewer could not be served")
        self._failed(_BROKEN)

    def _ask_turn(self) -> None:
        """Ask for a turn if there may be something to send, else see what time brings."""
        if self._handing.busy:
            return
        now, stopped = self._clock.seconds(), self._outbox.stopped
        owing = bool(self._update or self.pseudo.news or self.contents.owed)
        if stopped or not owing:
            self._rest(now, owing)
        if not stopped and (owing or self.contents.due(now)):
            self._turns.ask(self, self._take_turn)

    def _rest(self, now: float, owing: bool) -> None:
        """See when something may be refined, and whether the link holds back what is owed."""
        wait = self.contents.ripen(now, rest(self.measures.frame) / 2)
        if wait is not None:
            self.rhythm.look_in(wait)
        self.measures.link(owing and self._held_back(now), now)

    def _say(self) -> None:
        """Send what the session has to say; the clipboard and the bell can wait."""
        if self.clipboard is not None and self._outbox.free:
            self._session.send_clipboard(self.clipboard)
            self.clipboard = None
        if self.bell and self._outbox.free:
            self._session.send_bell()
            self.bell = False
        self._outbox.put(self._session.data_to_send())

    def _held_back(self, now: float) -> bool:
        """Tell whether the link is what keeps a picture from leaving."""
        owed = self._update is not None or (
            bool(self.contents.owed) and self.wish.area is not None
        )
        return owed and (self._outbox.paused or self._pacing.wait(now) > 0)

    def _begin(self) -> bool:
        """Begin an update, if one is wanted, allowed, and there is something to send."""
        area = self.wish.area
        if area is None or not self._outbox.free or not self._seat.grant.holds(Right.VIEW):
            return False
        if self.pseudo.size_due:
            self._start(self.pseudo.take_sizes(), [], last_rect=False)
            return True
        owed = self.contents.owed
        if not self._may_send():
            if self._pacing.round_trip < NEAR:
                self.streaming.prepare(owed.region)
            return False
        whole = area == self.pseudo.screen
        if self.streaming or not whole:
            owed.forget_moves()
        rectangles = self.pseudo.take(self.format)
        pictures = [wire.rectangle(*copyrect.encode(move)) for move in owed.take_moves()]
        held = EMPTY
        if self.streaming and whole:
            streamed = self.streaming.take(owed.region, self._pacing.film_budget)
            self.contents.streamed(streamed.shown, streamed.drawn)
            pictures += streamed.rectangles
            self.measures.encoded(streamed.took)
            held = streamed.held
        pieces = self._pieces(area, owed.region if whole else owed.within(area), held)
        if not (rectangles or pictures or pieces):
            return False
        # Kasm's client shows an update with pixels only if LastRect ends it.
        self._start(rectangles + pictures, pieces, last_rect=bool(pieces or pictures))
        return True

    def _pieces(self, area: Rect, owed: Region, held: Region) -> list[Piece]:
        pacing, now = self._pacing, self._clock.seconds()
        owed = owed.subtract(held)
        if owed:
            return self.contents.plan(owed, pacing.budget, pacing.rate, now)
        return self.contents.refining(area, pacing.budget, pacing.rate, now)

    def _may_send(self) -> bool:
        if self.rhythm.may_begin():
            return True
        if self._pacing.waiting_since(self._clock.seconds()) > self.patience:
            self._totals.limits["stalled_viewer_seconds"] += 1
            self._failed(f"took nothing for {self.patience:.0f} s")
        return False

    def _start(self, rectangles: list[bytes], pieces: list[Piece], last_rect: bool) -> None:
        if pieces:
            self._measure_trip()
        last_rect = last_rect and self._session.capabilities.last_rect
        count = None if last_rect else len(rectangles) + len(pieces)
        head = b"".join((wire.update_header(count), *rectangles))
        self._begun_at = self._outbox.sent
        self._share = 1.0
        self._counting = True
        self.wish.answered()
        self.rhythm.begun()
        streamed = pieces and pieces[0].parameters.encoding in STREAMED
        streams = self._streams if streamed else None
        self._update = Update(head, pieces, last_rect, self._encodings, streams)

    def _measure_trip(self) -> None:
        """Ask for an echo ahead of the pixels, where the trip was not measured of late."""
        now = self._clock.seconds()
        if self._session.capabilities.fence and self._pacing.probe_due(now):
            self._session.send_fence(PROBE)
            self._pacing.sent(0, now, now)
            self._say()

    def _give_slice(self) -> None:
        assert self._update is not None
        began = perf_counter()
        longest = self._pacing.longest
        if self._is_long(longest):
            self._share *= self._update.cut()
        draft = self._update.draft(self.look)
        if self._handing.hand_out(draft, partial(self._handed_back, began)):
            # The answers to what is said meanwhile follow it, for the viewer takes them for
            # a mark; what changes meanwhile is owed anew.
            self._outbox.begin_update()
            if self._counting:
                self.contents.owed.sent(draft.shown)
            return
        made = self._update.next_slice(self.look, longest, draft)
        self.measures.encoded(perf_counter() - began)
        self._put_slice(made, self._counting)

    def _handed_back(self, began: float, made: Encoded | Failure, draft: Draft) -> None:
        """Send what another thread encoded, if it may leave; else go on here."""
        try:
            assert self._update is not None
            longest = self._pacing.longest
            if isinstance(made, Failure):
                made.raiseException()
            elif (longest is None or len(made.data) <= longest) and (
                self._handing.is_seen_still(draft)
            ):
                self.measures.encoded(perf_counter() - began)
                self._put_slice(self._update.slice_of(draft, made), False)
            else:
                self.contents.owe_again(draft.shown)
                self._update.put_back(draft.pieces)
            self._ask_turn()
        except Exception:
            self._break()

    def _put_slice(self, made: Slice, counting: bool) -> None:
        """Send the next part, and go on."""
        assert self._update is not None
        data, shown, lossy = made
        self.contents.sent(shown, lossy, counting)
        last = self._update.done
        self._update = None if last else self._update
        self._outbox.put_slice(data, last)
        self._charge()
        if last:
            self._updated()

    def _is_long(self, longest: Optional[int]) -> bool:
        """Tell whether what left of this update is enough for the link, or for the cap."""
        size = self._outbox.sent - self._begun_at
        if longest is not None and size > longest // 2:
            return True
        return size > 0 and self._pacing.cap.wait(self._clock.seconds()) > _DEAR

    def _charge(self) -> None:
        """Have the cap know of all that left, between pictures, too."""
        self._pacing.cap.sent(self._outbox.sent - self._charged, self._clock.seconds())
        self._charged = self._outbox.sent

    def _updated(self) -> None:
        """An update is complete: ask for an echo of it."""
        now = self._clock.seconds()
        self.measures.updated(now)
        if self.latency_probe is not None:
            self._session.send_latency(self.latency_probe)
            self.latency_probe = None
        size = self._outbox.sent - self._begun_at
        self._totals.updates += 1
        self._totals.sent += size
        echoing = self._session.capabilities.fence and self._pacing.wants_echo(size, now)
        self.contents.cost(size, self._share)
        self.rhythm.sent(size, echoing)
        if echoing:
            self._session.send_fence(PROBE)
        self._say()

    def look(self, rect: Rect) -> Optional[Snapshot]:
        try:
            return self._seat.snapshot(rect)
        except (PermissionDenied, ValueError):
            return None
