"""A link delays, and carries no more than it can; what comes out is what went in."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import suppress
from typing import Iterator

import pytest

from bench.link import Link
from bench.stacks import Stack

_SIZE = 40_000
#: What the kernel may keep at both ends.
_KERNEL = 50_000


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
        thread.join(10)
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
        with socket.create_connection(("127.0.0.1", far.port), 10) as connection:
            assert exchange(connection, b"x") >= 0.1
            assert exchange(connection, os.urandom(_SIZE)) >= 0.1 + _SIZE / link.rate


def test_its_queue_is_bounded(echo: int) -> None:
    """The sender is made to wait: what is taken is what went, and little more than the queue."""
    link = Link(10_000, 0.0)
    with link.to(Stack("echo", echo, "", "", [])) as far:
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            connection.connect(("127.0.0.1", far.port))
            connection.settimeout(0.5)
            began = time.monotonic()
            taken = 0
            with suppress(TimeoutError):
                while time.monotonic() < began + 1:
                    taken += connection.send(bytes(1000))
            went = link.rate * (time.monotonic() - began)
    assert link.queue < taken < link.queue + _KERNEL + went
