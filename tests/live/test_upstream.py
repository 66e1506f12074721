"""Other people's VNC servers, shown by the daemon: TigerVNC's and x11vnc."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import numpy as np
import pytest

from kasmd.rfb.numbers import DesktopSizeReason, DesktopSizeResult
from kasmd.screen.geometry import Screen
from tests.live.chromium import Chromium
from tests.live.daemon import Daemon
from tests.live.desktop import BLUE, IN_TERMINAL, copying, pasted, terminal, wait_typed
from tests.live.far_desktop import PASSWORD, FarDesktop, X11vnc
from tests.live.layouts import arrange, hear, listed
from tests.live.painter import Painter
from tests.live.pictures import difference, known_picture
from tests.live.programs import Program, eventually, run
from tests.live.rawviewer import RawViewer, unix_socket

UPSTREAM = """\
display:
  rfb: "{place}"
  rfb_password_file: {folder}/secret
  rfb_quality: lossless
{more}
native:
  unix_socket: {folder}/viewers
  unix_account: writer
"""
TEXT = "Grüße, 5 €, \N{HIRAGANA LETTER A}"


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarDesktop]:
    with FarDesktop(tmp_path_factory.mktemp("far")) as far:
        with Program("openbox", env=far.x_environment):
            yield far


def start(folder: Path, place: object, more: str = "") -> Daemon:
    """Start a daemon that shows the desktop at ``place``."""
    (folder / "secret").write_text(PASSWORD + "\n")
    return Daemon(folder, UPSTREAM.format(folder=folder, place=place, more=more),
                  require_ssl=False)


@pytest.fixture(scope="module")
def daemon(far: FarDesktop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    pin = f"  rfb_tls:\n    pin: {far.pin}"
    with start(tmp_path_factory.mktemp("near"), far.socket, pin) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def page(daemon: Daemon) -> Iterator[Chromium]:
    with Chromium() as chromium:
        chromium.enter(daemon.url, "writer")
        yield chromium


def wait_shown(daemon: Daemon, far: FarDesktop, folder: Path) -> None:
    """Paint there, and wait until it is seen here, to the pixel."""
    daemon.wait_for("native viewers, as writer")
    picture = known_picture()
    height, width = picture.shape[:2]
    with Painter(far.x_environment) as painter:
        painter.show(picture, folder / "picture.npy")
        with RawViewer(unix_socket(f"{daemon.folder}/viewers")) as viewer:
            viewer.wait_until(lambda: viewer.screen.shape[1] >= width, "the size there")
            # TigerVNC paints the pointer of those who do not move it.
            viewer.point(width + 9, 9)
            viewer.wait_until(
                lambda: np.array_equal(viewer.screen[:height, :width, :3], picture[..., :3]),
                "the picture",
            )


def test_a_browser_sees_and_types(page: Chromium, far: FarDesktop, tmp_path: Path) -> None:
    picture = known_picture()
    with Painter(far.x_environment) as painter:
        painter.show(picture, tmp_path / "picture.npy")
        page.do("click", x=1200, y=750)
        eventually(lambda: difference(page.picture(), picture) < 2, "the picture is seen")
    with terminal(far) as path:
        page.wait_pixel(*IN_TERMINAL, BLUE)
        page.do("click", x=IN_TERMINAL[0], y=IN_TERMINAL[1])
        page.do("type", text="Hello, World! {}~")
        page.do("press", key="Enter")
        wait_typed(path, "Hello, World! {}~\n")


def test_the_clipboard_goes_both_ways(page: Chromium, far: FarDesktop) -> None:
    page.do("click", selector="#handle")
    page.do("fill", selector="#clipboard", text=TEXT)
    eventually(lambda: pasted(far) == TEXT, "the text is there")
    with copying(far, TEXT[::-1]):
        page.wait_true(f"document.querySelector('#clipboard').value === {TEXT[::-1]!r}")


def test_the_size_follows_the_browser(page: Chromium, far: FarDesktop) -> None:
    with Painter(far.x_environment) as painter:
        page.do("resize", viewport=(1000, 700))
        eventually(lambda: painter.size == (1000, 700), "the desktop there has that size")


def test_the_size_is_asked_for_when_the_desktop_comes_after_the_browser(
    chromium: Chromium, tmp_path: Path
) -> None:
    with start(tmp_path, tmp_path / "rfb") as daemon:
        chromium.enter(daemon.url, "writer", viewport=(1000, 700))
        chromium.wait_text("#chip", "The desktop does not answer")
        with FarDesktop(tmp_path) as far, Painter(far.x_environment) as painter:
            eventually(lambda: painter.size == (1000, 700), "the desktop there has that size")


def test_several_screens_go_both_ways(
    daemon: Daemon, far: FarDesktop, tmp_path: Path
) -> None:
    """What a viewer here asks for is there, and what becomes of it there is told here."""
    wait_shown(daemon, far, tmp_path)
    layout = (Screen(3, 0, 0, 700, 600), Screen(7, 700, 0, 300, 600))
    with RawViewer(unix_socket(f"{daemon.folder}/viewers")) as viewer:
        assert arrange(viewer, 1000, 600, *layout)[-1] == (
            DesktopSizeReason.THIS_CLIENT, DesktopSizeResult.DONE, 1000, 600, layout)
        assert sorted(listed(far.x_environment)) == [screen.rect for screen in layout]
        with RawViewer(unix_socket(f"{daemon.folder}/viewers")) as other:
            hear(other, DesktopSizeReason.SERVER, layout)
        viewer.events.clear()
        run("xrandr", "--output", "VNC-1", "--off", env=far.x_environment)
        hear(viewer, DesktopSizeReason.SERVER, layout[:1])
        too_many = [Screen(number, 0, 0, 9, 9) for number in range(5)]
        for status, screens in (
            (DesktopSizeResult.NO_RESOURCES, too_many),
            (DesktopSizeResult.DONE, [Screen(3, 0, 0, 1280, 800)]),
        ):
            answers = [each[:2] for each in arrange(viewer, 1280, 800, *screens)]
            assert (DesktopSizeReason.THIS_CLIENT, status) in answers


@pytest.mark.parametrize("more", ["", "  rfb_tls:\n    unchecked: true"])
def test_tigervnc_with_tls_or_any(far: FarDesktop, tmp_path: Path, more: str) -> None:
    with start(tmp_path, far.socket, more) as daemon:
        wait_shown(daemon, far, tmp_path)


def test_another_key_is_not_trusted(far: FarDesktop, tmp_path: Path) -> None:
    with start(tmp_path, far.socket, f"  rfb_tls:\n    pin: {'0' * 64}") as daemon:
        daemon.wait_for(f"cannot be reached, trying on: its key is {far.pin}")


def test_x11vnc(far: FarDesktop, tmp_path: Path) -> None:
    with X11vnc(far) as server, start(tmp_path, f"127.0.0.1:{server.port}") as daemon:
        wait_shown(daemon, far, tmp_path)
