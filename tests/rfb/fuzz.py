"""Feed a server session what nobody should send: grammar first, then mutation.

::

    python tests/rfb/fuzz.py --count 1000000 --seed 1
    python tests/rfb/fuzz.py --replay SECURITY HEX

Only ProtocolError may leave a session, cutting the bytes elsewhere must change
nothing, and what a session says and keeps must stay in proportion.  Prints what
was found; the exit code is 1 if anything was.
"""

from __future__ import annotations

import struct
import sys
import zlib
from functools import partial
from random import Random
from typing import Callable, Iterator, NamedTuple, Optional, Sequence, TypeVar

from kasmd.errors import ProtocolError
from kasmd.rfb.limits import Limits
from kasmd.rfb.messages import CredentialsGiven, Event, SharedRequested, TlsRequested
from kasmd.rfb.numbers import Encoding, SecurityType
from kasmd.rfb.server import ServerSession
from kasmd.screen.pixels import BGRX, RGBX
from tests.fuzzing import Trial, failures, main

T = TypeVar("T")

SMALL = Limits(cut_text=4096, clipboard=4096, inflated=4096)
OFFER = {"text/plain": b"kept\n" * 20}

NUMBERS = (0, 1, 2, 3, 4, 7, 8, 31, 32, 63, 64, 65, 127, 128, 255, 256, 4095, 4096, 4097)
EXTREMES = (0x7FFF, 0x8000, 0xFFFF, 0x10000, 0xFFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
ENCODINGS = [int(encoding) for encoding in Encoding] + [-1025, -1040, -2038, -27, -250, -500, -767]
VERSIONS = (b"008", b"008", b"008", b"007", b"003", b"999", b"00x")


class Case(NamedTuple):
    """One input, and the security that it meets."""

    security: SecurityType
    data: bytes


class Grammar:
    """Bytes that look like RFB."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._messages = (
            [self._fixed(kind, size) for kind, size in FIXED.items()]
            + [self._encodings, self._cut_text, self._extended, self._extended, self._fence]
            + [self._pixel_format, self._sizes, self._clipboard, self._relay, self._encoders]
            + [self._udp, self._qemu]
        )

    def cases(self, count: int) -> Iterator[Case]:
        """Make ``count`` inputs."""
        for _ in range(count):
            chance = self._random.random()
            security = SecurityType.VENCRYPT if chance < 0.1 else SecurityType.NONE
            data = bytearray(self._handshake(security))
            for _ in range(1 + int(self._random.random() * 5)):
                data += self._pick(self._messages)()
            if chance > 0.4:
                self._mutate(data)
            yield Case(security, bytes(data))

    def cut(self, data: bytes) -> list[bytes]:
        """Cut ``data`` in two or three."""
        places = sorted(int(self._random.random() * (len(data) + 1)) for _ in range(2))
        return [data[: places[0]], data[places[0] : places[1]], data[places[1] :]]

    def _pick(self, choices: Sequence[T]) -> T:
        return choices[int(self._random.random() * len(choices))]

    def _number(self) -> int:
        return self._pick(NUMBERS if self._random.random() < 0.9 else EXTREMES)

    def _bytes(self, most: int = 80) -> bytes:
        return self._random.randbytes(int(self._random.random() * most))

    def _handshake(self, security: SecurityType) -> bytes:
        version = self._pick(VERSIONS)
        head = b"RFB 003." + version + b"\n"
        if security == SecurityType.VENCRYPT:
            plain = struct.pack(">II", 3, 4) + b"bobpass\x01"
            return head + b"\x13\x00\x02" + struct.pack(">I", self._pick((259, 262))) + plain
        return head + (b"\x01" if version == b"003" else b"\x01\x01")

    def _fixed(self, kind: int, size: int) -> Callable[[], bytes]:
        return lambda: bytes([kind]) + self._random.randbytes(size)

    def _pixel_format(self) -> bytes:
        return bytes(4) + self._pick((BGRX, RGBX)).pack()

    def _encodings(self) -> bytes:
        listed = [self._pick(ENCODINGS) for _ in range(self._pick(NUMBERS) & 31)]
        count = len(listed) if self._random.random() < 0.95 else self._number() & 0xFFFF
        return struct.pack(f">BxH{len(listed)}i", 2, count, *listed)

    def _cut_text(self) -> bytes:
        body = self._bytes()
        length = len(body) if self._random.random() < 0.8 else self._number()
        return struct.pack(">B3xI", 6, length & 0xFFFFFFFF) + body

    def _extended(self) -> bytes:
        flags = 1 << int(24 + self._random.random() * 6) | self._pick((0, 1, 3, 5, 0xFFFF))
        items = b"".join(struct.pack(">I", self._number()) + self._bytes() for _ in range(2))
        body = zlib.compress(items) if self._random.random() < 0.6 else items
        if self._random.random() < 0.02:
            body = zlib.compress(bytes(100_000))
        return struct.pack(">B3xiI", 6, -4 - len(body), flags) + body

    def _fence(self) -> bytes:
        body = self._bytes()
        return struct.pack(">B3xIB", 248, self._pick((1 << 31, 7 | 1 << 31, 0)), len(body)) + body

    def _sizes(self) -> bytes:
        count = self._pick((0, 1, 2, 255))
        return struct.pack(">BxHHBx", 251, 800, 600, count) + bytes(16 * count)

    def _clipboard(self) -> bytes:
        data = bytes([180, 2])
        for _ in range(2):
            mime, item = self._bytes(40), self._bytes()
            length = len(item) if self._random.random() < 0.8 else self._number()
            data += bytes([len(mime)]) + mime + struct.pack(">I", length) + item
        return data

    def _relay(self) -> bytes:
        name, data = self._bytes(70), self._bytes()
        head = bytes([len(name)]) + name
        return b"\xb6" + head if len(data) & 1 else b"\xb7" + head + _counted(data)

    def _encoders(self) -> bytes:
        return b"\xb8\x02" + struct.pack(">ii", -1026, -1031)

    def _udp(self) -> bytes:
        data = bytes(self._pick((0, 10, 4095, 4096)))
        return struct.pack(">BH", 181, len(data)) + data

    def _qemu(self) -> bytes:
        return b"\xff" + bytes([self._pick((0, 0, 0, 1))]) + self._random.randbytes(10)

    def _mutate(self, data: bytearray) -> None:
        for _ in range(1 + int(self._random.random() * 3)):
            place = int(self._random.random() * len(data)) if data else 0
            kind = self._random.random()
            if kind < 0.5 and data:
                data[place] = self._random.getrandbits(8)
            elif kind < 0.7:
                data[place : place + 4] = struct.pack(">I", self._number())
            elif kind < 0.8:
                del data[place : place + 1 + self._random.getrandbits(4)]
            elif kind < 0.9:
                data[place:place] = data[place : place + 40]
            else:
                del data[place + 12 :]


#: Messages of one length: the type, and how many bytes follow.
FIXED = {0: 19, 3: 9, 4: 7, 5: 5, 150: 9, 178: 3, 179: 11, 185: 0, 188: 9, 189: 7, 190: 3}
FIXED |= {191: 3, 252: 4}


def _counted(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


class Outcome(NamedTuple):
    """What came of an input."""

    events: list[Event]
    sent: list[bytes]
    error: Optional[str]

    @property
    def kinds(self) -> list[str]:
        """The names of the events."""
        return [type(event).__name__ for event in self.events]


def run(security: SecurityType, segments: list[bytes]) -> Outcome:
    """Play the shell for one session."""
    session = ServerSession([security], SMALL)
    events: list[Event] = []
    error = None
    try:
        for segment in segments:
            session.receive_data(segment)
            for event in session.events_received():
                events.append(event)
                _act(session, event)
    except ProtocolError as raised:
        error = str(raised)
        session.receive_data(b"\x04" * 8)
        if list(session.events_received()):
            raise AssertionError("events after the end") from raised
    return Outcome(events, session.data_to_send(), error)


def _act(session: ServerSession, event: Event) -> None:
    if isinstance(event, SharedRequested):
        session.send_init(800, 600, "fuzz")
        session.send_clipboard(OFFER)
    elif isinstance(event, CredentialsGiven):
        session.accept()
    elif isinstance(event, TlsRequested):
        session.tls_started()
    elif len(event.__class__.__name__) & 1:
        session.acknowledgements()
        session.send_clipboard(OFFER)


def check(case: Case, segments: list[bytes]) -> Outcome:
    """Run one input whole and cut; raise whatever should not be."""
    if case.security == SecurityType.VENCRYPT:
        # TLS begins after the choice of subtype: what follows comes separately.
        segments = [case.data[:19], case.data[19:]]
        whole = cut = run(case.security, segments)
    else:
        whole, cut = run(case.security, [case.data]), run(case.security, segments)
    if whole != cut:
        raise AssertionError(f"cutting changed {whole} to {cut}")
    if sum(map(len, whole.sent)) > 4096 + 256 * len(case.data):
        raise AssertionError(f"{len(case.data)} bytes were answered with {whole.sent}")
    return whole


def fuzz(count: int, seed: int) -> int:
    """Run ``count`` inputs; give how many failed."""
    grammar = Grammar(seed)
    return failures(
        Trial(partial(check, case, grammar.cut(case.data)),
              f"--replay {case.security.name} {case.data.hex()}")
        for case in grammar.cases(count)
    )


def replay(security: str, hexadecimal: str) -> Outcome:
    """Run one input, cut into bytes."""
    case = Case(SecurityType[security], bytes.fromhex(hexadecimal))
    return check(case, [case.data[n : n + 1] for n in range(len(case.data))])


if __name__ == "__main__":
    sys.exit(main(__doc__, fuzz, replay, "SECURITY", "HEX"))
