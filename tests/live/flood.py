"""python -m tests.live.flood PORT KIND COUNT: many connections that do next to nothing.

Says ``open COUNT`` when all are open and ``gone SECONDS`` when the other side has ended
them all: how old the one was that lived longest.
"""

from __future__ import annotations

import selectors
import socket
import sys
import threading
import time
from typing import NamedTuple

from tests.live.programs import ROOT, Program

#: Connections come from several addresses of this machine.
ADDRESSES = 8
#: Seconds between two drops.
PACE = 0.5
#: Connections of a storm, each second.
RATE = 1000


class Kind(NamedTuple):
    """What is sent at first, and then a little of again and again."""

    first: bytes
    drop: bytes = b""


KINDS = {
    "silent": Kind(b""),
    "headers": Kind(b"GET / HTTP/1.1\r\nHost: x\r\n", b"X-A: b\r\n"),
    "line": Kind(b"G", b"E"),
    "login": Kind(b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n", b"x"),
    "hello": Kind(bytes.fromhex("16030100c8010000c40303")),
    "hello-drip": Kind(bytes.fromhex("1603013fff01003ffb0303"), b"\0"),
}


class Flood(Program):
    """The program, until the end of the ``with``."""

    def __init__(self, port: int, kind: str, count: int) -> None:
        super().__init__(
            sys.executable, "-m", "tests.live.flood", str(port), kind, str(count), cwd=ROOT
        )


def _connect(port: int, number: int) -> socket.socket:
    connection = socket.socket()
    connection.bind((f"127.0.0.{2 + number % ADDRESSES}", 0))
    connection.connect(("127.0.0.1", port))
    return connection


def flood(port: int, kind: Kind, count: int) -> None:
    """Open, drip, and wait for the ends."""
    selector = selectors.DefaultSelector()
    born: dict[socket.socket, float] = {}
    for number in range(count):
        connection = _connect(port, number)
        connection.sendall(kind.first)
        connection.setblocking(False)
        selector.register(connection, selectors.EVENT_READ)
        born[connection] = time.monotonic()
    print(f"open {count}", flush=True)
    oldest, due = 0.0, time.monotonic()
    while born:
        ended = [key.fileobj for key, _ in selector.select(PACE) if _ended(key.fileobj)]
        now = time.monotonic()
        if kind.drop and now >= due:
            due = now + PACE
            ended += [connection for connection in born if not _drip(connection, kind.drop)]
        for connection in set(ended):
            oldest = max(oldest, now - born.pop(connection))
            selector.unregister(connection)
            connection.close()
    print(f"gone {oldest:.1f}", flush=True)


def _ended(connection: socket.socket) -> bool:
    """Read; tell whether that was all."""
    try:
        return not connection.recv(65536)
    except BlockingIOError:
        return False
    except OSError:
        return True


def _drip(connection: socket.socket, drop: bytes) -> bool:
    try:
        connection.send(drop)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return True


def storm(port: int, count: int) -> None:
    """Come and go at once, a thousand times a second, every other time rudely."""
    began, clock = time.monotonic(), threading.Event()
    for number in range(count):
        clock.wait(max(0.0, began + number / RATE - time.monotonic()))
        with _connect(port, number) as connection:
            if number % 2:
                linger = bytes((1, 0, 0, 0, 0, 0, 0, 0))
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                connection.send(b"GET /")
    print("gone 0", flush=True)


if __name__ == "__main__":
    _, _port, _kind, _count = sys.argv
    if _kind == "storm":
        storm(int(_port), int(_count))
    else:
        flood(int(_port), KINDS[_kind], int(_count))
