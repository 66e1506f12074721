"""What goes on evenly on a desktop, and what it costs between two moments."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Sequence

import numpy
from numpy.typing import NDArray

from bench import movie
from bench.child import Child, Numbers
from bench.client import ENCODINGS
from bench.painters import VIDEO
from bench.pictures import film
from bench.processes import Failed
from bench.square import SAME_COLOUR, WARM_UP
from bench.stacks import AUTHORIZATION, HEIGHT, WIDTH, Stack
from bench.x11 import Desktop

#: Seconds for what is owed to arrive.
SETTLE = 0.4
_FILM_FRAMES, _REEL_FRAMES = 30, 10


@dataclass(frozen=True)
class Scale:
    """How long to measure, and where files may be put."""

    seconds: float
    draws: int
    folder: Path

    @property
    def film(self) -> Path:
        """The frames of the video; made at the first use."""
        return self._made("film.npy", lambda: film(*VIDEO[2:], _FILM_FRAMES))

    @property
    def reel(self) -> Path:
        """The frames of the video that fills the desktop."""
        return self._made("reel.npy", lambda: film(WIDTH, HEIGHT, _REEL_FRAMES))

    @property
    def movie(self) -> Path:
        """The frames of a real film, as large as the video."""
        return self._made("movie.npy", lambda: movie.frames(movie.installed()))

    def _made(self, name: str, make: Callable[[], NDArray[numpy.uint8]]) -> Path:
        path = self.folder / name
        if not path.exists():
            numpy.save(path, make())
        return path


def watching(stack: Stack, count: int, decode: bool = False,
             encodings: Sequence[int] = ENCODINGS) -> Child:
    """Give so many viewers that count, or decode, what they are sent.

    Without ``encodings`` each asks for a quality of his own.
    """
    mode = "decode" if decode else "count" if encodings else "each"
    words = (str(stack.port), AUTHORIZATION, str(count), mode)
    return Child("bench.viewers", *words, *map(str, encodings))


def painting(stack: Stack, name: str, rate: float, *arguments: str) -> Child:
    """Give what paints on the desktop once it is started."""
    where = (stack.display, stack.authority)
    return Child("bench.painters", name, str(rate), *where, *arguments)


def steady(
    stack: Stack,
    scale: Scale,
    painter_name: str,
    rate: float,
    *arguments: str,
    viewers: int = 1,
    decode: bool = False,
    encodings: Sequence[int] = ENCODINGS,
) -> Numbers:
    """Measure between two moments of a workload that goes on evenly."""
    with ExitStack() as ending:
        audience = ending.enter_context(closing(watching(stack, viewers, decode, encodings)))
        painter = ending.enter_context(closing(painting(stack, painter_name, rate, *arguments)))
        time.sleep(SETTLE)
        silence = sample(stack, audience, painter)
        painter.ask("start")
        time.sleep(WARM_UP)
        began, first = time.monotonic(), sample(stack, audience, painter)
        time.sleep(scale.seconds)
        wall, last = time.monotonic() - began, sample(stack, audience, painter)
        painter.ask("stop")
        time.sleep(SETTLE)
        whole = difference(sample(stack, audience, painter), silence)
        numbers = rates(difference(last, first), wall, viewers)
        numbers["lost"] = max(0.0, whole["painted"] - whole["fewest"])
        numbers["copies_per_paint"] = whole["copies"] / viewers / whole["painted"]
        if decode:
            numbers["wrong_pixels"] = _wrong_pixels(stack, audience, scale.folder / "shown.npy")
        return numbers


def sample(stack: Stack, audience: Child, painter: Child) -> Numbers:
    """Give all that is counted, as it is now."""
    return {**painter.ask("count"), **audience.ask("count"), "cpu": stack.cpu_seconds()}


def difference(last: Numbers, first: Numbers) -> Numbers:
    """Give what was counted between two samples."""
    return {name: last[name] - first[name] for name in last}


def rates(change: Numbers, wall: float, viewers: int) -> Numbers:
    """Give what each of the viewers had, and what it cost, in ``wall`` seconds."""
    updates, painted = change["updates"] / viewers, change["painted"]
    if not updates:
        raise Failed("no update came")
    kib = change["bytes"] / viewers / 1024
    return {
        "updates_per_s": updates / wall,
        "fewest_updates_per_s": change["fewest"] / wall,
        "paints_per_s": painted / wall,
        "kib_per_update": kib / updates,
        "kib_per_paint": kib / painted,
        "cpu": change["cpu"] / wall,
        "viewer_cpu": change["viewer_cpu"] / wall,
        "cpu_ms_per_update": change["cpu"] / updates * 1000,
    }


def _wrong_pixels(stack: Stack, audience: Child, file: Path) -> float:
    """Count the pixels in which the viewer's last picture is not the desktop's."""
    audience.ask("save", str(file))
    with closing(Desktop(stack.display, stack.authority)) as desktop:
        truth = desktop.grab(0, 0, WIDTH, HEIGHT)[..., 2::-1]
    wrong = abs(numpy.load(file)[0].astype(int) - truth).max(axis=-1) > 2 * SAME_COLOUR
    return float(numpy.count_nonzero(wrong))
