"""Clients that are slow on purpose, a process: python -m bench.slow PORT COUNT.

-> start    <- how many are open, once all are
-> count    <- how many are left, and how old the one was that lived longest

Each sends something at first, and then a little of more again and again.
"""

from __future__ import annotations

import selectors
import socket
import sys
import threading
import time
from collections import deque
from typing import NamedTuple, Sequence

from bench.child import answer, serve

#: Seconds between two drops of one connection.
_PACE = 0.5
#: Connections come from so many addresses of this machine.
_ADDRESSES = 8
_TIMEOUT = 10.0


class _Kind(NamedTuple):
    first: bytes
    drop: bytes


_KINDS = (
    _Kind(b"GET / HTTP/1.1\r\nHost: x\r\n", b"X-A: b\r\n"),
    _Kind(b"G", b"E"),
    _Kind(b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n", b"x"),
    _Kind(bytes.fromhex("16030100c8010000c40303"), b"\0"),
    _Kind(b"", b""),
)


class Slow:
    """Slow clients from ``start`` until the other side has ended them all."""

    def __init__(self, port: int, count: int) -> None:
        self._port, self._count = port, count
        self._left: dict[socket.socket, tuple[float, bytes]] = {}
        self._oldest = 0.0
        self._selector = selectors.DefaultSelector()

    def reply(self, words: Sequence[str]) -> None:
        """Obey ``start``; answer that and ``count``."""
        if words[0] == "start":
            for number in range(self._count):
                self._open(number)
            threading.Thread(target=self._drip, daemon=True).start()
        answer({"left": len(self._left), "oldest": self._oldest})

    def _open(self, number: int) -> None:
        kind = _KINDS[number % len(_KINDS)]
        source = (f"127.0.0.{2 + number % _ADDRESSES}", 0)
        client = socket.create_connection(("127.0.0.1", self._port), _TIMEOUT, source)
        client.sendall(kind.first)
        client.setblocking(False)
        self._selector.register(client, selectors.EVENT_READ)
        self._left[client] = time.monotonic(), kind.drop

    def _drip(self) -> None:
        """Let each drip at its own time; all are in turn once in each period."""
        began = time.monotonic()
        turns = deque((began + _PACE * number / self._count, client)
                      for number, client in enumerate(self._left))
        while self._left:
            due, client = turns[0]
            for key, _ in self._selector.select(max(0.0, due - time.monotonic())):
                assert isinstance(key.fileobj, socket.socket), "only these are registered"
                if _is_end(key.fileobj):
                    self._end(key.fileobj)
            if time.monotonic() < due:
                continue
            turns.popleft()
            if client not in self._left:
                continue
            if _send(client, self._left[client][1]):
                turns.append((due + _PACE, client))
            else:
                self._end(client)

    def _end(self, client: socket.socket) -> None:
        self._oldest = max(self._oldest, time.monotonic() - self._left.pop(client)[0])
        self._selector.unregister(client)
        client.close()


def _is_end(client: socket.socket) -> bool:
    """Read; tell whether that was all."""
    try:
        return not client.recv(1 << 16)
    except BlockingIOError:
        return False
    except OSError:
        return True


def _send(client: socket.socket, drop: bytes) -> bool:
    """Send a little more; tell whether the connection is still there."""
    try:
        client.send(drop)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return True


def main(port: str, count: str) -> None:
    """Be slow until the parent ends the conversation."""
    serve(Slow(int(port), int(count)).reply)


if __name__ == "__main__":
    main(*sys.argv[1:])
