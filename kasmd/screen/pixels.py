"""Pixel formats (RFC 6143 section 7.4) and conversion from and to our own pixels.

Wherever a byte means nothing, it may have any value.
"""

from __future__ import annotations

from struct import Struct
from typing import Any, Callable, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kasmd.errors import ProtocolError

#: height x width x 4 bytes: blue, green, red, and one that means nothing.
Pixels = NDArray[np.uint8]

#: Whole pixels as numbers, whatever their size.
Values = NDArray[np.integer[Any]]

#: Where Pillow is the quicker to drop the fourth byte of each pixel, and where one copy is.
_MANY_BYTES, _FEW_BYTES = 1 << 20, 1 << 10

_ORDERS = {"RGB": slice(0, 3), "BGR": slice(2, None, -1)}

_LAYOUT = Struct(">BBBBHHHBBB3x")
_TYPES = {8: "u1", 16: "u2", 32: "u4"}


class PixelFormat(NamedTuple):
    """How a client wants each pixel: maxima are 2**n - 1, shifts in bits."""

    bits_per_pixel: int
    depth: int
    big_endian: bool
    true_colour: bool
    red_max: int
    green_max: int
    blue_max: int
    red_shift: int
    green_shift: int
    blue_shift: int

    def pack(self) -> bytes:
        """Give the 16 bytes of the wire."""
        return _LAYOUT.pack(*self)

    @classmethod
    def unpack(cls, data: bytes) -> PixelFormat:
        """Read 16 bytes; ProtocolError where we could not draw in such a format."""
        bits, depth, big_endian, true_colour, *rest = _LAYOUT.unpack(data)
        pixel_format = cls(bits, depth, bool(big_endian), bool(true_colour), *rest)
        pixel_format._check()
        return pixel_format

    @property
    def channels(self) -> tuple[tuple[int, int], ...]:
        """(maximum, shift) of red, green and blue."""
        return (
            (self.red_max, self.red_shift),
            (self.green_max, self.green_shift),
            (self.blue_max, self.blue_shift),
        )

    @property
    def bytes_per_pixel(self) -> int:
        """The size of a pixel."""
        return self.bits_per_pixel // 8

    @property
    def dtype(self) -> np.dtype[np.integer[Any]]:
        """The numpy type of a pixel."""
        return np.dtype((">" if self.big_endian else "<") + _TYPES[self.bits_per_pixel])

    @property
    def has_tpixel(self) -> bool:
        """Whether Tight sends a pixel as three bytes: red, green, blue (rfbproto)."""
        return self[:2] == (32, 24) and self[4:7] == (255, 255, 255)

    @property
    def cpixel(self) -> slice:
        """Which bytes of a pixel ZRLE sends (RFC 6143 section 7.7.5)."""
        used = self._used
        if self.bits_per_pixel < 32 or self.depth > 24 or (used > 0xFFFFFF and used & 0xFF):
            return slice(0, self.bytes_per_pixel)
        low = used <= 0xFFFFFF
        return slice(1, 4) if low is self.big_endian else slice(0, 3)

    @property
    def _used(self) -> int:
        """The bits that any channel uses."""
        used = 0
        for maximum, shift in self.channels:
            used |= maximum << shift
        return used

    def _check(self) -> None:
        if self.bits_per_pixel not in _TYPES:
            raise ProtocolError(f"{self.bits_per_pixel} bits per pixel; 8, 16 and 32 are possible")
        if not self.true_colour:
            raise ProtocolError("a pixel format with a colour map")
        if not 1 <= self.depth <= self.bits_per_pixel:
            raise ProtocolError(f"depth {self.depth} in {self.bits_per_pixel} bits per pixel")
        for maximum, shift in self.channels:
            if maximum == 0 or maximum & (maximum + 1):
                raise ProtocolError(f"a colour maximum of {maximum} is not a power of two less one")
            if shift + maximum.bit_length() > self.bits_per_pixel:
                raise ProtocolError(f"a colour shift of {shift} leaves the pixel")
        if self._used.bit_count() != sum(maximum.bit_length() for maximum, _ in self.channels):
            raise ProtocolError("colours overlap in the pixel")


BGRX = PixelFormat(32, 24, False, True, 255, 255, 255, 16, 8, 0)
RGBX = PixelFormat(32, 24, False, True, 255, 255, 255, 0, 8, 16)


#: Red, green and blue shifts of whole bytes, and how our values become such.
_BYTE_ORDERS: dict[tuple[int, ...], Callable[[Values], Values]] = {
    (16, 8, 0): lambda values: values,
    (0, 8, 16): lambda values: values.byteswap() >> 8,
    (24, 16, 8): lambda values: values << 8,
    (8, 16, 24): lambda values: values.byteswap(),
}


def as_values(pixels: Pixels) -> Values:
    """View our pixels as numbers, 0x??RRGGBB."""
    if pixels.strides[-2:] != (4, 1):
        pixels = np.ascontiguousarray(pixels)
    return pixels.view("<u4")[..., 0]


def to_values(pixels: Pixels, fmt: PixelFormat) -> Values:
    """Convert to one number of ``fmt.dtype`` for each pixel.

    Fewer bits keep the upper ones; more bits repeat them.
    """
    values = as_values(pixels)
    order = _BYTE_ORDERS.get(fmt[7:])
    if fmt[4:7] == (255, 255, 255) and order is not None:
        return order(values).astype(fmt.dtype, copy=False)
    result = np.zeros(values.shape, "<u4")
    for (maximum, shift), ours in zip(fmt.channels, (16, 8, 0)):
        bits = maximum.bit_length()
        if bits <= 8:
            down = ours + 8 - bits - shift
            channel = values >> down if down >= 0 else values << -down
            result |= channel & (maximum << shift)
        else:
            channel = values >> ours & 255
            result |= (channel << (bits - 8) | channel >> (16 - bits)) << shift
    return result.astype(fmt.dtype, copy=False)


def from_values(values: Values, fmt: PixelFormat) -> Pixels:
    """Convert numbers of ``fmt`` to our pixels, each colour to the nearest of 256."""
    wide = values.astype("<u4", copy=False)
    result = np.zeros(values.shape, "<u4")
    for (maximum, shift), ours in zip(fmt.channels, (16, 8, 0)):
        channel = wide >> shift & maximum
        if maximum > 255:
            channel = channel >> (maximum.bit_length() - 8)
        elif maximum < 255:
            channel = (channel * 255 + maximum // 2) // maximum
        result |= channel << ours
    return result.view(np.uint8).reshape(*values.shape, 4)


def to_format(pixels: Pixels, fmt: PixelFormat) -> bytes:
    """Give the pixels as Raw sends them."""
    return to_values(pixels, fmt).tobytes()


def from_format(data: bytes, fmt: PixelFormat, height: int, width: int) -> Pixels:
    """Read ``height * width`` pixels as Raw sends them."""
    return from_values(np.frombuffer(data, fmt.dtype).reshape(height, width), fmt)


def to_tpixels(pixels: Pixels, fmt: PixelFormat) -> bytes:
    """Give the pixels as Tight sends them (rfbproto, TPIXEL)."""
    return _three_bytes(pixels, "BGR") if fmt.has_tpixel else to_format(pixels, fmt)


def from_tpixels(data: bytes, fmt: PixelFormat, height: int, width: int) -> Pixels:
    """Read ``height * width`` pixels as Tight sends them."""
    if not fmt.has_tpixel:
        return from_format(data, fmt, height, width)
    pixels = np.zeros((height, width, 4), np.uint8)
    pixels[..., 2::-1] = np.frombuffer(data, np.uint8).reshape(height, width, 3)
    return pixels


def tpixel_size(fmt: PixelFormat) -> int:
    """Bytes of one TPIXEL."""
    return 3 if fmt.has_tpixel else fmt.bytes_per_pixel


def to_cpixels(pixels: Pixels, fmt: PixelFormat) -> bytes:
    """Give the pixels as ZRLE sends them (RFC 6143 section 7.7.5)."""
    used = fmt.cpixel
    values = np.ascontiguousarray(to_values(pixels, fmt))
    whole = values.view(np.uint8).reshape(*values.shape, fmt.bytes_per_pixel)
    if used == slice(0, 3):
        return _three_bytes(whole, "RGB")
    return whole[..., used].tobytes()


def from_cpixels(data: bytes, fmt: PixelFormat, height: int, width: int) -> Pixels:
    """Read ``height * width`` pixels as ZRLE sends them."""
    whole = np.zeros((height, width, fmt.bytes_per_pixel), np.uint8)
    whole[..., fmt.cpixel] = np.frombuffer(data, np.uint8).reshape(height, width, -1)
    return from_values(whole.view(fmt.dtype)[..., 0], fmt)


def cpixel_size(fmt: PixelFormat) -> int:
    """Bytes of one CPIXEL."""
    return fmt.cpixel.stop - fmt.cpixel.start


def _three_bytes(whole: NDArray[np.uint8], order: str) -> bytes:
    """Drop the fourth byte of each pixel; ``order`` BGR turns the others round.

    Pillow copies once less, but takes more time to begin.
    """
    height, width = whole.shape[:2]
    if whole.size >= _MANY_BYTES:
        packed = np.ascontiguousarray(whole)
        return Image.frombuffer("RGBA", (width, height), packed, "raw", "RGBA", 0, 1).tobytes(
            "raw", order
        )
    turned = whole[..., _ORDERS[order]]
    if whole.size <= _FEW_BYTES:
        return turned.tobytes()
    three = np.empty(turned.shape, np.uint8)
    for channel in range(3):
        three[..., channel] = turned[..., channel]
    return three.tobytes()
