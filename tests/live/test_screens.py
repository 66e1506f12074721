"""Several screens: viewers arrange them, programs and people on the desktop see them."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Iterator

import numpy as np
import pytest

from kasmd.rfb.client import UpdateReceived
from kasmd.rfb.numbers import DesktopSizeReason, DesktopSizeResult, Encoding
from kasmd.screen.geometry import Rect, Screen
from tests.live.chromium import Chromium
from tests.live.daemon import Daemon
from tests.live.desktop import wait_managed, x_server
from tests.live.layouts import arrange, hear, listed, told
from tests.live.painter import Painter
from tests.live.programs import Program, eventually, run
from tests.live.rawviewer import ENCODINGS, RawViewer, unix_socket, websocket

SERVER, OURS, OTHERS = DesktopSizeReason
DONE, PROHIBITED, NO_RESOURCES, INVALID = DesktopSizeResult
NATIVE = """\
native:
  unix_socket: {folder}/viewers
  unix_account: writer
"""
TWO = (Screen(0, 0, 0, 800, 600), Screen(1, 800, 0, 640, 480))
THREE = (Screen(4, 0, 0, 640, 480), Screen(9, 640, 0, 640, 480, 2), Screen(12, 300, 480, 700, 240))
FOUR = tuple(Screen(n, n % 2 * 700, n // 2 * 500, 700, 500) for n in range(4))
#: H.264 by libx264, as Kasm's client asks for it, and what marks that client.
KASMS = (
    Encoding.TIGHT, -26, Encoding.LAST_RECT, Encoding.FENCE, Encoding.EXTENDED_DESKTOP_SIZE,
    -1027, Encoding.KASM_DISCONNECT_NOTICE,
)


def ready(daemon: Daemon) -> None:
    """Wait until there is a desktop, and a way in."""
    daemon.wait_for("native viewers, as writer")
    daemon.wait_for("desktop :")


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("screens")
    with Daemon(folder, NATIVE.format(folder=folder)) as daemon:
        ready(daemon)
        yield daemon


@pytest.fixture
def viewers(daemon: Daemon) -> Iterator[tuple[RawViewer, RawViewer]]:
    """Two people who see the desktop as it is at first."""
    with RawViewer(unix_socket(f"{daemon.folder}/viewers")) as one:
        with RawViewer(websocket(daemon.port, "writer")) as other:
            for ident in (77, 0):
                whole = Screen(ident, 0, 0, 800, 600)
                arrange(one, 800, 600, whole)
                hear(other, OTHERS, (whole,))
            one.events.clear()
            yield one, other


def test_two_three_and_four(daemon: Daemon, viewers: tuple[RawViewer, RawViewer]) -> None:
    one, other = viewers
    for size, layout in (((1440, 600), TWO), ((1280, 720), THREE), ((1400, 1000), FOUR)):
        assert arrange(one, *size, *layout[::-1]) == [(OURS, DONE, *size, layout)]
        assert hear(other, OTHERS, layout) == [(OTHERS, DONE, *size, layout)]
        assert listed(daemon.x_environment) == [screen.rect for screen in layout]
        assert one.screen.shape == other.screen.shape == (*size[::-1], 4)
    assert arrange(other, 1400, 1000, Screen(3, 0, 0, 1400, 1000)) == [
        (OURS, DONE, 1400, 1000, (Screen(3, 0, 0, 1400, 1000),))]
    assert listed(daemon.x_environment) == [Rect(0, 0, 1400, 1000)]


def test_what_is_refused_changes_nothing(
    daemon: Daemon, viewers: tuple[RawViewer, RawViewer]
) -> None:
    one, other = viewers
    arrange(one, 1440, 600, *TWO)
    hear(other, OTHERS, TWO)
    for status, width, screens in (
        (INVALID, 1440, ()),
        (INVALID, 1440, (TWO[0], TWO[0])),
        (INVALID, 1400, TWO),
        (INVALID, 1440, (TWO[0], Screen(1, 0, 0, 0, 600))),
        (NO_RESOURCES, 1440, tuple(Screen(number, 0, 0, 800, 600) for number in range(5))),
        (NO_RESOURCES, 30000, TWO),
    ):
        assert arrange(one, width, 600, *screens) == [(OURS, status, 1440, 600, TWO)]
    other.settle()
    assert told(other) == []
    with RawViewer(websocket(daemon.port, "reader")) as reader:
        assert arrange(reader, 1440, 600, TWO[0])[-1] == (OURS, PROHIBITED, 1440, 600, TWO)
    assert listed(daemon.x_environment) == [screen.rect for screen in TWO]


def test_people_on_the_desktop_arrange_them(
    daemon: Daemon, viewers: tuple[RawViewer, RawViewer]
) -> None:
    run("xrandr", "--setmonitor", "left", "300/80x600/160+0+0", "screen", env=daemon.x_environment)
    run("xrandr", "--setmonitor", "right", "500/132x600/160+300+0", "none",
        env=daemon.x_environment)
    for viewer in viewers:
        viewer.wait_until(
            lambda: [[screen.rect for screen in each[4]] for each in told(viewer)][-1:]
            == [[Rect(0, 0, 300, 600), Rect(300, 0, 500, 600)]],
            "the screens are told",
        )
        assert {each[0] for each in told(viewer)} == {SERVER}
    before = len(told(viewers[0]))
    run("xrandr", "--delmonitor", "left", env=daemon.x_environment)
    viewers[0].wait_until(lambda: len(told(viewers[0])) > before, "that one is gone is told")
    arrange(viewers[0], 800, 600, Screen(0, 0, 0, 800, 600))
    assert listed(daemon.x_environment) == [Rect(0, 0, 800, 600)]


def places(environment: dict[str, str]) -> list[tuple[int, int]]:
    """Give the left sides and widths of the terminals."""
    found = []
    windows = run("xdotool", "search", "--onlyvisible", "--class", "xterm",
                  env=environment, check=False).stdout.split()
    for window in windows:
        said = run("xdotool", "getwindowgeometry", "--shell", window, env=environment).stdout
        place = dict(line.split("=") for line in said.split())
        found.append((int(place["X"]), int(place["WIDTH"])))
    return found


def test_a_window_fills_its_screen(
    daemon: Daemon, viewers: tuple[RawViewer, RawViewer]
) -> None:
    """One that is full screen; it follows where only the screens change."""
    environment = daemon.x_environment
    wait_managed(environment)
    first, then = [(Screen(0, 0, 0, split, 600), Screen(1, split, 0, 800 - split, 600))
                   for split in (400, 550)]
    arrange(viewers[0], 800, 600, *first)
    with Program("xterm", "-fullscreen", env=environment):
        for layout in (first, then):
            arrange(viewers[0], 800, 600, *layout)
            wanted = {(screen.x, screen.width) for screen in layout}
            eventually(lambda: wanted.intersection(places(environment)), f"one of {wanted}")


def test_kasms_client_gets_a_stream_of_each(
    daemon: Daemon, tmp_path: Path, viewers: tuple[RawViewer, RawViewer]
) -> None:
    y, x = np.mgrid[0:600, 0:1440]
    film = np.stack([
        np.stack([(x + 9 * number) % 256, (y + x) % 256, (y + 5 * number) % 256, 0 * x], axis=-1)
        for number in range(10)
    ]).astype(np.uint8)
    with RawViewer(websocket(daemon.port, "writer"), KASMS) as kasm:
        arrange(kasm, 1440, 600, *TWO)
        with Painter(daemon.x_environment) as painter:
            painter.play(film, tmp_path / "film.npy")

            def shown() -> dict[int, Rect]:
                return {
                    received.payload[0]: received.rect
                    for event in kasm.events if isinstance(event, UpdateReceived)
                    for received in event.rectangles if received.encoding == Encoding.KASM_VIDEO
                }

            kasm.wait_until(lambda: len(shown()) == 2, "a stream for each screen")
        assert shown() == {0: TWO[0].rect, 1: TWO[1].rect}


def test_a_page_leaves_them_until_it_is_told_to_resize(
    daemon: Daemon, viewers: tuple[RawViewer, RawViewer]
) -> None:
    one, _ = viewers
    arrange(one, 1440, 600, *TWO)
    one.events.clear()
    with Chromium() as page:
        page.enter(daemon.url, "writer")
        page.wait_true("document.querySelector('#screen canvas').width === 1440")
        page.wait_true("document.querySelector('#here').children.length > 0")
        page.do("resize", viewport=(1000, 700))
        for size in ("scale", "remote"):
            page.eval(f"""(() => {{
                const field = document.querySelector("#size");
                field.value = "{size}";
                field.dispatchEvent(new Event("change"));
            }})()""")
        whole = (Screen(0, 0, 0, 1000, 700),)
        assert hear(one, OTHERS, whole) == [(OTHERS, DONE, 1000, 700, whole)]
        assert page.errors() == []


def test_they_outlive_the_x_server(
    daemon: Daemon, viewers: tuple[RawViewer, RawViewer]
) -> None:
    one, other = viewers
    arrange(one, 1440, 600, *TWO)
    hear(other, OTHERS, TWO)
    desktops = daemon.output.count("desktop :")
    os.kill(x_server(daemon), signal.SIGKILL)
    for viewer in (one, other):
        assert hear(viewer, SERVER, TWO)[-1] == (SERVER, DONE, 1440, 600, TWO)
    eventually(lambda: daemon.output.count("desktop :") > desktops, "the new one is there")
    eventually(lambda: listed(daemon.x_environment) == [screen.rect for screen in TWO],
               "the new X server has them")


def test_fewer_screens_as_configured(tmp_path: Path) -> None:
    more = NATIVE.format(folder=tmp_path) + "display:\n  max_screens: 2\n"
    with Daemon(tmp_path, more) as daemon:
        ready(daemon)
        with RawViewer(unix_socket(f"{tmp_path}/viewers"), ENCODINGS) as viewer:
            assert arrange(viewer, 1440, 600, *TWO)[-1][:2] == (OURS, DONE)
            assert arrange(viewer, 1280, 720, *THREE)[-1] == (OURS, NO_RESOURCES, 1440, 600, TWO)
