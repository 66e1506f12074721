"""The page where there is little room, little light, or nothing to be had from the server."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Iterator

import pytest

from tests.live.chromium import Chromium
from tests.live.daemon import Daemon
from tests.live.prefix import PrefixProxy
from tests.live.test_browser import GONE


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(tmp_path_factory.mktemp("page"), require_ssl=False) as daemon:
        yield daemon


class TestSilence:
    """A server, or what is before it, that says nothing any more."""

    def test_a_server_that_stands_still_is_noticed(self, chromium: Chromium,
                                                   tmp_path: Path) -> None:
        with Daemon(tmp_path) as daemon:
            chromium.enter(daemon.url, "writer")
            chromium.watch_curtain()
            os.kill(daemon.pid, signal.SIGSTOP)
            try:
                chromium.wait_true("curtains.length > 0")
            finally:
                os.kill(daemon.pid, signal.SIGCONT)
            assert chromium.curtains()[0] == (
                "Connection lost. The server does not answer.\nTrying again in 1 s.")
            chromium.wait_connected()
        errors = [error for error in chromium.errors() if not GONE.search(error)]
        assert errors == ["Disconnection timed out."]

    def test_a_browser_that_is_offline_says_so_at_once(self, chromium: Chromium,
                                                       daemon: Daemon) -> None:
        chromium.enter(daemon.url, "reader")
        chromium.watch_curtain()
        start = time.monotonic()
        chromium.do("offline", offline=True)
        chromium.wait_true("curtains[0]?.includes('The server does not answer.')")
        assert time.monotonic() - start < 10
        chromium.do("offline", offline=False)
        chromium.wait_connected()

    def test_a_proxy_that_takes_websockets_and_does_nothing(self, chromium: Chromium,
                                                            daemon: Daemon) -> None:
        with PrefixProxy(daemon.port) as proxy:
            proxy.mute = True
            chromium.open(proxy.url, "writer")
            chromium.wait_text("#curtain-text", "may let no websockets pass")
            proxy.mute = False
            chromium.wait_connected()
