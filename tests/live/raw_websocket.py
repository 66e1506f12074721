"""A websocket client that sends whatever bytes it is told to, and keeps what comes."""

from __future__ import annotations

import socket
from typing import NamedTuple, Self

from kasmd.edge.frames import masked
from tests.live.programs import PATIENCE

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
_KEY = b"\x37\xfa\x21\x3d"
#: Longer payloads are masked with zeros: what is proven with the others costs no time here.
_MASK_UP_TO = 4096


class Frame(NamedTuple):
    """A frame as it came."""

    opcode: int
    payload: bytes
    last: bool = True

    @property
    def code(self) -> int:
        """A close frame's code; 1005 where it has none."""
        return int.from_bytes(self.payload[:2], "big") if self.payload else 1005


class Lost(Exception):
    """The connection ended without a close frame."""


def frame(opcode: int, payload: bytes = b"", last: bool = True, reserved: int = 0) -> bytes:
    """Give a client's frame."""
    length = len(payload)
    if length < 126:
        head = bytes((128 | length,))
    elif length < 65536:
        head = bytes((128 | 126,)) + length.to_bytes(2, "big")
    else:
        head = bytes((128 | 127,)) + length.to_bytes(8, "big")
    key = _KEY if length <= _MASK_UP_TO else bytes(4)
    first = (128 if last else 0) | reserved << 4 | opcode
    return bytes((first,)) + head + key + (masked(payload, key) if any(key) else payload)


def closing(code: int = 1000, reason: bytes = b"") -> bytes:
    """Give a client's close frame."""
    return frame(CLOSE, code.to_bytes(2, "big") + reason)


class RawWebsocket:
    """A connection that was upgraded by ``handshake``, or refused: see ``head``."""

    def __init__(self, port: int, handshake: bytes, timeout: float = PATIENCE) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""
        self.socket.sendall(handshake)
        self.head = self._until_empty_line()

    @property
    def status(self) -> int:
        """The answer's status."""
        return int(self.head.split(b" ")[1])

    def fields(self, name: bytes) -> list[bytes]:
        """Give the values of a field of the answer."""
        lines = self.head.split(b"\r\n")[1:]
        pairs = (line.partition(b":") for line in lines)
        return [value.strip() for key, _, value in pairs if key.lower() == name.lower()]

    def send(self, *pieces: bytes) -> None:
        """Send each piece by itself."""
        for piece in pieces:
            self.socket.sendall(piece)

    def receive(self) -> Frame:
        """Give the next frame but for pings, which are answered (Lost, TimeoutError)."""
        while (got := self._receive()).opcode == PING:
            self.send(frame(PONG, got.payload))
        return got

    def _receive(self) -> Frame:
        first, second = self._take(2)
        assert not second & 128, "a server does not mask"
        length = second & 127
        if length > 125:
            length = int.from_bytes(self._take(2 if length == 126 else 8), "big")
        return Frame(first & 15, self._take(length), bool(first & 128))

    def message(self) -> Frame:
        """Give the next frame that is no control frame, with all that continues it."""
        got = self.receive()
        while not got.last:
            following = self.receive()
            got = Frame(got.opcode, got.payload + following.payload, following.last)
        return got

    def until_close(self) -> list[Frame]:
        """Give all messages and control frames, a close frame last, and answer it (Lost)."""
        frames: list[Frame] = []
        while not frames or frames[-1].opcode != CLOSE:
            frames.append(self.message())
        try:
            self.send(frame(CLOSE, frames[-1].payload[:2]))
        except OSError:
            # The server may be gone already, as it may.
            pass
        return frames

    def is_ended(self) -> bool:
        """Wait for the end; tell whether nothing came before it."""
        try:
            return not self._buffer and not self.socket.recv(1)
        except ConnectionResetError:
            return True

    def _until_empty_line(self) -> bytes:
        while b"\r\n\r\n" not in self._buffer:
            self._read()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        return head

    def _take(self, size: int) -> bytes:
        pieces, held = [self._buffer], len(self._buffer)
        while held < size:
            self._buffer = b""
            self._read()
            pieces.append(self._buffer)
            held += len(self._buffer)
        data = b"".join(pieces)
        self._buffer = data[size:]
        return data[:size]

    def _read(self) -> None:
        try:
            data = self.socket.recv(1 << 18)
        except ConnectionResetError:
            data = b""
        if not data:
            raise Lost
        self._buffer += data

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.socket.close()
