"""Which encoding for what."""

from __future__ import annotations

from typing import Iterator, Optional, Sequence

from kasmd.codec import columns, hextile, jpeg21, raw, tight, zlib, zrle
from kasmd.codec.base import (
    COLUMNS,
    HEXTILE,
    JPEG,
    RAW,
    TIGHT,
    ZLIB,
    Parameters,
    Rectangle,
)
from kasmd.codec.compact import TooLong
from kasmd.codec.cuts import COLOURS as CUT_COLOURS
from kasmd.codec.cuts import cut
from kasmd.codec.deflate import ZlibStreams
from kasmd.codec.palette import Palette, palette_of
from kasmd.codec.pieces import LEAST_TEXT, STREAMED
from kasmd.codec.tiles import (
    FLAT,
    PHOTO,
    TILE,
    Kinds,
    areas_of,
    commonest_kind,
    is_all_photograph,
    is_surely_photograph,
    kinds_of,
)
from kasmd.screen.geometry import Rect
from kasmd.screen.pixels import Pixels, Values, as_values

#: Up to so many pixels it does not pay to look for areas.
_SMALL = 2 * TILE * TILE

#: A picture is one text where each column comes so many times in it; there are areas else.
_TEXT = 12

#: A photograph of fewer pixels is smaller without loss than a JPEG's tables are.
LEAST_JPEG = 320


def encode(
    pixels: Pixels, rect: Rect, parameters: Parameters, streams: Optional[ZlibStreams] = None,
    lines: Sequence[Rect] = (),
) -> list[Rectangle]:
    """Encode one of the `pieces_of` a region: ``pixels`` are those of ``rect``.

    If they have ``lines`` (`texts_of`), these are encoded, or all of it as one text.

    The `STREAMED` need the ``streams`` of their connection (ValueError without);
    all else depends on the arguments alone.
    """
    fmt = parameters.format
    if lines:
        return _encode_lines(pixels, rect, parameters, lines)
    if parameters.encoding == TIGHT:
        return _encode_tight(pixels, rect, parameters)
    quality = parameters.jpeg_quality
    if parameters.jpeg_rectangles and quality is not None and _is_photograph(pixels):
        return [Rectangle(rect, JPEG, jpeg21.encode(pixels, quality, parameters.subsampling))]
    if parameters.encoding in STREAMED:
        if streams is None:
            raise ValueError("this encoding needs a stream")
        stream = streams.get(parameters.encoding, parameters.compress_level)
        codec = zlib if parameters.encoding == ZLIB else zrle
        return [Rectangle(rect, parameters.encoding, codec.encode(pixels, fmt, stream))]
    if parameters.encoding == HEXTILE:
        return [Rectangle(rect, HEXTILE, hextile.encode(pixels, fmt))]
    return [Rectangle(rect, RAW, raw.encode(pixels, fmt))]


def _is_photograph(pixels: Pixels) -> bool:
    """Tell whether a picture that is sent as one is sent as a photograph."""
    return commonest_kind(kinds_of(as_values(pixels))) == PHOTO


def _encode_lines(
    pixels: Pixels, rect: Rect, parameters: Parameters, lines: Sequence[Rect]
) -> list[Rectangle]:
    values = as_values(pixels)
    if not (kinds_of(values) == PHOTO).any():
        text = _text(values, rect, parameters, _TEXT)
        if text is not None:
            return [text]
    return [
        rectangle for line in lines
        for rectangle in encode(pixels[line.within(rect)], line, parameters)
    ]


def _encode_tight(pixels: Pixels, rect: Rect, parameters: Parameters) -> list[Rectangle]:
    try:
        if parameters.single or rect.area <= _SMALL:
            return [_whole(pixels, parameters)._replace(rect=rect)]
        parts = list(_parts(pixels, parameters))
    except TooLong:
        if parameters.single:
            raise
        half = rect.height // 2
        top = rect._replace(height=half)
        bottom = rect._replace(y=top.bottom, height=rect.height - half)
        return [
            *_encode_tight(pixels[:half], top, parameters),
            *_encode_tight(pixels[half:], bottom, parameters),
        ]
    return [part._replace(rect=part.rect.moved(rect.x, rect.y)) for part in parts]


def _whole(pixels: Pixels, parameters: Parameters) -> Rectangle:
    """Encode a picture as one rectangle."""
    values = as_values(pixels)
    whole = _whole_of(values)
    if is_surely_photograph(values):
        return _many_colours(pixels, PHOTO, parameters)
    text = _text(values, whole, parameters)
    if text is not None:
        return text
    palette = palette_of(pixels)
    if palette is not None:
        return _no_text(palette, whole, parameters)
    lossy = parameters.jpeg_quality is not None
    kind = PHOTO if (lossy or parameters.qoi) and _is_photograph(pixels) else FLAT
    return _many_colours(pixels, kind, parameters)


def _parts(pixels: Pixels, parameters: Parameters) -> Iterator[Rectangle]:
    """Encode a picture by what is in it: all text, of few colours, or areas that are unlike."""
    values = as_values(pixels)
    if is_all_photograph(values):
        yield _many_colours(pixels, PHOTO, parameters)
        return
    whole = _whole_of(values)
    kinds: Optional[Kinds] = None
    if _may_be_text(whole, parameters):
        kinds = kinds_of(values)
        photographs = parameters.jpeg_quality is not None and (kinds == PHOTO).any()
        text = None if photographs else _text(values, whole, parameters, _TEXT)
        if text is not None:
            yield text
            return
    palette = palette_of(pixels, CUT_COLOURS)
    if palette is not None:
        yield from _cut_palette(palette, parameters)
        return
    for rect, kind in areas_of(values, kinds):
        for part in _area(pixels[rect.slices], kind, parameters):
            yield part._replace(rect=part.rect.moved(rect.x, rect.y))


def _area(pixels: Pixels, kind: int, parameters: Parameters) -> Iterator[Rectangle]:
    """Encode an area of one kind, in parts where those have fewer colours."""
    values = as_values(pixels)
    whole = _whole_of(values)
    if kind not in (FLAT, PHOTO):
        yield Rectangle(whole, TIGHT, tight.encode_fill(pixels, parameters.format))
        return
    text = _text(values, whole, parameters) if kind == FLAT else None
    palette = palette_of(pixels) if kind == FLAT and text is None else None
    if text is not None:
        yield text
    elif palette is None:
        yield _many_colours(pixels, kind, parameters)
    elif palette.size > CUT_COLOURS:
        yield _no_text(palette, whole, parameters)
    else:
        yield from _cut_palette(palette, parameters)


def _may_be_text(rect: Rect, parameters: Parameters) -> bool:
    return parameters.columns and rect.area >= LEAST_TEXT


def _text(
    values: Values, rect: Rect, parameters: Parameters, times: float = columns.TIMES,
    colours: Optional[Values] = None,
) -> Optional[Rectangle]:
    """Encode a text, for who lists columns; None for what is none, or too small to pay."""
    if not _may_be_text(rect, parameters):
        return None
    payload = columns.encode(values, colours, times)
    return None if payload is None else Rectangle(rect, COLUMNS, payload)


def _cut_palette(palette: Palette, parameters: Parameters) -> Iterator[Rectangle]:
    """Encode a picture of few colours, in parts where those have fewer."""
    whole = _whole_of(palette.indices)
    parts = cut(palette.indices) if 2 < palette.size <= CUT_COLOURS else [whole]
    for part in parts:
        colours = palette if part == whole else palette.part(part)
        yield _few_colours(colours, part, parameters)


def _whole_of(values: Values) -> Rect:
    return Rect(0, 0, values.shape[1], values.shape[0])


def _few_colours(palette: Palette, rect: Rect, parameters: Parameters) -> Rectangle:
    text = _text(palette.indices, rect, parameters, colours=as_values(palette.colours)[0])
    return text or _no_text(palette, rect, parameters)


def _no_text(palette: Palette, rect: Rect, parameters: Parameters) -> Rectangle:
    if palette.size == 1:
        return Rectangle(rect, TIGHT, tight.encode_fill(palette.colours, parameters.format))
    payload = tight.encode_palette(palette, parameters.format, parameters.compress_level)
    return Rectangle(rect, TIGHT, payload)


def _many_colours(pixels: Pixels, kind: int, parameters: Parameters) -> Rectangle:
    return Rectangle(_whole_of(pixels), TIGHT, _photograph_or_copy(pixels, kind, parameters))


def _photograph_or_copy(pixels: Pixels, kind: int, parameters: Parameters) -> bytes:
    quality, fmt = parameters.jpeg_quality, parameters.format
    if kind == PHOTO and tight.allows_jpeg(fmt):
        if parameters.qoi:
            return tight.encode_qoi(pixels)
        if quality is not None and parameters.webp_quality is not None:
            return tight.encode_webp(pixels, parameters.webp_quality)
        if quality is not None and pixels.shape[0] * pixels.shape[1] >= LEAST_JPEG:
            return tight.encode_jpeg(pixels, quality, parameters.subsampling)
    return tight.encode_copy(pixels, fmt, parameters.compress_level)
