"""Both ends of the edge's measurements, cheap enough never to be what is measured.

The upstream is a process: python -m bench.edge_peers PORT FLOOD_PORT MESSAGE_PORT.

-> GET /flood      <- 101, then frames of 64 KiB for ever   (FLOOD_PORT: at once)
-> GET /message    <- 101, then a frame for each frame      (MESSAGE_PORT: at once)
-> GET /idle       <- 101, then nothing until the parent says "drop"
"""

from __future__ import annotations

import os
import socket
import ssl
import struct
import sys
import threading
import time
from typing import Callable, Optional, Sequence

from bench.child import answer, serve
from bench.websocket import Closed

_FRAME, _MESSAGE = 1 << 16, 32
_END = b"\r\n\r\n"
_SWITCHING = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" + _END
)
_FLOOD = (b"\x82\x7f" + struct.pack(">Q", _FRAME) + bytes(_FRAME)) * 64
_FROM_SERVER = bytes((0x82, _MESSAGE)) + bytes(_MESSAGE)
_FROM_CLIENT = bytes((0x82, 0x80 | _MESSAGE)) + bytes(4 + _MESSAGE)
_TIMEOUT = 10.0


class Upstream:
    """What is behind every proxy."""

    def __init__(self) -> None:
        self._file = os.memfd_create("flood")
        os.write(self._file, _FLOOD)
        self._idle: list[socket.socket] = []

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
        """Answer each message with one of the same size."""
        while peer.recv(1024):
            peer.sendall(_FROM_SERVER)

    def drop(self, words: Sequence[str]) -> None:
        """End the idle websockets."""
        idle, self._idle = self._idle, []
        for peer in idle:
            peer.close()
        answer({})

    def _accept(
        self, listener: socket.socket, serve_with: Optional[Callable[[socket.socket], None]]
    ) -> None:
        ways = {b"/flood": self.flood, b"/message": self.message, b"/idle": None}
        while True:
            peer, _ = listener.accept()
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            way = serve_with or ways[_asked(peer)]
            if way is None:
                self._idle.append(peer)
            else:
                threading.Thread(target=_serve, args=(way, peer), daemon=True).start()


def _asked(peer: socket.socket) -> bytes:
    head = b""
    while _END not in head:
        head += peer.recv(4096)
    peer.sendall(_SWITCHING)
    return head.split(b" ", 2)[1]


def _serve(way: Callable[[socket.socket], None], peer: socket.socket) -> None:
    try:
        way(peer)
    except OSError:
        peer.close()


class Client:
    """A websocket through a proxy, or without one."""

    def __init__(self, port: int, path: str, tls: bool = False) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), _TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._tls: Optional[ssl.SSLObject] = None
        if tls:
            self._into, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self._tls = context.wrap_bio(self._into, self._out)
            self._in_tls(self._tls.do_handshake)
        request = (
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        self._send(request.encode())
        head = self._receive()
        if b" 101 " not in head[:20]:
            raise Closed(f"no 101 at port {port}: {head[:80]!r}")

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

    def round_trip(self) -> float:
        """Send a message and wait for its answer; give the seconds."""
        began = time.perf_counter()
        self._send(_FROM_CLIENT)
        self._receive()
        return time.perf_counter() - began

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


def main(port: str, flood_port: str, message_port: str) -> None:
    """Be the upstream until the parent ends the conversation."""
    upstream = Upstream()
    upstream.listen(int(port), None)
    upstream.listen(int(flood_port), upstream.flood)
    upstream.listen(int(message_port), upstream.message)
    serve(upstream.drop)


if __name__ == "__main__":
    main(*sys.argv[1:])
