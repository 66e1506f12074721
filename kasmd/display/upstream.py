"""A display over RFB: any VNC server, QEMU's consoles among them.

There is one connection for all who watch.  While nobody does, no picture is asked
for.  Whatever the upstream does, it can lose its own picture only: the last one
stays, `display_lost` is told, and it is tried again.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple, Optional, Sequence

from twisted.internet.base import DelayedCall
from twisted.internet.defer import CancelledError, Deferred, TimeoutError, fail, succeed
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure
from zope.interface import implementer

from kasmd.display.layout import DONE, MAX_SCREENS, NO_RESOURCES, fitting, judge
from kasmd.display.upstream_session import Face, UpstreamSession
from kasmd.display.upstream_wire import Lost, Patience, UpstreamWire
from kasmd.display.watched import Patch, WatchedDisplay
from kasmd.errors import DisplayLost
from kasmd.interfaces import ClipboardContent, IDisplay, IWorker
from kasmd.ranges import CLIPBOARD_BYTES
from kasmd.rfb.client import ClientSession
from kasmd.rfb.client_handshake import Credentials
from kasmd.screen.framebuffer import Snapshot
from kasmd.screen.geometry import Move, Rect, Screen
from kasmd.screen.region import Region
from kasmd.trust import Trust

#: Characters of a desktop's name that are kept.
NAME_KEPT = 255
#: Pixels of the old picture that are kept when the size changes; more would take too long.
CARRIED = 1 << 22


class Place(NamedTuple):
    """Where an upstream is: a host and a port, or a unix socket's path."""

    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.path or f"{host}:{self.port}"


class Terms(NamedTuple):
    """How to meet an upstream: who we are there, whom we believe, what we ask for."""

    credentials: Credentials = Credentials()
    trust: Trust = Trust()
    #: RFB's JPEG quality, 0 to 9; None: without loss.
    quality: Optional[int] = 9
    patience: Patience = Patience()


@implementer(IDisplay)
class UpstreamDisplay(WatchedDisplay):
    """The desktop of the RFB server at ``where``; ``name`` stands before its own.

    Between `connect` and `disconnect` it keeps trying to be connected.
    """

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
        self._session: Optional[UpstreamSession] = None
        self._dialling: Optional[Deferred[Any]] = None
        self._retry: Optional[DelayedCall] = None
        self._wait = terms.patience.retry
        self._waiting: list[Deferred[None]] = []
        self._resizes: list[Deferred[int]] = []
        self._logged = ""
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
        self._dial()
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
            width, height = self.size
            x, y = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
            self._session.pointer(x, y, buttons)

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
            self._taken = self._taken.union(change.region)

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
        if self._logged:
            self.log.info("the upstream {display.where} is back", display=self)
            self._logged = ""
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

    def _dial(self) -> None:
        self._retry = None
        terms, where = self._terms, self.where
        endpoint: Any = UNIXClientEndpoint(self._reactor, where.path, terms.patience.connect)
        if where.host:
            endpoint = HostnameEndpoint(
                self._reactor, where.host, where.port, terms.patience.connect
            )
        session = ClientSession(credentials=terms.credentials, bands=True)
        wire = UpstreamWire(self._reactor, session, terms.trust, where.host, terms.patience)
        upstream = UpstreamSession(
            self._reactor, self._face(), wire, self._worker, self._clipboard_bytes, terms.quality
        )
        wire.listen(upstream.heard, partial(self._ended, upstream))
        self._session = upstream
        self._dialling = endpoint.connect(_Once(wire))
        self._dialling.addErrback(lambda failure: wire.fail(_no_connection(failure)))

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

    def _ended(self, upstream: UpstreamSession, lost: Lost) -> None:
        upstream.close()
        if upstream is not self._session:
            return
        patience = self._terms.patience
        if upstream.lasted >= patience.longest_retry:
            self._wait = patience.retry
        wait = patience.longest_retry if lost.refused else self._wait
        self._wait = min(2 * self._wait, patience.longest_retry)
        if lost.reason != self._logged:
            self._logged = lost.reason
            self.log.warn("the upstream {display.where} is lost, trying on: {reason}",
                          display=self, reason=lost.reason)
        self._retry = self._reactor.callLater(wait, self._dial)
        self._forget(lost.reason)

    def _forget(self, reason: str) -> None:
        self._session = None
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
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        upstream, self._session = self._session, None
        if upstream is not None:
            upstream.wire.fail(reason)
        if self._dialling is not None:
            self._dialling.cancel()
            self._dialling = None
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


class _Once(Factory):
    """Builds the one protocol."""

    noisy = False

    def __init__(self, wire: UpstreamWire) -> None:
        self._wire = wire

    def buildProtocol(self, addr: Optional[IAddress]) -> UpstreamWire:
        return self._wire


def _no_resources(failure: Failure) -> int:
    failure.trap(TimeoutError)
    return NO_RESOURCES


def _no_connection(failure: Failure) -> str:
    return "cancelled" if failure.check(CancelledError) else failure.getErrorMessage()
