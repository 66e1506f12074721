"""A viewer's side of one RFB connection, without I/O: for an upstream, tests and measurements.

Pixels are not decoded: the payload of each rectangle is handed out as it came.
The turns are those of `server.ServerSession`.  Fences with Request are answered at once.
"""

from __future__ import annotations

import struct
from typing import Callable, Iterator, Optional, Sequence

from kasmd.errors import ProtocolError
from kasmd.rfb import limits
from kasmd.rfb.client_handshake import Credentials, Door, enter
from kasmd.rfb.numbers import (
    FENCE_ANSWERED,
    ClientMessage,
    DesktopSizeReason,
    Encoding,
    FenceFlag,
    ServerMessage,
)
from kasmd.rfb.payload import KASM_BODIES, PAYLOADS, text_within
from kasmd.rfb.said import (
    BellRung,
    ColoursSent,
    Connected,
    ContinuousUpdatesEnded,
    CutTextSent,
    FenceSent,
    KasmMessageSent,
    Received,
    RectangleReceived,
    Said,
    UpdateReceived,
)
from kasmd.rfb.standard import AREA, CUT_TEXT, FENCE, MORE_BUTTONS, SCREEN
from kasmd.rfb.update import RECTANGLE, UNCOUNTED
from kasmd.rfb.wire import U16, Parser, Reader, Script, skip
from kasmd.screen.geometry import Rect, Screen
from kasmd.screen.pixels import BGRX, PixelFormat

#: Encodings whose rectangles show something.
PICTURES = (
    Encoding.RAW, Encoding.COPY_RECT, Encoding.HEXTILE, Encoding.TIGHT, Encoding.ZRLE,
    Encoding.COLUMNS,
)


class ClientSession:
    """A viewer; with ``kasm`` its pointer events are Kasm's.

    With ``bands`` rectangles are handed out one by one as they come, Raw in
    bands, and one that lies outside the desktop's ``size``, or is of an encoding
    that was not listed, is a ProtocolError.
    """

    def __init__(self, kasm: bool = False, shared: bool = True,
                 credentials: Credentials = Credentials(), bands: bool = False) -> None:
        self.format = BGRX
        self.size = (0, 0)
        self._kasm = kasm
        self._shared = shared
        self._bands = bands
        self._listed: frozenset[int] = frozenset()
        self._items: list[bytes] = []
        self._between = False
        self._parsers: dict[int, Callable[[], Parser[Said]]] = {
            ServerMessage.SET_COLOUR_MAP_ENTRIES: self._colours,
            ServerMessage.BELL: self._bell,
            ServerMessage.SERVER_CUT_TEXT: self._cut_text,
            ServerMessage.END_OF_CONTINUOUS_UPDATES: self._end_of_continuous_updates,
            ServerMessage.SERVER_FENCE: self._fence,
        }
        self._door = Door(self.send, lambda: self._reader.waiting, credentials)
        self._reader: Reader[Said] = Reader(self._script())

    @property
    def midway(self) -> bool:
        """Whether a message, or the handshake, has begun and not ended."""
        return not self._between or self._reader.waiting > 0

    def receive_data(self, data: bytes) -> None:
        """Take bytes of the server, cut anywhere."""
        self._reader.feed(data)

    def events_received(self) -> Iterator[Said]:
        """Read what was said; raises ProtocolError once."""
        return self._reader.events()

    def steps(self) -> Iterator[Optional[Said]]:
        """Read as `events_received` does, None after each small step that gave nothing."""
        return self._reader.steps()

    def tls_started(self) -> None:
        """TLS runs, and the server is trusted: the answer to TlsAgreed."""
        self._door.starting = False

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
        self._listed = frozenset(encodings)
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
        """PointerEvent; scrolls only reach Kasm's servers.

        More than seven buttons only for who has acknowledged ExtendedMouseButtons.
        """
        number = ClientMessage.POINTER_EVENT
        if self._kasm:
            self.send(struct.pack(">BHHHhh", number, buttons, x, y, scroll_x, scroll_y))
        elif buttons < MORE_BUTTONS:
            self.send(struct.pack(">BBHH", number, buttons, x, y))
        else:
            low = buttons & (MORE_BUTTONS - 1) | MORE_BUTTONS
            self.send(struct.pack(">BBHHB", number, low, x, y, buttons >> 7 & 0xFF))

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
        yield from enter(self._door)
        yield (yield from self._init())
        while True:
            self._between = True
            number = (yield 1)[0]
            self._between = False
            if number == ServerMessage.FRAMEBUFFER_UPDATE:
                yield from self._update()
            elif number in self._parsers:
                yield (yield from self._parsers[number]())
            elif number in KASM_BODIES:
                yield KasmMessageSent(number, (yield from KASM_BODIES[number]()))
            else:
                raise ProtocolError(f"unknown server message {number}")

    def _init(self) -> Parser[Said]:
        self.send(bytes([self._shared]))
        width, height, packed = struct.unpack(">HH16s", (yield 20))
        self._resized(width, height)
        self.format = PixelFormat.unpack(packed)
        name = yield from text_within(limits.SERVER_NAME)
        return Connected(width, height, self.format, name.decode("utf-8", "replace"))

    def _resized(self, width: int, height: int) -> None:
        if self._bands and not 0 < width * height <= limits.DESKTOP_PIXELS:
            raise ProtocolError(f"a desktop of {width} x {height}")
        self.size = width, height

    def _update(self) -> Script[Said]:
        (count,) = U16.unpack((yield 3)[1:])
        kept: list[Received] = []
        size, number = 4, 0
        while number < count or count == UNCOUNTED:
            *place, encoding = RECTANGLE.unpack((yield RECTANGLE.size))
            if encoding not in PAYLOADS:
                raise ProtocolError(f"unknown encoding {encoding}")
            if self._bands and encoding not in self._listed:
                raise ProtocolError(f"encoding {encoding}, which was not asked for")
            size += RECTANGLE.size
            if encoding == Encoding.LAST_RECT:
                break
            for band in self._bands_of(Rect(*place), encoding):
                payload = yield from PAYLOADS[encoding](band, self.format)
                size += len(payload)
                received = Received(band, encoding, payload)
                if self._bands:
                    yield RectangleReceived(received)
                else:
                    kept.append(received)
                    if size > limits.UPDATE:
                        raise ProtocolError(f"an update of more than {limits.UPDATE} bytes")
            number += 1
            if number > limits.RECTANGLES:
                raise ProtocolError(f"an update of more than {limits.RECTANGLES} rectangles")
        counted = number == count != UNCOUNTED
        yield UpdateReceived(tuple(kept), size, counted)

    def _bands_of(self, rect: Rect, encoding: int) -> Iterator[Rect]:
        """Give what is read at a time of a rectangle that may be there."""
        if not self._bands:
            yield rect
            return
        if encoding == Encoding.DESKTOP_SIZE:
            self._resized(rect.width, rect.height)
        elif encoding == Encoding.EXTENDED_DESKTOP_SIZE:
            if rect.x != DesktopSizeReason.THIS_CLIENT or rect.y == 0:
                self._resized(rect.width, rect.height)
        elif encoding in PICTURES and not Rect(0, 0, *self.size).contains(rect):
            width, height = self.size
            raise ProtocolError(f"{tuple(rect)} is not inside {width} x {height}")
        if encoding != Encoding.RAW or not rect.area:
            yield rect
            return
        rows = max(1, limits.BAND // (rect.width * self.format.bytes_per_pixel))
        for top in range(rect.y, rect.bottom, rows):
            yield Rect(rect.x, top, rect.width, min(rows, rect.bottom - top))

    def _colours(self) -> Parser[Said]:
        _, count = struct.unpack(">xHH", (yield 5))
        yield from skip(6 * count)
        return ColoursSent()

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
