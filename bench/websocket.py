"""A websocket client's side of RFC 6455, as much of it as a viewer needs.

-> GET /websockify, Upgrade       <- 101
-> masked binary frames           <- binary frames, pings
"""

from __future__ import annotations

import os
import socket
import struct
from typing import Callable, Generator

#: A program that yields how many bytes it wants next and is sent just those; where
#: the number is negative, so many are passed by, and it is sent none.
Reader = Generator[int, bytes, None]

_CONTINUATION, _BINARY, _CLOSE, _PING, _PONG = 0, 2, 8, 9, 10
_RECEIVE = 1 << 18


class Closed(Exception):
    """The server ended the conversation, or refused it."""


class Pump:
    """Feeds a `Reader`, however the bytes are cut; ``passed`` is given what it does not want."""

    def __init__(
        self, reader: Reader, passed: Callable[[memoryview], None] = lambda piece: None
    ) -> None:
        self._reader, self._passed = reader, passed
        self._wanted = next(reader)
        self._buffer = bytearray()

    def feed(self, data: bytes | memoryview) -> None:
        """Give ``data`` to the reader, as far as it reaches."""
        rest = memoryview(data)
        while True:
            if self._wanted < 0:
                passing, rest = rest[: -self._wanted], rest[-self._wanted :]
                self._passed(passing)
                self._wanted += len(passing)
                if self._wanted < 0:
                    return
            missing = self._wanted - len(self._buffer)
            self._buffer += rest[:missing]
            if len(rest) < missing:
                return
            rest, block = rest[missing:], bytes(self._buffer)
            self._buffer.clear()
            self._wanted = self._reader.send(block)


def masked(payload: bytes, opcode: int = _BINARY) -> bytes:
    """Give one masked frame (RFC 6455 section 5.2); the mask is zero."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else struct.pack(">BH", 0xFE, size)
    return bytes([0x80 | opcode]) + length + bytes(4) + payload


class WebSocket:
    """One connection; `receive` takes what is there and passes payloads on."""

    def __init__(
        self, port: int, authorization: str, deliver: Callable[[memoryview], None]
    ) -> None:
        self.bytes_received = 0
        self._deliver = deliver
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = memoryview(bytearray(_RECEIVE))
        self._rest = self._upgrade(port, authorization)
        self._pump = Pump(self._frames(), self._pass_on)

    def fileno(self) -> int:
        """Give the socket's descriptor, for select."""
        return self._socket.fileno()

    def send(self, payload: bytes) -> None:
        """Send one binary message."""
        self._socket.sendall(masked(payload))

    def receive(self) -> None:
        """Wait for some bytes and act on them; `Closed` at the end."""
        if self._rest:
            rest, self._rest = self._rest, b""
            self._pump.feed(rest)
            return
        size = self._socket.recv_into(self._buffer)
        if not size:
            raise Closed("the server closed the connection")
        self._pump.feed(self._buffer[:size])

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def _upgrade(self, port: int, authorization: str) -> bytes:
        request = [
            "GET /websockify HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            f"Origin: http://127.0.0.1:{port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {os.urandom(12).hex()[:22]}==",
            "Sec-WebSocket-Protocol: binary",
            f"Authorization: {authorization}",
        ]
        self._socket.sendall("\r\n".join([*request, "", ""]).encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            data = self._socket.recv(_RECEIVE)
            if not data:
                raise Closed(f"no answer to the upgrade: {answer!r}")
            answer += data
        head, _, rest = answer.partition(b"\r\n\r\n")
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise Closed(head.decode("latin-1"))
        return rest

    def _pass_on(self, piece: memoryview) -> None:
        self.bytes_received += len(piece)
        self._deliver(piece)

    def _frames(self) -> Reader:
        while True:
            opcode, size = yield 2
            if size == 126:
                (size,) = struct.unpack(">H", (yield 2))
            elif size == 127:
                (size,) = struct.unpack(">Q", (yield 8))
            if opcode & 15 in (_CONTINUATION, _BINARY):
                yield -size
                continue
            payload = yield size
            if opcode & 15 == _PING:
                self._socket.sendall(masked(payload, _PONG))
            elif opcode & 15 == _CLOSE:
                raise Closed(payload[2:].decode("utf-8", "replace"))
