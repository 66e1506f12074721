"""One person watching over RFB: what the viewer says is done on a seat.

    -> handshake (RFC 6143 section 7.1), inside an authenticated carrier, or
       with VeNCrypt and the accounts' names and passwords
    <- ServerInit, then what the painter sends
    -> keys, pointer, clipboard, sizes: to the seat, which checks each
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any, Callable, NamedTuple, Optional

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from kasmd.errors import KasmdError, ProtocolError
from kasmd.interfaces import IRoster, ISeat, IViewer, IViewerTransport
from kasmd.rfb import messages as said
from kasmd.rfb.dialect import Dialect
from kasmd.rfb.limits import Limits
from kasmd.rfb.numbers import DesktopSizeReason, DesktopSizeResult, FenceFlag, SecurityType
from kasmd.rfb.server import ServerSession
from kasmd.rights import Right
from kasmd.viewer.outbox import Outbox
from kasmd.viewer.painter import Painter
from kasmd.viewer.sharing import Encodings
from kasmd.viewer.wheel import Wheel

#: Websocket close codes (RFC 6455 section 7.4.1).
GOING_AWAY = 1001
PROTOCOL_ERROR = 1002
POLICY_VIOLATION = 1008
INTERNAL_ERROR = 1011
TRY_AGAIN_LATER = 1013

Authenticate = Callable[[str, str, str], Deferred[str]]


class Surroundings(NamedTuple):
    """What every viewer of one desktop shares."""

    admit: Callable[[str], ISeat]
    authenticate: Authenticate
    roster: IRoster
    encodings: Encodings
    clock: IReactorTime
    limits: Limits
    #: Seconds for the handshake, and for a viewer to take what it is sent.
    handshake_time: float
    patience: float
    max_viewers: int


@implementer(IViewer)
class Viewer:
    """A conversation; ``principal`` is None where the wire must say who it is."""

    _log = Logger()

    def __init__(self, transport: IViewerTransport, principal: Optional[str],
                 around: Surroundings) -> None:
        security = SecurityType.VENCRYPT if principal is None else SecurityType.NONE
        self.name = principal or ""
        self.peer = transport.peer
        self.connected_at = time.time()
        self._transport = transport
        self._around = around
        self._session = ServerSession([security], around.limits)
        self._outbox = Outbox(
            transport, around.clock, around.patience, self._resumed, self._hopeless
        )
        self._seat: Optional[ISeat] = None
        self._painter: Optional[Painter] = None
        self._wheel = Wheel()
        self._pointer = (0, 0, 0)
        self._over = False
        self._deadline = around.clock.callLater(
            around.handshake_time, self._hopeless, "did not finish the handshake"
        )
        self._flush()

    def received(self, data: bytes) -> None:
        """Bytes came from the person."""
        if not self._over:
            self._session.receive_data(data)
            self._listen()

    def disconnect(self, code: int, reason: str) -> None:
        """End in order, with a reason for those who can show it."""
        if self._over:
            return
        self._log.info("{viewer.peer} ({viewer.name}): {reason}", viewer=self, reason=reason)
        if self._painter is not None:
            self._session.send_disconnect_notice(reason, graceful=True)
            self._flush()
        self._end()
        self._transport.close(code, reason)

    def lost(self, reason: str) -> None:
        """The transport is gone."""
        if not self._over:
            self._log.info(
                "{viewer.peer} ({viewer.name}) is gone: {reason}", viewer=self, reason=reason
            )
        self._end()

    def _end(self) -> None:
        self._over = True
        self._outbox.close()
        if self._deadline.active():
            self._deadline.cancel()
        if self._painter is not None:
            self._painter.close()
            self._painter = None
        if self._seat is not None:
            self._seat.leave()
            self._seat = None
        self._around.roster.left(self)

    def _hopeless(self, reason: str) -> None:
        """End at once: it would not take a word of farewell."""
        if not self._over:
            self._log.info("{viewer.peer} ({viewer.name}) {reason}", viewer=self, reason=reason)
            self._end()
            self._transport.abort()

    def _resumed(self) -> None:
        if self._painter is not None:
            self._painter.pump()

    def _flush(self) -> None:
        self._outbox.put(self._session.data_to_send())

    def _listen(self) -> None:
        """Act on all that was said."""
        try:
            for event in self._session.events_received():
                self._ACTS[type(event)](self, event)
                if self._over:
                    return
            self._flush()
        except ProtocolError as error:
            self._flush()
            self.disconnect(PROTOCOL_ERROR, str(error))
        except KasmdError as error:
            self.disconnect(POLICY_VIOLATION, str(error))
        except Exception:
            self._log.failure("{viewer.peer} ({viewer.name})", viewer=self)
            self.disconnect(INTERNAL_ERROR, "internal error; the log has more")

    # The handshake.

    def _start_tls(self, event: said.TlsRequested) -> None:
        self._flush()
        self._transport.start_tls(event.certificate)
        self._session.tls_started()

    def _log_in(self, event: said.CredentialsGiven) -> None:
        proven = self._around.authenticate(event.name, event.password, self.peer)
        proven.addCallbacks(self._proven, self._refused)
        proven.addErrback(self._log_in_failed)

    def _proven(self, principal: str) -> None:
        if not self._over:
            self.name = principal
            self._session.accept()
            self._listen()

    def _refused(self, failure: Failure) -> None:
        failure.trap(KasmdError)
        if not self._over:
            self._session.refuse(failure.getErrorMessage())
            self._flush()
            self.disconnect(POLICY_VIOLATION, failure.getErrorMessage())

    def _log_in_failed(self, failure: Failure) -> None:
        self._log.failure("log-in of {viewer.peer}", failure, viewer=self)
        self._hopeless("could not be checked")

    def _enter(self, event: said.SharedRequested) -> None:
        around = self._around
        if len(around.roster.viewers()) >= around.max_viewers:
            self.disconnect(TRY_AGAIN_LATER, f"there are {around.max_viewers} viewers already")
            return
        self._deadline.cancel()
        seat = self._seat = around.admit(self.name)
        width, height = seat.size
        self._session.send_init(width, height, seat.name)
        self._flush()
        self._transport.register_producer(self._outbox)
        self._painter = Painter(
            seat, self._session, self._outbox, around.encodings, around.clock,
            around.patience, self._hopeless,
        )
        seat.grant.when_changed(self._rights_changed)
        around.roster.joined(self)

    def _rights_changed(self) -> None:
        if self._over or self._seat is None or self._painter is None:
            return
        grant = self._seat.grant
        if not grant.holds(Right.ENTER):
            self.disconnect(POLICY_VIOLATION, "this account may not be here any more")
            return
        if not grant.holds(Right.VIEW):
            self._painter.view_lost()
        if not grant.holds(Right.CLIPBOARD_OUT):
            self._painter.clipboard_lost()

    # The picture.

    def _set_format(self, event: said.PixelFormatSet) -> None:
        self._its_painter().format_set(event.format)

    def _set_encodings(self, event: said.EncodingsSet) -> None:
        self._its_painter().encodings_set()

    def _request(self, event: said.UpdateRequested) -> None:
        self._its_painter().requested(event.rect, event.incremental)

    def _set_continuous(self, event: said.ContinuousUpdatesSet) -> None:
        self._its_painter().continuous_set(event.rect if event.enabled else None)

    def _echo(self, event: said.FenceReceived) -> None:
        if not event.flags & FenceFlag.REQUEST:
            self._its_painter().echoed(event.payload)

    def _probe(self, event: said.LatencyProbed) -> None:
        self._its_painter().latency_probed(event.ident)

    def _resize(self, event: said.DesktopSizeRequested) -> None:
        seat, painter = self._its_seat(), self._its_painter()
        if self._session.dialect is Dialect.KASM and not seat.grant.holds(Right.RESIZE):
            # Told "prohibited", Kasm's client gives up scaling as well.
            painter.tell_size(DesktopSizeReason.THIS_CLIENT, DesktopSizeResult.DONE)
            return
        done = seat.resize(event.width, event.height, event.screens)
        done.addCallback(partial(self._tell_size, painter))
        done.addErrback(self._log_failure)

    def _tell_size(self, painter: Painter, result: int) -> None:
        if painter is self._painter:
            painter.tell_size(DesktopSizeReason.THIS_CLIENT, result)

    def _log_failure(self, failure: Failure) -> None:
        self._log.failure("resize for {viewer.peer}", failure, viewer=self)

    # Keys, pointer, clipboard.

    def _press(self, event: said.KeyPressed) -> None:
        self._its_seat().key(event.keysym, event.keycode, True)

    def _release(self, event: said.KeyReleased) -> None:
        self._its_seat().key(event.keysym, event.keycode, False)

    def _point(self, event: said.PointerMoved) -> None:
        if event.scroll_x or event.scroll_y:
            self._scroll(event.scroll_x, event.scroll_y)
            return
        self._pointer = event.x, event.y, event.buttons
        self._its_seat().pointer(*self._pointer)

    def _scroll(self, dx: int, dy: int) -> None:
        seat = self._its_seat()
        x, y, buttons = self._pointer
        for click in self._wheel.scrolled(dx, dy):
            seat.pointer(x, y, buttons | click)
            seat.pointer(x, y, buttons)

    def _paste_text(self, event: said.CutTextReceived) -> None:
        self._its_seat().offer_clipboard({"text/plain": event.text.encode()})

    def _paste(self, event: said.ClipboardProvided) -> None:
        self._its_seat().offer_clipboard(event.content)

    # Kasm's, as far as it must be answered for its client to go on.

    def _name_video_encoders(self, event: said.VideoEncodersRequested) -> None:
        self._session.send_video_encoders(())

    def _refuse_relay(self, event: said.RelaySubscribed) -> None:
        self._session.send_relay_refused("No such unix channel")

    def _pass_over(self, event: said.Event) -> None:
        """Nothing to do: the session answers, or no answer is expected."""

    def _its_seat(self) -> ISeat:
        if self._seat is None:
            raise ProtocolError("a message before the handshake's end")
        return self._seat

    def _its_painter(self) -> Painter:
        if self._painter is None:
            raise ProtocolError("a message before the handshake's end")
        return self._painter

    _ACTS: dict[type[said.Event], Callable[[Viewer, Any], None]] = {
        said.TlsRequested: _start_tls,
        said.CredentialsGiven: _log_in,
        said.SharedRequested: _enter,
        said.PixelFormatSet: _set_format,
        said.EncodingsSet: _set_encodings,
        said.UpdateRequested: _request,
        said.ContinuousUpdatesSet: _set_continuous,
        said.DesktopSizeRequested: _resize,
        said.FenceReceived: _echo,
        said.KeyPressed: _press,
        said.KeyReleased: _release,
        said.PointerMoved: _point,
        said.DirectMouseMoved: _pass_over,
        said.CutTextReceived: _paste_text,
        said.ClipboardProvided: _paste,
        said.ClipboardCapsReceived: _pass_over,
        said.ClipboardNotified: _pass_over,
        said.ClipboardRequested: _pass_over,
        said.ClipboardPeeked: _pass_over,
        said.StatsRequested: _pass_over,
        said.FrameStatsReceived: _pass_over,
        said.UdpUpgradeRequested: _pass_over,
        said.RelaySubscribed: _refuse_relay,
        said.RelayDataReceived: _pass_over,
        said.VideoEncodersRequested: _name_video_encoders,
        said.KeepAliveReceived: _pass_over,
        said.LatencyProbed: _probe,
        said.NetworkStatsRequested: _pass_over,
        said.SystemStatsRequested: _pass_over,
        said.MaxVideoResolutionSet: _pass_over,
    }
