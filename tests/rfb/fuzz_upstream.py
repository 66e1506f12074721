"""Feed a client session what no server should say: grammar first, then mutation.

::

    python tests/rfb/fuzz_upstream.py --count 1000000 --seed 1

Only ProtocolError may leave the session and the decoders behind it; what is kept
stays below a ceiling, and cutting the bytes elsewhere changes nothing.  Prints what
was found; the exit code is 1 if anything was.
"""

from __future__ import annotations

import struct
import sys
import zlib
from functools import partial
from random import Random
from typing import Callable, NamedTuple, Sequence

import numpy as np

from kasmd.codec import hextile, jpeg
from kasmd.codec.compact import counted
from kasmd.codec.decode import Streams, decode
from kasmd.display.upstream_session import ENCODINGS
from kasmd.errors import ProtocolError
from kasmd.rfb import clipboard, update
from kasmd.rfb.client import PICTURES, ClientSession
from kasmd.rfb.client_handshake import Credentials
from kasmd.rfb.numbers import Encoding
from kasmd.rfb.said import CutTextSent, RectangleReceived, TlsAgreed
from kasmd.rfb.shape import cursor_of, name_of, screens_of
from kasmd.rfb.standard import server_cut_text, server_fence, server_init
from kasmd.screen.geometry import Rect, Screen
from kasmd.screen.pixels import BGRX
from tests.fuzzing import Trial, failures, main

SIZE = (96, 80)
WAYS = Credentials((262, 261, 260, 259, 258, 257, 2, 1), "secret", "ann")
CURSORS = (Encoding.CURSOR, Encoding.CURSOR_WITH_ALPHA, Encoding.VMWARE_CURSOR)
#: Those of which there is nothing to read, or which tell a size.
NO_PICTURES = (
    Encoding.LED_STATE, Encoding.QEMU_EXTENDED_KEY_EVENT, Encoding.EXTENDED_MOUSE_BUTTONS,
    Encoding.DESKTOP_SIZE,
)
#: Bytes that a session may hold that nobody has read: an update's largest part and a segment.
KEPT = 1 << 20


class Outcome(NamedTuple):
    """What came of one input: kinds of events, and the error that ended it."""

    kinds: tuple[str, ...]
    error: str


class Grammar:
    """Makes inputs; the same seed makes the same."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self._pixels = np.random.default_rng(seed).integers(0, 3, (*SIZE[::-1], 4), np.uint8) * 99
        self._rectangles: list[Callable[[], bytes]] = [
            self._raw, self._copy, self._tight, self._image, self._zrle, self._hextile,
            self._cursor, self._size, self._aside, self._unasked,
        ]

    def case(self) -> bytes:
        """Give what one server says."""
        parts = [self._greeting(), *(self._message() for _ in range(self.random.randrange(6)))]
        data = bytearray(b"".join(parts))
        for _ in range(self.random.choice((0, 0, 1, 1, 2, 5))):
            place = self.random.randrange(len(data))
            data[place:place + self.random.randrange(3)] = self._noise(4)
        return bytes(data)

    def _noise(self, most: int) -> bytes:
        return self.random.randbytes(self.random.randrange(most + 1))

    def _greeting(self) -> bytes:
        number = self.random.choice((3, 7, 8, 8, 8, 8, 889))
        hello = b"RFB 003.%03d\n" % number
        init = server_init(*SIZE, BGRX, "desk")
        challenge = bytes(16)
        if self.random.randrange(8):
            login = {3: b"\0\0\0\x01", 7: b"\x01\x01"}.get(number, b"\x01\x01" + bytes(4))
            return hello + login + init
        subtype = self.random.choice((256, 257, 258, 259, 260, 261, 262))
        return hello + self.random.choice((
            b"\x01\x02" + challenge + bytes(4) + init,
            b"\x01\x13\0\x02\0\x01" + struct.pack(">I", subtype) + b"\x01",
            b"\0\0\0\0\x02no",
        ))

    def _message(self) -> bytes:
        random = self.random
        return random.choice((
            self._update, self._update, self._update, lambda: b"\x02", lambda: b"\x96",
            lambda: server_cut_text("text"), lambda: server_fence(1 << 31, b"fence"),
            lambda: b"\x01\0\0\0\0\x01" + bytes(6),
            lambda: clipboard.message(random.choice((1, 3)) << random.choice((24, 27, 28)) | 1,
                                      zlib.compress(self._noise(40))),
        ))()

    def _update(self) -> bytes:
        count = self.random.randrange(5)
        rectangles = b"".join(self.random.choice(self._rectangles)() for _ in range(count))
        if self.random.randrange(2):
            return update.update_header(None) + rectangles + update.last_rect()
        return update.update_header(count) + rectangles

    def _place(self) -> Rect:
        width, height = self.random.randrange(1, 40), self.random.randrange(1, 40)
        return Rect(self.random.randrange(SIZE[0] - width), self.random.randrange(
            SIZE[1] - height), width, height)

    def _raw(self) -> bytes:
        rect = self._place()
        return update.rectangle(rect, 0, bytes(4 * rect.area))

    def _copy(self) -> bytes:
        return update.rectangle(self._place(), 1, struct.pack(
            ">HH", self.random.randrange(99), self.random.randrange(70)))

    def _tight(self) -> bytes:
        rect = self._place()
        control = self.random.choice((0x01, 0x02, 0x14, 0x00, 0x10))
        data = counted(zlib.compress(bytes(self.random.choice((rect.area * 3, 99)))))
        if self.random.randrange(2):
            count = self.random.choice((0, 1, 2, 255))
            size = rect.height * (rect.width if count > 1 else -(-rect.width // 8))
            packed = counted(zlib.compress(self.random.randbytes(size)))
            head = bytes([0x40 | control, 1, count]) + bytes(3 * (count + 1))
            data = head + (bytes(size) if size < 12 else packed)
            return update.rectangle(rect, 7, data)
        return update.rectangle(rect, 7, bytes([control]) + (
            bytes(rect.area * 3) if rect.area * 3 < 12 else data))

    def _image(self) -> bytes:
        rect = self._place()
        pixels = self._pixels[:rect.height, :rect.width]
        kind = self.random.choice((0x80, 0x90, 0x90, 0xB0, 0xC0))
        data = bytes(3) if kind == 0x80 else counted(jpeg.encode(pixels, 50, "420"))
        return update.rectangle(rect, 7, bytes([kind]) + data)

    def _zrle(self) -> bytes:
        rect = self._place()
        tile = self.random.choice((
            b"\x01abc", b"\x00" + bytes(rect.area * 3), b"\x80abc\x05" * 9,
            b"\x02aaabbb" + bytes(99),
            b"\x84aaabbbcccddd" + self._noise(60),
        ))
        data = zlib.compress(tile)
        return update.rectangle(rect, 16, struct.pack(">I", len(data)) + data)

    def _hextile(self) -> bytes:
        rect = self._place()
        pixels = self._pixels[:rect.height, :rect.width]
        return update.rectangle(rect, 5, hextile.encode(pixels, BGRX))

    def _cursor(self) -> bytes:
        width, height = self.random.randrange(9), self.random.randrange(9)
        kind = self.random.choice(CURSORS)
        size = {
            Encoding.CURSOR: width * height * 4 + (width + 7) // 8 * height,
            Encoding.CURSOR_WITH_ALPHA: 4 + 4 * width * height,
            Encoding.VMWARE_CURSOR: 2 + 8 * width * height,
        }[kind]
        return update.rectangle(Rect(99, 0, width, height), kind, bytes(size))

    def _size(self) -> bytes:
        width, height = self.random.choice((SIZE, SIZE, (60, 60), (0, 9), (65535, 65535)))
        if self.random.randrange(2):
            return update.desktop_size(width, height)
        return update.extended_desktop_size(width, height, [Screen(0, 0, 0, width, height)],
                                            self.random.randrange(3), self.random.randrange(4))

    def _unasked(self) -> bytes:
        kind = self.random.choice((Encoding.ZLIB, Encoding.KASM_VIDEO, Encoding.OPEN_H264))
        return update.rectangle(self._place(), kind, bytes(self.random.randrange(9)))

    def _aside(self) -> bytes:
        return self.random.choice((update.led_state(7), update.desktop_name("name"),
                                   update.acknowledgement(Encoding.QEMU_EXTENDED_KEY_EVENT)))


def check(data: bytes, segments: Sequence[bytes]) -> Outcome:
    """Play a server to a client, whole and in segments (AssertionError where they differ)."""
    whole, cut = play([data]), play(segments)
    # A rectangle is decoded when it is whole, so the end of a cut one may come first.
    assert whole == cut, f"{whole} cut becomes {cut}"
    return whole


def play(segments: Sequence[bytes]) -> Outcome:
    """Give what a client with its decoders makes of it."""
    session, streams, events = ClientSession(credentials=WAYS, bands=True), Streams(), []
    session.send_encodings(ENCODINGS)
    try:
        for segment in segments:
            session.receive_data(segment)
            for event in session.events_received():
                events.append(type(event).__name__)
                _act(session, streams, event)
            assert session._reader.waiting <= KEPT, f"{session._reader.waiting} bytes are kept"
    except ProtocolError as error:
        return Outcome(tuple(events), str(error))
    return Outcome(tuple(events), "")


def _act(session: ClientSession, streams: Streams, event: object) -> None:
    if isinstance(event, TlsAgreed):
        return
    if isinstance(event, CutTextSent) and event.extended:
        clipboard.parse(event.data, 1 << 20)
    if not isinstance(event, RectangleReceived):
        return
    received = event.received
    if received.encoding in PICTURES:
        bounds = Rect(0, 0, *session.size)
        decode(*received, session.format, streams, bounds)
    elif received.encoding == Encoding.DESKTOP_NAME:
        name_of(received)
    elif received.encoding == Encoding.EXTENDED_DESKTOP_SIZE:
        screens_of(received)
    elif received.encoding not in NO_PICTURES:
        cursor_of(received, session.format)


def fuzz(count: int, seed: int) -> int:
    """Run ``count`` inputs; give how many failed."""
    grammar = Grammar(seed)
    return failures(_trial(grammar) for _ in range(count))


def _trial(grammar: Grammar) -> Trial:
    data = grammar.case()
    place = grammar.random.randrange(len(data))
    segments = [data[:place], data[place:place + 1], data[place + 1:]]
    return Trial(partial(check, data, segments), data.hex())


if __name__ == "__main__":
    sys.exit(main(__doc__, fuzz))
