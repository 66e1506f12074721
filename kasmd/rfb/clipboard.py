"""rfbproto's extended clipboard: cut text of negative length.

After SetEncodings lists it (``->`` from the viewer, ``<-`` to it)::

    <- Caps     what we do; sizes of 0: nothing is to be provided unasked
    -> Caps
    -> Notify   the viewer has formats      <- Request  for those we know
    -> Provide  zlib: U32 length and bytes for each format
    <- Notify   the desktop has formats     -> Request  <- Provide
    -> Peek                                 <- Notify

Text is UTF-8 with CRLF and a NUL at the end on the wire, with LF and without in
our hands.  Another format is another row of `FORMATS`.
"""

from __future__ import annotations

import struct
import zlib
from typing import Callable, Mapping, NamedTuple, Optional

from kasmd.errors import ProtocolError
from kasmd.rfb import limits
from kasmd.rfb.messages import (
    ClipboardCapsReceived,
    ClipboardNotified,
    ClipboardPeeked,
    ClipboardProvided,
    ClipboardRequested,
    Event,
)
from kasmd.rfb.numbers import ClipboardAction, ClipboardFormat, ServerMessage
from kasmd.rfb.wire import U32

_FORMATS = 0xFFFF
_ACTIONS = int(
    ClipboardAction.CAPS
    | ClipboardAction.REQUEST
    | ClipboardAction.PEEK
    | ClipboardAction.NOTIFY
    | ClipboardAction.PROVIDE
)

#: Above this, deflating would hold the reactor for more than the bytes are worth.
_DEFLATED = 64 * 1024


def with_newlines(data: bytes) -> bytes:
    """Let lines end in LF, whatever they ended in."""
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _text_from_wire(data: bytes) -> bytes:
    text = with_newlines(data.removesuffix(b"\0"))
    return text.decode("utf-8", "replace").encode()


def _text_to_wire(data: bytes) -> bytes:
    return with_newlines(data).replace(b"\n", b"\r\n") + b"\0"


class Format(NamedTuple):
    """One format of the extended clipboard that we know."""

    bit: ClipboardFormat
    mime: str
    from_wire: Callable[[bytes], bytes]
    to_wire: Callable[[bytes], bytes]


FORMATS = (Format(ClipboardFormat.TEXT, "text/plain", _text_from_wire, _text_to_wire),)
_KNOWN = {int(form.bit): form for form in FORMATS}
_OURS = sum(_KNOWN)


def parse(data: bytes, ceiling: int) -> Optional[Event]:
    """Read one extended message; None where it is too long once inflated.

    Raises ProtocolError where the flags and the bytes do not agree.
    """
    if len(data) < 4:
        raise ProtocolError(f"an extended clipboard message of {len(data)} bytes has no flags")
    (flags,) = U32.unpack_from(data)
    formats = ClipboardFormat(flags & _FORMATS)
    if flags & ClipboardAction.CAPS:
        return _caps(ClipboardAction(flags & _ACTIONS), formats, data[4:])
    action = flags & _ACTIONS
    if action == ClipboardAction.PROVIDE:
        return _provided(formats, data[4:], ceiling)
    if action == ClipboardAction.NOTIFY:
        return ClipboardNotified(formats)
    if action == ClipboardAction.REQUEST:
        return ClipboardRequested(formats)
    if action == ClipboardAction.PEEK:
        return ClipboardPeeked()
    raise ProtocolError(f"extended clipboard flags {flags:#010x} name no single action")


def _bits(formats: int) -> list[int]:
    return [1 << n for n in range(16) if formats & 1 << n]


def _caps(actions: ClipboardAction, formats: ClipboardFormat, body: bytes) -> Event:
    bits = _bits(formats)
    if len(body) < 4 * len(bits):
        raise ProtocolError(f"clipboard caps hold {len(body)} bytes for {len(bits)} formats")
    sizes = struct.unpack_from(f">{len(bits)}I", body)
    return ClipboardCapsReceived(actions, dict(zip(map(ClipboardFormat, bits), sizes)))


def _provided(formats: ClipboardFormat, body: bytes, ceiling: int) -> Optional[Event]:
    try:
        data = zlib.decompressobj().decompress(body, ceiling + 1)
    except zlib.error as error:
        raise ProtocolError(f"clipboard does not inflate: {error}") from error
    if len(data) > ceiling:
        return None
    content: dict[str, bytes] = {}
    start = 0
    for bit in _bits(formats):
        if start + 4 > len(data):
            raise ProtocolError("clipboard ends before its formats do")
        (length,) = U32.unpack_from(data, start)
        start += 4
        if start + length > len(data):
            raise ProtocolError(f"clipboard item of {length} bytes in {len(data) - start}")
        if bit in _KNOWN:
            form = _KNOWN[bit]
            content[form.mime] = form.from_wire(data[start : start + length])
        start += length
    return ClipboardProvided(content)


def message(flags: int, body: bytes = b"", number: int = ServerMessage.SERVER_CUT_TEXT) -> bytes:
    """An extended message, as the server sends it, or a client with its ``number``."""
    return struct.pack(">B3xiI", number, -4 - len(body), flags) + body


def caps(number: int = ServerMessage.SERVER_CUT_TEXT) -> bytes:
    """What we do: every action, our formats, nothing unasked."""
    return message(_ACTIONS | _OURS, bytes(4 * len(FORMATS)), number)


def packed(content: Mapping[str, bytes], formats: int) -> tuple[int, bytes]:
    """Pack what ``formats`` asks for and ``content`` has: the bits, and zlib's bytes."""
    chosen = [f for f in FORMATS if f.bit & formats and f.mime in content]
    items = [form.to_wire(content[form.mime]) for form in chosen]
    data = b"".join(U32.pack(len(item)) + item for item in items)
    level = 6 if len(data) <= _DEFLATED else 0
    return sum(form.bit for form in chosen), zlib.compress(data, level)


class Offer:
    """What one end's clipboard holds, for another with the extended clipboard.

    ``number`` is that of the messages: a server's, or a client's.
    """

    def __init__(self, number: int = ServerMessage.SERVER_CUT_TEXT) -> None:
        self._number = number
        self._content: Mapping[str, bytes] = {}
        self._provides = 0

    def put(self, content: Mapping[str, bytes]) -> bytes:
        """Keep ``content`` instead of what there was; gives the Notify for it."""
        self._content = content
        self._provides = limits.PROVIDES
        return self._notify()

    def answer(self, event: Event) -> Optional[bytes]:
        """Answer a Notify, Peek or Request of the viewer's; None where nothing is to be said."""
        if isinstance(event, ClipboardPeeked):
            return self._notify()
        if isinstance(event, ClipboardNotified):
            wanted = event.formats & _OURS
            return self._message(ClipboardAction.REQUEST | wanted) if wanted else None
        if isinstance(event, ClipboardRequested):
            return self._provide(event.formats)
        return None

    def _notify(self) -> bytes:
        formats = sum(form.bit for form in FORMATS if form.mime in self._content)
        return self._message(ClipboardAction.NOTIFY | formats)

    def _provide(self, formats: int) -> Optional[bytes]:
        bits, body = packed(self._content, formats)
        if not bits or not self._provides:
            return None
        self._provides -= 1
        return self._message(ClipboardAction.PROVIDE | bits, body)

    def _message(self, flags: int, body: bytes = b"") -> bytes:
        return message(flags, body, self._number)
