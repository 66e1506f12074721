"""How one viewer is sent its pixels: what stands, what plays as a film, what is refined.

A viewer that named a quality level gets it while its link carries it, and less,
down to a bound, while not.  Kasm's clients name both bounds.  One that fixed a fine
quality gets just that, and one that named none loses nothing.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple, Optional, Sequence

from kasmd.codec import quality
from kasmd.codec.base import Parameters
from kasmd.codec.pieces import LEAST_TEXT
from kasmd.rfb.capabilities import Capabilities
from kasmd.screen.pixels import BGRX, PixelFormat

#: Level -> JPEG quality of a film: the least that with 4:2:0 looks as sharp (SSIM of the
#: luma; nearly so at 9) as the level's own, in fewer bytes; see docs/decisions/013.
_FILM = (15, 29, 41, 43, 63, 78, 80, 87, 93, 97)
#: Level -> bytes of a JPEG, against those of level 6: of what stands, and of a film.
_WEIGHTS = (0.19, 0.26, 0.32, 0.38, 0.52, 0.78, 1.0, 1.38, 2.0, 4.0)
_FILM_WEIGHTS = (0.26, 0.35, 0.44, 0.45, 0.63, 0.94, 1.0, 1.36, 2.06, 3.4)
#: Below so many bytes a second the time that WebP takes pays.
_THIN = 1_000_000
#: The share of a new measurement in what a pixel costs.
_SHARE = 0.3
#: Smaller areas tell nothing of what a pixel costs: with loss (a JPEG begins with 600
#: bytes of tables), and without.
_TELLING = 4096
_TELLING_LOSSLESS = 1024
#: What a pixel is taken to cost until a small part told it.
_DEAREST = 4
#: Bytes of a JPEG that is all of one colour: its tables.
_TABLES = 620
#: Bytes of a part of a film, however thin the link is: tables are a quarter of it.
LEAST_OF_FILM = 4 * _TABLES
#: The share of an update's bytes that its pixels take at the least.
_PIXELS_TAKE = 0.1


class Kind(IntEnum):
    """What pixels are sent for."""

    STILL = 0
    FILM = 1
    REFINED = 2


class Rules(NamedTuple):
    """What the configuration says; what a viewer says for itself goes first.

    Qualities are levels, 0 to 9; ``lossless`` is the level that counts as without
    loss (10: none); ``video_area`` is in per cent, times are seconds.
    """

    min_quality: int = 0
    max_quality: int = 9
    lossless: int = 10
    video_quality: Optional[int] = None
    video_area: int = 45
    video_time: float = 5.0
    video_out_time: float = 3.0
    max_resolution: tuple[int, int] = (1920, 1080)
    scaling: int = 2  # 0 nearest, 1 bilinear, 2 progressive
    #: Bytes a second for each viewer; None: what its link carries.
    max_bandwidth: Optional[float] = None


class Way(NamedTuple):
    """How pixels go, and what a pixel of this weighs, against level 6."""

    parameters: Parameters
    weight: float = 1.0


class Cost(NamedTuple):
    """Bytes that a pixel takes, at level 6 where there are levels, and each rectangle besides."""

    pixel: float
    rectangle: int = 0


class Room(NamedTuple):
    """How many pixels may go, and how many of them each rectangle takes besides its own."""

    pixels: int
    rectangle: int = 0


class Quality:
    """One viewer's; of the levels it bears, `way` gives the best that fits."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        #: Whether not even the first picture may be larger than is known to be allowed.
        self.capped = False
        self._costs: dict[Kind, Cost] = {}
        self._ways: dict[tuple[Kind, int, bool], Way] = {}
        self.serve(Capabilities(), BGRX)

    def serve(self, can: Capabilities, pixel_format: PixelFormat) -> None:
        """The viewer can do this, and has this pixel format."""
        self._can, self._format = can, pixel_format
        self._ways.clear()
        self._costs.clear()
        #: The worst and the best level; None where there is but one quality.
        self.levels: Optional[tuple[int, int]] = None
        if can.jpeg_level is not None and can.fine_quality is None:
            kasm, rules = can.kasm, self._rules
            most = _said(kasm.dynamic_quality_max, min(can.jpeg_level, rules.max_quality))
            least = _said(kasm.dynamic_quality_min, rules.min_quality)
            self.levels = min(least, most), most
        lossless = _said(can.kasm.treat_lossless, self._rules.lossless)
        #: Whether what was sent with loss is sent without once it stands still.
        self.refines = can.jpeg and _said(can.jpeg_level, -1) < lossless

    @property
    def plain(self) -> Parameters:
        """How pixels go to this viewer while nothing hinders."""
        return self.way(Kind.STILL, 0, None, 0.0).parameters

    def way(self, kind: Kind, area: int, budget: Optional[int], rate: float) -> Way:
        """Give how ``area`` pixels go in about ``budget`` bytes, over a link of this ``rate``."""
        thin = self._can.webp and 0 < rate < _THIN
        if self.levels is None or kind is Kind.REFINED:
            return self._way(kind, -1, thin)
        least, most = self.levels
        if kind is Kind.FILM:
            most = max(self._film_level(least, most), least)
        if budget is not None and kind in self._costs:
            cost, weights = self._costs[kind], _weights(kind)
            while most > least and cost.pixel * area * weights[most] + cost.rectangle > budget:
                most -= 1
        return self._way(kind, most, thin)

    def _film_level(self, least: int, most: int) -> int:
        kasm, level = self._can.kasm, self._can.jpeg_level
        for asked in (kasm.jpeg_video_quality, self._rules.video_quality):
            if asked is not None:
                return asked
        return least if kasm.prefer_bandwidth or level is None else min(level, most)

    def room(self, kind: Kind, way: Way, budget: Optional[int]) -> Optional[Room]:
        """Give what ``budget`` bytes are good for; None: anything."""
        cost = self._costs.get(kind)
        if budget is None:
            return None
        if cost is None and kind is Kind.FILM and not self.capped and budget >= LEAST_OF_FILM:
            return None
        if cost is None or not cost.pixel:
            return Room(max(_TELLING, budget // _DEAREST))
        pixel = cost.pixel * way.weight
        pixels = max(_least(way), int((budget - cost.rectangle) / pixel))
        return Room(pixels, int(cost.rectangle / pixel))

    def learn(self, kind: Kind, way: Way, area: int, size: int, lossy: int = 0) -> None:
        """``area`` pixels took ``size`` bytes, in so many rectangles with loss among others."""
        if area < _telling(way):
            return
        rectangle = _TABLES if lossy and way.parameters.webp_quality is None else 0
        found = max(size - lossy * rectangle, _PIXELS_TAKE * size) / (area * way.weight)
        known = self._costs.get(kind, Cost(found)).pixel
        self._costs[kind] = Cost(known + _SHARE * (found - known), rectangle)

    def _way(self, kind: Kind, level: int, thin: bool) -> Way:
        key = kind, level, thin
        if key not in self._ways:
            self._ways[key] = self._made(*key)
        return self._ways[key]

    def _made(self, kind: Kind, level: int, thin: bool) -> Way:
        can = self._can
        parameters = quality.parameters_for(
            can.preferred,
            self._format,
            jpeg_level=level if level >= 0 else can.jpeg_level,
            fine_quality=can.fine_quality,
            subsampling=can.subsampling,
            compress_level=can.compress_level,
            single=not can.last_rect,
            webp=thin and kind is Kind.STILL,
            qoi=can.qoi,
            jpeg_rectangles=can.jpeg_rectangles,
            columns=can.columns and kind is not Kind.FILM,
        )
        if kind is Kind.REFINED:
            return Way(parameters._replace(jpeg_quality=None, webp_quality=None))
        if level < 0:
            return Way(parameters)
        if kind is Kind.FILM and can.subsampling is None:
            parameters = parameters._replace(jpeg_quality=_FILM[level], subsampling="420")
        return Way(parameters, _weights(kind)[level])


def _weights(kind: Kind) -> Sequence[float]:
    return _FILM_WEIGHTS if kind is Kind.FILM else _WEIGHTS


def _least(way: Way) -> int:
    """Give how many pixels go at the least: so many that a text may be found in them."""
    parameters = way.parameters
    if parameters.columns and parameters.jpeg_quality is not None:
        return 2 * LEAST_TEXT
    return _telling(way)


def _telling(way: Way) -> int:
    lossy = way.parameters.jpeg_quality is not None
    return _TELLING if lossy else _TELLING_LOSSLESS


def _said(value: Optional[int], otherwise: int) -> int:
    return otherwise if value is None else value
