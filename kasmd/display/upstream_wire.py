"""One connection to an upstream RFB server: its bytes, TLS, time-outs and bounds.

Events are read in turns of at most `TURN` seconds, and not at all while the wire
is held: then TCP lets the upstream wait.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Optional

from OpenSSL import SSL
from twisted.internet.base import DelayedCall
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHandshakeListener, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure
from zope.interface import implementer

from kasmd.errors import ProtocolError
from kasmd.rfb.client import ClientSession
from kasmd.rfb.client_handshake import Refused
from kasmd.rfb.said import Connected, Said, TlsAgreed
from kasmd.screen.geometry import Rect
from kasmd.trust import AnonymousTlsClient, TlsClient, Trust, Untrusted, check_certificate

#: Seconds of reading before everybody else has a turn.
TURN = 0.004
#: Bytes that an upstream may leave unread before it is given up.
UNREAD = 1 << 20
#: Characters of a reason that are repeated to people.
REASON_SHOWN = 240


class Patience(NamedTuple):
    """Seconds for each thing that an upstream may be slow at."""

    #: To be connected, its name resolved.
    connect: float = 10.0
    #: From there to ServerInit.
    handshake: float = 15.0
    #: In which nothing more of a message comes.
    stall: float = 15.0
    #: In which nothing comes at all, before it is asked for a sign of life.
    quiet: float = 20.0
    #: For that.
    answer: float = 15.0
    #: For a change of size, and for a picture that is asked for.
    resize: float = 5.0
    #: Before the first attempt after a loss; doubled up to the longest.
    retry: float = 1.0
    longest_retry: float = 30.0


class Lost(NamedTuple):
    """Why a connection ended; ``refused``: trying again soon would not help."""

    reason: str
    refused: bool = False


@implementer(IHandshakeListener, IPushProducer)
class UpstreamWire(Protocol):
    """Carries ``session`` to the server on ``host``."""

    transport: Connection

    def __init__(
        self,
        reactor: Any,
        session: ClientSession,
        trust: Trust,
        host: str,
        patience: Patience,
    ) -> None:
        self.session = session
        self.ended = False
        self._reactor = reactor
        self._trust = trust
        self._name = trust.name or host
        self._patience = patience
        self._said: Callable[[Said], None] = _ignored
        self._lost: Callable[[Lost], None] = _ignored
        self._unread = 0
        self._choked = False
        self._holds = 0
        self._reading = False
        self._anonymous = False
        self._greeted = False
        self._asked = False
        self._turn: Optional[DelayedCall] = None
        self._timer: Optional[DelayedCall] = None

    def listen(self, said: Callable[[Said], None], lost: Callable[[Lost], None]) -> None:
        """Have ``said`` take events, and ``lost`` hear once why the connection ended."""
        self._said, self._lost = said, lost

    # Twisted's side.

    def connectionMade(self) -> None:
        if self.ended:
            self.transport.abortConnection()
            return
        self.transport.registerProducer(self, True)
        self._timer = self._reactor.callLater(
            self._patience.handshake, self.fail, "it does not finish its greeting"
        )

    def dataReceived(self, data: bytes) -> None:
        if not self.ended:
            self.session.receive_data(data)
            self._asked = False
            self._read()

    def handshakeCompleted(self) -> None:
        if self.ended:
            return
        if not self._anonymous:
            connection: Any = self.transport.getHandle()
            try:
                check_certificate(connection, self._trust, self._name)
            except Untrusted as error:
                self.fail(str(error), refused=True)
                return
        self.session.tls_started()
        self._read()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._end(Lost(_end_text(reason)))

    def pauseProducing(self) -> None:
        self._choked = True

    def resumeProducing(self) -> None:
        self._choked = False
        self._unread = 0

    def stopProducing(self) -> None:
        pass

    # The display's side.

    def hold(self) -> None:
        """Read no further until as many calls of `release`."""
        self._holds += 1
        self._breathe()

    def release(self) -> None:
        """Read on, unless somebody else holds."""
        self._holds -= 1
        if not self._holds and not self._reading and not self.ended:
            self._read()

    def flush(self) -> None:
        """Send what the session has to say."""
        for item in self.session.data_to_send():
            if self._choked:
                # One clipboard may be longer than all that may be left unread.
                self._unread += min(len(item), UNREAD // 2)
            if not self.ended:
                self.transport.write(item)
        if self._unread > UNREAD:
            self.fail("it does not read what it is sent")

    def fail(self, reason: str, refused: bool = False) -> None:
        """Give the upstream up."""
        self._end(Lost(reason, refused))

    # Turns.

    def _read(self) -> None:
        if self._reading or self._holds or self._turn is not None or self.ended:
            return
        self._reading = True
        try:
            self._take_turn()
        except ProtocolError as error:
            self.fail(str(error), isinstance(error, Refused))
        finally:
            self._reading = False
        if not self.ended:
            self.flush()
            self._breathe()

    def _take_turn(self) -> None:
        until = self._reactor.seconds() + TURN
        for event in self.session.steps():
            if event is not None:
                self._hear(event)
            if self._holds or self.ended:
                return
            if self._reactor.seconds() >= until:
                self._turn = self._reactor.callLater(0, self._next_turn)
                return

    def _next_turn(self) -> None:
        self._turn = None
        self._read()

    def _hear(self, event: Said) -> None:
        if isinstance(event, TlsAgreed):
            self._start_tls(event.certificate)
            return
        if isinstance(event, Connected):
            self._greeted = True
            self._forget_timer()
            self._timer = self._reactor.callLater(self._patience.quiet, self._fell_silent)
        self._said(event)

    def _start_tls(self, certificate: bool) -> None:
        self.flush()
        self._anonymous = not certificate
        try:
            tls = TlsClient(self._trust.authorities, self._name) if certificate else _ANONYMOUS
        except Untrusted as error:
            self.fail(str(error), refused=True)
        else:
            self.transport.startTLS(tls)

    def _breathe(self) -> None:
        """Let TCP flow or wait, and time what is under way."""
        if self.ended:
            return
        if self._holds or self._turn is not None:
            self.transport.pauseProducing()
        else:
            self.transport.resumeProducing()
            self._await_more()

    # Time.

    def _await_more(self) -> None:
        if self._timer is not None and self._greeted and not self._asked:
            midway = self.session.midway
            self._timer.reset(self._patience.stall if midway else self._patience.quiet)

    def _fell_silent(self) -> None:
        self._timer = self._reactor.callLater(self._patience.answer, self._fell_silent)
        if self._holds or self._turn is not None:
            return
        if self.session.midway:
            self.fail("it stopped in the middle of a message")
        elif self._asked:
            self.fail("it does not answer")
        else:
            self._asked = True
            self.session.send_update_request(False, Rect(0, 0, 1, 1))
            self.flush()

    def _forget_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _end(self, lost: Lost) -> None:
        if self.ended:
            return
        self.ended = True
        self._forget_timer()
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        if self.transport is not None:
            self.transport.abortConnection()
        self._lost(lost._replace(reason=lost.reason[:REASON_SHOWN]))


_ANONYMOUS = AnonymousTlsClient()


def _ignored(told: object) -> None:
    """Nobody listens yet."""


def _end_text(reason: Failure) -> str:
    problem = reason.value
    if isinstance(problem, ConnectionDone):
        return "it closed the connection"
    if isinstance(problem, SSL.Error):
        return f"TLS: {problem}"
    return str(problem)
