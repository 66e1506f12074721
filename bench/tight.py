"""Tight and Raw rectangles: where they end, and what they show (rfbproto, Tight)."""

from __future__ import annotations

import zlib
from typing import Callable, Generator, Optional

import numpy
import simplejpeg
from numpy.typing import NDArray

#: Height x width x 3, uint8, red first.
Picture = NDArray[numpy.uint8]
#: Decodes a rectangle's bytes, unless they were passed by.
Decoder = Callable[[], Picture]

_FILL, _JPEG = 8, 9
_COPY_FILTER, _PALETTE_FILTER = 0, 1
#: Shorter data is not compressed.
_MIN_COMPRESSED = 12


def raw(data: bytes, width: int, height: int) -> Picture:
    """Give the picture of RGBX pixels."""
    pixels: Picture = numpy.frombuffer(data, numpy.uint8).reshape(height, width, 4)
    return pixels[..., :3]


class Tight:
    """The four zlib streams of one connection; what is not to be decoded is passed by."""

    def __init__(self, decode: bool = True) -> None:
        self._sign = 1 if decode else -1
        self._streams = [zlib.decompressobj() for _ in range(4)]

    def read(self, width: int, height: int) -> Generator[int, bytes, Decoder]:
        """Read one rectangle and give what would decode it.

        Decoders must be called in the order in which they were read, each once.
        """
        control = (yield 1)[0]
        for number in range(4):
            if control >> number & 1:
                self._streams[number] = zlib.decompressobj()
        kind = control >> 4
        if kind == _FILL:
            colour = yield 3
            return lambda: numpy.full((height, width, 3), list(colour), numpy.uint8)
        if kind == _JPEG:
            size = yield from _compact()
            data = yield size * self._sign
            return lambda: simplejpeg.decode_jpeg(data, "RGB", fastdct=True)
        if kind > _JPEG:
            raise ValueError(f"Tight control byte {control:#04x}")
        return (yield from self._basic(self._streams[kind & 3], kind & 4, width, height))

    def _basic(
        self, stream: "zlib._Decompress", filtered: int, width: int, height: int
    ) -> Generator[int, bytes, Decoder]:
        kind = (yield 1)[0] if filtered else _COPY_FILTER
        if kind not in (_COPY_FILTER, _PALETTE_FILTER):
            raise ValueError(f"Tight filter {kind}")
        palette: Optional[bytes] = None
        row = width * 3
        if kind == _PALETTE_FILTER:
            colours = (yield 1)[0] + 1
            palette = yield colours * 3
            row = (width + 7) // 8 if colours == 2 else width
        size = row * height
        compressed = size >= _MIN_COMPRESSED
        if compressed:
            size = yield from _compact()
        data = yield size * self._sign

        def decode() -> Picture:
            plain = stream.decompress(data) if compressed else data
            return _picture(plain, palette, width, height)

        return decode


def _picture(plain: bytes, palette: Optional[bytes], width: int, height: int) -> Picture:
    values = numpy.frombuffer(plain, numpy.uint8)
    if palette is None:
        return values.reshape(height, width, 3)
    table = numpy.frombuffer(palette, numpy.uint8).reshape(-1, 3)
    indices = values.reshape(height, -1)
    if len(table) == 2:
        indices = numpy.unpackbits(indices, axis=1)[:, :width]
    return table[indices]


def _compact() -> Generator[int, bytes, int]:
    """Read a length of one to three bytes, seven bits first."""
    size = 0
    for shift, mask in ((0, 0x7F), (7, 0x7F), (14, 0xFF)):
        byte = (yield 1)[0]
        size |= (byte & mask) << shift
        if mask == 0xFF or byte < 0x80:
            break
    return size
