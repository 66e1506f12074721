"""What a viewer says once it is in is done on its seat, which checks each deed.

    -> pixel format, encodings, requests       to the painter, which answers
    -> keys, pointer, clipboard, sizes         to the seat
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any, Callable, Optional

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from kasmd.interfaces import ISeat
from kasmd.rfb import messages as said
from kasmd.rfb.dialect import Dialect
from kasmd.rfb.numbers import FENCE_REQUEST, DesktopSizeResult
from kasmd.rfb.server import ServerSession
from kasmd.rights import Right
from kasmd.screen.geometry import nearest
from kasmd.viewer.painter import Painter
from kasmd.viewer.wheel import Wheel


class Conversation:
    """One viewer's deeds, from ServerInit to the end."""

    _log = Logger()

    def __init__(self, seat: ISeat, session: ServerSession, painter: Painter,
                 system_stats: Optional[Callable[[], Deferred[str]]] = None) -> None:
        self._seat = seat
        self._session = session
        self._painter = painter
        self._system_stats = system_stats
        self._sampling = False
        self._wheel = Wheel()
        self._pointer = (0, 0, 0)

    def heard(self, event: said.Event) -> None:
        """Do what ``event`` asks for; what is not in the table needs no deed of ours."""
        act = self._ACTS.get(type(event))
        if act is not None:
            act(self, event)

    def rights_changed(self) -> None:
        """Forget what may not be shown any more."""
        if not self._seat.grant.holds(Right.VIEW):
            self._painter.view_lost()
        if not self._seat.grant.holds(Right.CLIPBOARD_OUT):
            self._painter.clipboard_lost()

    def resumed(self) -> None:
        """The transport takes bytes again."""
        self._painter.pump()

    def set_patience(self, seconds: float) -> None:
        """Wait so long for the viewer to take what it is sent."""
        self._painter.set_patience(seconds)

    def set_bandwidth(self, most: Optional[float]) -> None:
        """Send at most so many bytes a second."""
        self._painter.set_bandwidth(most)

    def close(self) -> None:
        """Say and do nothing more, and leave the seat."""
        self._painter.close()
        self._seat.leave()

    # The picture.

    def _set_format(self, event: said.PixelFormatSet) -> None:
        self._painter.format_set(event.format)

    def _set_encodings(self, event: said.EncodingsSet) -> None:
        self._painter.encodings_set()

    def _request(self, event: said.UpdateRequested) -> None:
        self._painter.requested(event.rect, event.incremental)

    def _set_continuous(self, event: said.ContinuousUpdatesSet) -> None:
        self._painter.continuous_set(event.rect if event.enabled else None)

    def _limit_video(self, event: said.MaxVideoResolutionSet) -> None:
        self._painter.limit_video(event.width, event.height)

    def _echo(self, event: said.FenceReceived) -> None:
        if not event.flags & FENCE_REQUEST:
            self._painter.echoed(event.payload)

    def _probe(self, event: said.LatencyProbed) -> None:
        self._painter.latency_probed(event.ident)

    def _resize(self, event: said.DesktopSizeRequested) -> None:
        if self._session.dialect is Dialect.KASM and not self._seat.grant.holds(Right.RESIZE):
            # Told "prohibited", Kasm's client gives up scaling as well.
            self._painter.size_answered(DesktopSizeResult.DONE)
            return
        if not event.screens:
            # To a display these would be one; the protocol knows no layout without.
            self._painter.size_answered(DesktopSizeResult.INVALID_LAYOUT)
            return
        done = self._painter.resize(
            partial(self._seat.resize, event.width, event.height, event.screens)
        )
        done.addErrback(self._not_resized)
        done.addCallback(self._painter.size_answered)

    def _not_resized(self, failure: Failure) -> int:
        self._log.failure("a resize failed", failure)
        return DesktopSizeResult.NO_RESOURCES

    # Keys, pointer, clipboard.

    def _key(self, down: bool, event: said.KeyPressed | said.KeyReleased) -> None:
        self._seat.key(event.keysym, event.keycode, down)

    def _point(self, event: said.PointerMoved) -> None:
        if event.scroll_x or event.scroll_y:
            self._scroll(event.scroll_x, event.scroll_y)
            return
        self._pointer = event.x, event.y, event.buttons
        self._seat.pointer(*self._pointer)

    def _move(self, event: said.DirectMouseMoved) -> None:
        """Move from where this viewer put the pointer last, and no further than the edge."""
        if event.scroll_x or event.scroll_y:
            self._scroll(event.scroll_x, event.scroll_y)
            return
        x, y, _ = self._pointer
        x, y = nearest(x + event.dx, y + event.dy, self._seat.size)
        self._pointer = x, y, event.buttons
        self._seat.pointer(*self._pointer)

    def _scroll(self, dx: int, dy: int) -> None:
        x, y, buttons = self._pointer
        for click in self._wheel.scrolled(dx, dy):
            self._seat.pointer(x, y, buttons | click)
            self._seat.pointer(x, y, buttons)

    def _paste_text(self, event: said.CutTextReceived) -> None:
        self._seat.offer_clipboard({"text/plain": event.text.encode()})

    def _paste(self, event: said.ClipboardProvided) -> None:
        self._seat.offer_clipboard(event.content)

    # What it costs.

    def repaint(self) -> None:
        """Send all of the picture again."""
        self._painter.repaint()

    def _tell_scores(self, event: said.StatsRequested) -> None:
        self._session.send_stats(json.dumps(self._painter.scores()))

    def _tell_network(self, event: said.NetworkStatsRequested) -> None:
        self._session.send_network_stats(json.dumps(self._painter.measures.network()))

    def _tell_system(self, event: said.SystemStatsRequested) -> None:
        """Answer owners only, as the owner API does; one answer serves all who wait for it."""
        if self._system_stats is None or self._sampling or not self._manages():
            return
        self._sampling = True
        sampled = self._system_stats()
        sampled.addBoth(self._sampled)
        sampled.addCallback(self._send_system)
        sampled.addErrback(partial(self._log.failure, "the load could not be measured"))

    def _sampled(self, result: Any) -> Any:
        self._sampling = False
        return result

    def _send_system(self, report: str) -> None:
        if self._manages():
            self._session.send_system_stats(report)
            self._painter.pump()

    def _manages(self) -> bool:
        return self._seat.grant.holds(Right.MANAGE)

    def _take_figures(self, event: said.FrameStatsReceived) -> None:
        self._painter.measures.answered(event.received, event.rendered)

    # Kasm's, as far as it must be answered for its client to go on.

    def _name_video_encoders(self, event: said.VideoEncodersRequested) -> None:
        self._painter.offering.asked(event.families)

    def _refuse_relay(self, event: said.RelaySubscribed) -> None:
        self._session.send_relay_refused("No such unix channel")

    _ACTS: dict[type[said.Event], Callable[[Conversation, Any], None]] = {
        said.PixelFormatSet: _set_format,
        said.EncodingsSet: _set_encodings,
        said.UpdateRequested: _request,
        said.ContinuousUpdatesSet: _set_continuous,
        said.DesktopSizeRequested: _resize,
        said.FenceReceived: _echo,
        said.MaxVideoResolutionSet: _limit_video,
        said.KeyPressed: lambda self, event: self._key(True, event),
        said.KeyReleased: lambda self, event: self._key(False, event),
        said.PointerMoved: _point,
        said.DirectMouseMoved: _move,
        said.CutTextReceived: _paste_text,
        said.ClipboardProvided: _paste,
        said.RelaySubscribed: _refuse_relay,
        said.VideoEncodersRequested: _name_video_encoders,
        said.LatencyProbed: _probe,
        said.StatsRequested: _tell_scores,
        said.FrameStatsReceived: _take_figures,
        said.NetworkStatsRequested: _tell_network,
        said.SystemStatsRequested: _tell_system,
    }
