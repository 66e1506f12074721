"""The messages of RFC 6143 and rfbproto: how they are read, how they are written.

Parsers read what follows the type byte.  Numbers are big-endian::

    -> 0 SetPixelFormat          pad 3, PIXEL_FORMAT 16
    -> 2 SetEncodings            pad 1, U16 n, n x S32
    -> 3 UpdateRequest           U8 incremental, U16 x, y, width, height
    -> 4 KeyEvent                U8 down, pad 2, U32 keysym
    -> 5 PointerEvent            U8 buttons, U16 x, U16 y[, U8 more buttons]
    -> 6 ClientCutText           pad 3, S32 length (negative: extended), bytes
    -> 150 ContinuousUpdates     U8 enable, U16 x, y, width, height
    -> 248 ClientFence           pad 3, U32 flags, U8 length, bytes
    -> 251 SetDesktopSize        pad 1, U16 width, height, U8 n, pad 1, n x 16
    -> 255 QEMU                  U8 0, U16 down, U32 keysym, U32 keycode

    <- 2 Bell                    nothing
    <- 3 ServerCutText           pad 3, U32 length, Latin-1
    <- 150 EndOfContinuousUpdates  nothing
    <- 248 ServerFence           pad 3, U32 flags, U8 length, bytes
"""

from __future__ import annotations

import struct
from typing import Callable, Optional

from kasmd.errors import ProtocolError
from kasmd.rfb import clipboard, limits
from kasmd.rfb.dialect import RULES, PointerLayout, Reading
from kasmd.rfb.messages import (
    ContinuousUpdatesSet,
    CutTextReceived,
    DesktopSizeRequested,
    EncodingsSet,
    Event,
    FenceReceived,
    KeyPressed,
    KeyReleased,
    PixelFormatSet,
    PointerMoved,
    UpdateRequested,
)
from kasmd.rfb.numbers import ClientMessage, ServerMessage
from kasmd.rfb.wire import U16, Parser, bounded, skip, text
from kasmd.screen.geometry import Rect, Screen
from kasmd.screen.pixels import PixelFormat

AREA = struct.Struct(">BHHHH")
KEY = struct.Struct(">BxxI")
POINTER = struct.Struct(">BHH")
KASM_POINTER = struct.Struct(">HHHhh")
CUT_TEXT = struct.Struct(">3xi")
FENCE = struct.Struct(">3xIB")
DESKTOP_SIZE = struct.Struct(">xHHBx")
SCREEN = struct.Struct(">IHHHHI")
QEMU_KEY = struct.Struct(">HII")

#: Left, middle, right, wheel up, down, left, right, back, forward.
BUTTONS = 0x1FF
#: In a pointer's first byte: a second one follows (rfbproto, ExtendedMouseButtons).
MORE_BUTTONS = 0x80


def set_pixel_format(reading: Reading) -> Parser[Event]:
    """RFC 6143 section 7.5.1."""
    return PixelFormatSet(PixelFormat.unpack((yield 19)[3:]))


def set_encodings(reading: Reading) -> Parser[Event]:
    """RFC 6143 section 7.5.2."""
    (count,) = U16.unpack((yield 3)[1:])
    kept = min(count, limits.ENCODINGS)
    encodings = struct.unpack(f">{kept}i", (yield 4 * kept))
    yield from skip(4 * (count - kept))
    return EncodingsSet(encodings)


def framebuffer_update_request(reading: Reading) -> Parser[Event]:
    """RFC 6143 section 7.5.3."""
    incremental, *area = AREA.unpack((yield AREA.size))
    return UpdateRequested(bool(incremental), Rect(*area))


def key_event(reading: Reading) -> Parser[Event]:
    """RFC 6143 section 7.5.4."""
    down, keysym = KEY.unpack((yield KEY.size))
    return KeyPressed(keysym) if down else KeyReleased(keysym)


def pointer_event(reading: Reading) -> Parser[Event]:
    """RFC 6143 section 7.5.5, rfbproto's ExtendedMouseButtons, or Kasm's 11 bytes."""
    if RULES[reading.dialect].pointer is PointerLayout.KASM:
        buttons, x, y, *scroll = KASM_POINTER.unpack((yield KASM_POINTER.size))
        return PointerMoved(x, y, buttons & BUTTONS, *scroll)
    buttons, x, y = POINTER.unpack((yield POINTER.size))
    if reading.extended_mouse and buttons & MORE_BUTTONS:
        more = (yield 1)[0]
        buttons = (buttons & ~MORE_BUTTONS) | (more << 7)
    return PointerMoved(x, y, buttons & BUTTONS)


def client_cut_text(reading: Reading) -> Parser[Optional[Event]]:
    """RFC 6143 section 7.5.6, and rfbproto's extended clipboard for a negative length."""
    (length,) = CUT_TEXT.unpack((yield CUT_TEXT.size))
    data = yield from bounded(abs(length), reading.limits.cut_text)
    if data is None:
        return None
    if length < 0:
        return clipboard.parse(data, reading.limits.inflated)
    return CutTextReceived(clipboard.with_newlines(data).decode("latin-1"))


def enable_continuous_updates(reading: Reading) -> Parser[Event]:
    """rfbproto, EnableContinuousUpdates."""
    enabled, *area = AREA.unpack((yield AREA.size))
    return ContinuousUpdatesSet(bool(enabled), Rect(*area))


def client_fence(reading: Reading) -> Parser[Optional[Event]]:
    """rfbproto, ClientFence."""
    flags, length = FENCE.unpack((yield FENCE.size))
    payload = yield from bounded(length, limits.FENCE)
    return None if payload is None else FenceReceived(flags, payload)


def set_desktop_size(reading: Reading) -> Parser[Event]:
    """rfbproto, SetDesktopSize."""
    width, height, count = DESKTOP_SIZE.unpack((yield DESKTOP_SIZE.size))
    screens = SCREEN.iter_unpack((yield count * SCREEN.size))
    return DesktopSizeRequested(width, height, tuple(Screen(*screen) for screen in screens))


def qemu(reading: Reading) -> Parser[Event]:
    """rfbproto, QEMU Extended Key Event; QEMU's other messages we never offer."""
    submessage = (yield 1)[0]
    if submessage != 0:
        raise ProtocolError(f"unknown QEMU message {submessage}")
    down, keysym, keycode = QEMU_KEY.unpack((yield QEMU_KEY.size))
    return KeyPressed(keysym, keycode) if down else KeyReleased(keysym, keycode)


#: Reads what follows the type byte; None where it is skipped.
MessageParser = Callable[[Reading], Parser[Optional[Event]]]

PARSERS: dict[int, MessageParser] = {
    ClientMessage.SET_PIXEL_FORMAT: set_pixel_format,
    ClientMessage.SET_ENCODINGS: set_encodings,
    ClientMessage.FRAMEBUFFER_UPDATE_REQUEST: framebuffer_update_request,
    ClientMessage.KEY_EVENT: key_event,
    ClientMessage.POINTER_EVENT: pointer_event,
    ClientMessage.CLIENT_CUT_TEXT: client_cut_text,
    ClientMessage.ENABLE_CONTINUOUS_UPDATES: enable_continuous_updates,
    ClientMessage.CLIENT_FENCE: client_fence,
    ClientMessage.SET_DESKTOP_SIZE: set_desktop_size,
    ClientMessage.QEMU: qemu,
}


def server_init(width: int, height: int, pixel_format: PixelFormat, name: str) -> bytes:
    """RFC 6143 section 7.3.2."""
    return struct.pack(">HH", width, height) + pixel_format.pack() + text(name)


def bell() -> bytes:
    """RFC 6143 section 7.6.3."""
    return bytes([ServerMessage.BELL])


def server_cut_text(string: str) -> bytes:
    """RFC 6143 section 7.6.4; what Latin-1 lacks becomes a question mark."""
    data = string.encode("latin-1", "replace")
    return struct.pack(">B3xI", ServerMessage.SERVER_CUT_TEXT, len(data)) + data


def end_of_continuous_updates() -> bytes:
    """rfbproto, EndOfContinuousUpdates."""
    return bytes([ServerMessage.END_OF_CONTINUOUS_UPDATES])


def server_fence(flags: int, payload: bytes) -> bytes:
    """rfbproto, ServerFence.  Raises ValueError above 64 bytes of payload."""
    if len(payload) > limits.FENCE:
        raise ValueError(f"a fence holds {limits.FENCE} bytes, not {len(payload)}")
    return struct.pack(">B3xIB", ServerMessage.SERVER_FENCE, flags, len(payload)) + payload
