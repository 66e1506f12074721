"""A link delays, and carries no more than it can; what comes out is what went in."""

from __future__ import annotations

import asyncio
import fcntl
import os
import selectors
import socket
import sys
import termios
import threading
import time
from contextlib import ExitStack, closing
from typing import Iterator, Optional

import pytest

from bench.link import Link, carry
from bench.stacks import Stack

_SIZE = 40_000
#: What a link takes at a time.
_PACKET = 1460

Ready = list[tuple[selectors.SelectorKey, int]]


@pytest.fixture
def echo() -> Iterator[int]:
    """Send back what one connection says; gives the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _address = listener.accept()
            with connection:
                while data := connection.recv(4096):
                    connection.sendall(data)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(60)
        assert not thread.is_alive()


def exchange(connection: socket.socket, data: bytes) -> float:
    """Give the seconds until all of ``data`` came back."""
    began = time.monotonic()
    connection.sendall(data)
    got = b""
    while len(got) < len(data):
        got += connection.recv(4096)
    assert got == data
    return time.monotonic() - began


def test_it_delays_and_limits(echo: int) -> None:
    link = Link(100_000, 0.1)
    with link.to(Stack("echo", echo, "", "", [])) as far:
        with socket.create_connection(("127.0.0.1", far.port), 60) as connection:
            assert exchange(connection, b"x") >= 0.1
            assert exchange(connection, os.urandom(_SIZE)) >= 0.1 + _SIZE / link.rate


class Idle(selectors.DefaultSelector):
    """Lets time go by, instead of waiting, where there is nothing to do."""

    now = 0.0

    def select(self, timeout: Optional[float] = None) -> Ready:
        ready = super().select(0)
        if not ready and timeout:
            self.now += timeout
        return ready


class Loop(asyncio.SelectorEventLoop):
    """A loop in such a time."""

    def __init__(self) -> None:
        self._idle = Idle()
        super().__init__(self._idle)

    def time(self) -> float:
        return self._idle.now


def unread(end: socket.socket) -> int:
    """Give how many bytes wait to be read."""
    return int.from_bytes(fcntl.ioctl(end, termios.FIONREAD, bytes(4)), sys.byteorder)


def test_its_queue_is_bounded() -> None:
    """The sender is made to wait: what is taken is what went, and little more than the queue."""
    link, seconds, more = Link(10_000, 0.0), 2.0, 2 * _PACKET

    async def carried() -> tuple[int, int]:
        """Give how much came, and how much was not taken."""
        way = asyncio.create_task(carry(source, sink, link))
        await asyncio.sleep(seconds)
        way.cancel()
        return unread(out), unread(source)

    with ExitStack() as stack:
        ends = [stack.enter_context(end) for _ in range(2) for end in socket.socketpair()]
        for end in ends:
            end.setblocking(False)
        into, source, sink, out = ends
        offered = into.send(bytes(60_000))
        with closing(Loop()) as loop:
            came, left = loop.run_until_complete(carried())
    assert link.rate * seconds - more <= came <= link.rate * seconds
    assert link.queue <= offered - left - came <= link.queue + more
