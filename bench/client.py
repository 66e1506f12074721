"""The viewer that measures: RFB over a websocket, asking as noVNC 1.7 asks.

It can decode what it gets, or only find where each rectangle ends, which is cheap.
"""

from __future__ import annotations

import struct
import time
from dataclasses import dataclass, field
from typing import Callable, Optional, Sequence

import numpy

from bench.tight import Decoder, Picture, Tight, raw
from bench.websocket import Pump, Reader, WebSocket
from kasmd.codec import columns
from kasmd.codec.base import COLUMNS, complete
from kasmd.codec.h264 import H264Decoder, Part
from kasmd.screen.geometry import Rect

RAW, COPYRECT, TIGHT, OPEN_H264 = 0, 1, 7, 50
_PICTURES = (RAW, COPYRECT, TIGHT, OPEN_H264, COLUMNS)
_DESKTOP_SIZE, _LAST_RECT, _CURSOR = -223, -224, -239
_LED, _DESKTOP_NAME, _EXTENDED_DESKTOP_SIZE, _VMWARE_CURSOR = -261, -307, -308, 0x574D5664
_FENCE, _CONTINUOUS_UPDATES = -312, -313
#: The list of noVNC in kasmd's page, compression 2 and no quality, less what this viewer
#: cannot read; others do not know the first.
LOSSLESS = (
    COLUMNS,
    COPYRECT,
    TIGHT,
    RAW,
    -256 + 2,
    _DESKTOP_SIZE,
    _LAST_RECT,
    -258,
    _LED,
    _EXTENDED_DESKTOP_SIZE,
    _FENCE,
    _CONTINUOUS_UPDATES,
    _DESKTOP_NAME,
    _VMWARE_CURSOR,
    _CURSOR,
)
#: The same with quality 6, noVNC's own.
ENCODINGS = (*LOSSLESS, -32 + 6)
#: For a viewer to which every update is a whole desktop of 8 MB.
ONLY_RAW = (RAW, _DESKTOP_SIZE, _LAST_RECT, _CURSOR)
_RGBX = struct.pack(">BBBBHHHBBB3x", 32, 24, 0, 1, 255, 255, 255, 0, 8, 16)
#: The colours of JPEG: 4:4:4 and 4:2:0.
FULL_COLOUR, QUARTERED = -768, -767
_MANY_RECTS = 0xFFFF
_REQUEST_FLAG, _BLOCK_FLAGS = 1 << 31, 3


def fixed(quality: int, subsampling: int = QUARTERED) -> tuple[int, ...]:
    """Give the list of one who fixes a quality of JPEG, 1 to 100, and how colours go."""
    return (*LOSSLESS, -512 + quality, subsampling)


@dataclass
class Counts:
    """What a viewer has received."""

    updates: int = 0
    #: When the newest piece of an update came (time.perf_counter).
    newest: float = 0.0
    #: Pixels, each as often as it came.
    area: int = 0
    rects: dict[int, int] = field(default_factory=dict)


class Viewer:
    """One conversation; ``screen`` is kept only where ``decode`` was asked for."""

    def __init__(
        self,
        port: int,
        authorization: str,
        decode: bool = False,
        encodings: Sequence[int] = ENCODINGS,
    ) -> None:
        self.counts = Counts()
        self.ready = False
        #: When the first picture was asked for (time.perf_counter).
        self.asked = 0.0
        self.screen: Optional[Picture] = None
        self.when_updated: Callable[[], None] = lambda: None
        self._decode, self._encodings = decode, encodings
        self._tight, self._streams = Tight(decode), H264Decoder()
        self._pump = Pump(self._conversation())
        self._continuous = False
        self.socket = WebSocket(port, authorization, self._pump.feed)
        while not self.ready:
            self.socket.receive()

    @property
    def bytes_received(self) -> int:
        """The bytes of RFB so far."""
        return self.socket.bytes_received

    def request(self, incremental: bool) -> None:
        """Send FramebufferUpdateRequest for the whole desktop."""
        area = (0, 0, self.width, self.height)
        self.socket.send(struct.pack(">BBHHHH", 3, incremental, *area))

    def held(self) -> Picture:
        """Give a copy of what is shown, to those who decode."""
        assert self.screen is not None
        return self.screen.copy()

    def press(self, keysym: int) -> None:
        """Press a key and release it."""
        for down in (True, False):
            self.socket.send(struct.pack(">BBxxI", 4, down, keysym))

    def _conversation(self) -> Reader:
        yield from self._handshake()
        readers: dict[int, Callable[[], Reader]] = {
            0: self._update,
            2: lambda: _skip(0),
            3: self._cut_text,
            150: self._continuous_updates_end,
            248: self._fence,
            250: lambda: _skip(3),
        }
        while True:
            kind = (yield 1)[0]
            if kind not in readers:
                raise ValueError(f"server message {kind}")
            yield from readers[kind]()

    def _handshake(self) -> Reader:
        yield 12
        self.socket.send(b"RFB 003.008\n")
        types = yield (yield 1)[0]
        if 1 not in types:
            raise ValueError(f"security types {list(types)}")
        self.socket.send(b"\1")
        if any((yield 4)):
            raise ValueError("the server refused security type None")
        self.socket.send(b"\1")
        init = yield 24
        yield struct.unpack(">I", init[20:])[0]
        self._resize(*struct.unpack(">HH", init[:4]))
        self.socket.send(b"\0\0\0\0" + _RGBX)
        count = len(self._encodings)
        self.socket.send(struct.pack(f">BxH{count}i", 2, count, *self._encodings))
        self.asked = time.perf_counter()
        self.request(incremental=False)
        self.ready = True

    def _resize(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        if self._decode:
            self.screen = numpy.zeros((height, width, 3), numpy.uint8)

    def _update(self) -> Reader:
        count: int = struct.unpack(">xH", (yield 3))[0]
        painted = False
        for _ in range(count):
            x, y, width, height, encoding = struct.unpack(">HHHHi", (yield 12))
            self.counts.newest = time.perf_counter()
            if encoding == _LAST_RECT:
                break
            rects = self.counts.rects
            rects[encoding] = rects.get(encoding, 0) + 1
            paints = encoding in _PICTURES
            yield from self._rect(x, y, width, height, encoding)
            self.counts.newest = time.perf_counter()
            self.counts.area += width * height * paints
            painted |= paints
        if not self._continuous:
            self.request(incremental=True)
        if painted:
            self.counts.updates += 1
            self.when_updated()

    def _rect(self, x: int, y: int, width: int, height: int, encoding: int) -> Reader:
        if encoding == COPYRECT:
            left, top = struct.unpack(">HH", (yield 4))
            source = (slice(top, top + height), slice(left, left + width))
            self._paint(x, y, width, height, lambda: self._shown(source))
        elif encoding == TIGHT:
            decoder = yield from self._tight.read(width, height)
            self._paint(x, y, width, height, decoder)
        elif encoding == RAW:
            data = yield width * height * (4 if self._decode else -4)
            self._paint(x, y, width, height, lambda: raw(data, width, height))
        elif encoding == OPEN_H264:
            size, flags = struct.unpack(">II", (yield 8))
            part = Part(flags, (yield size))
            self._stream(Rect(x, y, width, height), part)
        elif encoding == COLUMNS:
            size = yield 4
            data = yield struct.unpack(">I", size)[0] * (1 if self._decode else -1)
            self._paint(x, y, width, height, lambda: _columns(size + data, width, height))
        elif encoding in (_DESKTOP_SIZE, _EXTENDED_DESKTOP_SIZE):
            if encoding == _EXTENDED_DESKTOP_SIZE:
                yield 16 * (yield 4)[0]
            if (width, height) != (self.width, self.height):
                self._resize(width, height)
        else:
            yield from _pseudo(encoding, width, height)

    def _shown(self, area: tuple[slice, slice]) -> Picture:
        assert self.screen is not None
        return self.screen[area].copy()

    def _paint(self, x: int, y: int, width: int, height: int, decoder: Decoder) -> None:
        if self.screen is not None:
            self.screen[y : y + height, x : x + width] = decoder()

    def _stream(self, rect: Rect, part: Part) -> None:
        if self.screen is not None and (pixels := self._streams.show(rect, part)) is not None:
            x, y, width, height = rect
            self.screen[y : y + height, x : x + width] = pixels[..., 2::-1]

    def _cut_text(self) -> Reader:
        yield abs(struct.unpack(">3xi", (yield 7))[0])

    def _continuous_updates_end(self) -> Reader:
        yield 0
        if not self._continuous:
            self._continuous = True
            self.socket.send(struct.pack(">BBHHHH", 150, 1, 0, 0, self.width, self.height))

    def _fence(self) -> Reader:
        flags, size = struct.unpack(">3xIB", (yield 8))
        payload = yield size
        if flags & _REQUEST_FLAG:
            self.socket.send(struct.pack(">B3xIB", 248, flags & _BLOCK_FLAGS, size) + payload)


def _columns(payload: bytes, width: int, height: int) -> Picture:
    pixels, _ = complete(columns.decode(width, height), payload)
    return pixels[..., 2::-1]


def _skip(size: int) -> Reader:
    yield size


def _pseudo(encoding: int, width: int, height: int) -> Reader:
    if encoding == _CURSOR:
        yield width * height * 4 + (width + 7) // 8 * height
    elif encoding == _VMWARE_CURSOR:
        alpha = (yield 2)[0]
        yield width * height * (4 if alpha else 8)
    elif encoding == _DESKTOP_NAME:
        yield struct.unpack(">I", (yield 4))[0]
    elif encoding == _LED:
        yield 1
