"""Segmentation, solved once: scripts ask for blocks, a reader finds them.

A script is a generator.  It yields a number to ask for exactly that many bytes,
an event to hand it out, or `HOLD` to wait until the shell has acted::

    length, = U32.unpack((yield 4))
    yield CutTextReceived((yield length))
"""

from __future__ import annotations

import struct
from typing import Generator, Generic, Iterator, Optional, TypeVar, Union

from kasmd.errors import ProtocolError
from kasmd.rfb import limits

T = TypeVar("T")
E = TypeVar("E")

#: Reads blocks and returns one T.
Parser = Generator[int, bytes, T]
#: Reads blocks and hands out events of type E, for the life of a connection.
Script = Generator[Union[int, E], bytes, None]

#: Yielded by a script that waits for the shell; it is asked again at each turn.
HOLD = -1

U16 = struct.Struct(">H")
U32 = struct.Struct(">I")
S32 = struct.Struct(">i")


class Reader(Generic[E]):
    """Runs one script over whatever segments arrive.

    The script is run to its first wish at once, and never ends.  Only `events`
    raises.
    """

    def __init__(self, script: Script[E], waiting_ceiling: int = limits.WAITING) -> None:
        self._script = script
        self._ceiling = waiting_ceiling
        self._buffer = bytearray()
        self._dead = False
        self._wanted = 0
        self._event: list[E] = []
        self._take(next(script))

    @property
    def waiting(self) -> int:
        """How many bytes are not yet read by the script."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Keep ``data``; it is read by `events`."""
        if not self._dead:
            self._buffer += data

    def close(self) -> None:
        """Read nothing more, and let go of the script."""
        self._dead = True
        self._buffer.clear()
        self._script.close()

    @property
    def wanted(self) -> int:
        """How many bytes the script asked for."""
        return self._wanted

    def events(self) -> Iterator[E]:
        """Run the script on what is here; may be abandoned and begun again.

        Raises `ProtocolError` once; from then on there are no more events and
        what is fed is dropped.
        """
        for event in self.steps():
            if event is not None:
                yield event

    def steps(self) -> Iterator[Optional[E]]:
        """Do as `events` does; None after each step without one, for who minds the time."""
        while not self._dead:
            if self._event:
                yield self._event.pop()
            elif self._wanted <= len(self._buffer):
                self._step()
                if self._wanted == HOLD:
                    return
                yield None
            else:
                return

    def _step(self) -> None:
        try:
            self._take(self._script.send(self._block()))
            if self._wanted == HOLD and len(self._buffer) > self._ceiling:
                raise ProtocolError(f"{len(self._buffer)} bytes came before their turn")
        except ProtocolError:
            self._dead = True
            self._buffer.clear()
            raise

    def _take(self, asked: Union[int, E]) -> None:
        if isinstance(asked, int):
            self._wanted = asked
        else:
            self._event.append(asked)
            self._wanted = 0

    def _block(self) -> bytes:
        if self._wanted <= 0:
            return b""
        with memoryview(self._buffer) as view:
            block = bytes(view[: self._wanted])
        del self._buffer[: self._wanted]
        return block


def skip(length: int) -> Parser[None]:
    """Read ``length`` bytes and keep none of them."""
    while length > 0:
        step = min(length, limits.SKIP_STEP)
        yield step
        length -= step


def bounded(length: int, ceiling: int) -> Parser[Optional[bytes]]:
    """Read ``length`` bytes; where that is above ``ceiling``, skip them and give None."""
    if length <= ceiling:
        return (yield length)
    yield from skip(length)
    return None


def text(string: str) -> bytes:
    """A string as RFB writes it: its length in 32 bits, then UTF-8."""
    data = string.encode("utf-8", "replace")
    return U32.pack(len(data)) + data
