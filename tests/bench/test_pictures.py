"""Likeness: what is equal, what is worse, and the definition on a case done by hand."""

from __future__ import annotations

import numpy
import pytest

from bench.pictures import film, likeness, psnr, ssim


def test_equal_pictures() -> None:
    frame = film(64, 48, 1)[0, ..., :3]
    assert ssim(frame, frame) == pytest.approx(1)
    assert psnr(frame, frame) == 99


def test_the_definition_by_hand() -> None:
    chance = numpy.random.default_rng(5)
    one, other = (numpy.repeat(chance.integers(0, 256, (8, 8, 1), numpy.uint8), 3, 2) for _ in "ab")
    a, b = (picture[..., 0].astype(float) for picture in (one, other))
    first, second = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    shared = ((a - a.mean()) * (b - b.mean())).mean()
    wanted = (2 * a.mean() * b.mean() + first) * (2 * shared + second)
    wanted /= (a.mean() ** 2 + b.mean() ** 2 + first) * (a.var() + b.var() + second)
    assert ssim(one, other) == pytest.approx(wanted, abs=1e-3)


def test_more_noise_is_less_alike() -> None:
    frame = film(64, 48, 1)[0, ..., :3]
    chance = numpy.random.default_rng(6)
    noisy = [frame + chance.normal(0, by, frame.shape) for by in (2, 10, 40)]
    found = [ssim(frame, numpy.clip(one, 0, 255).astype(numpy.uint8)) for one in noisy]
    assert found == sorted(found, reverse=True)


def test_the_nearest_frame_is_what_counts() -> None:
    frames = film(64, 48, 6)
    assert likeness(frames[4, ..., 2::-1], frames) == {"psnr_db": 99.0, "ssim": pytest.approx(1)}
