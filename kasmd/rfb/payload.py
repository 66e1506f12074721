"""Where what a server says ends: for a client that need not decode it.

`PAYLOADS`: of a rectangle, by its encoding; `KASM_BODIES`: of Kasm's messages.
"""

from __future__ import annotations

from typing import Callable

from kasmd.errors import ProtocolError
from kasmd.rfb import limits
from kasmd.rfb.numbers import Encoding, ServerMessage
from kasmd.rfb.wire import U16, U32, Parser
from kasmd.screen.geometry import Rect
from kasmd.screen.pixels import PixelFormat, tpixel_size

#: Hextile: what a tile's first byte says (RFC 6143 section 7.7.4).
_RAW, _BACKGROUND, _FOREGROUND, _ANY_SUBRECTS, _COLOURED = 1, 2, 4, 8, 16

#: Tight: the high nibble of the first byte; Kasm's WebP, QOI and watermark from 11 on.
_EXPLICIT_FILTER, _FILL, _IMAGES = 4, 8, range(9, 14)
_PALETTE_FILTER = 1
#: Tight leaves data shorter than this as it is.
_UNCOMPRESSED = 12

_JPEG_SCAN, _JPEG_END = b"\xff\xda", b"\xff\xd9"

#: Bytes that zlib and the heads of tiles may add to a small rectangle of ZRLE.
_LEAST_ZRLE = 4096


def exactly(length: int) -> Parser[bytes]:
    """Read ``length`` bytes, a payload's ceiling permitting."""
    if length > limits.PAYLOAD:
        raise ProtocolError(f"a rectangle's payload of {length} bytes")
    return (yield length)


def _raw(rect: Rect, pixel_format: PixelFormat) -> Parser[bytes]:
    return (yield from exactly(rect.area * pixel_format.bytes_per_pixel))


def _copy_rect(rect: Rect, pixel_format: PixelFormat) -> Parser[bytes]:
    return (yield 4)


def _empty(rect: Rect, pixel_format: PixelFormat) -> Parser[bytes]:
    return (yield 0)


def _zrle(rect: Rect, pixel_format: PixelFormat) -> Parser[bytes]:
    head = yield 4
    (length,) = U32.unpack(head)
    if length > _LEAST_ZRLE + 2 * rect.area * pixel_format.bytes_per_pixel:
        raise ProtocolError(f"{length} bytes of ZRLE for {rect.width} x {rect.height} pixels")
    return head + (yield from exactly(length))


def _counted(rect: Rect, pixel_format: PixelFormat) -> Parser[bytes]:
    head = yield 4
    return head + (yield from exactly(U32.unpack(head)[0]))


def _open_h264(rect: Rect, pixel_format: PixelFormat) -> Parser[bytes]:
    head = yield 8
    return head + (yield from exactly(U32.unpack_from(head)[0]))


def _kasm_video(rect: Rect, pixel_format: PixelFormat) -> Parser[bytes]:
    head = yield 2
    if head[1] == 0:
        return head
    return (yield from _compact(head + (yield 2)))


def _jpeg(rect: Rect, pixel_format: PixelFormat) -> Parser[bytes]:
    """A picture and no length (rfbproto, JPEG Encoding): segments, then a scan up to its end."""
    data, head = bytearray((yield 2)), b""
    while head[:2] != _JPEG_SCAN:
        head = yield 4
        if head[0] != _JPEG_SCAN[0]:
            raise ProtocolError(f"{head.hex()} where a JPEG has a segment")
        data += head + (yield from _rest_of_jpeg(data, max(0, U16.unpack(head[2:])[0] - 2)))
    while data[-2:] != _JPEG_END:
        data += yield from _rest_of_jpeg(data, 1 if data[-1] == _JPEG_END[0] else 2)
    return bytes(data)


def _rest_of_jpeg(data: bytearray, length: int) -> Parser[bytes]:
    if len(data) + length > limits.PAYLOAD:
        raise ProtocolError(f"a JPEG of more than {limits.PAYLOAD} bytes")
    return (yield length)


def _desktop_name(rect: Rect, pixel_format: PixelFormat) -> Parser[bytes]:
    name = yield from text_within(limits.SERVER_NAME)
    return U32.pack(len(name)) + name


def _compact(head: bytes) -> Parser[bytes]:
    """Tight's length in one to three bytes, and what it counts; all put after ``head``."""
    length = 0
    for shift in (0, 7, 14):
        byte = yield 1
        head += byte
        length |= (byte[0] & (0x7F if shift < 14 else 0xFF)) << shift
        if byte[0] < 0x80:
            break
    return head + (yield length)


def _tight(rect: Rect, pixel_format: PixelFormat) -> Parser[bytes]:
    head = yield 1
    control = head[0] >> 4
    if control == _FILL:
        return head + (yield tpixel_size(pixel_format))
    if control in _IMAGES:
        return (yield from _compact(head))
    if control > _FILL:
        raise ProtocolError(f"Tight control {head[0]:#04x}")
    return (yield from _tight_basic(rect, tpixel_size(pixel_format), head))


def _tight_basic(rect: Rect, size: int, head: bytes) -> Parser[bytes]:
    row = rect.width * size
    if head[0] >> 4 & _EXPLICIT_FILTER:
        head += yield 1
        if head[1] == _PALETTE_FILTER:
            head += yield 1
            colours = head[2] + 1
            head += yield colours * size
            row = (rect.width + 7) // 8 if colours <= 2 else rect.width
    length = row * rect.height
    if length < _UNCOMPRESSED:
        return head + (yield length)
    return (yield from _compact(head))


def _hextile(rect: Rect, pixel_format: PixelFormat) -> Parser[bytes]:
    parts = []
    for y in range(0, rect.height, 16):
        for x in range(0, rect.width, 16):
            area = min(16, rect.width - x) * min(16, rect.height - y)
            parts.append((yield from _tile(area, pixel_format.bytes_per_pixel)))
    return b"".join(parts)


def _tile(area: int, size: int) -> Parser[bytes]:
    tile = yield 1
    flags = tile[0]
    if flags & _RAW:
        return tile + (yield area * size)
    tile += yield size * (flags & (_BACKGROUND | _FOREGROUND)).bit_count()
    if flags & _ANY_SUBRECTS:
        count = yield 1
        tile += count + (yield count[0] * (2 + (size if flags & _COLOURED else 0)))
    return tile


def _checked_cursor(rect: Rect) -> int:
    if max(rect.width, rect.height) > limits.CURSOR_SIDE:
        raise ProtocolError(f"a cursor of {rect.width} x {rect.height}")
    return rect.area


def _cursor(rect: Rect, pixel_format: PixelFormat) -> Parser[bytes]:
    pixels = _checked_cursor(rect) * pixel_format.bytes_per_pixel
    return (yield pixels + (rect.width + 7) // 8 * rect.height)


def _cursor_with_alpha(rect: Rect, pixel_format: PixelFormat) -> Parser[bytes]:
    return (yield 4 + 4 * _checked_cursor(rect))


def _vmware_cursor(rect: Rect, pixel_format: PixelFormat) -> Parser[bytes]:
    head = yield 2
    masks = 1 if head[0] == 1 else 2
    return head + (yield 4 * masks * _checked_cursor(rect))


def _extended_desktop_size(rect: Rect, pixel_format: PixelFormat) -> Parser[bytes]:
    head = yield 4
    return head + (yield 16 * head[0])


def _led_state(rect: Rect, pixel_format: PixelFormat) -> Parser[bytes]:
    return (yield 1)


PAYLOADS: dict[int, Callable[[Rect, PixelFormat], Parser[bytes]]] = {
    Encoding.RAW: _raw,
    Encoding.COPY_RECT: _copy_rect,
    Encoding.HEXTILE: _hextile,
    Encoding.TIGHT: _tight,
    Encoding.ZRLE: _zrle,
    Encoding.ZLIB: _counted,
    Encoding.JPEG: _jpeg,
    Encoding.COLUMNS: _counted,
    Encoding.OPEN_H264: _open_h264,
    Encoding.KASM_VIDEO: _kasm_video,
    Encoding.LAST_RECT: _empty,
    Encoding.DESKTOP_SIZE: _empty,
    Encoding.QEMU_EXTENDED_KEY_EVENT: _empty,
    Encoding.EXTENDED_MOUSE_BUTTONS: _empty,
    Encoding.EXTENDED_DESKTOP_SIZE: _extended_desktop_size,
    Encoding.DESKTOP_NAME: _desktop_name,
    Encoding.LED_STATE: _led_state,
    Encoding.CURSOR: _cursor,
    Encoding.CURSOR_WITH_ALPHA: _cursor_with_alpha,
    Encoding.VMWARE_CURSOR: _vmware_cursor,
}


def text_within(ceiling: int) -> Parser[bytes]:
    """Read a length in 32 bits and a text of that many bytes, without the length."""
    (length,) = U32.unpack((yield 4))
    if length > ceiling:
        raise ProtocolError(f"a text of {length} bytes")
    return (yield length)


def _report() -> Parser[bytes]:
    pad = yield 3
    return pad + (yield from text_within(limits.SERVER_TEXT))


def _disconnect() -> Parser[bytes]:
    head = yield 4
    return head + (yield from text_within(limits.SERVER_NAME))


def _name() -> Parser[bytes]:
    return (yield from text_within(limits.SERVER_NAME))


def _nothing() -> Parser[bytes]:
    return (yield 0)


def _relay_answer() -> Parser[bytes]:
    head = yield 2
    return head + (yield head[1])


def _clipboard() -> Parser[bytes]:
    parts, size = [(yield 1)], 0
    for _ in range(parts[0][0]):
        parts.append((yield 5))
        parts.append((yield parts[-1][4]))
        parts.append((yield 4))
        (length,) = U32.unpack(parts[-1])
        size += length
        if size > limits.SERVER_TEXT:
            raise ProtocolError(f"a clipboard of {size} bytes")
        parts.append((yield length))
    return b"".join(parts)


def _encoders() -> Parser[bytes]:
    parts = [(yield 1)]
    for _ in range(parts[0][0]):
        parts.append((yield 13))
        parts.append((yield 4 * parts[-1][12]))
    return b"".join(parts)


KASM_BODIES: dict[int, Callable[[], Parser[bytes]]] = {
    ServerMessage.STATS: _report,
    ServerMessage.NETWORK_STATS: _report,
    ServerMessage.SYSTEM_STATS: _report,
    ServerMessage.REQUEST_FRAME_STATS: _nothing,
    ServerMessage.BINARY_CLIPBOARD: _clipboard,
    ServerMessage.SUBSCRIBE_UNIX_RELAY: _relay_answer,
    ServerMessage.VIDEO_ENCODERS: _encoders,
    ServerMessage.SERVER_DISCONNECT: _disconnect,
    ServerMessage.FORCE_GAME_MODE: _nothing,
    ServerMessage.USER_ADDED_TO_SESSION: _name,
    ServerMessage.USER_REMOVED_FROM_SESSION: _name,
}
