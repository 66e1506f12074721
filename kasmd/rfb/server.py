"""The server's side of one RFB connection, without I/O.

The shell's turn is always the same; nothing but iterating ``events_received``
raises, and only `kasmd.errors.ProtocolError`::

    session.receive_data(data)
    for event in session.events_received():
        act(event)                      # may call any method of the session
    for item in session.data_to_send():
        transport.send(item)            # one item is one websocket message

Events are read from the wire as they are asked for, so what the shell answers to
one event holds for the next byte.  After an answer that came later (``accept``,
``send_init``) the shell takes a turn, since bytes may have waited for it.  After a
ProtocolError there are no more events, what is received is dropped, and what was
to be sent before (a refusal, for instance) still can be.

The session answers by itself what needs no decision (``->`` from the viewer)::

    -> Fence with Request        <- Fence: the same payload, flags less Request;
                                    with SyncNext after the message that follows
    -> SetEncodings with -312    <- Fence with Request, payload 00, once: a viewer
                                    learns from it that fences work here
    ... with -312 and -313       <- EndOfContinuousUpdates, once, for the same reason
    ... with the clipboard's     <- extended clipboard Caps, once
    -> Notify, Peek, Request     <- Request, Notify, Provide (`clipboard`)

It never sends a fence without Request but as an answer: both noVNCs would abort.
"""

from __future__ import annotations

from typing import Any, Callable, Iterator, Optional, Sequence

from kasmd.errors import ProtocolError
from kasmd.rfb import clipboard, kasm, standard
from kasmd.rfb.capabilities import capabilities_of, speaks_kasm
from kasmd.rfb.dialect import RULES, ClipboardForm, Dialect
from kasmd.rfb.handshake import handshake, refusal
from kasmd.rfb.limits import Limits
from kasmd.rfb.messages import (
    ClipboardNotified,
    ClipboardPeeked,
    ClipboardRequested,
    ContinuousUpdatesSet,
    CredentialsGiven,
    EncodingsSet,
    Event,
    FenceReceived,
    SharedRequested,
    TlsRequested,
    VideoEncodersRequested,
)
from kasmd.rfb.numbers import FENCE_ANSWERED, FENCE_REQUEST, Encoding, FenceFlag, SecurityType
from kasmd.rfb.outgoing import Outgoing
from kasmd.rfb.security import ACCEPTED, Desk
from kasmd.rfb.wire import Reader, Script
from kasmd.screen.pixels import BGRX, PixelFormat

#: One table: what reads each message type.
PARSERS = {**standard.PARSERS, **kasm.PARSERS}

#: The payload of the fence that only shows that fences work here.
FENCE_PROBE = b"\x00"


class ServerSession(Outgoing):
    """One viewer, from the first byte on.

    ``security`` is offered in this order: NONE only where the transport has
    already let the viewer in.
    """

    def __init__(
        self,
        security: Sequence[SecurityType] = (SecurityType.NONE,),
        limits: Limits = Limits(),
    ) -> None:
        super().__init__(limits)
        self._listed: tuple[int, ...] = ()
        self._delayed_fence: Optional[FenceReceived] = None
        self._desk = Desk(lambda item: self._items.append(item), lambda: self._reader.waiting)
        self._reader: Reader[Event] = Reader(self._script(tuple(security)))

    def receive_data(self, data: bytes) -> None:
        """Take bytes of the viewer, cut anywhere; then ask for `events_received`."""
        self._reader.feed(data)

    def events_received(self) -> Iterator[Event]:
        """Read events from what was received; raises ProtocolError, once, in their order."""
        return self._reader.events()

    def close(self) -> None:
        """Read nothing more; the session is no circle that only the garbage collector opens."""
        self._reader.close()
        self._desk.send, self._desk.waiting = _unsaid, int

    def tls_started(self) -> None:
        """Answer to `TlsRequested`, before a byte from inside TLS is received."""
        if not self._reader.waiting:
            self._desk.answer(TlsRequested)

    def accept(self) -> None:
        """Answer to `CredentialsGiven`: they are right."""
        self._desk.answer(CredentialsGiven)
        self._items.append(ACCEPTED)

    def refuse(self, reason: str) -> None:
        """Answer to `CredentialsGiven`: no; the shell then closes."""
        self._desk.answer(CredentialsGiven)
        self._desk.asked = Event  # nobody answers this: nothing more is read
        self._items.append(refusal(self._desk.version, reason))

    def send_init(
        self, width: int, height: int, name: str, pixel_format: PixelFormat = BGRX
    ) -> None:
        """Answer to `SharedRequested`: the desktop's size, name and own pixel format."""
        self._desk.answer(SharedRequested)
        self._open = True
        self._say(standard.server_init(width, height, pixel_format, name))

    def _script(self, security: Sequence[SecurityType]) -> Script[Event]:
        yield from handshake(self._desk, security)
        while True:
            number = (yield 1)[0]
            parser = PARSERS.get(number)
            if parser is None:
                raise ProtocolError(f"unknown message type {number}")
            fence, self._delayed_fence = self._delayed_fence, None
            event = yield from parser(self._reading)
            if event is not None:
                self._react(event)
                yield event
            if fence is not None:
                self._say(answered(fence))

    def _react(self, event: Event) -> None:
        reaction = self._REACTIONS.get(type(event))
        if reaction is not None:
            reaction(self, event)

    def _learn(self, event: EncodingsSet) -> None:
        self._listed = event.encodings
        if speaks_kasm(self._listed):
            self._reading.dialect = Dialect.KASM
        self.capabilities = can = capabilities_of(self._listed, self.dialect)
        if can.fence and self._first(Encoding.FENCE):
            self.send_fence(FENCE_PROBE)
        if can.fence and can.continuous_updates and self._first(Encoding.CONTINUOUS_UPDATES):
            self.send_end_of_continuous_updates()
        cut_text = RULES[self.dialect].clipboard is ClipboardForm.CUT_TEXT
        if can.extended_clipboard and cut_text and self._first(Encoding.EXTENDED_CLIPBOARD):
            self._offer = clipboard.Offer()
            self._say(clipboard.caps())

    def _meet_kasm(self, event: VideoEncodersRequested) -> None:
        self._reading.dialect = Dialect.KASM
        self.capabilities = capabilities_of(self._listed, self.dialect)

    def _check_listed(self, event: ContinuousUpdatesSet) -> None:
        if Encoding.CONTINUOUS_UPDATES not in self._shown:
            raise ProtocolError("continuous updates from a viewer that did not list them")

    def _answer_fence(self, event: FenceReceived) -> None:
        if event.flags & FENCE_REQUEST:
            if event.flags & FenceFlag.SYNC_NEXT:
                self._delayed_fence = event
            else:
                self._say(answered(event))

    def _answer_clipboard(self, event: Event) -> None:
        answer = None if self._offer is None else self._offer.answer(event)
        if answer is not None:
            self._say(answer)

    _REACTIONS: dict[type[Event], Callable[[ServerSession, Any], None]] = {
        EncodingsSet: _learn,
        VideoEncodersRequested: _meet_kasm,
        ContinuousUpdatesSet: _check_listed,
        FenceReceived: _answer_fence,
        ClipboardNotified: _answer_clipboard,
        ClipboardRequested: _answer_clipboard,
        ClipboardPeeked: _answer_clipboard,
    }


def _unsaid(item: bytes) -> None:
    """What is over has nothing to say."""


def answered(fence: FenceReceived) -> bytes:
    """The answer to a fence with Request."""
    return standard.server_fence(fence.flags & FENCE_ANSWERED, fence.payload)
