"""The picture as it is now, as a JPEG of whatever size.

-> GET /api/get_screenshot?width=4096&height=4096&quality=7&deduplicate=false

A display without viewers is read for it; what the caller has already is only
named again.  The work of it is done on a thread.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Callable, NamedTuple, Optional

import numpy as np
from PIL import Image
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime

from kasmd.codec import jpeg
from kasmd.codec.quality import parameters_for
from kasmd.errors import DisplayLost
from kasmd.http.query import Query
from kasmd.http.server import Request, Response
from kasmd.interfaces import ISeat, IWorker
from kasmd.screen.framebuffer import Snapshot
from kasmd.screen.pixels import Pixels
from kasmd.web.kasmvnc_says import Refusal, pictured, said

#: Gives the seat from which one who asks over HTTP sees and acts, under the request's grant.
SeatOf = Callable[[Request], ISeat]

#: KasmVNC's defaults.
SIDE = 4096
QUALITY = 7
MAX_QUALITY = 9
#: Seconds for the display to say what it shows.
SECONDS = 5.0
#: Pictures being made, or waiting for it: each holds one of the display's size.
MAX_WAITING = 8


class Wanted(NamedTuple):
    """How a picture is to be: the largest size, and KasmVNC's level of quality."""

    width: int
    height: int
    quality: int


class Made(NamedTuple):
    """A picture that was made, and of what."""

    wanted: Wanted
    digest: bytes
    jpeg: bytes


class Screenshots:
    """Makes pictures on ``worker``, and keeps the last."""

    def __init__(self, reactor: IReactorTime, seat_of: SeatOf, worker: IWorker) -> None:
        self._reactor = reactor
        self._seat_of = seat_of
        self._worker = worker
        self._last: Optional[Made] = None
        self._waiting = 0

    def get(self, request: Request, query: Query) -> Deferred[Response]:
        """Answer with a JPEG, or with the digest of one that was given before."""
        wanted = Wanted(
            query.number("width", SIDE),
            query.number("height", SIDE),
            query.number("quality", QUALITY),
        )
        if not (wanted.width and wanted.height) or wanted.quality > MAX_QUALITY:
            raise Refusal(400)
        if self._waiting >= MAX_WAITING:
            raise Refusal(503, headers=[(b"Retry-After", b"1")])
        self._waiting += 1
        known = bool(query.flag("deduplicate"))
        making = Deferred.fromCoroutine(self._get(request, wanted, known))
        return making.addBoth(self._done)

    def _done(self, result: Any) -> Any:
        self._waiting -= 1
        return result

    async def _get(self, request: Request, wanted: Wanted, known: bool) -> Response:
        taking = self._seat_of(request).screenshot()
        try:
            snapshot: Snapshot = await taking.addTimeout(SECONDS, self._reactor)
        except (TimeoutError, DisplayLost):
            raise Refusal(503, "The display does not answer.") from None
        width, height = snapshot.rect.width, snapshot.rect.height
        wanted = wanted._replace(width=min(wanted.width, width), height=min(wanted.height, height))
        last = self._last
        made: Made = await self._worker.do(make, snapshot, wanted, last)
        self._last = made
        if known and last is not None and made is last:
            return said(last.digest)
        return pictured(made.jpeg)


def make(snapshot: Snapshot, wanted: Wanted, last: Optional[Made] = None) -> Made:
    """Make the picture, or give the ``last`` one where it is the same."""
    digest = blake2b(repr(snapshot.rect).encode(), digest_size=8)
    digest.update(np.ascontiguousarray(snapshot.pixels).data)
    name = digest.hexdigest().encode()
    if last is not None and (last.wanted, last.digest) == (wanted, name):
        return last
    parameters = parameters_for(0, jpeg_level=wanted.quality)
    pixels = scaled(snapshot.pixels, wanted.width, wanted.height)
    assert parameters.jpeg_quality is not None, "a level was given"
    return Made(wanted, name, jpeg.encode(pixels, parameters.jpeg_quality, parameters.subsampling))


def scaled(pixels: Pixels, width: int, height: int) -> Pixels:
    """Make a picture fit ``width`` x ``height``, its sides in proportion and one pixel at least."""
    rows, columns = pixels.shape[:2]
    share = min(width / columns, height / rows)
    if share >= 1:
        return pixels
    size = max(1, round(columns * share)), max(1, round(rows * share))
    # Pillow knows no BGRX; which byte is which colour does not matter to it here.
    image = Image.frombuffer("RGBX", (columns, rows), np.ascontiguousarray(pixels), "raw")
    return np.asarray(image.resize(size, Image.Resampling.BOX, reducing_gap=None))
