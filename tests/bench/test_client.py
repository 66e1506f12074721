"""A viewer against a scripted server: the same pixels, however the bytes are cut."""

from __future__ import annotations

import socket
import struct
import threading
from typing import Iterator

import numpy
import pytest

from bench.client import COPYRECT, Viewer

_UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
_RED, _BLUE = b"\xff\0\0\0", b"\0\0\xff\0"
#: A desktop of 4 x 2, all its pixels, a CopyRect and the end of a LastRect update.
_SCRIPT = (
    b"RFB 003.008\n",
    b"\1\1",
    b"\0\0\0\0" + struct.pack(">HH16xI", 4, 2, 3) + b"abc",
    b"\x96",
    b"\0\0" + struct.pack(">HHHHHi", 1, 0, 0, 4, 2, 0) + (_RED * 2 + _BLUE * 2) * 2,
    b"\xf8\0\0\0\x80\0\0\1\2hi",
    b"\0\0" + struct.pack(">HHHHHiHH", 0xFFFF, 2, 0, 2, 1, 1, 0, 0),
    struct.pack(">HHHHi", 0, 0, 0, 0, -224),
)


def frame(payload: bytes) -> bytes:
    """Make a server's binary websocket frame."""
    return bytes([0x82, len(payload)]) + payload


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Listen on 127.0.0.1, for a minute at most."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(60)
        yield listening


def serve(listener: socket.socket, pieces: list[bytes]) -> bytes:
    """Send ``pieces`` to one viewer; gives what it said until it left."""
    connection, _address = listener.accept()
    with connection:
        connection.settimeout(60)
        for piece in pieces:
            connection.sendall(piece)
        said = b""
        while data := connection.recv(4096):
            said += data
        return said


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_pixels_counts_and_answers(listener: socket.socket, step: int) -> None:
    stream = _UPGRADED + b"".join(frame(message) for message in _SCRIPT)
    pieces = [stream[start : start + step] for start in range(0, len(stream), step)]
    said: list[bytes] = []
    server = threading.Thread(target=lambda: said.append(serve(listener, pieces)))
    server.start()
    viewer = Viewer(listener.getsockname()[1], "Basic Og==", decode=True)
    while viewer.counts.updates < 2:
        viewer.socket.receive()
    viewer.socket.close()
    server.join(60)

    assert viewer.screen is not None
    red, blue = (255, 0, 0), (0, 0, 255)
    assert numpy.array_equal(viewer.screen, [[red, red, red, red], [red, red, blue, blue]])
    assert viewer.counts.rects == {0: 1, COPYRECT: 1}
    assert viewer.bytes_received == sum(map(len, _SCRIPT))
    assert b"Authorization: Basic Og==\r\n" in said[0]
    assert b"\x96\1\0\0\0\0\0\4\0\2" in said[0]
    assert b"\xf8\0\0\0\0\0\0\1\2hi" in said[0]
