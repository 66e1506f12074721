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
#: Seconds for each to be connected, on a busy machine.
_TIMEOUT = 60.0


class Kind(NamedTuple):
    """What is sent at first, and then a little of again and again."""

    first: bytes
    drop: bytes = b""


KINDS = {
    "headers": Kind(b"GET / HTTP/1.1\r\nHost: x\r\n", b"X-A: b\r\n"),
    "line": Kind(b"G", b"E"),
    "login": Kind(b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n", b"x"),
    "hello": Kind(bytes.fromhex("16030100c8010000c40303"), b"\0"),
    "silent": Kind(b""),
}


class Slow:
    """``count`` clients of these kinds by turns, until the other side has ended them all."""

    def __init__(self, port: int, count: int, kinds: Sequence[Kind]) -> None:
        self._port, self._count, self._kinds = port, count, kinds
        self._alive: dict[socket.socket, tuple[float, bytes]] = {}
        #: How old the one was that lived longest.
        self.oldest = 0.0
        self._selector = selectors.DefaultSelector()

    @property
    def left(self) -> int:
        """How many are open."""
        return len(self._alive)

    def open(self) -> None:
        """Connect all."""
        for number in range(self._count):
            kind = self._kinds[number % len(self._kinds)]
            client = connect(self._port, number)
            client.sendall(kind.first)
            client.setblocking(False)
            self._selector.register(client, selectors.EVENT_READ)
            self._alive[client] = time.monotonic(), kind.drop

    def live(self) -> None:
        """Let each drip at its own time until none is left; each is in turn once in a period."""
        began = time.monotonic()
        turns = deque((began + _PACE * number / self._count, client)
                      for number, client in enumerate(self._alive))
        while self._alive:
            due, client = turns[0]
            for key, _ in self._selector.select(max(0.0, due - time.monotonic())):
                assert isinstance(key.fileobj, socket.socket), "only these are registered"
                if _is_end(key.fileobj):
                    self._end(key.fileobj)
            if time.monotonic() < due:
                continue
            turns.popleft()
            if client not in self._alive:
                continue
            if _send(client, self._alive[client][1]):
                turns.append((due + _PACE, client))
            else:
                self._end(client)

    def _end(self, client: socket.socket) -> None:
        self.oldest = max(self.oldest, time.monotonic() - self._alive.pop(client)[0])
        self._selector.unregister(client)
        client.close()


def connect(port: int, number: int) -> socket.socket:
    """Give connection ``number``, from one of several addresses of this machine."""
    source = (f"127.0.0.{2 + number % _ADDRESSES}", 0)
    return socket.create_connection(("127.0.0.1", port), _TIMEOUT, source)


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
    clients = Slow(int(port), int(count), list(KINDS.values()))

    def reply(words: Sequence[str]) -> None:
        if words[0] == "start":
            clients.open()
            threading.Thread(target=clients.live, daemon=True).start()
        answer({"left": clients.left, "oldest": clients.oldest})

    serve(reply)


if __name__ == "__main__":
    main(*sys.argv[1:])
