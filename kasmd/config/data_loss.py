"""KasmVNC's keys against the loss of data: ``data_loss_prevention``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, Optional

from kasmd.config.kinds import (
    boolean,
    choice,
    either,
    integer,
    mime_types,
    numbers,
    optional,
    path,
    timezone,
)
from kasmd.config.pictures import edge, template
from kasmd.config.schema import option, section
from kasmd.permission.dlp import Edge

#: For sizes in bytes and keys in a second; 0 is for no limit.
_limit = either({"unlimited": 0}, integer(1, 1 << 30))


@dataclass(frozen=True)
class ConcealedRegion:
    """Whether buttons may be pressed and released in what is not shown."""

    allow_click_down: bool = option(False, boolean)
    allow_click_release: bool = option(False, boolean)


@dataclass(frozen=True)
class VisibleRegion:
    """What is shown of the screen; without edges, all of it."""

    left: Optional[Edge] = option(None, optional(edge))
    top: Optional[Edge] = option(None, optional(edge))
    right: Optional[Edge] = option(None, optional(edge))
    bottom: Optional[Edge] = option(None, optional(edge))
    concealed_region: ConcealedRegion = section(ConcealedRegion)


@dataclass(frozen=True)
class Way:
    """The clipboard in one direction; ``size`` in bytes, 0 for any."""

    enabled: bool = option(True, boolean)
    size: int = option(0, _limit)


@dataclass(frozen=True)
class Clipboard:
    """What may be copied and pasted; milliseconds, MIME types besides text."""

    delay_between_operations: int = option(0, either({"none": 0}, integer(0, 86_400_000)))
    allow_mimetypes: tuple[str, ...] = option(
        ("chromium/x-web-custom-data", "text/html", "image/png"), mime_types
    )
    server_to_client: Way = section(Way)
    client_to_server: Way = section(Way)


@dataclass(frozen=True)
class Keyboard:
    """Whether keys are heard, and how many in a second (0: any)."""

    enabled: bool = option(True, boolean)
    rate_limit: int = option(0, _limit)


@dataclass(frozen=True)
class WatermarkText:
    """A text for strftime; no font is DejaVu Sans, no time zone the server's."""

    template: Optional[str] = option(None, optional(template))
    font: Optional[str] = option(None, either({"auto": None}, optional(path)))
    font_size: int = option(48, integer(8, 256))
    timezone_name: Optional[str] = option(None, optional(timezone))
    angle: int = option(0, integer(-359, 359))


@dataclass(frozen=True)
class Watermark:
    """An image or a text; (x, y), (red, green, blue, opacity), pixels between two (0: one)."""

    image: Optional[str] = option(None, optional(path))
    location: tuple[int, ...] = option((0, 0), numbers(-16384, 16384, "10,10"))
    tint: tuple[int, ...] = option((255, 255, 255, 255), numbers(0, 255, "255,255,255,128"))
    repeat_spacing: int = option(0, integer(0, 4096))
    text: WatermarkText = section(WatermarkText)


@dataclass(frozen=True)
class Logging:
    """What is written down of it."""

    level: str = option("off", choice("off", "info", "verbose"))


@dataclass(frozen=True)
class DataLossPrevention:
    """What nobody may see, copy or type."""

    visible_region: VisibleRegion = section(VisibleRegion)
    clipboard: Clipboard = section(Clipboard)
    keyboard: Keyboard = section(Keyboard)
    watermark: Watermark = section(Watermark)
    logging: Logging = section(Logging)


def contradictions(values: DataLossPrevention) -> Iterator[tuple[str, str]]:
    """Give what no single key can tell: the key to be named, and the text."""
    prefix = "data_loss_prevention"
    region, watermark = values.visible_region, values.watermark
    edges = {name: getattr(region, name) for name in ("left", "top", "right", "bottom")}
    missing = [name for name, given in edges.items() if given is None]
    if 0 < len(missing) < len(edges):
        yield f"{prefix}.visible_region.{missing[0]}", "must be given with the other three edges"
    elif not missing and len({given.percent for given in edges.values()}) > 1:
        yield f"{prefix}.visible_region.left", "must be of pixels or of percent like the others"
    if watermark.image and watermark.text.template:
        yield f"{prefix}.watermark.text.template", "cannot be used together with an image"
    if watermark.repeat_spacing and watermark.location != (0, 0):
        yield f"{prefix}.watermark.location", "cannot be used together with repeat_spacing"
