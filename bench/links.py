"""A viewer at the far end of a link presses keys while more moves than the link carries."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing, contextmanager
from operator import attrgetter
from pathlib import Path
from typing import Callable, Iterator, Optional, Sequence

import numpy

from bench.child import Numbers
from bench.client import ENCODINGS, OPEN_H264
from bench.desk import scrolling
from bench.link import LINKS
from bench.pictures import likeness
from bench.shown import part
from bench.square import Keys
from bench.stacks import Stack
from bench.steady import Scale, painting

Workload = Callable[[Stack, Scale], Numbers]

#: Seconds for the traffic to find its pace.
_PACE = 2.5


def _film(link: str, film: Callable[[Scale], Path],
          encodings: Sequence[int] = ENCODINGS) -> Workload:
    """A film that plays at 30 frames a second, and how the viewer sees it."""

    def workload(stack: Stack, scale: Scale) -> Numbers:
        file = film(scale)
        with _pressing(stack, link, encodings, "video", 30, str(file)) as keys:
            numbers = _measure(keys, 2 * scale.seconds)
            frames = numpy.load(file, mmap_mode="r")
            return {**numbers, **likeness(part(keys.picture()), frames)}

    return workload


def _paint(link: str, painter: str, rate: float,
           reel: Optional[Callable[[Scale], Path]] = None) -> Workload:
    """Something else of the desktop's workloads, so many times a second."""

    def workload(stack: Stack, scale: Scale) -> Numbers:
        files = () if reel is None else (str(reel(scale)),)
        with _pressing(stack, link, ENCODINGS, painter, rate, *files) as keys:
            return _measure(keys, 2 * scale.seconds)

    return workload


def _page(link: str) -> Workload:
    """A page with pictures that a browser scrolls twenty times a second."""

    def workload(stack: Stack, scale: Scale) -> Numbers:
        with ExitStack() as ending:
            ending.enter_context(scrolling(stack, scale))
            far = ending.enter_context(LINKS[link].to(stack))
            # The square is above the page, and has the keyboard.
            keys = ending.enter_context(Keys(far, ENCODINGS))
            keys.watch(_PACE)
            return _measure(keys, 2 * scale.seconds)

    return workload


@contextmanager
def _pressing(stack: Stack, link: str, encodings: Sequence[int], painter: str, rate: float,
              *arguments: str) -> Iterator[Keys]:
    """Give a viewer at the far end of a link on which the traffic has found its pace."""
    with ExitStack() as ending:
        far = ending.enter_context(LINKS[link].to(stack))
        # The square is above what is painted.
        paints = ending.enter_context(closing(painting(stack, painter, rate, *arguments)))
        keys = ending.enter_context(Keys(far, encodings))
        paints.ask("start")
        keys.watch(_PACE)
        yield keys


def _measure(keys: Keys, seconds: float) -> Numbers:
    viewer = keys.viewer
    updates, size, began = viewer.counts.updates, viewer.bytes_received, time.monotonic()
    taken = keys.press_often(seconds)
    wall = time.monotonic() - began
    p50, p95 = numpy.percentile(taken, (50, 95)) * 1000
    return {
        "presses": len(taken),
        "p50_ms": float(p50),
        "p95_ms": float(p95),
        "updates_per_s": (viewer.counts.updates - updates) / wall,
        "kib_per_s": (viewer.bytes_received - size) / 1024 / wall,
    }


_H264 = (OPEN_H264, *ENCODINGS)
#: Video where a viewer may hope for some; text, scrolled, where not.
WORKLOADS: dict[str, Workload] = {
    "link20m": _film("20m", attrgetter("film")),
    "link2m": _film("2m", attrgetter("film")),
    "link56k": _paint("56k", "scroll", 20),
    "scroll20m": _paint("20m", "scroll", 20),
    "scroll2m": _paint("2m", "scroll", 20),
    "drag20m": _paint("20m", "drag", 30),
    "drag2m": _paint("2m", "drag", 30),
    "drag56k": _paint("56k", "drag", 30),
    "browser20m": _page("20m"),
    "browser2m": _page("2m"),
    "full2m": _paint("2m", "full", 30, attrgetter("reel")),
    "stream2m": _film("2m", attrgetter("film"), _H264),
    "movie2m": _film("2m", attrgetter("movie")),
    "moviestream2m": _film("2m", attrgetter("movie"), _H264),
}
#: Those that have a stream of video.
STREAMED = ("stream2m", "moviestream2m")
