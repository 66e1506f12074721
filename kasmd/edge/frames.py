"""Websocket frames on their way through (RFC 6455 section 5): followed, not taken apart.

    receive_data(bytes) -> bytes to pass on      insert(frame), finish(frame) -> bytes

Payloads are neither copied nor unmasked.  Only a frame's header and a whole
control frame wait until they are complete, so that what was passed on always
ends within a payload or between two frames, where another frame may follow.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
_FIN, _RESERVED, _OPCODE = 0x80, 0x70, 0x0F
_MASKED, _LENGTH = 0x80, 0x7F
_CONTROL = 0x08
#: What a control frame can hold; of a close frame, two bytes are its code.
MAX_CONTROL = 125
MAX_REASON = MAX_CONTROL - 2
#: How many frames are read in one go: about a millisecond's worth.
BUDGET = 2000

#: Codes that a close frame may carry: those of the RFC and of IANA's registry that
#: are not for local use only, and those of libraries and applications.
_CODES = frozenset((1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)))
NO_CODE = 1005

#: What the first byte of a frame makes of it.
_WRONG, _LAST, _MORE, _CONTROL_FRAME = range(4)


class Close(NamedTuple):
    """What a close frame says; without a body, `NO_CODE`."""

    code: int
    reason: str


def reserved_bits(extensions: bytes) -> int:
    """Give the reserved bits that a 101's Sec-WebSocket-Extensions lets frames use.

    permessage-deflate has the first (RFC 7692 section 6); what an extension
    that is not known here does with them is its own business.
    """
    names = {entry.partition(b";")[0].strip().lower() for entry in extensions.split(b",")} - {b""}
    if not names:
        return 0
    return 0x40 if names == {b"permessage-deflate"} else _RESERVED


def control(opcode: int, payload: bytes, key: bytes = b"") -> bytes:
    """Give a control frame, masked with the four bytes of ``key`` where there is one."""
    assert len(payload) <= MAX_CONTROL, "a control frame has a ceiling"
    head = bytes((_FIN | opcode, len(payload) | (_MASKED if key else 0)))
    return head + key + (masked(payload, key) if key else payload)


def close(code: int, reason: str, key: bytes = b"") -> bytes:
    """Give a close frame; a reason that is too long is cut between two characters."""
    text = reason.encode()[:MAX_REASON].decode("utf-8", "ignore").encode()
    return control(CLOSE, code.to_bytes(2, "big") + text, key)


def masked(payload: bytes, key: bytes) -> bytes:
    """Mask or unmask a short payload."""
    size = len(payload)
    mask = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")).to_bytes(size, "big")


def _table(reserved: int, within: bool) -> bytes:
    """Say of each first byte what it begins, ``within`` a message or between two."""
    return bytes(_WRONG if _complaint(b, reserved, within) else _kind(b) for b in range(256))


def _kind(first: int) -> int:
    if first & _CONTROL:
        return _CONTROL_FRAME
    return _LAST if first & _FIN else _MORE


def _complaint(first: int, reserved: int, within: bool) -> str:
    """Say what is wrong with a first byte; nothing where it is right."""
    opcode, compressed = first & _OPCODE, first & 0x40
    if first & _RESERVED & ~reserved:
        return "a reserved bit is set"
    if opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
        return f"opcode {opcode} is reserved"
    if opcode & _CONTROL and not first & _FIN:
        return "a control frame is fragmented"
    if reserved == 0x40 and compressed and opcode not in (TEXT, BINARY):
        return "only a message's first frame says that it is compressed"
    if opcode == CONTINUATION and not within:
        return "there is no message to continue"
    if opcode in (TEXT, BINARY) and within:
        return "a message begins within another"
    return ""


#: What is wrong with a frame whose mask bit is not this.
_MASKING = {0: "a server's frame is masked", _MASKED: "a client's frame is not masked"}
_TABLES = {bits: (_table(bits, False), _table(bits, True)) for bits in (0, 0x40, _RESERVED)}


class Follower:
    """Follows the frames of one direction.

    After each call: ``ended`` (nothing more is passed on), ``close`` (what the
    peer's close frame said), ``violation`` (what it did wrong), ``more`` (it was
    too much for one call: go on with ``receive_data(b"")``).
    """

    __slots__ = (
        "ended", "close", "violation", "more",
        "_masked", "_reserved", "_own", "_left", "_within", "_held", "_waiting", "_last", "_around",
    )  # fmt: skip

    def __init__(self, from_client: bool, reserved: int, own: bytes) -> None:
        """Follow a client's or a server's frames; pongs that carry ``own`` end here."""
        self.ended = False
        self.close: Optional[Close] = None
        self.violation = ""
        self.more = False
        self._masked = _MASKED if from_client else 0
        #: Bytes of a short frame around its payload.
        self._around = 6 if from_client else 2
        self._reserved = reserved
        self._own = own
        #: Bytes that the frame under way still lacks.
        self._left = 0
        #: Whether a message was begun by a frame and not yet ended by another.
        self._within = False
        #: What was read and neither followed nor passed on.
        self._held = b""
        #: Frames to be put in where the one under way ends, the last one for good.
        self._waiting = b""
        self._last = False

    @property
    def mid_frame(self) -> bool:
        """Whether what was passed on ends within a frame."""
        return self._left > 0

    @property
    def over(self) -> bool:
        """Whether the peer has said its last."""
        return self.close is not None or bool(self.violation)

    def insert(self, frame: bytes) -> bytes:
        """Put a frame in: give what to pass on now, which is nothing within a frame."""
        if self.ended or self._last:
            return b""
        if self._left:
            self._waiting += frame
            return b""
        return frame

    def finish(self, frame: bytes) -> bytes:
        """Put a frame in as `insert` does, and pass nothing on after it."""
        now = self.insert(frame)
        if self.mid_frame and not self.ended:
            self._last = True
        else:
            self.ended = True
        return now

    def receive_data(self, data: bytes) -> bytes:
        """Follow what the peer sent; give what to pass on."""
        if not self._left and self._is_short_message(data):
            self._within = False
            return data
        if self._left > len(data):
            self._left -= len(data)
            return b"" if self.ended else data
        if self._held:
            data, self._held = self._held + data, b""
        self.more = False
        if self.over:
            return b""
        if self._waiting or self._last:
            end, self._left = self._left, 0
            head = data[:end] + self._waiting
            self._waiting, self.ended, self._last = b"", self._last, False
            return head + self._pass(data[end:])
        return self._pass(data)

    def _is_short_message(self, data: bytes) -> bool:
        """Tell whether this is one whole frame that ends a message, as most are by far."""
        size = len(data) - self._around
        return (
            0 <= size <= MAX_CONTROL
            and data[1] == size | self._masked
            and _TABLES[self._reserved][self._within][data[0]] == _LAST
            and not (self._held or self.ended or self.violation)
        )

    def _pass(self, data: bytes) -> bytes:
        muted = self.ended
        passed = self._follow(data)
        return b"" if muted else passed

    def _follow(self, data: bytes) -> bytes:
        """Go from header to header, as far as they are here and the budget reaches."""
        size, at, kept = len(data), self._left, 0
        tables, mask_bit, within = _TABLES[self._reserved], self._masked, self._within
        pieces: list[bytes] = []
        for _ in range(BUDGET):
            if size - at < 2:
                break
            first, second = data[at], data[at + 1]
            kind = tables[within][first]
            if not kind or second & _MASKED != mask_bit:
                self._fail(_complaint(first, self._reserved, within) or _MASKING[mask_bit])
                break
            end = at + 2 + (second & _LENGTH)
            if end - at > 2 + MAX_CONTROL:
                end = self._long_end(data, at, kind)
                if not end:
                    break
            if mask_bit:
                end += 4
            if kind == _CONTROL_FRAME:
                if end > size:
                    break
                if self._swallows(data[at:end]):
                    pieces.append(data[kept:at])
                    kept = end
                if self.over:
                    at = at if self.violation else end
                    break
            else:
                within = kind == _MORE
            at = end
        else:
            self.more = at < size
        self._within = within
        self._left = max(0, at - size)
        if at < size and not self.over:
            self._held = data[at:]
        if not kept and at >= size:
            return data
        pieces.append(data[kept:at])
        return b"".join(pieces)

    def _long_end(self, data: bytes, at: int, kind: int) -> int:
        """Give where a frame with a long length ends but for its mask.

        0 if its length is not all here, or wrong.
        """
        if kind == _CONTROL_FRAME:
            self._fail(f"a control frame has more than {MAX_CONTROL} bytes")
            return 0
        wide = 2 if data[at + 1] & _LENGTH == 126 else 8
        begin = at + 2 + wide
        if begin > len(data):
            return 0
        length = int.from_bytes(data[at + 2 : begin], "big")
        if length >> 63:
            self._fail("a length has its highest bit set")
        elif length <= (MAX_CONTROL if wide == 2 else 0xFFFF):
            self._fail("a length takes more bytes than it needs")
        return 0 if self.violation else begin + length

    def _swallows(self, frame: bytes) -> bool:
        """Look at a whole control frame; True if it is the answer to a ping of ours."""
        opcode = frame[0] & _OPCODE
        if opcode == PONG:
            return self._payload(frame) == self._own
        if opcode == CLOSE:
            self._read_close(self._payload(frame))
        return False

    def _payload(self, frame: bytes) -> bytes:
        return masked(frame[6:], frame[2:6]) if self._masked else frame[2:]

    def _read_close(self, body: bytes) -> None:
        code = int.from_bytes(body[:2], "big") if body else NO_CODE
        if len(body) == 1 or body and code not in _CODES:
            self._fail("a close frame has a code that is none")
            return
        try:
            self.close = Close(code, body[2:].decode())
        except UnicodeDecodeError:
            self._fail("a close frame's reason is not UTF-8")
        else:
            self.ended = True

    def _fail(self, violation: str) -> None:
        self.violation = violation
