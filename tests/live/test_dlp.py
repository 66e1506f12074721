"""Rules against the loss of data on a real desktop: what a viewer, a browser and the API get."""

from __future__ import annotations

import io
import time
from http.client import HTTPConnection
from typing import Iterator

import numpy as np
import pytest
from PIL import Image

from kasmd.permission.dlp import Edge, Rules, VisibleRegion
from kasmd.permission.prevention import Prevention
from kasmd.permission.watermark import Watermark
from kasmd.screen.framebuffer import Identity, Snapshot
from kasmd.screen.geometry import Rect
from kasmd.screen.pixels import Pixels
from tests.live.chromium import Chromium
from tests.live.daemon import Daemon
from tests.live.desktop import pasted
from tests.live.painter import Painter
from tests.live.pictures import known_picture
from tests.live.programs import PATIENCE, eventually
from tests.live.rawviewer import RawViewer, websocket
from tests.live.web import basic

CONFIGURATION = """\
display: {window_manager: [], terminal: []}
data_loss_prevention:
  visible_region: {left: 10%, top: 10%, right: 20%, bottom: 10%}
  clipboard: {client_to_server: {size: 10}, server_to_client: {size: 10}}
  watermark:
    tint: 255,0,0,200
    location: 90,70
    text: {template: "Mine %H:%M:%S", timezone_name: UTC}
  logging: {level: info}
"""
#: The same, as values.
RULES = Rules(
    VisibleRegion(Edge(10, True), Edge(10, True), Edge(20, True), Edge(10, True)),
    watermark=Watermark(
        template="Mine %H:%M:%S", timezone="UTC", tint=(255, 0, 0, 200), location=(90, 70)
    ),
)
SCREEN, VISIBLE = Rect(0, 0, 800, 600), Rect(80, 60, 560, 480)
#: Where the text lies, and most of what it is not.
MARK = (slice(70, 120), slice(90, 400))
LEFT, X_LEFT = 1, 256
#: Seconds between two looks, and whose pictures are looked for.
PAUSE, SECONDS = 0.5, 9


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("dlp")
    with Daemon(folder, CONFIGURATION, require_ssl=False) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def painter(daemon: Daemon) -> Iterator[Painter]:
    with Painter(daemon.x_environment) as painter:
        yield painter


@pytest.fixture(scope="module")
def painted(painter: Painter, tmp_path_factory: pytest.TempPathFactory) -> Pixels:
    """Fill the screen; no pixel of it is black."""
    pixels, known = np.full((600, 800, 4), 99, np.uint8), known_picture()
    pixels[:known.shape[0], :known.shape[1]] = np.maximum(known, 40)
    pixels[..., 3] = 0
    painter.show(pixels, tmp_path_factory.mktemp("picture") / "picture.npy")
    return pixels


@pytest.fixture
def writer(daemon: Daemon) -> Iterator[RawViewer]:
    with RawViewer(websocket(daemon.port, "writer", tls=False)) as writer:
        yield writer


def covered(pixels: Pixels, second: float) -> Pixels:
    """What may be seen of ``pixels`` at that time."""
    mask = Prevention(RULES, wall=lambda: second).mask((800, 600))
    assert mask is not None
    return mask.cover(Snapshot(Identity(1, 1), SCREEN, pixels)).pixels


class Looks:
    """What may be seen of ``painted``; looked at now and then, or the viewer would be slow."""

    def __init__(self, painted: Pixels) -> None:
        self._painted = painted
        self._covers: dict[int, np.ndarray] = {}
        self._due = 0.0

    def allow(self, screen: Pixels) -> bool:
        """Tell whether each pixel is as it may be seen, at some second of the last few.

        Not all come in one update, so the last may be of a later second than the first.
        """
        if time.monotonic() < self._due:
            return False
        seen, now = _colours(screen), int(time.time())
        wrong = np.logical_and.reduce(
            [seen != self._cover(second) for second in range(now - SECONDS, now + 1)]
        )
        self._due = time.monotonic() + PAUSE
        return not wrong.any()

    def _cover(self, second: int) -> np.ndarray:
        if second not in self._covers:
            self._covers[second] = _colours(covered(self._painted, second))
        return self._covers[second]


def _colours(pixels: Pixels) -> np.ndarray:
    colours: np.ndarray = np.ascontiguousarray(pixels).view(np.uint32)[..., 0] & 0xFFFFFF
    return colours


def concealed(picture: np.ndarray) -> np.ndarray:
    """Give the pixels, (count, 3), that nobody may see."""
    hidden = np.ones(picture.shape[:2], bool)
    hidden[VISIBLE.y:VISIBLE.bottom, VISIBLE.x:VISIBLE.right] = False
    return picture[hidden]


def assert_concealed(picture: np.ndarray) -> None:
    """Fail if a picture (RGB, perhaps with loss) shows what nobody may see."""
    assert picture.shape == (600, 800, 3)
    edge = concealed(picture)
    assert edge.mean() < 1 and (edge > 24).mean() < 0.01


def is_covered(picture: np.ndarray, painted: Pixels) -> bool:
    """Tell whether a picture, which conceals, is of ``painted`` as it may be seen."""
    assert_concealed(picture)
    seen = covered(painted, time.time())[..., 2::-1].astype(int)
    apart = np.abs(seen - picture)
    apart[MARK] = 0
    red = picture[MARK].astype(int)
    marked = ((red[..., 0] > red[..., 1] + 90) & (red[..., 0] > 180)).sum()
    return bool(apart.mean() < 4 and marked > 500)


def test_a_viewer_sees_what_it_may_and_the_time_in_every_pixel(
    writer: RawViewer, painted: Pixels
) -> None:
    looks = Looks(painted)

    def wait_allowed() -> None:
        writer.wait_until(lambda: looks.allow(writer.screen), "what may be seen, and no more")

    wait_allowed()
    first = writer.screen.copy()
    writer.wait_until(lambda: (writer.screen != first).any(), "time goes by on a still screen")
    wait_allowed()
    assert not concealed(writer.screen).any()


def test_a_browser_sees_what_it_may(daemon: Daemon, painted: Pixels) -> None:
    with Chromium() as chromium:
        chromium.enter(daemon.url, "reader")
        chromium.wait_pixel(600, 500, tuple(painted[500, 600, 2::-1].tolist()))
        eventually(lambda: is_covered(chromium.picture(), painted), "all of it is seen")


def test_a_screenshot_shows_what_a_viewer_sees(daemon: Daemon, painted: Pixels) -> None:
    def screenshot() -> np.ndarray:
        connection = HTTPConnection("127.0.0.1", daemon.port, timeout=PATIENCE)
        path, headers = "/api/get_screenshot?quality=9", {"Authorization": basic("owner")}
        connection.request("GET", path, headers=headers)
        with Image.open(io.BytesIO(connection.getresponse().read())) as image:
            picture = np.asarray(image)
        connection.close()
        return picture

    eventually(lambda: is_covered(screenshot(), painted), "it shows what was painted")


def test_nothing_is_clicked_that_nobody_sees(writer: RawViewer, painter: Painter) -> None:
    writer.point(20, 300, LEFT)
    writer.point(300, 300)
    writer.settle()
    assert painter.do("held") == "0 0"
    writer.point(300, 300, LEFT)
    eventually(lambda: painter.do("held") == f"0 {X_LEFT}", "the button is down")
    writer.point(300, 300)
    eventually(lambda: painter.do("held") == "0 0", "the button is up")


def test_a_paste_that_is_too_large_never_comes(writer: RawViewer, daemon: Daemon) -> None:
    for text in ("ten bytes.", "ten bytes, and more"):
        writer.session.send_cut_text(text)
        writer.flush()
        writer.settle()
        eventually(lambda: pasted(daemon) == "ten bytes.", "what is small is pasted")
    daemon.wait_for(r"DLP: client 'writer': received text/plain, 10 bytes")
    daemon.wait_for(r"DLP: client 'writer': refused to receive text/plain, too large, 19 bytes")
