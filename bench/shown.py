"""What the viewer holds beside the bytes that it took: films as images, and as streams."""

from __future__ import annotations

import time
from bisect import bisect_left
from contextlib import closing
from dataclasses import dataclass
from math import ceil
from operator import attrgetter
from pathlib import Path
from statistics import mean
from typing import Callable, NamedTuple, Sequence

import numpy
import simplejpeg
from numpy.typing import NDArray

from bench.child import Child, Numbers
from bench.client import ENCODINGS, OPEN_H264, fixed
from bench.painters import VIDEO
from bench.pictures import likeness, nearest, ssim
from bench.processes import PATIENCE, Failed
from bench.square import BESIDE, WARM_UP, Area
from bench.stacks import WIDTH, Stack
from bench.steady import Scale, difference, painting, rates, sample, watching
from bench.tight import Picture
from bench.x11 import Pixels

_RATE, _PICTURES = 30, 8
#: Seconds for the viewer to begin with a stream.
_UNDER_WAY = 2.5
#: The qualities between which a JPEG is searched for that looks like the stream.
_WORST, _BEST = 15, 100


@dataclass(frozen=True)
class Screening:
    """A film: what paints it, the part of the desktop that is compared, and its file."""

    painter: str
    area: Area
    file: Callable[[Scale], Path]

    def part(self, screen: Picture) -> Picture:
        """Give what is compared of a viewer's desktop."""
        x, y, width, height = self.area
        return screen[y : y + height, x : x + width]

    def frames(self, scale: Scale) -> Pixels:
        """Give what is compared of the film's frames, BGRX."""
        frames: Pixels = numpy.load(self.file(scale), mmap_mode="r")
        return frames[:, : self.area[3]]

    def likeness(self, screen: Picture, scale: Scale) -> Numbers:
        """Compare what a viewer holds with the nearest of the frames."""
        return likeness(self.part(screen), self.frames(scale))


NOISE = Screening("video", VIDEO, attrgetter("film"))
MOVIE = Screening("video", VIDEO, attrgetter("movie"))
#: The square that keys change is below what is compared.
WHOLE = Screening("full", (0, 0, WIDTH, BESIDE[1]), attrgetter("reel"))


class Watched(NamedTuple):
    """What a viewer had of a film; ``held`` are the frames of which it kept pictures."""

    numbers: Numbers
    held: list[int]


def picture(stack: Stack, scale: Scale) -> Numbers:
    """How well a frame of the playing video is shown, against the nearest painted one."""
    return _watch(stack, scale, NOISE, ENCODINGS, WARM_UP).numbers


def fullpicture(stack: Stack, scale: Scale) -> Numbers:
    """The same of 1080p."""
    return _watch(stack, scale, WHOLE, ENCODINGS, WARM_UP).numbers


def movie(stack: Stack, scale: Scale) -> Numbers:
    """A real film, 720p at 30 frames a second, to one viewer."""
    return _watch(stack, scale, MOVIE, ENCODINGS, WARM_UP).numbers


def stream(stack: Stack, scale: Scale) -> Numbers:
    """The video as H.264."""
    return _streamed(stack, scale, NOISE)


def moviestream(stack: Stack, scale: Scale) -> Numbers:
    """The real film as H.264."""
    return _streamed(stack, scale, MOVIE)


WORKLOADS: dict[str, Callable[[Stack, Scale], Numbers]] = {
    "picture": picture, "fullpicture": fullpicture, "stream": stream, "movie": movie,
    "moviestream": moviestream,
}  # fmt: skip
ONLY = {
    **dict.fromkeys(("stream", "moviestream"), ("kasmd",)),
    **dict.fromkeys(("fullpicture", "movie"), ("kasmd", "kasmvnc", "tigervnc")),
}
#: Workloads whose figures hardly differ between runs.
ONCE = {"picture", "fullpicture", "stream"}


def _streamed(stack: Stack, scale: Scale, film: Screening) -> Numbers:
    """H.264 as a viewer of quality 6 gets it, beside JPEG that looks the same; and at its best."""
    streamed, held = _watch(stack, scale, film, (OPEN_H264, *ENCODINGS), _UNDER_WAY)
    quality = _as_sharp(streamed["ssim"], film.frames(scale)[held])
    images = _watch(stack, scale, film, fixed(quality), WARM_UP).numbers
    best = _watch(stack, scale, film, (OPEN_H264, *fixed(_BEST)), _UNDER_WAY).numbers
    return {
        "ssim": streamed["ssim"],
        "psnr_db": streamed["psnr_db"],
        "updates_per_s": streamed["updates_per_s"],
        "kib_per_paint": streamed["kib_per_paint"],
        "cpu": streamed["cpu"],
        "jpeg_quality": quality,
        "jpeg_ssim": images["ssim"],
        "jpeg_psnr_db": images["psnr_db"],
        "jpeg_updates_per_s": images["updates_per_s"],
        "jpeg_kib_per_paint": images["kib_per_paint"],
        "jpeg_cpu": images["cpu"],
        "best_ssim": best["ssim"],
        "best_kib_per_paint": best["kib_per_paint"],
        "bytes_of_jpeg": streamed["kib_per_paint"] / images["kib_per_paint"],
        "cpu_of_jpeg": streamed["cpu"] / images["cpu"],
    }


def _as_sharp(wanted: float, frames: NDArray[numpy.uint8]) -> int:
    """Give the least quality of 4:2:0 JPEGs of these frames whose SSIM is no less."""
    pictures = [numpy.ascontiguousarray(frame[..., 2::-1]) for frame in frames]

    def found(quality: int) -> float:
        return mean(_jpeg_ssim(picture, quality) for picture in pictures)

    return bisect_left(range(_WORST, _BEST), wanted, key=found) + _WORST


def _jpeg_ssim(picture: NDArray[numpy.uint8], quality: int) -> float:
    data = simplejpeg.encode_jpeg(picture, quality, colorsubsampling="420")
    return ssim(simplejpeg.decode_jpeg(data), picture)


def _watch(stack: Stack, scale: Scale, film: Screening, encodings: Sequence[int],
           warm_up: float) -> Watched:
    """Play whole rounds of a film to one viewer, and compare pictures that it holds of one."""
    frames = film.frames(scale)
    kept, one_round = scale.folder / "kept.npy", len(frames) / _RATE
    with closing(watching(stack, 1, True, encodings)) as viewer:
        with closing(painting(stack, film.painter, _RATE, str(film.file(scale)))) as painter:
            painter.ask("start")
            time.sleep(warm_up)
            first, began = sample(stack, viewer, painter), time.monotonic()
            time.sleep(ceil(scale.seconds / one_round) * one_round)
            wall = time.monotonic() - began
            numbers = rates(difference(sample(stack, viewer, painter), first), wall, 1)
            for number in range(_PICTURES):
                viewer.ask("keep")
                _await(viewer, number + 1)
                time.sleep(one_round / _PICTURES)
        viewer.ask("save", str(kept))
    shown = [film.part(screen) for screen in numpy.load(kept)]
    alike = [likeness(one, frames) for one in shown]
    means = {name: mean(one[name] for one in alike) for name in alike[0]}
    return Watched({**numbers, **means}, [nearest(one, frames) for one in shown])


def _await(viewer: Child, kept: int) -> None:
    """Wait until so many pictures are kept."""
    ends = time.monotonic() + PATIENCE
    while viewer.ask("count")["kept"] < kept:
        if time.monotonic() > ends:
            raise Failed("no update of a video")
        time.sleep(0.02)
