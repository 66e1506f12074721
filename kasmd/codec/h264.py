"""Open H.264 (rfbproto, "Open H.264 Encoding"): a stream of video for each rectangle.

    length: U32, flags: U32, then so many bytes of Annex B

The viewer keeps a decoder for each rectangle, by its place and size, and drops it
(bit 0 of the flags), or all of them (bit 1), before it reads the data.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple, Optional

from kasmd.codec.base import OPEN_H264, Reading, Rectangle, read_many
from kasmd.codec.video import Codec, Unit, VideoDecoder
from kasmd.errors import ProtocolError
from kasmd.screen.geometry import Rect
from kasmd.screen.pixels import Pixels

RESET, RESET_ALL = 1, 2

#: A viewer keeps so many decoders (rfbproto).
MAX_STREAMS = 64
#: The most bytes of one picture; an honest one is smaller than its pixels.
MAX_LENGTH = 16 << 20

_HEAD = Struct(">II")


class Part(NamedTuple):
    """What one rectangle holds: flags, and part of a stream."""

    flags: int
    data: bytes


def encode(rect: Rect, unit: Unit, flags: int = 0) -> Rectangle:
    """Give the rectangle for the next picture of a stream.

    RESET must be among the ``flags`` of the first picture of an encoder.
    """
    payload = _HEAD.pack(len(unit.data), flags) + unit.data
    return Rectangle(rect, OPEN_H264, payload)


def decode() -> Reading[Part]:
    """Read the payload."""
    length, flags = _HEAD.unpack((yield _HEAD.size))
    if length > MAX_LENGTH:
        raise ProtocolError(f"{length} bytes of H.264 in one rectangle")
    return Part(flags, (yield from read_many(length)))


class H264Decoder:
    """The reading end, with the decoders of a connection."""

    def __init__(self) -> None:
        self._streams: dict[Rect, VideoDecoder] = {}

    def show(self, rect: Rect, part: Part) -> Optional[Pixels]:
        """Give what ``rect`` shows after ``part``, or None if nothing new."""
        if part.flags & RESET_ALL:
            self._streams.clear()
        if part.flags & RESET:
            self._streams.pop(rect, None)
        if not part.data:
            return None
        if rect not in self._streams:
            while len(self._streams) >= MAX_STREAMS:
                del self._streams[next(iter(self._streams))]
            self._streams[rect] = VideoDecoder(rect.width, rect.height, Codec.H264)
        return self._streams[rect].decode(part.data)
