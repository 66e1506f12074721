"""Both ends of the edge's measurements, cheap enough never to be what is measured.

The upstream is a process: python -m bench.edge_peers PORT FLOOD_PORT MESSAGE_PORT.

-> GET .../flood      <- 101, then frames of 64 KiB for ever   (FLOOD_PORT: at once)
-> GET .../message    <- 101, then a frame for each frame      (MESSAGE_PORT: at once)
-> GET .../idle       <- 101, then nothing until the client ends it
-> GET .../body       <- as many bytes as X-Length says (`Body`)
-> PUT .../body       <- the SHA-256 of the body
"""

from __future__ import annotations

import hashlib
import os
import re
import selectors
import socket
import ssl
import struct
import sys
import threading
import time
from collections import deque
from typing import Callable, Iterator, Mapping, NamedTuple, Optional

from bench.child import serve
from bench.websocket import Closed

_FRAME, _MESSAGE = 1 << 16, 32
_END = b"\r\n\r\n"
_SWITCHING = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" + _END
)
_FLOOD = (b"\x82\x7f" + struct.pack(">Q", _FRAME) + bytes(_FRAME)) * 64
#: When it was sent, and how long what it answers took: nanoseconds of one clock for all.
_STAMPS = struct.Struct(f">QQ{_MESSAGE - 16}x")
_FROM_SERVER = bytes((0x82, _MESSAGE))
#: Its mask changes nothing.
_FROM_CLIENT = bytes((0x82, 0x80 | _MESSAGE)) + bytes(4)
_TIMEOUT = 20.0
#: A body is pieces of this many bytes, each of which begins with its number.
PIECE = 1 << 20
_LENGTH = re.compile(rb"(?i)\r\n(?:x-length|content-length): *(\d+)")


class Body:
    """A body of ``length`` bytes, the same for whoever makes it; knows the hash of what passed."""

    _noise = hashlib.shake_256(b"kasmd").digest(PIECE - 8)

    def __init__(self, length: int) -> None:
        self._length = length
        self._hash = hashlib.sha256()

    def pieces(self) -> Iterator[bytes]:
        """Make it."""
        for number in range(self._length // PIECE):
            piece = struct.pack(">Q", number) + self._noise
            self._hash.update(piece)
            yield piece

    def receive(self, peer: socket.socket, early: bytes = b"") -> Iterator[int]:
        """Take it; give after each read how many bytes are here."""
        self._hash.update(early)
        received, buffer = len(early), memoryview(bytearray(PIECE))
        while received < self._length:
            size = peer.recv_into(buffer)
            if not size:
                raise Closed(f"{self._length - received} bytes before the body's end")
            self._hash.update(buffer[:size])
            received += size
            yield received

    @property
    def hash(self) -> bytes:
        """Give the SHA-256 of what passed, in hexadecimal."""
        return self._hash.hexdigest().encode("ascii")


class Upstream:
    """What is behind every proxy."""

    def __init__(self) -> None:
        self._file = os.memfd_create("flood")
        os.write(self._file, _FLOOD)
        self._idle = selectors.DefaultSelector()
        threading.Thread(target=self._end_idle, daemon=True).start()

    def listen(self, port: int, serve_with: Optional[Callable[[socket.socket], None]]) -> None:
        """Serve in one way, or in the one that each request's path names."""
        listener = socket.create_server(("127.0.0.1", port), backlog=4096)
        threading.Thread(target=self._accept, args=(listener, serve_with), daemon=True).start()

    def flood(self, peer: socket.socket) -> None:
        """Send frames without copying them."""
        while True:
            start = 0
            while start < len(_FLOOD):
                start += os.sendfile(peer.fileno(), self._file, start, len(_FLOOD) - start)

    def message(self, peer: socket.socket) -> None:
        """Answer each message with one of the same size, and tell how long it took to come."""
        # What is shorter is a close frame.
        while len(data := peer.recv(1024)) >= _MESSAGE:
            took = time.monotonic_ns() - _stamps(data)[0]
            peer.sendall(_FROM_SERVER + _STAMPS.pack(time.monotonic_ns(), took))

    def _end_idle(self) -> None:
        while True:
            for key, _ in self._idle.select(0.1):
                peer = key.fileobj
                assert isinstance(peer, socket.socket), "only these are registered"
                if _is_end(peer):
                    self._idle.unregister(peer)
                    peer.close()

    def _accept(
        self, listener: socket.socket, serve_with: Optional[Callable[[socket.socket], None]]
    ) -> None:
        while True:
            peer, _ = listener.accept()
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if serve_with is not None:
                _start(serve_with, peer)
                continue
            try:
                self._answer(peer)
            except (Closed, OSError):
                # Somebody looked whether we are here.
                peer.close()

    def _answer(self, peer: socket.socket) -> None:
        head, early = _head(peer)
        name = head.split(b" ", 2)[1].rpartition(b"/")[2]
        if name == b"body":
            _start(_body, peer, head, early)
            return
        peer.sendall(_SWITCHING)
        if name == b"idle":
            self._idle.register(peer, selectors.EVENT_READ)
        else:
            _start({b"flood": self.flood, b"message": self.message}[name], peer)


def _stamps(data: bytes) -> tuple[int, int]:
    """Read a message, whatever frames it is in."""
    sent, took = _STAMPS.unpack_from(data, len(data) - _MESSAGE)
    return sent, took


def _is_end(peer: socket.socket) -> bool:
    """Read what came of an idle websocket; a ping is no end."""
    try:
        data = peer.recv(4096)
    except ConnectionResetError:
        return True
    return not data or data[0] & 15 == 8


def _head(peer: socket.socket) -> tuple[bytes, bytes]:
    """Read a message's head; give it and what follows."""
    data = b""
    while _END not in data:
        received = peer.recv(4096)
        if not received:
            raise Closed(f"after {data[:80]!r}")
        data += received
    head, _, early = data.partition(_END)
    return head, early


def _body(peer: socket.socket, head: bytes, early: bytes) -> None:
    found = _LENGTH.search(head)
    length = int(found[1]) if found is not None else 0
    body = Body(length)
    if head.startswith(b"GET"):
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d" % length + _END)
        for piece in body.pieces():
            peer.sendall(piece)
    else:
        deque(body.receive(peer, early), 0)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 64" + _END + body.hash)
    peer.close()


def _start(way: Callable[..., None], peer: socket.socket, *more: bytes) -> None:
    threading.Thread(target=_serve, args=(way, peer, *more), daemon=True).start()


def _serve(way: Callable[..., None], peer: socket.socket, *more: bytes) -> None:
    try:
        way(peer, *more)
    except OSError:
        peer.close()


def _request(line: str, port: int, fields: Mapping[str, str]) -> bytes:
    lines = (line, f"Host: 127.0.0.1:{port}", *(f"{key}: {fields[key]}" for key in fields))
    return "\r\n".join(lines).encode() + _END


_UPGRADE = {
    "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}  # fmt: skip


class RoundTrip(NamedTuple):
    """How long a message took to the upstream, its answer back, and both: nanoseconds."""

    to: int
    back: int
    both: int


class Client:
    """A websocket through a proxy, or without one."""

    def __init__(
        self, port: int, path: str, fields: Mapping[str, str], tls: bool = False
    ) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), _TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._port = port
        self._tls: Optional[ssl.SSLObject] = None
        if tls:
            self._into, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self._tls = context.wrap_bio(self._into, self._out)
            self._in_tls(self._tls.do_handshake)
        self._send(_request(f"GET {path} HTTP/1.1", port, {**_UPGRADE, **fields}))

    def opened(self) -> Client:
        """Wait for the 101."""
        head = self._receive()
        if b" 101 " not in head[:20]:
            raise Closed(f"no 101 at port {self._port}: {head[:80]!r}")
        return self

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def megabytes_per_second(self, seconds: float) -> float:
        """Take a flood for some time, in the kernel only: no copy and no decryption."""
        buffer, received = bytearray(1 << 20), 0
        began = time.perf_counter()
        while time.perf_counter() - began < seconds:
            received += self._socket.recv_into(buffer, 0, socket.MSG_TRUNC)
        return received / (time.perf_counter() - began) / 1e6

    def round_trip(self) -> RoundTrip:
        """Send a message and wait for its answer."""
        began = time.monotonic_ns()
        self._send(_FROM_CLIENT + _STAMPS.pack(began, 0))
        data = self._receive()
        ended = time.monotonic_ns()
        sent, to = _stamps(data)
        return RoundTrip(to, ended - sent, ended - began)

    def _send(self, data: bytes) -> None:
        if self._tls is None:
            self._socket.sendall(data)
        else:
            self._tls.write(data)
            self._socket.sendall(self._out.read())

    def _receive(self) -> bytes:
        if self._tls is None:
            return self._socket.recv(4096)
        tls = self._tls
        return self._in_tls(lambda: tls.read(4096))

    def _in_tls(self, step: Callable[[], object]) -> bytes:
        while True:
            try:
                found = step()
            except ssl.SSLWantReadError:
                self._flush()
                self._into.write(self._socket.recv(1 << 16))
                continue
            self._flush()
            return found if isinstance(found, bytes) else b""

    def _flush(self) -> None:
        if self._out.pending:
            self._socket.sendall(self._out.read())


def exchange_body(
    port: int, path: str, fields: Mapping[str, str], method: str, length: int,
    look: Callable[[], None],
) -> bytes:  # fmt: skip
    """PUT or GET a body, and call ``look`` now and then; give the hash that its taker saw."""
    body, every = Body(length), 64 * PIECE
    put = method == "PUT"
    with socket.create_connection(("127.0.0.1", port), _TIMEOUT) as connection:
        said = {"Content-Length" if put else "X-Length": str(length), **fields}
        connection.sendall(_request(f"{method} {path} HTTP/1.1", port, said))
        if put:
            for number, piece in enumerate(body.pieces()):
                connection.sendall(piece)
                if number * PIECE % every == 0:
                    look()
        head, early = _head(connection)
        if b" 200 " not in head[:20]:
            raise Closed(f"{method} {path}: {head[:80]!r}")
        if not put:
            seen = 0
            for received in body.receive(connection, early):
                if received - seen > every:
                    seen = received
                    look()
            return body.hash
        while len(early) < 64:
            early += connection.recv(64)
    return early


def main(port: str, flood_port: str, message_port: str) -> None:
    """Be the upstream until the parent ends the conversation."""
    upstream = Upstream()
    upstream.listen(int(port), None)
    upstream.listen(int(flood_port), upstream.flood)
    upstream.listen(int(message_port), upstream.message)
    serve(lambda words: None)


if __name__ == "__main__":
    main(*sys.argv[1:])
