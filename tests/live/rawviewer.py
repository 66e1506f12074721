"""A viewer of our own for the live tests: it keeps what it is told, byte by byte."""

from __future__ import annotations

import base64
import os
import socket
import ssl
import struct
import time
from functools import partial
from typing import Callable, NamedTuple, Protocol, Sequence, TypeVar

import numpy as np

from kasmd.codec import hextile, raw, zrle
from kasmd.codec.base import Reading, complete
from kasmd.codec.deflate import Inflater
from kasmd.codec.tight import TightDecoder
from kasmd.rfb.client import ClientSession, Connected, FenceSent, Received, Said, UpdateReceived
from kasmd.rfb.numbers import Encoding, FenceFlag
from kasmd.screen.geometry import Rect
from kasmd.screen.pixels import Pixels
from tests.live.programs import PATIENCE

#: What a viewer that can do everything asks for, Tight without loss first.
ENCODINGS = (
    Encoding.TIGHT, Encoding.COPY_RECT, Encoding.ZRLE, Encoding.HEXTILE, Encoding.RAW,
    Encoding.LAST_RECT, Encoding.CURSOR, Encoding.EXTENDED_DESKTOP_SIZE, Encoding.FENCE,
)
_SIZES = (Encoding.EXTENDED_DESKTOP_SIZE, Encoding.DESKTOP_SIZE)
_GUID_KEY = base64.b64encode(bytes(16)).decode()
_BINARY, _CLOSE, _PING, _PONG = 2, 8, 9, 10

S = TypeVar("S", bound=Said)


class Ended(Exception):
    """The server closed the connection; ``code`` is 0 where the carrier has none."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code, self.reason = code, reason


class Chunk(NamedTuple):
    """Bytes as they came, and when (time.monotonic)."""

    at: float
    data: bytes


class Carrier(Protocol):
    """How bytes go to and fro; ``receive`` raises Ended, or TimeoutError."""

    def send(self, data: bytes) -> None: ...

    def receive(self, timeout: float) -> bytes: ...

    def close(self) -> None: ...


class Stream:
    """A connected socket as it is."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    def send(self, data: bytes) -> None:
        self._socket.settimeout(PATIENCE)
        self._socket.sendall(data)

    def receive(self, timeout: float) -> bytes:
        self._socket.settimeout(max(timeout, 0.001))
        try:
            data = self._socket.recv(1 << 18)
        except ConnectionResetError:
            data = b""
        if not data:
            raise Ended(0, "")
        return data

    def close(self) -> None:
        self._socket.close()


class WebSocket:
    """A websocket's messages over a `Stream` (RFC 6455), its head already exchanged."""

    def __init__(self, stream: Stream, buffer: bytes = b"") -> None:
        self._stream, self._buffer = stream, buffer

    def send(self, data: bytes) -> None:
        self._frame(_BINARY, data)

    def receive(self, timeout: float) -> bytes:
        deadline = time.monotonic() + timeout
        while True:
            head, data = self._take(deadline)
            if head & 15 == _BINARY:
                return data
            if head & 15 == _PING:
                self._frame(_PONG, data)
            elif head & 15 == _CLOSE:
                self._frame(_CLOSE, data[:2])
                raise Ended(int.from_bytes(data[:2], "big"), data[2:].decode())

    def close(self) -> None:
        self._stream.close()

    def _frame(self, kind: int, data: bytes) -> None:
        length = len(data)
        if length < 126:
            size = struct.pack("!B", 128 | length)
        elif length < 1 << 16:
            size = struct.pack("!BH", 128 | 126, length)
        else:
            size = struct.pack("!BQ", 128 | 127, length)
        # A mask of zeros leaves the data as it is.
        self._stream.send(bytes([128 | kind]) + size + bytes(4) + data)

    def _take(self, deadline: float) -> tuple[int, bytes]:
        self._fill(2, deadline)
        head, length = self._buffer[0], self._buffer[1]
        start = {126: 4, 127: 10}.get(length, 2)
        self._fill(start, deadline)
        if start > 2:
            length = int.from_bytes(self._buffer[2:start], "big")
        self._fill(start + length, deadline)
        data, self._buffer = self._buffer[start:start + length], self._buffer[start + length:]
        return head, data

    def _fill(self, size: int, deadline: float) -> None:
        while len(self._buffer) < size:
            self._buffer += self._stream.receive(deadline - time.monotonic())


def websocket(port: int, user: str, password: str = "password", tls: bool = True) -> WebSocket:
    """Open ``wss://127.0.0.1:port/websockify``; AssertionError if it is refused."""
    connected = socket.create_connection(("127.0.0.1", port), PATIENCE)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
    if tls:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connected = context.wrap_socket(connected)
    stream = Stream(connected)
    proof = base64.b64encode(f"{user}:{password}".encode()).decode()
    stream.send(
        f"GET /websockify HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {_GUID_KEY}\r\n"
        f"Authorization: Basic {proof}\r\n\r\n".encode()
    )
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += stream.receive(PATIENCE)
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 "), answer
    return WebSocket(stream, rest)


def unix_socket(path: str) -> Stream:
    """Connect to a unix socket."""
    connecting = socket.socket(socket.AF_UNIX)
    connecting.settimeout(PATIENCE)
    connecting.connect(path)
    return Stream(connecting)


class RawViewer:
    """One conversation; end it with ``with``.

    ``screen`` is the picture so far, (height, width, 4) of BGRX; ``events`` is
    all that was said, ``chunks`` the bytes that said it.  While ``follows`` is set
    each update is answered with the next request.
    """

    def __init__(self, carrier: Carrier, encodings: Sequence[int] = ENCODINGS,
                 follows: bool = True) -> None:
        self.follows = follows
        self.session = ClientSession()
        self.events: list[Said] = []
        self.chunks: list[Chunk] = []
        self.screen: Pixels = np.zeros((0, 0, 4), np.uint8)
        self._carrier = carrier
        self._tight = TightDecoder()
        self._inflater = Inflater()
        init = self.wait_for(Connected)
        self._resized(init.width, init.height)
        self.session.send_encodings(encodings)
        if follows:
            self.request(incremental=False)
        self.flush()

    def __enter__(self) -> RawViewer:
        return self

    def __exit__(self, *exc: object) -> None:
        self._carrier.close()

    @property
    def updates(self) -> list[UpdateReceived]:
        """All pictures, cursors and sizes so far."""
        return [event for event in self.events if isinstance(event, UpdateReceived)]

    def request(self, incremental: bool = True) -> None:
        """Ask for the whole desktop."""
        height, width = self.screen.shape[:2]
        self.session.send_update_request(incremental, Rect(0, 0, width, height))
        self.flush()

    def flush(self) -> None:
        """Send what the session has to say."""
        for item in self.session.data_to_send():
            self._carrier.send(item)

    def receive(self, timeout: float = PATIENCE) -> None:
        """Wait for the next bytes and take them in; TimeoutError, Ended."""
        data = self._carrier.receive(timeout)
        self.chunks.append(Chunk(time.monotonic(), data))
        self.session.receive_data(data)
        for event in self.session.events_received():
            self.events.append(event)
            if isinstance(event, UpdateReceived):
                self._paint(event)
        self.flush()

    def wait_for(self, kind: type[S], since: int = 0) -> S:
        """Wait until something of ``kind`` is among ``events[since:]``; give the first."""
        self.wait_until(lambda: any(isinstance(event, kind) for event in self.events[since:]),
                        kind.__name__)
        return next(event for event in self.events[since:] if isinstance(event, kind))

    def wait_until(self, true: Callable[[], object], what: str, timeout: float = PATIENCE) -> None:
        """Take in what comes until ``true`` answers."""
        deadline = time.monotonic() + timeout
        while not true():
            left = deadline - time.monotonic()
            assert left > 0, f"not within {timeout} s: {what}"
            try:
                self.receive(left)
            except TimeoutError:
                continue

    def wait_for_end(self) -> Ended:
        """Wait until the server closes; give why."""
        try:
            self.wait_until(lambda: False, "the connection closes")
        except Ended as end:
            return end
        raise AssertionError("unreachable")

    def settle(self) -> None:
        """Take in all that the server sent before it read this: a fence goes to and fro."""
        payload = os.urandom(8)
        self.session.send_fence(FenceFlag.REQUEST | FenceFlag.BLOCK_BEFORE, payload)
        self.flush()
        self.wait_until(
            lambda: any(isinstance(event, FenceSent) and event.payload == payload
                        for event in self.events),
            "the fence's answer",
        )

    def type(self, *keysyms: int) -> None:
        """Press and release keys, one after the other."""
        for keysym in keysyms:
            self.session.send_key(True, keysym)
            self.session.send_key(False, keysym)
        self.flush()

    def point(self, x: int, y: int, *buttons: int) -> None:
        """Move the pointer there, then press these buttons, one mask after the other."""
        for mask in (0, *buttons):
            self.session.send_pointer(x, y, mask)
        self.flush()

    # The picture.

    def _resized(self, width: int, height: int) -> None:
        if self.screen.shape[:2] != (height, width):
            self.screen = np.zeros((height, width, 4), np.uint8)

    def _paint(self, update: UpdateReceived) -> None:
        for received in update.rectangles:
            if received.encoding in _SIZES:
                self._resized(received.rect.width, received.rect.height)
            elif received.encoding >= 0:
                self._draw(received)
        if self.follows:
            self.request()

    def _draw(self, received: Received) -> None:
        (x, y, width, height), fmt = received.rect, self.session.format
        if received.encoding == Encoding.COPY_RECT:
            left, top = struct.unpack(">HH", received.payload)
            pixels = self.screen[top:top + height, left:left + width].copy()
        elif received.encoding in (kinds := self._decoders):
            reading = kinds[Encoding(received.encoding)](width, height, fmt)
            pixels, end = complete(reading, received.payload)
            assert end == len(received.payload), f"bytes left of {received.rect}"
        else:
            # The VMware cursor has a number like an encoding's.
            return
        self.screen[y:y + height, x:x + width] = pixels

    @property
    def _decoders(self) -> dict[Encoding, Callable[..., Reading[Pixels]]]:
        return {
            Encoding.RAW: raw.decode,
            Encoding.HEXTILE: hextile.decode,
            Encoding.TIGHT: self._tight.decode,
            Encoding.ZRLE: partial(zrle.decode, inflater=self._inflater),
        }
