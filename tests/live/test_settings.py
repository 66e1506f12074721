"""What is changed while the daemon runs holds at once, for those who are here too."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import pytest

from kasmd.client.values import Settings
from kasmd.rfb.client import UpdateReceived
from kasmd.rfb.numbers import DesktopSizeResult, Encoding
from kasmd.screen.geometry import Screen
from tests.live.daemon import Daemon
from tests.live.desktop import copying, pasted
from tests.live.painter import Painter
from tests.live.programs import eventually
from tests.live.rawviewer import ENCODINGS, Ended, RawViewer, websocket
from tests.live.web import get, patch

BARE = "display:\n  window_manager: []\n  terminal: []\n"
#: RFC 6455 section 7.4.1.
TRY_AGAIN_LATER = 1013
#: Where wrong passwords come from, and what else is asked does not.
GUESSER = "127.0.0.9"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(tmp_path_factory.mktemp("settings"), BARE, require_ssl=False) as daemon:
        assert daemon.x_environment
        yield daemon


@pytest.fixture
def writer(daemon: Daemon) -> Iterator[RawViewer]:
    with enter(daemon, "writer") as writer:
        yield writer


@pytest.fixture(autouse=True)
def restored(daemon: Daemon) -> Iterator[None]:
    before = get(daemon.port, "/api/v1/settings", "owner").json
    yield
    change(daemon, **before)


def enter(daemon: Daemon, user: str) -> RawViewer:
    encodings = (*ENCODINGS, Encoding.DESKTOP_NAME)
    return RawViewer(websocket(daemon.port, user, tls=False), encodings)


def change(daemon: Daemon, **settings: Any) -> None:
    answer = patch(daemon.port, "/api/v1/settings", settings, "owner")
    assert answer.status == 200, answer.body
    assert answer.json == {**answer.json, **settings}


def resized(viewer: RawViewer, width: int, height: int) -> int:
    """Ask for a size; give the result that is told."""
    since = len(viewer.events)
    viewer.session.send_desktop_size(width, height, [Screen(0, 0, 0, width, height)])
    viewer.flush()

    def results() -> list[int]:
        updates = [event for event in viewer.events[since:] if isinstance(event, UpdateReceived)]
        return [rectangle.rect.y for update in updates for rectangle in update.rectangles
                if rectangle.encoding == Encoding.EXTENDED_DESKTOP_SIZE and rectangle.rect.x == 1]

    viewer.wait_until(results, "the answer to a size")
    return results()[0]


def test_all_of_them(daemon: Daemon) -> None:
    settings = get(daemon.port, "/api/v1/settings", "owner").json
    assert set(settings) == set(Settings._fields) - {"etag"}
    change(daemon, log_level=100, stalled_viewer_seconds=5.5, blacklist_threshold=9)
    assert get(daemon.port, "/api/v1/settings", "writer").status == 403
    daemon.wait_for('setting "stalled_viewer_seconds": changed 30.0 -> 5.5, by "owner"')


def test_allow_resize(daemon: Daemon, writer: RawViewer) -> None:
    assert resized(writer, 700, 500) == DesktopSizeResult.DONE
    change(daemon, allow_resize=False)
    assert resized(writer, 720, 500) == DesktopSizeResult.PROHIBITED
    change(daemon, allow_resize=True)
    assert resized(writer, 800, 600) == DesktopSizeResult.DONE


def test_desktop_name(daemon: Daemon, writer: RawViewer) -> None:
    writer.wait_for(UpdateReceived)
    change(daemon, desktop_name="den")
    writer.wait_until(
        lambda: any(rectangle.encoding == Encoding.DESKTOP_NAME
                    and rectangle.payload == b"\0\0\0\x03den"
                    for update in writer.updates for rectangle in update.rectangles),
        "the new name",
    )


def test_max_frame_rate(daemon: Daemon, writer: RawViewer) -> None:
    with Painter(daemon.x_environment) as painter:
        painter.do("blink 0 0")
        change(daemon, max_frame_rate=4)
        writer.settle()
        began, wanted = time.monotonic(), len(writer.updates) + 10
        writer.wait_until(lambda: len(writer.updates) >= wanted, "ten updates")
        assert time.monotonic() - began > 1.5


def carried(viewer: RawViewer, seconds: float) -> float:
    """Give the bytes a second that come."""
    began = time.monotonic()
    viewer.wait_until(lambda: time.monotonic() - began > seconds, "time goes by")
    chunks = [chunk for chunk in viewer.chunks if chunk.at > began]
    return sum(len(chunk.data) for chunk in chunks) / (chunks[-1].at - began)


def test_max_bandwidth(daemon: Daemon, writer: RawViewer, tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    noise = random.integers(0, 256, (4, 300, 400, 4), np.uint8)
    with Painter(daemon.x_environment) as painter:
        painter.play(noise, tmp_path / "noise.npy")
        eventually(lambda: carried(writer, 1) > 500_000, "as much as there is")
        change(daemon, max_bandwidth=1600)
        writer.settle()
        assert carried(writer, 3) < 2 * 200_000
        session = get(daemon.port, "/api/v1/sessions", "owner").json[-1]
        path = f"/api/v1/sessions/{session['id']}"
        answer = patch(daemon.port, path, {"max_bandwidth": 400}, "owner")
        assert (answer.status, answer.json) == (200, {**session, "max_bandwidth": 400})
        assert patch(daemon.port, path, {"max_bandwidth": 7}, "owner").status == 422
        assert patch(daemon.port, path, {"max_bandwidth": 400}, "writer").status == 403
        writer.settle()
        assert carried(writer, 3) < 2 * 50_000
        # What is painted last is not behind what was painted before.
        flat = np.full((300, 400, 4), (40, 80, 200, 0), np.uint8)
        painter.show(flat, tmp_path / "flat.npy")
        before = len(writer.chunks)
        writer.wait_until(lambda: (writer.screen[:300, :400] == flat).all(), "the last picture")
        assert sum(len(chunk.data) for chunk in writer.chunks[before:]) < noise[0].nbytes / 2
        assert patch(daemon.port, path, {"max_bandwidth": None}, "owner").json == session
        daemon.wait_for('session "writer": max_bandwidth 400 -> None, by "owner"')


def test_viewers(daemon: Daemon, writer: RawViewer) -> None:
    change(daemon, viewers=1)
    with pytest.raises(Ended) as refused:
        enter(daemon, "reader")
    assert (refused.value.code, refused.value.reason) == (
        TRY_AGAIN_LATER, "there are 1 viewers already")
    writer.settle()
    change(daemon, viewers=2)
    with enter(daemon, "reader"):
        pass


def test_clipboard_bytes(daemon: Daemon, writer: RawViewer) -> None:
    change(daemon, clipboard_bytes=100)
    for text in ("short", "long " * 100):
        writer.session.send_cut_text(text)
    writer.settle()
    eventually(lambda: pasted(daemon) == "short", "what is short is pasted")
    with copying(daemon, "y" * 101):
        eventually(lambda: get(daemon.port, "/api/v1/clipboard", "owner").json == {"text": ""},
                   "what was there is nobody's, and what is copied is too long")
    with copying(daemon, "y" * 100):
        eventually(
            lambda: get(daemon.port, "/api/v1/clipboard", "writer").json == {"text": "y" * 100},
            "what was copied is given out",
        )
    assert get(daemon.port, "/api/v1/clipboard", "reader").status == 403


def test_blacklist(daemon: Daemon) -> None:
    change(daemon, blacklist_threshold=1, blacklist_timeout=600)
    assert get(daemon.port, "/", "reader", "wrong", source=GUESSER).status == 401
    refused = get(daemon.port, "/", "reader", source=GUESSER)
    assert refused.status == 429
    assert 5 < int(refused.headers["Retry-After"]) <= 600
    change(daemon, blacklist_timeout=1)
    eventually(lambda: get(daemon.port, "/", "reader", source=GUESSER).status == 200,
               "the second is over")
