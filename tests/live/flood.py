"""python -m tests.live.flood PORT KIND COUNT: many connections that do next to nothing.

Says ``open COUNT`` when all are open and ``gone SECONDS`` when the other side has ended
them all: how old the one was that lived longest.
"""

from __future__ import annotations

import socket
import sys
import threading
import time

from bench.slow import KINDS as SLOW
from bench.slow import Kind, Slow, connect
from tests.live.programs import ROOT, Program

#: Connections of a storm, each second.
RATE = 1000
#: Those of the benchmark, and TLS hellos that stop or are long.
KINDS = {
    **SLOW,
    "hello": Kind(bytes.fromhex("16030100c8010000c40303")),
    "hello-drip": Kind(bytes.fromhex("1603013fff01003ffb0303"), b"\0"),
}


class Flood(Program):
    """The program, until the end of the ``with``."""

    def __init__(self, port: int, kind: str, count: int) -> None:
        super().__init__(
            sys.executable, "-m", "tests.live.flood", str(port), kind, str(count), cwd=ROOT
        )


def flood(port: int, kind: Kind, count: int) -> None:
    """Open, drip, and wait for the ends."""
    clients = Slow(port, count, [kind])
    clients.open()
    print(f"open {count}", flush=True)
    clients.live()
    print(f"gone {clients.oldest:.1f}", flush=True)


def storm(port: int, count: int) -> None:
    """Come and go at once, a thousand times a second, every other time rudely."""
    began, clock = time.monotonic(), threading.Event()
    for number in range(count):
        clock.wait(max(0.0, began + number / RATE - time.monotonic()))
        with connect(port, number) as connection:
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
