"""Moving pictures that are hard in the way photographs are hard."""

from __future__ import annotations

from typing import Any

import numpy
from numpy.typing import NDArray

#: Grey levels: the large shapes, and the detail over them.
_SHAPES, _DETAIL = 35.0, 4.0
#: Fall of the amplitude with the frequency; 1 is a photograph's.
_SMOOTH, _ROUGH = 1.65, 1.2
#: BT.601, red first; and what steadies SSIM where a picture is dark or flat.
_LUMA = numpy.array((0.299, 0.587, 0.114), numpy.float32)
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_WINDOW = 8
#: Every so manieth pixel tells which frame is the nearest.
_COARSE = 8


def film(width: int, height: int, count: int, seed: int = 6) -> NDArray[numpy.uint8]:
    """Give ``count`` BGRX frames that end where they begin.

    Coloured shapes drift one way and grey detail another, so no frame is a
    shifted copy of the one before.
    """
    random = numpy.random.default_rng(seed)
    shapes = 128 + _SHAPES * numpy.stack(
        [_texture(random, width, height, _SMOOTH) for _ in range(3)], axis=-1
    )
    detail = _DETAIL * _texture(random, width, height, _ROUGH)[..., numpy.newaxis]
    shapes, detail = shapes.astype(numpy.float32), detail.astype(numpy.float32)
    frames = numpy.zeros((count, height, width, 4), numpy.uint8)
    for number in range(count):
        drifted = numpy.roll(shapes, number * width // count, axis=1)
        crossed = numpy.roll(detail, -(number * height // count), axis=0)
        frames[number, ..., :3] = numpy.clip(drifted + crossed, 0, 255)
    return frames


def psnr(one: NDArray[numpy.uint8], other: NDArray[numpy.uint8]) -> float:
    """Give the peak signal to noise ratio in dB, at most 99 (equal)."""
    error = float(numpy.mean((one.astype(numpy.float32) - other) ** 2))
    return min(99.0, 10 * float(numpy.log10(255**2 / error))) if error else 99.0


def ssim(one: NDArray[numpy.uint8], other: NDArray[numpy.uint8]) -> float:
    """Give the structural similarity of the luma, 1 where equal (Wang et al., 2004).

    Windows of 8 x 8 at each pixel, all of one weight.
    """
    a, b = (picture.astype(numpy.float32) @ _LUMA for picture in (one, other))
    mean_a, mean_b = _windows(a), _windows(b)
    spread = _windows(a * a) + _windows(b * b) - mean_a**2 - mean_b**2
    shared = _windows(a * b) - mean_a * mean_b
    alike = (2 * mean_a * mean_b + _C1) * (2 * shared + _C2)
    return float(numpy.mean(alike / ((mean_a**2 + mean_b**2 + _C1) * (spread + _C2))))


def nearest(shown: NDArray[numpy.uint8], frames: NDArray[numpy.uint8]) -> int:
    """Give which of the BGRX frames is the most like what a viewer holds, red first."""
    coarse = shown[::_COARSE, ::_COARSE].astype(numpy.int32)
    away = [
        int(((frame[::_COARSE, ::_COARSE, 2::-1] - coarse) ** 2).sum()) for frame in frames
    ]
    return away.index(min(away))


def likeness(shown: NDArray[numpy.uint8], frames: NDArray[numpy.uint8]) -> dict[str, float]:
    """Compare what a viewer holds, red first, with the nearest of the BGRX frames."""
    frame = frames[nearest(shown, frames), ..., 2::-1]
    return {"psnr_db": psnr(shown, frame), "ssim": ssim(shown, frame)}


def _windows(values: NDArray[Any]) -> NDArray[numpy.float64]:
    """Give the mean of each window, by sums of all that is above and left."""
    sums = numpy.pad(values, ((1, 0), (1, 0))).cumsum(0, dtype=float).cumsum(1)
    size = _WINDOW
    corners = sums[size:, size:] - sums[:-size, size:] - sums[size:, :-size] + sums[:-size, :-size]
    means: NDArray[numpy.float64] = corners / size**2
    return means


def _texture(
    random: numpy.random.Generator, width: int, height: int, fall: float
) -> NDArray[numpy.float64]:
    """Give periodic noise of mean 0 and deviation 1 whose spectrum falls as 1/f**fall."""
    down = numpy.fft.fftfreq(height)[:, numpy.newaxis]
    across = numpy.fft.rfftfreq(width)
    frequency = numpy.hypot(down, across)
    frequency[0, 0] = 1
    spectrum = numpy.fft.rfft2(random.standard_normal((height, width))) / frequency**fall
    spectrum[0, 0] = 0
    noise: NDArray[numpy.float64] = numpy.fft.irfft2(spectrum, (height, width))
    return noise / noise.std()
