"""One person watching over RFB, from the first byte to the last.

    -> handshake (RFC 6143 section 7.1), inside an authenticated carrier, or
       with VeNCrypt and the accounts' names and passwords
    <- ServerInit, then what the painter sends
    -> the conversation
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any, Callable, Optional

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from kasmd.errors import KasmdError, ProtocolError
from kasmd.interfaces import IGrant, ISeat, IViewer, IViewerTransport, Principal
from kasmd.permission.callbacks import isolated
from kasmd.rfb import messages as said
from kasmd.rfb.dialect import Dialect
from kasmd.rfb.numbers import SecurityType
from kasmd.rfb.server import ServerSession
from kasmd.rights import Right
from kasmd.viewer.conversation import Conversation
from kasmd.viewer.measures import Figures, Measures
from kasmd.viewer.outbox import Outbox
from kasmd.viewer.painter import Painter
from kasmd.viewer.surroundings import Surroundings

#: Websocket close codes (RFC 6455 section 7.4.1).
GOING_AWAY = 1001
PROTOCOL_ERROR = 1002
POLICY_VIOLATION = 1008
INTERNAL_ERROR = 1011
TRY_AGAIN_LATER = 1013


@implementer(IViewer)
class Viewer:
    """A conversation; ``principal`` is None where the wire must say who it is."""

    _log = Logger()

    def __init__(self, transport: IViewerTransport, principal: Optional[Principal],
                 around: Surroundings) -> None:
        security = SecurityType.VENCRYPT if principal is None else SecurityType.NONE
        self._principal = principal or Principal("")
        self.peer = transport.peer
        self.page = transport.page
        self.connected_at = time.time()
        self.measures = Measures(around.frame)
        self.grant: Optional[IGrant] = None
        self.max_bandwidth: Optional[float] = None
        self._transport = transport
        self._around = around
        self._session = ServerSession([security], around.limits)
        self._outbox = Outbox(
            transport, around.clock, around.patience, self._resumed, self._stalled
        )
        self._conversation: Optional[Conversation] = None
        self._over = False
        self._deadline: Optional[IDelayedCall] = around.clock.callLater(
            around.handshake_time, self._too_slow
        )
        self._flush()

    @property
    def name(self) -> str:
        """The person's name, empty before it is known."""
        return self._principal.name

    def received(self, data: bytes) -> None:
        """Bytes came from the person."""
        if not self._over:
            self._session.receive_data(data)
            self._listen()

    def serve_anew(self) -> None:
        """Serve by the numbers that the surroundings have now."""
        around = self._around
        self._session.set_limits(around.limits)
        self._outbox.set_patience(around.patience)
        self.measures.frame = around.frame
        if self._conversation is not None:
            own, common = self.max_bandwidth, around.rules.max_bandwidth
            self._conversation.set_patience(around.patience)
            self._conversation.set_bandwidth(common if own is None else own)

    def limit_bandwidth(self, most: Optional[float]) -> None:
        """Send at most so many bytes a second; None: as many as the surroundings say."""
        self.max_bandwidth = most
        self.serve_anew()

    def other_joined(self, name: str) -> None:
        """Somebody else came."""
        self._session.send_user_joined(name)
        self._flush()

    def other_left(self, name: str) -> None:
        """Somebody else went."""
        self._session.send_user_left(name)
        self._flush()

    def repaint(self) -> None:
        """Send all of the picture again, as far as it may be seen."""
        if self._conversation is not None and not self._over:
            self._conversation.repaint()

    def ask_client(self) -> Optional[Deferred[Figures]]:
        """Ask for the client's own figures; only Kasm's clients know the question."""
        if self._conversation is None or self._over or self._session.dialect is not Dialect.KASM:
            return None
        answer = self.measures.asked()
        if answer is not None:
            self._session.send_frame_stats_request()
            self._flush()
            self.repaint()
        return answer

    def disconnect(self, code: int, reason: str) -> None:
        """End in order, with a reason for those who can show it; 1008 is for good."""
        if self._over:
            return
        self._log.info("{viewer.peer} ({viewer.name}): {reason}", viewer=self, reason=reason)
        if self._conversation is not None:
            self._session.send_disconnect_notice(reason, graceful=code == POLICY_VIOLATION)
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
        self._around.roster.lost(self)

    def _end(self) -> None:
        self._over = True
        self._outbox.close()
        self._session.close()
        self._wait_no_more()
        # All that it led to knows this viewer.
        conversation, self._conversation = self._conversation, None
        if conversation is not None:
            conversation.close()
        roster = self._around.roster
        if self in roster.viewers():
            roster.left(self)
            for other in roster.viewers():
                isolated(other.other_left, self.name)

    def _wait_no_more(self) -> None:
        deadline, self._deadline = self._deadline, None
        if deadline is not None and deadline.active():
            deadline.cancel()

    def _hopeless(self, reason: str) -> None:
        """End at once: it would not take a word of farewell."""
        if not self._over:
            self._log.info("{viewer.peer} ({viewer.name}) {reason}", viewer=self, reason=reason)
            self._end()
            self._transport.abort()

    def _stalled(self, reason: str) -> None:
        self._around.totals.limits["stalled_viewer_seconds"] += 1
        self._hopeless(reason)

    def _too_slow(self) -> None:
        self._around.totals.limits["handshake_seconds"] += 1
        self._hopeless("did not finish the handshake")

    def _resumed(self) -> None:
        if self._conversation is not None:
            self._conversation.resumed()

    def _flush(self) -> None:
        self._outbox.put(self._session.data_to_send())

    def _listen(self) -> None:
        """Act on all that was said."""
        try:
            for event in self._session.events_received():
                if self._conversation is not None:
                    self._conversation.heard(event)
                else:
                    self._HANDSHAKE[type(event)](self, event)
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

    def _proven(self, name: str) -> None:
        if not self._over:
            self._principal = Principal(name)
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
            around.totals.limits["viewers"] += 1
            self.disconnect(TRY_AGAIN_LATER, f"there are {around.max_viewers} viewers already")
            return
        seat = around.admit(self._principal)
        self.grant = seat.grant
        self.serve_anew()
        painter = Painter(
            seat, self._session, self._outbox, around, self.measures,
            partial(self.disconnect, INTERNAL_ERROR),
        )
        self._conversation = Conversation(seat, self._session, painter, around.system_stats)
        self._wait_no_more()
        width, height = seat.size
        self._session.send_init(width, height, seat.name)
        self._flush()
        self._transport.register_producer(self._outbox)
        seat.grant.when_changed(partial(self._rights_changed, seat))
        others = around.roster.viewers()
        around.roster.joined(self)
        for other in others:
            isolated(other.other_joined, self.name)

    def _rights_changed(self, seat: ISeat) -> None:
        if self._over or self._conversation is None:
            return
        if seat.grant.holds(Right.ENTER):
            self._conversation.rights_changed()
        else:
            guest = self._principal.kind != Principal._field_defaults["kind"]
            what = "session is over" if guest else "account may not be here any more"
            self.disconnect(POLICY_VIOLATION, f"this {what}")

    _HANDSHAKE: dict[type[said.Event], Callable[[Viewer, Any], None]] = {
        said.TlsRequested: _start_tls,
        said.CredentialsGiven: _log_in,
        said.SharedRequested: _enter,
    }
