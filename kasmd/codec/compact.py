"""Lengths of at most 22 bits in one to three bytes (rfbproto, "Tight Encoding")."""

from __future__ import annotations

from kasmd.codec.base import Reading

#: The most that three bytes can say.
MAX_LENGTH = (1 << 22) - 1


class TooLong(ValueError):
    """The rectangle does not fit into a compact length: cut it."""


def compact_length(length: int) -> bytes:
    """Give a length in one to three bytes: 7 bits, 7 bits, 8 bits, lowest first."""
    if length > MAX_LENGTH:
        raise TooLong(f"{length} bytes in one rectangle")
    if length < 1 << 7:
        return bytes([length])
    if length < 1 << 14:
        return bytes([length & 127 | 128, length >> 7])
    return bytes([length & 127 | 128, length >> 7 & 127 | 128, length >> 14])


def counted(*data: bytes, before: bytes = b"") -> bytes:
    """Put ``before`` and its length before ``data``, which is copied only once."""
    return b"".join((before, compact_length(sum(map(len, data))), *data))


def read_counted() -> Reading[bytes]:
    """Read a length, and so many bytes."""
    length = shift = 0
    for mask in (0x7F, 0x7F, 0xFF):
        byte = (yield 1)[0]
        length |= (byte & mask) << shift
        shift += 7
        if byte < 0x80:
            break
    return (yield length)
