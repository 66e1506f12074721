"""A viewer at the far end of a link presses keys while more moves than the link carries."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import Callable, Iterator, Sequence

from bench.client import ENCODINGS, OPEN_H264
from bench.desk import scrolling
from bench.keys import Keys, Letters
from bench.link import LINKS
from bench.report import PRESSED, Found, percentile
from bench.shown import MOVIE, NOISE, WHOLE, Screening
from bench.stacks import Stack
from bench.steady import Scale, painting

Workload = Callable[[Stack, Scale], Found]

#: Seconds for the traffic to find its pace.
_PACE = 2.5
#: For how many times as long as other things are measured keys are pressed: some twelve
#: times a run where targets are of what the slowest take.
_PRESSES = {"20m": 2, "2m": 3, "56k": 2}


def _film(link: str, film: Screening, encodings: Sequence[int] = ENCODINGS) -> Workload:
    """A film that plays at 30 frames a second, and how the viewer sees it."""

    def workload(stack: Stack, scale: Scale) -> Found:
        file = str(film.file(scale))
        with _pressing(stack, link, encodings, film.painter, 30, file) as keys:
            found = _measure(keys, _PRESSES[link] * scale.seconds)
            shown = keys.picture() if found["updates_per_s"] else keys.viewer.held()
            return {**found, **film.likeness(shown, scale)}

    return workload


def _paint(link: str, painter: str, rate: float) -> Workload:
    """Something else of the desktop's workloads, so many times a second."""

    def workload(stack: Stack, scale: Scale) -> Found:
        with _pressing(stack, link, ENCODINGS, painter, rate) as keys:
            return _measure(keys, _PRESSES[link] * scale.seconds)

    return workload


def _page(link: str) -> Workload:
    """A page with pictures that a browser scrolls twenty times a second."""

    def workload(stack: Stack, scale: Scale) -> Found:
        with ExitStack() as ending:
            ending.enter_context(scrolling(stack, scale))
            far = ending.enter_context(LINKS[link].to(stack))
            # The square is above the page, and has the keyboard.
            keys = ending.enter_context(Keys(far, ENCODINGS))
            keys.watch(_PACE)
            return _measure(keys, _PRESSES[link] * scale.seconds)

    return workload


def _typing(link: str) -> Workload:
    """Letters that are typed, and nothing else."""

    def workload(stack: Stack, scale: Scale) -> Found:
        with LINKS[link].to(stack) as far, Letters(far) as keys:
            return _measure(keys, _PRESSES[link] * scale.seconds)

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


def _measure(keys: Keys, seconds: float) -> Found:
    viewer = keys.viewer
    updates, size, began = viewer.counts.updates, viewer.bytes_received, time.monotonic()
    taken = [round(one * 1000, 2) for one in keys.press_often(seconds)]
    wall = time.monotonic() - began
    return {
        "presses": len(taken),
        "p50_ms": percentile(taken, 50),
        "p95_ms": percentile(taken, 95),
        "updates_per_s": (viewer.counts.updates - updates) / wall,
        "kib_per_s": (viewer.bytes_received - size) / 1024 / wall,
        PRESSED: taken,
    }


_H264 = (OPEN_H264, *ENCODINGS)
#: What goes on at the near end of each link.
_EVERYWHERE: dict[str, Callable[[str], Workload]] = {
    "typing": _typing,
    "scroll": partial(_paint, painter="scroll", rate=20),
    "drag": partial(_paint, painter="drag", rate=30),
    "browser": _page,
    "video": partial(_film, film=NOISE),
    "full": partial(_film, film=WHOLE),
}
#: Workloads by what goes on, and over which link.
WORKLOADS: dict[str, Workload] = {
    **{what + link: make(link) for link in LINKS for what, make in _EVERYWHERE.items()},
    "stream2m": _film("2m", NOISE, _H264),
    "movie2m": _film("2m", MOVIE),
    "moviestream2m": _film("2m", MOVIE, _H264),
}
#: Those that have a stream of video.
STREAMED = ("stream2m", "moviestream2m")
