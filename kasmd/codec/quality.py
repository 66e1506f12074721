"""What a client's wishes mean for the encoders: levels to JPEG, WebP and zlib."""

from __future__ import annotations

from typing import Optional

import numpy as np

from kasmd.codec.base import TIGHT, Parameters
from kasmd.screen.pixels import BGRX, PixelFormat

DEFAULT_COMPRESS_LEVEL = 2

#: KasmVNC's JPEG quality and subsampling by level.
_JPEG_LEVELS = (
    (15, "420"),
    (29, "420"),
    (41, "420"),
    (42, "422"),
    (62, "422"),
    (77, "422"),
    (79, "444"),
    (86, "444"),
    (92, "444"),
    (100, "444"),
)
#: KasmVNC's WebP quality by level.
_WEBP_LEVELS = (5, 24, 30, 37, 42, 65, 78, 85, 88, 100)
#: Coarser subsamplings that clients can name are no JPEG that browsers read.
_SUBSAMPLINGS = frozenset({"444", "422", "420", "gray"})

#: Qualities of JPEG, and of x264 (CRF, the lower the better) where a film looks as well.
_AS_VIDEO = (15, 42, 62, 79, 92, 100), (38, 29, 26, 23, 20, 16)


def video_quality(jpeg_quality: int) -> int:
    """Give the quality of H.264 that goes with one of JPEG, 1 to 100."""
    return round(float(np.interp(jpeg_quality, *_AS_VIDEO)))


def parameters_for(
    encoding: int,
    fmt: PixelFormat = BGRX,
    *,
    jpeg_level: Optional[int] = None,
    fine_quality: Optional[int] = None,
    subsampling: Optional[str] = None,
    compress_level: Optional[int] = None,
    single: bool = False,
    webp: bool = False,
    qoi: bool = False,
    jpeg_rectangles: bool = False,
    columns: bool = False,
) -> Parameters:
    """Give the parameters for ``encoding``.

    ``jpeg_level`` and ``compress_level`` are 0 to 9, ``fine_quality`` is 0 to
    100 and goes before the level's.  JPEG only for those who name a quality;
    with ``webp``, WebP instead.
    """
    quality, sampled = _JPEG_LEVELS[jpeg_level] if jpeg_level is not None else (None, "444")
    if fine_quality is not None:
        quality = max(fine_quality, 1)
    if subsampling is not None:
        sampled = subsampling if subsampling in _SUBSAMPLINGS else "420"
    webp_quality = fine_quality
    if webp_quality is None and jpeg_level is not None:
        webp_quality = _WEBP_LEVELS[jpeg_level]
    return Parameters(
        encoding=encoding,
        format=fmt,
        jpeg_quality=quality,
        subsampling=sampled,
        compress_level=DEFAULT_COMPRESS_LEVEL if compress_level is None else compress_level,
        single=single,
        webp_quality=webp_quality if webp else None,
        qoi=qoi,
        jpeg_rectangles=jpeg_rectangles,
        columns=columns and encoding == TIGHT and fmt.has_tpixel,
    )
