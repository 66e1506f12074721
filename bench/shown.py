"""What the viewer holds beside the bytes that it took: the video as images, and as a stream."""

from __future__ import annotations

import time
from bisect import bisect_left
from contextlib import closing
from statistics import median
from typing import Callable, Sequence

import numpy
import simplejpeg

from bench.child import Child, Numbers
from bench.client import ENCODINGS, OPEN_H264, fixed
from bench.painters import VIDEO
from bench.pictures import likeness, ssim
from bench.processes import PATIENCE, Failed
from bench.square import WARM_UP
from bench.stacks import Stack
from bench.steady import Scale, difference, painting, rates, sample, watching

_PICTURES = 5
#: Seconds for the viewer to begin with a stream.
_UNDER_WAY = 2.5
#: The qualities between which a JPEG is searched for that looks like the stream.
_WORST, _BEST = 15, 100


def picture(stack: Stack, scale: Scale) -> Numbers:
    """How well a frame of the playing video is shown, against the nearest painted one."""
    return _video(stack, scale, ENCODINGS, WARM_UP)


def stream(stack: Stack, scale: Scale) -> Numbers:
    """H.264 as a viewer of quality 6 gets it, beside JPEG that looks the same; and at its best."""
    streamed = _video(stack, scale, (OPEN_H264, *ENCODINGS), _UNDER_WAY)
    quality = _as_sharp(streamed["ssim"], scale)
    images = _video(stack, scale, fixed(quality), WARM_UP)
    best = _video(stack, scale, (OPEN_H264, *fixed(_BEST)), _UNDER_WAY)
    return {
        "ssim": streamed["ssim"],
        "psnr_db": streamed["psnr_db"],
        "updates_per_s": streamed["updates_per_s"],
        "kib_per_update": streamed["kib_per_update"],
        "jpeg_quality": quality,
        "jpeg_ssim": images["ssim"],
        "jpeg_psnr_db": images["psnr_db"],
        "jpeg_kib_per_update": images["kib_per_update"],
        "best_ssim": best["ssim"],
        "best_kib_per_update": best["kib_per_update"],
        "bytes_of_jpeg": streamed["kib_per_update"] / images["kib_per_update"],
        "cpu_of_jpeg": streamed["cpu_ms_per_update"] / images["cpu_ms_per_update"],
    }


WORKLOADS: dict[str, Callable[[Stack, Scale], Numbers]] = {"picture": picture, "stream": stream}
ONLY = {"stream": ("kasmd",)}
#: Workloads whose figures hardly differ between runs.
ONCE = {"picture", "stream"}


def _as_sharp(wanted: float, scale: Scale) -> int:
    """Give the least quality of a 4:2:0 JPEG of the video whose SSIM is no less."""
    frame = numpy.ascontiguousarray(numpy.load(scale.film, mmap_mode="r")[0, ..., 2::-1])

    def found(quality: int) -> float:
        data = simplejpeg.encode_jpeg(frame, quality, colorsubsampling="420")
        return ssim(simplejpeg.decode_jpeg(data), frame)

    return bisect_left(range(_WORST, _BEST), wanted, key=found) + _WORST


def _video(stack: Stack, scale: Scale, encodings: Sequence[int], warm_up: float) -> Numbers:
    """Play the video to one viewer, and compare some of the pictures that it holds."""
    frames = numpy.load(scale.film, mmap_mode="r")
    kept = scale.folder / "kept.npy"
    with closing(watching(stack, 1, True, encodings)) as viewer:
        with closing(painting(stack, "video", 30, str(scale.film))) as painter:
            painter.ask("start")
            time.sleep(warm_up)
            first, began = sample(stack, viewer, painter), time.monotonic()
            time.sleep(scale.seconds)
            wall = time.monotonic() - began
            numbers = rates(difference(sample(stack, viewer, painter), first), wall, 1)
            alike = []
            for _ in range(_PICTURES):
                _keep(viewer, str(kept))
                alike.append(likeness(part(numpy.load(kept)), frames))
    for name in alike[0]:
        numbers[name] = median(one[name] for one in alike)
    return numbers


def part(screen: numpy.ndarray) -> numpy.ndarray:
    """Give the part of the desktop where the video plays."""
    x, y, width, height = VIDEO
    return screen[y : y + height, x : x + width]


def _keep(viewer: Child, file: str) -> None:
    """Have the picture after the next update written."""
    viewer.ask("keep", file)
    ends = time.monotonic() + PATIENCE
    while not viewer.ask("count")["kept"]:
        if time.monotonic() > ends:
            raise Failed("no update of a video")
        time.sleep(0.02)
