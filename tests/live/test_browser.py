"""A real browser on a real desktop: it sees, types, pastes, resizes, and finds its way back."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from pathlib import Path
from typing import Iterator

import numpy as np
import pytest

from tests.live.chromium import Chromium
from tests.live.daemon import Daemon, twistd
from tests.live.painter import Painter
from tests.live.prefix import PrefixProxy
from tests.live.programs import ROOT, Program, eventually, processes_with, run
from tests.live.rawviewer import RawViewer, websocket

TILE = 64
PHONE = {"viewport": [390, 844], "mobile": True}
#: The background of the terminal that is typed into.
BLUE = (18, 52, 86)
ODD = "Grüße, 5 €, \N{HIRAGANA LETTER A}\N{GRINNING FACE}"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(tmp_path_factory.mktemp("browser"), require_ssl=False) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    with Chromium() as chromium:
        yield chromium


@pytest.fixture
def page(chromium: Chromium, daemon: Daemon) -> Iterator[Chromium]:
    """The page, connected as writer; whatever is done, its console stays empty."""
    chromium.enter(daemon.url, "writer")
    yield chromium
    assert chromium.errors() == []


@pytest.fixture
def painter(daemon: Daemon) -> Iterator[Painter]:
    with Painter(daemon.x_environment) as painter:
        yield painter


def known_picture() -> np.ndarray:
    """A band of 2 x 5 tiles for each kind of area: one colour, 2, 16, 200, noise, a photograph."""
    random = np.random.default_rng(2)
    picture = np.zeros((6, 2 * TILE, 5 * TILE, 4), np.uint8)
    size = picture.shape[1:3]
    picture[0] = (30, 90, 200, 0)
    for band, count in ((1, 2), (2, 16), (3, 200)):
        colours = random.integers(0, 256, (count, 4), np.uint8)
        picture[band] = np.repeat(colours[random.integers(0, count, size[0] * size[1] // 8)], 8,
                                  axis=0).reshape(*size, 4)
    y, x = np.mgrid[0:size[0], 0:size[1]]
    picture[4] = np.dstack((x * 3, y * 2, x ^ y, x)).astype(np.uint8)
    waves = (np.sin(x / 19) + np.sin(y / 23), np.sin((x + y) / 31) * 2, np.cos(x / 37) * 2, x * 0)
    picture[5] = np.dstack([128 + 50 * wave for wave in waves]).astype(np.uint8)
    picture[..., 3] = 0
    return picture.reshape(-1, 5 * TILE, 4)


def wait_for_picture(page: Chromium, canvas: str, wanted: np.ndarray, lossy_from: int,
                     error: float) -> None:
    """Wait until ``wanted`` is seen at the top left: exactly above ``lossy_from``, else nearly."""
    height, width = wanted.shape[:2]
    rgb = wanted[..., 2::-1].astype(int)

    def there() -> bool:
        seen = page.picture(canvas)[:height, :width].astype(int)
        exact = np.array_equal(seen[:lossy_from], rgb[:lossy_from])
        return bool(exact and np.abs(seen - rgb).mean() <= error and np.abs(seen - rgb).max() < 100)

    eventually(there, "the picture is seen")


def type_into_file(page: Chromium, daemon: Daemon) -> Path:
    """Open a terminal whose lines go to a file, and click into it; give the file."""
    path = daemon.folder / "typed"
    path.unlink(missing_ok=True)
    return path


class TestPicture:
    """What was painted is what is seen."""

    def test_our_page(self, page: Chromium, painter: Painter, tmp_path: Path) -> None:
        picture = known_picture()
        painter.show(picture, tmp_path / "picture.npy")
        wait_for_picture(page, "#screen canvas", picture, 4 * 2 * TILE, 8)

    # What noVNC's decoders make of each encoding, and the parts of it that they met.
    CASES = [
        ("encodingRaw", None, set()),
        ("encodingHextile", None, set()),
        ("encodingZRLE", None, set()),
        ("encodingTight", None, {"_fillRect", "_monoRect", "_paletteRect", "_copyFilter"}),
        ("encodingTight", 9, {"_fillRect", "_monoRect", "_paletteRect", "_jpegRect"}),
        ("encodingTight", 6, {"_fillRect", "_monoRect", "_paletteRect", "_jpegRect"}),
        ("encodingTight", 0, {"_fillRect", "_monoRect", "_paletteRect", "_jpegRect"}),
    ]
    ERRORS = {None: 0.0, 9: 1.0, 6: 6.0, 0: 20.0}

    @pytest.mark.parametrize("encoding,quality,parts", CASES)
    def test_novnc_decodes(self, chromium: Chromium, daemon: Daemon, painter: Painter,
                           tmp_path: Path, encoding: str, quality: int | None,
                           parts: set[str]) -> None:
        picture = known_picture()
        painter.show(picture, tmp_path / "picture.npy")
        chromium.open(daemon.url + "novnc/LICENSE.txt", "reader")
        chromium.eval(RESTRICTED % (json.dumps(encoding), json.dumps(quality)))
        lossless = len(picture) if quality is None else 4 * 2 * TILE
        chromium.wait_true("window.rfb._rfbConnectionState === 'connected'")
        wait_for_picture(chromium, "#only canvas", picture, lossless, self.ERRORS[quality])
        met = set(chromium.eval("[...window.parts]"))
        assert parts <= met and (quality is not None or "_jpegRect" not in met)
        assert set(chromium.eval("[...window.met]")) == {encoding}
        assert chromium.errors() == []
