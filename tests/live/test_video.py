"""Streams of video in Chromium, which decodes H.264 (WebCodecs, so over TLS)."""

from __future__ import annotations

from typing import Iterator

import numpy as np
import pytest

from tests.live.chromium import Chromium
from tests.live.daemon import Daemon
from tests.live.painter import Painter
from tests.live.programs import eventually

WIDTH, HEIGHT, FRAMES = 480, 320, 20
#: Counts, in our page, the pictures that noVNC's decoder is given and those that are drawn.
COUNTING = """
(async () => {
    const at = (path) => import(new URL(`novnc/core/${path}`, document.baseURI));
    const { default: H264Decoder } = await at("decoders/h264.js");
    const { default: Display } = await at("display.js");
    window.pictures = { given: 0, drawn: 0 };
    const { decodeRect } = H264Decoder.prototype;
    H264Decoder.prototype.decodeRect = function (...rest) {
        const done = decodeRect.apply(this, rest);
        window.pictures.given += done;
        return done;
    };
    const { drawImage } = Display.prototype;
    Display.prototype.drawImage = function (image, ...rest) {
        window.pictures.drawn += image instanceof VideoFrame;
        return drawImage.call(this, image, ...rest);
    };
    return window.isSecureContext;
})()
"""


def film() -> np.ndarray:
    """Give pictures of waves that move, all of them, and of which no two are alike."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    pictures = []
    for number in range(FRAMES):
        step = 2 * np.pi * number / FRAMES
        waves = (np.sin(x / 19 + step), np.cos(y / 23 + step), np.sin((x + y) / 31 + step), 0 * x)
        pictures.append(np.stack([128 + 90 * wave for wave in waves], axis=-1))
    return np.array(pictures).astype(np.uint8)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(tmp_path_factory.mktemp("video")) as daemon:
        yield daemon


@pytest.fixture
def chromium() -> Iterator[Chromium]:
    with Chromium() as chromium:
        yield chromium


def like_one(seen: np.ndarray, pictures: np.ndarray) -> bool:
    """Tell whether some of the pictures, not all, are like what is seen."""
    part = seen[:HEIGHT, :WIDTH].astype(int)
    errors = [np.abs(part - picture[..., 2::-1]).mean() for picture in pictures]
    return bool(min(errors) < 4 < max(errors))


def test_a_film_comes_as_a_stream_and_ends_exact(chromium: Chromium, daemon: Daemon) -> None:
    pictures = film()
    with Painter(daemon.x_environment) as painter:
        chromium.enter(daemon.url, "reader")
        assert chromium.eval(COUNTING) is True
        painter.play(pictures, daemon.folder / "film.npy")
        chromium.wait_true("window.pictures.drawn > 30")
        eventually(lambda: like_one(chromium.picture(), pictures), "a picture of the film")
        painter.show(pictures[7], daemon.folder / "last.npy")
        wanted = pictures[7][..., 2::-1]
        eventually(
            lambda: bool((chromium.picture()[:HEIGHT, :WIDTH] == wanted).all()),
            "the last picture is seen as it was painted",
        )
        assert chromium.errors() == []
