"""A connection's messages, one after another, on either side of it.

    receive_data(bytes), receive_eof(), events_received()

One request is read at a time: what a client sends ahead waits, and
``unread`` tells how much, for whoever reads the transport to stop.
"""

from __future__ import annotations

import enum
import re
from typing import NamedTuple, Optional, Union

from kasmd.h1.body import Decoder, Framing, decoder, request_framing, response_framing
from kasmd.h1.fields import HttpError
from kasmd.h1.head import HTTP_1_1, Limits, RequestHead, ResponseHead, parse_request, parse_response


class RequestReceived(NamedTuple):
    """A request's head, and how its body will end."""

    head: RequestHead
    framing: Framing


class ResponseReceived(NamedTuple):
    """An answer's head, and how its body will end; 1xx come before the last one."""

    head: ResponseHead
    framing: Framing


class BodyReceived(NamedTuple):
    """A piece of the body, never empty."""

    data: bytes


class MessageEnded(NamedTuple):
    """All of the message is here."""


Event = Union[RequestReceived, ResponseReceived, BodyReceived, MessageEnded]
ENDED = MessageEnded()


_BARE_LF = re.compile(rb"(?<!\r)\n")


class State(enum.Enum):
    """What the next bytes are."""

    WAITING = "not read until the message before is answered"
    HEAD = "a head"
    BODY = "a body"
    TUNNEL = "not HTTP any more"
    BROKEN = "nothing that can be read"


#: An enumeration's members are looked up slowly.
_WAITING, _HEAD, _BODY = State.WAITING, State.HEAD, State.BODY


class _Session:
    """What both sides share: a buffer, a head, a body."""

    def __init__(self, limits: Limits, state: State) -> None:
        self._limits = limits
        self._buffer = b""
        self._searched = 0
        self._events: list[Event] = []
        self._body: Optional[Decoder] = None
        self.state = state

    @property
    def unread(self) -> int:
        """How many bytes wait to be read."""
        return len(self._buffer)

    @property
    def waiting(self) -> bool:
        """Whether all of a message was read, and the next one was not begun."""
        return self.state is _WAITING

    def take_unread(self) -> bytes:
        """Give what came and was not read, for the protocol that follows this one."""
        data, self._buffer = self._buffer, b""
        return data

    def receive_data(self, data: bytes) -> None:
        """Take bytes (HttpError, after which nothing is read any more)."""
        self._buffer = self._buffer + data if self._buffer else data
        self._read()

    def events_received(self) -> list[Event]:
        """Give what happened since the last call."""
        events, self._events = self._events, []
        return events

    def _read(self) -> None:
        try:
            while self._buffer:
                if self.state is _HEAD:
                    block = self._head_block()
                    if block is None:
                        break
                    self._read_head(block)
                elif self.state is _BODY:
                    self._read_body()
                else:
                    # A decision must come first.
                    break
        except HttpError:
            self.state = State.BROKEN
            raise

    def _head_block(self) -> Optional[bytes]:
        """Cut a head out of the buffer once it is whole."""
        data = self._buffer
        begin = self._searched - 3 if self._searched > 3 else 0
        end = data.find(b"\r\n\r\n", begin, self._limits.head + 4)
        if end < 0:
            self._check_start(data, self._searched)
            self._searched = len(data)
            if len(data) > self._limits.head:
                text = f"the header has more than {self._limits.head} bytes"
                raise HttpError(431, text, "header_bytes")
            return None
        self._buffer = data[end + 4 :]
        self._searched = 0
        return data[:end]

    def _read_head(self, block: bytes) -> None:
        try:
            self._head(block)
        except HttpError:
            # What would have been refused early is refused alike, however the bytes were cut.
            _Session._check_start(self, block, 0)
            raise

    def _check_start(self, data: bytes, seen: int) -> None:
        """Refuse early what can become no head; ``seen`` bytes of it were looked at."""
        if _BARE_LF.search(data, max(0, seen - 1)) is not None:
            raise HttpError(400, "a line ends without CR LF")

    def _head(self, block: bytes) -> None:
        raise NotImplementedError

    def _begin_body(self, framing: Framing) -> None:
        length = framing.length
        if length == 0:
            self._ended()
        elif length is not None and length <= len(self._buffer):
            self._events.append(BodyReceived(self._buffer[:length]))
            self._buffer = self._buffer[length:]
            self._ended()
        else:
            self._body = decoder(framing, self._limits)
            self.state = _BODY

    def _read_body(self) -> None:
        assert self._body is not None, "the state says that there is a body"
        pieces, self._buffer = self._body.feed(self._buffer)
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if data:
            self._events.append(BodyReceived(data))
        if self._body.done:
            self._ended()

    def _ended(self) -> None:
        self._body = None
        self.state = _WAITING
        self._events.append(ENDED)


class ServerSession(_Session):
    """Reads requests."""

    def __init__(self, limits: Limits = Limits()) -> None:
        super().__init__(limits, State.HEAD)

    def next_request(self) -> None:
        """The request was answered, and all of it read: read on (HttpError)."""
        if self.state is _WAITING:
            self.state = _HEAD
            self._read()

    def receive_eof(self) -> None:
        """The client sends no more (HttpError inside a message)."""
        inside = self.state is State.BODY or (self.state is State.HEAD and self._buffer)
        if inside:
            self.state = State.BROKEN
            raise HttpError(400, "the connection ended inside a request")

    def tunnel(self) -> bytes:
        """The connection becomes another protocol's; give what came of it already."""
        self.state = State.TUNNEL
        return self.take_unread()

    def _check_start(self, data: bytes, seen: int) -> None:
        super()._check_start(data, seen)
        if len(data) > self._limits.request_line and b"\r\n" not in data:
            text = f"the request line has over {self._limits.request_line} bytes"
            raise HttpError(414, text, "request_line")

    def _head(self, block: bytes) -> None:
        # A client may send an empty line before a request (RFC 9112 section 2.2).
        head = parse_request(block.removeprefix(b"\r\n"), self._limits)
        framing = request_framing(head)
        self._events.append(RequestReceived(head, framing))
        self._begin_body(framing)


class ClientSession(_Session):
    """Reads the answers to the requests that `expect` announces, one at a time."""

    def __init__(self, limits: Limits = Limits()) -> None:
        super().__init__(limits, State.WAITING)
        self._method = b""
        #: Whether the connection can carry another request after this answer.
        self.reusable = True

    def expect(self, method: bytes) -> None:
        """A request was sent; bytes that came before it belong to no answer (HttpError)."""
        if self._buffer or self.state is not _WAITING:
            self.state = State.BROKEN
            raise HttpError(502, "an answer came before its request")
        self._method = method
        self.state = _HEAD

    def receive_eof(self) -> None:
        """The server sends no more: that ends some bodies (else HttpError)."""
        self.reusable = False
        if self.state is State.BODY:
            assert self._body is not None, "the state says that there is a body"
            self._body.end()
            self._ended()
        elif self.state is State.HEAD:
            raise HttpError(502, "the connection ended before an answer")

    def _head(self, block: bytes) -> None:
        head = parse_response(block, self._limits)
        framing = response_framing(head, self._method)
        self._events.append(ResponseReceived(head, framing))
        if head.status == 101:
            self.state = State.TUNNEL
        elif head.status >= 200:
            self.reusable = self._keeps(head, framing)
            self._begin_body(framing)

    @staticmethod
    def _keeps(head: ResponseHead, framing: Framing) -> bool:
        bounded = framing.length is not None or framing.chunked
        return (
            bounded
            and head.version == HTTP_1_1
            and b"close" not in head.fields.tokens(b"connection")
        )
