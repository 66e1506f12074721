"""A viewer at the far end of a link presses keys while more moves than the link carries."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from typing import Callable

import numpy

from bench.child import Numbers
from bench.link import LINKS
from bench.pictures import likeness
from bench.shown import part
from bench.square import Keys
from bench.stacks import Stack
from bench.steady import Scale, painting

#: Seconds for the traffic to find its pace.
_PACE = 2.5


def _over(link: str, painter_name: str, rate: float) -> Callable[[Stack, Scale], Numbers]:
    def workload(stack: Stack, scale: Scale) -> Numbers:
        video = painter_name == "video"
        arguments = [str(scale.film)] if video else []
        with ExitStack() as ending:
            far = ending.enter_context(LINKS[link].to(stack))
            keys = ending.enter_context(Keys(far))
            painter = closing(painting(stack, painter_name, rate, *arguments))
            ending.enter_context(painter).ask("start")
            keys.watch(_PACE)
            numbers = _measure(keys, 2 * scale.seconds)
            if video:
                frames = numpy.load(scale.film, mmap_mode="r")
                numbers.update(likeness(part(keys.picture()), frames))
            return numbers

    return workload


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


#: Video where a viewer may hope for some; text, scrolled, where not.
WORKLOADS: dict[str, Callable[[Stack, Scale], Numbers]] = {
    "link20m": _over("20m", "video", 30),
    "link2m": _over("2m", "video", 30),
    "link56k": _over("56k", "scroll", 20),
}
