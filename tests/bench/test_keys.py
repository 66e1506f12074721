"""Keys at a real desktop: a viewer sees what they change, and waits no longer than it should."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Iterator

import pytest

from bench.keys import Keys, Letters
from bench.painters import ADVANCE, LINE, TEXT, corner
from bench.square import BESIDE, Area
from bench.stacks import HEIGHT, WIDTH, Stack, start_stacks

#: A desktop of which nothing is ever shown.
_MUTE = (
    b"HTTP/1.1 101 Switching Protocols\r\n\r\n", b"\x82\x0cRFB 003.008\n", b"\x82\x02\1\1",
    b"\x82\x1c\0\0\0\0" + struct.pack(">HH16xI", WIDTH, HEIGHT, 0),
)  # fmt: skip


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """Start kasmd with a desktop."""
    with ExitStack() as ending:
        yield start_stacks(("kasmd",), tmp_path, ending)[0]


@pytest.fixture
def mute(stack: Stack) -> Iterator[Stack]:
    """Give the same desktop behind a server that shows nothing of it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _address = listener.accept()
            with connection:
                connection.sendall(b"".join(_MUTE))
                while connection.recv(4096):
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        yield replace(stack, port=listener.getsockname()[1])
        thread.join(60)
        assert not thread.is_alive()


def place(number: int) -> Area:
    """Give where a letter is, on the desktop."""
    left, top = corner(number)
    return TEXT[0] + left, TEXT[1] + top, ADVANCE, LINE


def test_each_key_writes_a_letter_that_is_seen(stack: Stack) -> None:
    with Letters(stack) as letters:
        count = len(letters.press_often(0.5))

        def written() -> bool:
            return all(letters.held(place(number)).any() for number in range(count))

        assert count and (written() or letters.watch(60, written))
        assert not letters.held(place(count)).any()


def test_a_key_changes_the_square(stack: Stack) -> None:
    with Keys(stack) as keys:

        def changed() -> bool:
            return bool(keys.held(BESIDE).any())

        assert not changed()
        assert keys.press_often(0.1)
        assert changed() or keys.watch(60, changed)


def test_a_key_that_shows_nothing_counts_as_what_one_waits(mute: Stack) -> None:
    with Keys(mute, patience=0.1) as keys:
        taken = keys.press_often(0.2)
        assert taken and set(taken) == {0.1}
        assert not keys.picture().any()
