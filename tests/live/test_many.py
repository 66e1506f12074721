"""Many viewers, a stalled one, and what brought KasmVNC down, on one daemon."""

from __future__ import annotations

import json
import os
import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Iterator

import numpy as np
import pytest

from kasmd.rfb.numbers import Encoding
from kasmd.screen.geometry import Rect
from tests.live.daemon import SECRET, Daemon
from tests.live.painter import Painter
from tests.live.programs import PATIENCE, eventually
from tests.live.rawviewer import RawViewer, unix_socket, websocket
from tests.live.web import basic, get, patch

CONFIGURATION = """\
display:
  terminal: []
native:
  unix_socket: {folder}/viewers
  unix_account: writer
security:
  brute_force_protection:
    blacklist_threshold: 5
    blacklist_timeout: 600
"""
CROWD = 50
MEBIBYTE = 1 << 20
COLOUR = (30, 160, 220)
#: Where wrong passwords come from; the owner comes from elsewhere.
GUESSER = "127.0.0.9"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("many")
    with Daemon(folder, CONFIGURATION.format(folder=folder), require_ssl=False) as daemon:
        yield daemon
        assert "Traceback" not in daemon.output
        assert SECRET not in daemon.output
        assert basic("writer") not in daemon.output


def watch(daemon: Daemon) -> RawViewer:
    """Connect over the unix socket."""
    return RawViewer(unix_socket(f"{daemon.folder}/viewers"))


def descriptors(daemon: Daemon) -> int:
    """Give how many files and sockets the daemon has open."""
    return len(os.listdir(f"/proc/{daemon.pid}/fd"))


def memory(daemon: Daemon) -> int:
    """Give the bytes that are the daemon's alone."""
    text = Path(f"/proc/{daemon.pid}/smaps_rollup").read_text()
    return sum(int(size) << 10 for size in re.findall(r"^Private_\w+: +(\d+) kB", text, re.M))


def present(daemon: Daemon) -> list[str]:
    """Give the names of all viewers."""
    body = json.loads(get(daemon.port, "/api/v1/me", "writer").body)
    return [viewer["name"] for viewer in body["viewers"]]


def change(daemon: Daemon, **settings: float) -> None:
    """Change what the owner may."""
    assert patch(daemon.port, "/api/v1/settings", settings, "owner").status == 200


def see(daemon: Daemon, together: threading.Barrier) -> None:
    """Connect, wait for the whole picture, then for all the others, and leave with them."""
    with RawViewer(websocket(daemon.port, "reader", tls=False)) as viewer:
        wanted = np.full(viewer.screen.shape[:2] + (3,), COLOUR, np.uint8)
        viewer.wait_until(lambda: np.array_equal(viewer.screen[..., :3], wanted), "all of it")
        together.wait(PATIENCE)
        together.wait(PATIENCE)


def crowd(daemon: Daemon) -> None:
    """Have them come and go at once."""
    together = threading.Barrier(CROWD + 1)
    with ThreadPoolExecutor(CROWD) as pool:
        people = [pool.submit(see, daemon, together) for _ in range(CROWD)]
        together.wait(PATIENCE)
        assert present(daemon) == CROWD * ["reader"]
        together.wait(PATIENCE)
        for person in people:
            person.result()
    eventually(lambda: present(daemon) == [], "all have left")


def test_fifty_come_and_go_at_once(daemon: Daemon, painter: Painter, tmp_path: Path) -> None:
    """Each sees all, and nothing of them is kept."""
    width, height = painter.size
    painter.show(np.full((height, width, 4), (*COLOUR, 0), np.uint8), tmp_path / "all.npy")
    crowd(daemon)
    files, growths = descriptors(daemon), []
    # What is kept grows each time; what they needed at the same moment does not.
    while not growths or growths[-1] > 8 * MEBIBYTE:
        before = memory(daemon)
        crowd(daemon)
        growths.append(memory(daemon) - before)
        assert len(growths) < 5, growths
    eventually(lambda: descriptors(daemon) <= files, "no descriptor is left open")


def test_a_stalled_viewer_delays_nobody(daemon: Daemon, painter: Painter) -> None:
    """It asks for Raw frames and reads none, until it is closed; others go on meanwhile."""
    painter.do("blink 100 100")
    change(daemon, stalled_viewer_seconds=600)
    with watch(daemon) as viewer:
        viewer.wait_until(lambda: len(viewer.updates) > 20, "updates")
        before = memory(daemon)
        with RawViewer(websocket(daemon.port, "reader"), [Encoding.RAW], False) as stalled:
            screen = Rect(0, 0, 800, 600)
            for _ in range(200):
                stalled.session.send_update_request(False, screen)
            stalled.flush()
            since = len(viewer.updates)
            viewer.wait_until(lambda: len(viewer.updates) > since + 100, "it goes on beside it")
            assert "took nothing" not in daemon.output
            growth = memory(daemon) - before
            change(daemon, stalled_viewer_seconds=1)
            viewer.wait_until(lambda: "took nothing" in daemon.output, "the stalled one is closed")
            change(daemon, stalled_viewer_seconds=600)
    # Of 366 MiB that were asked for.
    assert growth < 64 * MEBIBYTE


def test_guessing_is_counted_by_the_true_address(daemon: Daemon) -> None:
    """No header changes whose guess it was, and what is no guess is not counted."""
    port = daemon.port
    for _ in range(20):
        assert get(port, source=GUESSER).status == 401
    assert get(port, user="writer", source=GUESSER).status == 200
    for number in range(5):
        forged = f"192.0.2.{number}"
        answer = get(port, user="writer", password="guess", source=GUESSER,
                     X_Forwarded_For=forged)
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    locked = get(port, user="writer", source=GUESSER, X_Forwarded_For="192.0.2.99")
    assert locked.status == 429
    assert int(locked.headers["Retry-After"]) >= 1
    change(daemon, blacklist_timeout=1)
    eventually(lambda: get(port, user="writer", source=GUESSER).status == 200,
               "the lock-out's end")
    assert "guess" not in daemon.output


def test_origins(daemon: Daemon) -> None:
    """A foreign page may not connect; a program without a page may (see `websocket`)."""
    upgrade = {
        "Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Version": "13",
        "Sec_WebSocket_Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    answer = get(daemon.port, "/websockify", "writer", Origin="https://evil.example", **upgrade)
    assert answer.status == 403
    assert "https://evil.example" in answer.body
    daemon.wait_for("No websocket for 127.0.0.1: .*evil.example")


def test_no_other_site_changes_anything(daemon: Daemon) -> None:
    before = daemon.passwords.read_text()
    path = "/api/update_user?name=reader&write=true"
    assert get(daemon.port, path, "writer").status == 401
    for header in ({"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert get(daemon.port, path, "owner", **header).status == 403
    assert get(daemon.port, user="reader", Referer="https://127.0.0.1/api/").status == 200
    assert daemon.passwords.read_text() == before


def test_half_requests_hold_nobody_up(daemon: Daemon) -> None:
    """Nor do they hold threads."""
    threads = len(os.listdir(f"/proc/{daemon.pid}/task"))
    with ExitStack() as stack:
        half = []
        for _ in range(200):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", daemon.port)))
            one.sendall(b"GET / HTTP/1.1\r\nHost: ")
            half.append(one)
        assert get(daemon.port, user="reader").status == 200
        assert len(os.listdir(f"/proc/{daemon.pid}/task")) < threads + 20
        # It did not wait for them to be given up: the last has all its time still.
        with pytest.raises(BlockingIOError):
            half[-1].recv(1, socket.MSG_DONTWAIT)
