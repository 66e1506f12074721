"""What becomes of a request's body: it is kept, dropped, or handed on as it comes."""

from __future__ import annotations

import enum
from collections import deque
from typing import TYPE_CHECKING, Optional, Protocol, Union

from twisted.python.failure import Failure

from kasmd.http.problems import CLOSE, Problem

if TYPE_CHECKING:
    from kasmd.http.server import HttpFactory


class Stream(enum.Enum):
    """The room of a route that reads its body as it comes."""

    STREAM = "stream"


STREAM = Stream.STREAM
#: How much of a body a route has room for, in bytes.
Room = Union[int, Stream]


class BodyReader(Protocol):
    """Takes a body; one of the last two is called, once."""

    def body_received(self, data: bytes) -> None:
        """Take a piece, never empty."""

    def body_ended(self) -> None:
        """All of it came."""

    def body_lost(self, reason: Failure) -> None:
        """The rest will not come."""


class KeptBody:
    """A body for a route that has ``room`` bytes for it; 0: it is dropped."""

    def __init__(self, factory: HttpFactory, room: int) -> None:
        self._factory = factory
        self._room = room
        self._length = 0
        self._pieces: list[bytes] = []

    @property
    def content(self) -> bytes:
        """What is here of it."""
        return b"".join(self._pieces)

    def admit(self, length: int) -> None:
        """Raise a `Problem` where a body of ``length`` bytes is too large."""
        factory = self._factory
        limit = self._room or factory.limits.body
        if length > limit:
            text = f"The body is too large: {limit} bytes are taken here."
            raise Problem(413, text, [CLOSE], "body_bytes")
        if self._room and factory.bodies + length - self._length > factory.limits.bodies:
            text = "Too many bodies are on their way; try again."
            raise Problem(503, text, [CLOSE, (b"Retry-After", b"1")], "bodies")

    def body_received(self, data: bytes) -> None:
        """Keep or drop a piece (`Problem`)."""
        self.admit(self._length + len(data))
        self._length += len(data)
        if self._room:
            self._pieces.append(data)
            self._factory.bodies += len(data)

    def body_ended(self) -> None:
        """Nothing is to be done."""

    def body_lost(self, reason: Failure) -> None:
        """Nothing is to be done."""

    def forget(self) -> None:
        """Let go of it."""
        if self._room:
            self._factory.bodies -= self._length
        self._length = 0
        self._pieces.clear()


class StreamedBody:
    """A body for a `BodyReader`; what comes before it can be taken waits, one read at most."""

    def __init__(self) -> None:
        self.paused = True
        self._reader: Optional[BodyReader] = None
        self._waiting: deque[bytes] = deque()
        self._whole = False
        self._giving = False

    @property
    def holds_back(self) -> bool:
        """Whether nothing more is to be read for it."""
        return self.paused and not self._whole

    def read(self, reader: BodyReader) -> None:
        """Give all to ``reader``; once."""
        assert self._reader is None, "a body is read once"
        self._reader = reader
        self.resume()

    def resume(self) -> None:
        """Give what waits, until `paused` is set."""
        if self._reader is not None:
            self.paused = False
            self._give()

    def body_received(self, data: bytes) -> None:
        """Give a piece, or let it wait."""
        self._waiting.append(data)
        self._give()

    def body_ended(self) -> None:
        """Give the end, after what waits."""
        self._whole = True
        self._give()

    def body_lost(self, reason: Failure) -> None:
        """Tell the reader that the rest will not come."""
        reader, self._reader = self._reader, None
        self._waiting.clear()
        if reader is not None:
            reader.body_lost(reason)

    def forget(self) -> None:
        """Give nothing more: the answer is there."""
        self._reader = None
        self._waiting.clear()

    def _give(self) -> None:
        if self._giving:
            return
        self._giving = True
        while self._waiting and self._reader is not None and not self.paused:
            self._reader.body_received(self._waiting.popleft())
        if self._whole and not (self._waiting or self.paused) and self._reader is not None:
            reader, self._reader = self._reader, None
            reader.body_ended()
        self._giving = False
