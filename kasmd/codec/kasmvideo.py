"""KasmVNC's encoding 17: a stream of video for each screen.

    screen: U8, kind << 4: U8, mode: U8, key: U8, compact length, an access unit
    or, for a picture that is left out: screen: U8, 0: U8

A *stream mode* is the pseudo-encoding by which a viewer asks for one encoder;
each picture names it, and Kasm's viewer drops all whose mode is not its own.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

from kasmd.codec.base import KASM_VIDEO, Reading, Rectangle
from kasmd.codec.compact import counted, read_counted
from kasmd.codec.video import Codec, Unit
from kasmd.errors import ProtocolError
from kasmd.screen.geometry import Rect

#: The stream mode that asks for images instead.
IMAGES = -1025

_KINDS = {Codec.H264: 1, Codec.HEVC: 2, Codec.AV1: 3}
_CODECS = {kind: codec for codec, kind in _KINDS.items()}


class StreamMode(NamedTuple):
    """What one stream mode stands for, as the VideoEncoders message (184) says it.

    ``best`` and ``worst`` are the encoder's own, the lower the better; ``presets`` are
    what the client's slider says at its five presets, the coarsest first.  ``encoder``
    is its name in `video.ENCODINGS`.
    """

    codec: Codec
    encoder: str
    best: int
    worst: int
    presets: tuple[int, int, int, int, int]


MODES = {
    -1027: StreamMode(Codec.H264, "libx264", 0, 50, (9, 18, 25, 39, 50)),
    -1029: StreamMode(Codec.H264, "h264_nvenc", 0, 50, (18, 23, 28, 39, 50)),
    -1034: StreamMode(Codec.HEVC, "hevc_nvenc", 0, 50, (18, 23, 28, 39, 50)),
    -1037: StreamMode(Codec.AV1, "libsvtav1", 0, 62, (18, 23, 28, 39, 62)),
    -1039: StreamMode(Codec.AV1, "av1_nvenc", 19, 62, (19, 23, 28, 39, 62)),
}
#: The encoders of `MODES` that are no hardware.
SOFTWARE = frozenset({"libx264", "libsvtav1"})
#: What a viewer lists to say that it reads a kind at all.
FAMILIES = {-1026: Codec.H264, -1031: Codec.HEVC, -1036: Codec.AV1}


class Picture(NamedTuple):
    """What one rectangle holds; ``unit`` is None for a picture that was left out."""

    screen: int
    mode: int
    codec: Optional[Codec]
    unit: Optional[Unit]


def encode(rect: Rect, screen: int, mode: int, unit: Unit) -> Rectangle:
    """Give the rectangle of the next picture; ``rect`` is all of the screen.

    TooLong if it does not fit a compact length.
    """
    head = bytes([screen, _KINDS[MODES[mode].codec] << 4, IMAGES - mode, unit.key])
    return Rectangle(rect, KASM_VIDEO, head + counted(unit.data))


def quality_of(mode: int, stream_quality: int) -> int:
    """Give the encoder's quality for Kasm's, 0 to 63, the higher the better."""
    chosen = MODES[mode]
    top = 63 if chosen.codec is Codec.AV1 else 51
    return min(max(top - stream_quality, chosen.best), chosen.worst)


def decode() -> Reading[Picture]:
    """Read the payload."""
    screen, kind = yield 2
    if kind == 0:
        return Picture(screen, IMAGES, None, None)
    if kind >> 4 not in _CODECS or kind & 15:
        raise ProtocolError(f"a video of kind {kind:#04x}")
    mode, key = yield 2
    unit = Unit((yield from read_counted()), bool(key))
    return Picture(screen, IMAGES - mode, _CODECS[kind >> 4], unit)
