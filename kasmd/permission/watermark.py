"""A watermark as it is configured, drawn: an image's grey, or a text that tells the time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Optional
from zoneinfo import ZoneInfo

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kasmd.errors import ConfigError
from kasmd.screen.mask import Stamp

#: Pixels of an image's or a text's side; a longer text is cut off.
MAX_SIDE = 4096
#: Sought where fonts are; without it there is one built in, which is ASCII only.
FONT = "DejaVuSans.ttf"
#: Characters of a text, once the time is in it.
MAX_TEXT = 256

_KEY = "data_loss_prevention.watermark"


@dataclass(frozen=True)
class Watermark:
    """Either the file of an ``image`` or a ``template`` for strftime.

    ``tint`` is red, green, blue and how opaque, 0 to 255 each; with ``spacing``
    the watermark is repeated, so many pixels apart.  ``angle`` is in degrees
    against the clock; without a ``font`` file there is `FONT`.
    """

    image: Optional[str] = None
    template: str = ""
    font: Optional[str] = None
    font_size: int = 48
    timezone: Optional[str] = None
    angle: int = 0
    tint: tuple[int, ...] = (255, 255, 255, 255)
    location: tuple[int, ...] = (0, 0)
    spacing: int = 0


class Drawing:
    """Draws ``watermark`` (ConfigError where its files are not what they should be)."""

    def __init__(self, watermark: Watermark) -> None:
        self._watermark = watermark
        self._zone = ZoneInfo(watermark.timezone) if watermark.timezone else None
        self._image = _read(watermark.image) if watermark.image else None
        self._font = _font(watermark.font, watermark.font_size)

    def text(self, now: float) -> str:
        """Give the text at ``now`` (seconds since the epoch), empty for an image."""
        template = self._watermark.template
        if "%" in template:
            template = datetime.fromtimestamp(now).astimezone(self._zone).strftime(template)
        return " ".join(template.split())[:MAX_TEXT]

    def stamp(self, text: str) -> Stamp:
        """Draw ``text``, or the image."""
        grey = self._image if self._image is not None else self._written(text)
        red, green, blue, opacity = self._watermark.tint
        levels = (np.asarray(grey, np.uint32) * opacity * 256 // (255 * 255)).astype(np.uint16)
        spacing, (x, y) = self._watermark.spacing, self._watermark.location
        if spacing:
            levels = np.pad(levels, ((0, spacing), (0, spacing)))
        return Stamp(levels, (blue, green, red), None if spacing else (x, y))

    def _written(self, text: str) -> Image.Image:
        left, top, right, bottom = self._font.getbbox(text)
        size = min(MAX_SIDE, max(1, int(right - left))), min(MAX_SIDE, max(1, int(bottom - top)))
        image = Image.new("L", size)
        ImageDraw.Draw(image).text((-left, -top), text, 255, self._font)
        return image.rotate(self._watermark.angle, Image.Resampling.BILINEAR, expand=True)


def _read(path: str) -> Image.Image:
    """Read an image's grey; what is transparent is black."""
    try:
        with Image.open(path, formats=("PNG",)) as image:
            if max(image.size) > MAX_SIDE:
                raise ConfigError(f"{_KEY}.image: {path} is larger than {MAX_SIDE} pixels")
            colours = image.convert("RGBA")
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ConfigError(f"{_KEY}.image: {path}: {error}") from None
    black = Image.new("RGBA", colours.size, (0, 0, 0, 255))
    return Image.alpha_composite(black, colours).convert("L")


def _font(path: Optional[str], size: int) -> ImageFont.FreeTypeFont:
    try:
        return ImageFont.truetype(path or FONT, size)
    except OSError as error:
        if path:
            raise ConfigError(f"{_KEY}.text.font: {path}: {error}") from None
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return font
