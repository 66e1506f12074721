"""JPEG (rfbproto, "JPEG Encoding"): a picture and no length; its markers tell where it ends.

A picture may leave out the tables that one before it had (ISO 10918-1, the
abbreviated format).  What we send has them all.
"""

from __future__ import annotations

from kasmd.codec import jpeg
from kasmd.codec.base import Reading, check_area
from kasmd.errors import ProtocolError
from kasmd.screen.pixels import Pixels

_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
_QUANTIZATION, _HUFFMAN = 0xDB, 0xC4
_TABLES = _QUANTIZATION, _HUFFMAN
#: In the data of a scan 0xFF is followed by one of these; all else ends the scan.
_STUFFING, _RESTARTS = 0x00, range(0xD0, 0xD8)

#: The most bytes of one picture, larger than any honest one of `MAX_PIXELS`.
MAX_LENGTH = 64 << 20


def encode(pixels: Pixels, quality: int, subsampling: str) -> bytes:
    """Give the payload."""
    return jpeg.encode(pixels, quality, subsampling)


class JpegDecoder:
    """The reading end, with the tables of a connection."""

    def __init__(self) -> None:
        self._tables: dict[int, list[bytes]] = {}

    def decode(self, width: int, height: int) -> Reading[Pixels]:
        """Read the payload of one rectangle."""
        check_area(width, height)
        if (yield 2) != bytes([0xFF, _START]):
            raise ProtocolError("a JPEG begins otherwise")
        picture = bytearray([0xFF, _START])
        own: dict[int, list[bytes]] = {}
        marker = yield from _read_marker()
        while marker != _END:
            segment = yield from _read_segment(marker)
            if marker in _TABLES:
                own.setdefault(marker, []).append(segment)
            if marker != _SCAN:
                picture += segment
                marker = yield from _read_marker()
            else:
                picture += self._tables_before(own) + segment
                marker = yield from _read_scan(picture)
            if len(picture) > MAX_LENGTH:
                raise ProtocolError(f"a JPEG of more than {MAX_LENGTH} bytes")
        return jpeg.decode(bytes(picture) + bytes([0xFF, _END]), width, height)

    def _tables_before(self, own: dict[int, list[bytes]]) -> bytes:
        """Give the tables that a picture leaves out, and keep those that it has."""
        missing = [self._tables.get(kind, []) for kind in _TABLES if kind not in own]
        self._tables.update(own)
        own.update(self._tables)
        return b"".join(segment for kind in missing for segment in kind)


def _read_marker() -> Reading[int]:
    marker = yield 2
    if marker[0] != 0xFF:
        raise ProtocolError(f"{marker.hex()} where a JPEG has a marker")
    return marker[1]


def _read_segment(marker: int) -> Reading[bytes]:
    length = yield 2
    size = int.from_bytes(length, "big")
    if size < 2:
        raise ProtocolError(f"a JPEG segment of {size} bytes")
    return bytes([0xFF, marker]) + length + (yield size - 2)


def _read_scan(picture: bytearray) -> Reading[int]:
    """Read the data of a scan into ``picture``; give the marker behind them."""
    while True:
        # A picture ends with a marker of two bytes, so two are there in any case.
        data = yield 2
        if data[1] == 0xFF and data[0] != 0xFF:
            picture += data[:1]
            data = data[1:] + (yield 1)
        if data[0] == 0xFF and data[1] != _STUFFING and data[1] not in _RESTARTS:
            return data[1]
        picture += data
        if len(picture) > MAX_LENGTH:
            raise ProtocolError(f"a JPEG of more than {MAX_LENGTH} bytes")
