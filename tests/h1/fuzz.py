"""Feed both sessions what nobody should send: grammar first, then mutation.

::

    python tests/h1/fuzz.py --count 1000000 --seed 1
    python tests/h1/fuzz.py --replay HEX

Only HttpError may leave a session, cutting the bytes elsewhere must change
nothing, and what a session keeps is bounded.  Prints what was found; the exit
code is 1 if anything was.
"""

from __future__ import annotations

import sys
from functools import partial
from random import Random
from typing import Iterator, NamedTuple, Optional, Union

from kasmd.h1.fields import HttpError
from kasmd.h1.head import Limits
from kasmd.h1.session import (
    BodyReceived,
    ClientSession,
    MessageEnded,
    ServerSession,
    State,
)
from tests.fuzzing import Trial, failures, main

LIMITS = Limits()
STARTS = (b"GET / HTTP/1.1", b"POST /x?y HTTP/1.1", b"GET http://a/ HTTP/1.1", b"PUT / HTTP/1.0")
ANSWERS = (b"HTTP/1.1 200 OK", b"HTTP/1.1 100 Continue", b"HTTP/1.0 304 x", b"HTTP/1.1 101 x")
FIELDS = (
    b"Host: a", b"Host: a", b"Host: a", b"Content-Length: 3", b"Content-Length: 03",
    b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip", b"Connection: close", b"X:", b" y",
)
BODIES = (b"abc", b"3\r\nabc\r\n0\r\n\r\n", b"3;x\r\nabc\r\n0\r\nT: u\r\n\r\n", b"", b"0\r\n\r\n")
DELIMITERS = (b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b"\0", b"0x", b"+", b",", b"\r\n\r\n")


class Outcome(NamedTuple):
    """What was read: heads, bodies, whether each message ended, and what refused the rest."""

    heads: list[str]
    bodies: list[bytes]
    ended: int
    error: Optional[int]

    @property
    def kinds(self) -> list[str]:
        """What is counted: messages that are whole."""
        return ["message"] * self.ended


class Grammar:
    """Bytes that look like HTTP."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def cases(self, count: int) -> Iterator[bytes]:
        """Make ``count`` inputs; those that begin with HTTP are answers."""
        for _ in range(count):
            starts = ANSWERS if self._random.random() < 0.3 else STARTS
            data = bytearray(b"".join(self._message(starts) for _ in range(3)))
            for _ in range(self._random.choice((0, 0, 1, 1, 2, 4))):
                self._mutate(data)
            yield bytes(data)

    def cut(self, data: bytes) -> list[bytes]:
        """Cut ``data`` in up to four."""
        edges = [0, *sorted(self._random.randint(0, len(data)) for _ in range(3)), len(data)]
        return [data[start:end] for start, end in zip(edges, edges[1:])]

    def _message(self, starts: tuple[bytes, ...]) -> bytes:
        pick = self._random.choice
        fields = [pick(FIELDS) for _ in range(self._random.randrange(4))]
        return b"\r\n".join((pick(starts), b"Host: a", *fields, b"", pick(BODIES)))

    def _mutate(self, data: bytearray) -> None:
        place = self._random.randint(0, len(data))
        kind = self._random.random()
        if kind < 0.4:
            data[place:place] = self._random.choice(DELIMITERS)
        elif kind < 0.7:
            data[place : place + 1] = self._random.randbytes(1)
        elif kind < 0.9:
            del data[place : place + 1 + self._random.getrandbits(3)]
        else:
            data[place:place] = data[place : place + 60]


class Play:
    """The other half of a connection."""

    def __init__(self, answers: bool) -> None:
        self._session: Union[ServerSession, ClientSession]
        self._session = ClientSession(LIMITS) if answers else ServerSession(LIMITS)
        self._heads: list[str] = []
        self._bodies: list[bytes] = []
        self._ended = 0

    def run(self, segments: list[bytes]) -> Outcome:
        """Send all; give what was read."""
        error = None
        try:
            if isinstance(self._session, ClientSession):
                self._session.expect(b"GET")
            for segment in segments:
                self._session.receive_data(segment)
                while self._take() and isinstance(self._session, ServerSession):
                    self._session.next_request()
                waits = self._session.state in (State.WAITING, State.TUNNEL)
                assert waits or self._session.unread <= LIMITS.head
        except HttpError as raised:
            error = raised.status
            self._take()
            # How much of a refused body came before the refusal depends on the cuts.
            del self._bodies[-1:]
        return Outcome(self._heads, self._bodies, self._ended, error)

    def _take(self) -> bool:
        events = self._session.events_received()
        for event in events:
            if isinstance(event, BodyReceived):
                self._bodies[-1] += event.data
            elif isinstance(event, MessageEnded):
                self._ended += 1
            else:
                self._heads.append(repr(event))
                self._bodies.append(b"")
        return bool(events)


def check(data: bytes, segments: list[bytes]) -> Outcome:
    """Run one input whole and cut; raise whatever should not be."""
    answers = data.startswith(b"HTTP")
    whole, cut = Play(answers).run([data]), Play(answers).run(segments)
    if whole != cut:
        raise AssertionError(f"cutting changed {whole} to {cut}")
    return whole


def fuzz(count: int, seed: int) -> int:
    """Run ``count`` inputs; give how many failed."""
    grammar = Grammar(seed)
    return failures(
        Trial(partial(check, data, grammar.cut(data)), f"--replay {data.hex()}")
        for data in grammar.cases(count)
    )


def replay(hexadecimal: str) -> Outcome:
    """Run one input, cut into bytes."""
    data = bytes.fromhex(hexadecimal)
    return check(data, [data[n : n + 1] for n in range(len(data))])


if __name__ == "__main__":
    sys.exit(main(__doc__, fuzz, replay, "HEX"))
