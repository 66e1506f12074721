"""What a value may be that says what is seen of a desktop.

Apart from the other kinds: a process that carries an edge's traffic knows no pictures.
"""

from __future__ import annotations

import re

from kasmd.codec.video import Codec
from kasmd.config.kinds import Raw, text
from kasmd.permission.dlp import Edge
from kasmd.permission.watermark import MAX_TEXT

_CODECS = {
    "h264": Codec.H264, "avc": Codec.H264, "h265": Codec.HEVC, "hevc": Codec.HEVC, "av1": Codec.AV1,
}


def codecs(raw: Raw) -> tuple[Codec, ...]:
    """Kinds of video, as KasmVNC names them: ``h264,hevc_nvenc``, ``auto`` for all, ``none``."""
    words = raw.split(",") if isinstance(raw, str) else raw
    if words in (["auto"], ["none"]):
        return tuple(Codec) if words == ["auto"] else ()
    named = [_CODECS.get(re.sub(r"_(nvenc|vaapi)$", "", word)) for word in words]
    found = tuple(codec for codec in Codec if codec in named)
    if not found or None in named:
        raise ValueError("must be auto, none, or some of h264, hevc, av1, with commas between")
    return found


def template(raw: Raw) -> str:
    """A line of text that is not longer than a watermark may be."""
    line = text(raw)
    if len(line) > MAX_TEXT:
        raise ValueError(f"must be at most {MAX_TEXT} characters")
    return line


def edge(raw: Raw) -> Edge:
    """A whole number of pixels or, with ``%``, of hundredths."""
    match = re.fullmatch(r"(-?[0-9]{1,5})(%?)", raw) if isinstance(raw, str) else None
    if match is None or (match[2] and abs(int(match[1])) > 100):
        raise ValueError("must be a whole number of pixels, or a percentage")
    return Edge(int(match[1]), bool(match[2]))
