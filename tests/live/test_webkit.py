"""The desktop in Safari's engine, which sends no Basic credentials with a websocket."""

from __future__ import annotations

from typing import Iterator

import pytest

from tests.live.daemon import Daemon
from tests.live.desktop import BLUE, IN_TERMINAL, terminal, wait_typed
from tests.live.webkit import WebKit

ENTER = "\ue007"
CONNECTED = "document.querySelector('#curtain')?.className === 'gone'"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(tmp_path_factory.mktemp("webkit"), "site:\n  login: page\n") as daemon:
        yield daemon


@pytest.fixture(scope="module")
def webkit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebKit]:
    with WebKit(tmp_path_factory.mktemp("home")) as webkit:
        yield webkit


def test_one_who_logs_in_by_the_page_sees_the_desktop_and_types(
    webkit: WebKit, daemon: Daemon
) -> None:
    webkit.open(daemon.url)
    webkit.type("#name", "writer")
    webkit.type("#password", "password" + ENTER)
    webkit.wait_true(CONNECTED)
    webkit.wait_text("#who", "Connected as writer")
    assert webkit.eval("document.cookie") == ""
    with terminal(daemon) as typed:
        webkit.wait_pixel(*IN_TERMINAL, BLUE)
        webkit.click(*IN_TERMINAL)
        webkit.press("Safari was here" + ENTER)
        wait_typed(typed, "Safari was here\n")


def test_one_who_logs_out_is_out(webkit: WebKit, daemon: Daemon) -> None:
    webkit.eval("document.querySelector('#handle').click()")
    webkit.wait_true("document.querySelector('#log-out')?.checkVisibility()")
    webkit.eval("document.querySelector('#log-out').click()")
    webkit.wait_true("document.querySelector('#name')")
    webkit.open(daemon.url)
    webkit.wait_true("document.querySelector('#name')")
