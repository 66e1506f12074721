"""A viewer's side of one RFB connection, without I/O: for tests and measurements.

RFB 3.8 with security None.  Pixels are not decoded: the payload of each rectangle is
handed out as it came.  The turns are those of `server.ServerSession`.  Fences with
Request are answered at once.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Callable, Iterator, NamedTuple, Optional, Sequence

from kasmd.errors import ProtocolError
from kasmd.rfb import limits
from kasmd.rfb.numbers import (
    FENCE_ANSWERED,
    ClientMessage,
    Encoding,
    FenceFlag,
    SecurityType,
    ServerMessage,
)
from kasmd.rfb.payload import KASM_BODIES, PAYLOADS, text_within
from kasmd.rfb.standard import AREA, CUT_TEXT, FENCE, SCREEN
from kasmd.rfb.update import RECTANGLE, UNCOUNTED
from kasmd.rfb.wire import U16, Parser, Reader, Script
from kasmd.screen.geometry import Rect, Screen
from kasmd.screen.pixels import BGRX, PixelFormat

VERSION = b"RFB 003.008\n"


class Said:
    """Something that a server said."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Connected(Said):
    """ServerInit came: messages may be sent."""

    width: int
    height: int
    format: PixelFormat
    name: str


class Received(NamedTuple):
    """One rectangle as it came."""

    rect: Rect
    encoding: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class UpdateReceived(Said):
    """A whole FramebufferUpdate; ``size`` is its bytes on the wire.

    LastRect is not among the ``rectangles``; ``counted`` tells it was not there.
    """

    rectangles: tuple[Received, ...]
    size: int
    counted: bool


@dataclass(frozen=True, slots=True)
class BellRung(Said):
    """Bell."""


@dataclass(frozen=True, slots=True)
class CutTextSent(Said):
    """ServerCutText; ``data`` is Latin-1, or flags and body where ``extended``."""

    data: bytes
    extended: bool


@dataclass(frozen=True, slots=True)
class ContinuousUpdatesEnded(Said):
    """EndOfContinuousUpdates."""


@dataclass(frozen=True, slots=True)
class FenceSent(Said):
    """ServerFence."""

    flags: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class KasmMessageSent(Said):
    """One of Kasm's messages whose length is easily told; all after the type byte."""

    number: int
    body: bytes


class ClientSession:
    """A viewer; with ``kasm`` its pointer events are Kasm's."""

    def __init__(self, kasm: bool = False, shared: bool = True) -> None:
        self.format = BGRX
        self._kasm = kasm
        self._shared = shared
        self._items: list[bytes] = []
        self._parsers: dict[int, Callable[[], Parser[Said]]] = {
            ServerMessage.FRAMEBUFFER_UPDATE: self._update,
            ServerMessage.BELL: self._bell,
            ServerMessage.SERVER_CUT_TEXT: self._cut_text,
            ServerMessage.END_OF_CONTINUOUS_UPDATES: self._end_of_continuous_updates,
            ServerMessage.SERVER_FENCE: self._fence,
        }
        self._reader: Reader[Said] = Reader(self._script())

    def receive_data(self, data: bytes) -> None:
        """Take bytes of the server, cut anywhere."""
        self._reader.feed(data)

    def events_received(self) -> Iterator[Said]:
        """Read what was said; raises ProtocolError once."""
        return self._reader.events()

    def data_to_send(self) -> list[bytes]:
        """Take what is to be sent."""
        items, self._items = self._items, []
        return items

    def send(self, *items: bytes) -> None:
        """Send anything at all."""
        self._items += items

    def send_pixel_format(self, pixel_format: PixelFormat) -> None:
        """SetPixelFormat; holds for what is asked for from now on."""
        self.format = pixel_format
        self.send(bytes([ClientMessage.SET_PIXEL_FORMAT, 0, 0, 0]) + pixel_format.pack())

    def send_encodings(self, encodings: Sequence[int]) -> None:
        """SetEncodings."""
        count = len(encodings)
        self.send(struct.pack(f">BxH{count}i", ClientMessage.SET_ENCODINGS, count, *encodings))

    def send_update_request(self, incremental: bool, rect: Rect) -> None:
        """FramebufferUpdateRequest."""
        number = ClientMessage.FRAMEBUFFER_UPDATE_REQUEST
        self.send(bytes([number]) + AREA.pack(incremental, *rect))

    def send_continuous_updates(self, enabled: bool, rect: Rect) -> None:
        """EnableContinuousUpdates."""
        number = ClientMessage.ENABLE_CONTINUOUS_UPDATES
        self.send(bytes([number]) + AREA.pack(enabled, *rect))

    def send_key(self, down: bool, keysym: int, keycode: Optional[int] = None) -> None:
        """KeyEvent, or QEMU's where there is a keycode."""
        if keycode is None:
            self.send(struct.pack(">BBxxI", ClientMessage.KEY_EVENT, down, keysym))
        else:
            self.send(struct.pack(">BBHII", ClientMessage.QEMU, 0, down, keysym, keycode))

    def send_pointer(
        self, x: int, y: int, buttons: int, scroll_x: int = 0, scroll_y: int = 0
    ) -> None:
        """PointerEvent; scrolls only reach Kasm's servers."""
        number = ClientMessage.POINTER_EVENT
        if self._kasm:
            self.send(struct.pack(">BHHHhh", number, buttons, x, y, scroll_x, scroll_y))
        else:
            self.send(struct.pack(">BBHH", number, buttons, x, y))

    def send_cut_text(self, text: str) -> None:
        """ClientCutText, Latin-1."""
        data = text.encode("latin-1", "replace")
        self.send(bytes([ClientMessage.CLIENT_CUT_TEXT]) + CUT_TEXT.pack(len(data)) + data)

    def send_fence(self, flags: int, payload: bytes) -> None:
        """ClientFence, as it is."""
        self.send(bytes([ClientMessage.CLIENT_FENCE]) + FENCE.pack(flags, len(payload)) + payload)

    def send_desktop_size(self, width: int, height: int, screens: Sequence[Screen]) -> None:
        """SetDesktopSize."""
        number = ClientMessage.SET_DESKTOP_SIZE
        head = struct.pack(">BxHHBx", number, width, height, len(screens))
        self.send(head + b"".join(SCREEN.pack(*screen) for screen in screens))

    def _script(self) -> Script[Said]:
        yield (yield from self._handshake())
        while True:
            number = (yield 1)[0]
            if number in self._parsers:
                yield (yield from self._parsers[number]())
            elif number in KASM_BODIES:
                yield KasmMessageSent(number, (yield from KASM_BODIES[number]()))
            else:
                raise ProtocolError(f"unknown server message {number}")

    def _handshake(self) -> Parser[Said]:
        version = yield 12
        if version != VERSION:
            raise ProtocolError(f"{version!r} is not RFB 3.8")
        self.send(VERSION)
        types = yield (yield 1)[0]
        if SecurityType.NONE not in types:
            raise ProtocolError(f"security None is not among {list(types)}")
        self.send(bytes([SecurityType.NONE]))
        if any((yield 4)):
            raise ProtocolError(f"refused: {(yield from text_within(limits.SERVER_NAME))!r}")
        self.send(bytes([self._shared]))
        width, height, packed = struct.unpack(">HH16s", (yield 20))
        self.format = PixelFormat.unpack(packed)
        name = yield from text_within(limits.SERVER_NAME)
        return Connected(width, height, self.format, name.decode("utf-8", "replace"))

    def _update(self) -> Parser[Said]:
        (count,) = U16.unpack((yield 3)[1:])
        rectangles: list[Received] = []
        size = 4
        while len(rectangles) < count or count == UNCOUNTED:
            *rect, encoding = RECTANGLE.unpack((yield RECTANGLE.size))
            if encoding not in PAYLOADS:
                raise ProtocolError(f"unknown encoding {encoding}")
            payload = yield from PAYLOADS[encoding](Rect(*rect), self.format)
            size += RECTANGLE.size + len(payload)
            if size > limits.UPDATE or len(rectangles) == limits.RECTANGLES:
                raise ProtocolError(f"an update of {len(rectangles)} rectangles, {size} bytes")
            if encoding == Encoding.LAST_RECT:
                return UpdateReceived(tuple(rectangles), size, counted=False)
            rectangles.append(Received(Rect(*rect), encoding, payload))
        return UpdateReceived(tuple(rectangles), size, counted=True)

    def _bell(self) -> Parser[Said]:
        yield 0
        return BellRung()

    def _cut_text(self) -> Parser[Said]:
        (length,) = CUT_TEXT.unpack((yield CUT_TEXT.size))
        if abs(length) > limits.SERVER_TEXT:
            raise ProtocolError(f"cut text of {length} bytes")
        return CutTextSent((yield abs(length)), extended=length < 0)

    def _end_of_continuous_updates(self) -> Parser[Said]:
        yield 0
        return ContinuousUpdatesEnded()

    def _fence(self) -> Parser[Said]:
        flags, length = FENCE.unpack((yield FENCE.size))
        payload = yield length
        if flags & FenceFlag.REQUEST:
            self.send_fence(flags & FENCE_ANSWERED, payload)
        return FenceSent(flags, payload)
