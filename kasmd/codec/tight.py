"""Tight (rfbproto, "Tight Encoding"): fill, palette, copy filter, and images.

A zlib rectangle always uses stream 0, resets it, and is compressed whole, so
that its bytes depend on its pixels alone and serve every viewer.  Gradient is
never sent, nor a palette of one colour: Kasm's client cannot read them.

    control byte: bits 0-3 reset streams 0-3, then
      0x80         fill: one TPIXEL
      0x90         JPEG: compact length, JFIF
      0xB0, 0xC0   KasmVNC's: WebP and QOI, compact length and a file of that kind
      0x00-0x30    stream 0-3, copy filter: data
      0x40-0x70    stream 0-3, filter byte, what the filter needs, data
    data: as it is if shorter than 12 bytes, else compact length, zlib
"""

from __future__ import annotations

from typing import Callable, Optional

import numpy as np

from kasmd.codec import jpeg, qoi, webp
from kasmd.codec.base import Reading, check_area
from kasmd.codec.compact import counted, read_counted
from kasmd.codec.deflate import Inflater, deflate
from kasmd.codec.palette import Palette
from kasmd.errors import ProtocolError
from kasmd.screen.pixels import (
    PixelFormat,
    Pixels,
    from_tpixels,
    to_tpixels,
    tpixel_size,
)

#: Wider rectangles are not allowed.
MAX_WIDTH = 2048

_RESET = 0x01
_EXPLICIT_FILTER = 0x40
_FILL = 0x80
_JPEG, _WEBP, _QOI = 0x90, 0xB0, 0xC0
_COPY_FILTER, _PALETTE_FILTER, _GRADIENT_FILTER = range(3)
_LEAST_COMPRESSED = 12
#: Bits are few: from level 2 on they are worth the time of a higher one.
_QUICK, _BITS_LEVEL = 1, 7


#: Image kind -> its reader, given width and height.
_IMAGES: dict[int, Callable[[bytes, int, int], Pixels]] = {
    _JPEG: jpeg.decode,
    _WEBP: webp.decode,
    _QOI: qoi.decode,
}


def allows_jpeg(fmt: PixelFormat) -> bool:
    """Tell whether JPEG may be sent to a client with this format."""
    return fmt.bits_per_pixel > 8


def encode_fill(pixels: Pixels, fmt: PixelFormat) -> bytes:
    """Give the payload of a rectangle of one colour, that of the first pixel."""
    return bytes([_FILL]) + to_tpixels(pixels[:1, :1], fmt)


def encode_jpeg(pixels: Pixels, quality: int, subsampling: str) -> bytes:
    """Give the payload of a photograph."""
    return counted(jpeg.encode(pixels, quality, subsampling), before=bytes([_JPEG]))


def encode_webp(pixels: Pixels, quality: int) -> bytes:
    """Give the payload of a photograph, for Kasm's clients that list WebP."""
    return counted(webp.encode(pixels, quality), before=bytes([_WEBP]))


def encode_qoi(pixels: Pixels) -> bytes:
    """Give the payload of a photograph without loss, for Kasm's clients that list QOI."""
    return counted(qoi.encode(pixels), before=bytes([_QOI]))


def encode_copy(pixels: Pixels, fmt: PixelFormat, compress_level: int) -> bytes:
    """Give the payload of any picture, without loss."""
    return _data(bytes([_RESET]), to_tpixels(pixels, fmt), compress_level)


def encode_palette(palette: Palette, fmt: PixelFormat, compress_level: int) -> bytes:
    """Give the payload of a picture of 2 to 256 colours."""
    if palette.size == 2:
        data = np.packbits(palette.indices, axis=1).tobytes()
        if compress_level > _QUICK:
            compress_level = max(compress_level, _BITS_LEVEL)
    else:
        data = palette.indices.tobytes()
    head = bytes([_EXPLICIT_FILTER | _RESET, _PALETTE_FILTER, palette.size - 1])
    return _data(head + to_tpixels(palette.colours, fmt), data, compress_level)


def _data(head: bytes, data: bytes, compress_level: int) -> bytes:
    if len(data) < _LEAST_COMPRESSED:
        return head + data
    return counted(*deflate(data, compress_level), before=head)


class TightDecoder:
    """The reading end, with the four streams of a connection."""

    def __init__(self) -> None:
        self._streams: list[Optional[Inflater]] = [None] * 4

    def decode(self, width: int, height: int, fmt: PixelFormat) -> Reading[Pixels]:
        """Read the payload of one rectangle."""
        check_area(width, height)
        control = (yield 1)[0]
        for number in range(4):
            if control >> number & 1:
                self._streams[number] = None
        kind = control & 0xF0
        if kind == _FILL:
            pixel = from_tpixels((yield tpixel_size(fmt)), fmt, 1, 1)
            return np.broadcast_to(pixel, (height, width, 4)).copy()
        if kind in _IMAGES:
            return _IMAGES[kind]((yield from read_counted()), width, height)
        if kind > _FILL:
            raise ProtocolError(f"Tight control byte {control:#04x}")
        filter_id = (yield 1)[0] if kind & _EXPLICIT_FILTER else _COPY_FILTER
        if filter_id == _COPY_FILTER:
            size = width * height * tpixel_size(fmt)
            data = yield from self._read_data(kind >> 4 & 3, size)
            return from_tpixels(data, fmt, height, width)
        if filter_id == _PALETTE_FILTER:
            return (yield from self._read_palette(kind >> 4 & 3, width, height, fmt))
        raise ProtocolError(f"Tight filter {filter_id}")

    def _read_palette(
        self, stream: int, width: int, height: int, fmt: PixelFormat
    ) -> Reading[Pixels]:
        count = (yield 1)[0] + 1
        colours = from_tpixels((yield count * tpixel_size(fmt)), fmt, 1, count)[0]
        row = -(-width // 8) if count <= 2 else width
        data = yield from self._read_data(stream, row * height)
        indices = np.frombuffer(data, np.uint8).reshape(height, row)
        if count <= 2:
            indices = np.unpackbits(indices, axis=1, count=width)
        if indices.size and indices.max() >= count:
            raise ProtocolError(f"a Tight palette of {count} colours has no {indices.max()}")
        return colours[indices]

    def _read_data(self, number: int, size: int) -> Reading[bytes]:
        if size < _LEAST_COMPRESSED:
            return (yield size)
        packed = yield from read_counted()
        stream = self._streams[number] or Inflater()
        self._streams[number] = stream
        return stream.inflate_exactly(packed, size)
