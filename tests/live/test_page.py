"""The page where there is little room, little light, or nothing to be had from the server."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Iterator

import pytest

from tests.live.chromium import Chromium
from tests.live.daemon import ACCOUNTS, Daemon
from tests.live.prefix import PrefixProxy
from tests.live.test_browser import GONE

LONG = "Donaudampfschifffahrtselektrizitaetenhauptbetriebswerkbauunterbeamter"
PEOPLE = {**ACCOUNTS, "ada": "rw", LONG: "rw"}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("page")
    with Daemon(folder, require_ssl=False, accounts=PEOPLE) as daemon:
        yield daemon


class TestLoading:
    """What is there before the page's script is."""

    def test_it_moves_at_once_and_says_what_it_waits_for(self, chromium: Chromium,
                                                         daemon: Daemon) -> None:
        chromium.open(daemon.url, "writer", held="**/main.mjs", until="commit")
        chromium.wait_true("document.querySelector('#curtain .mark')?.getAnimations().length")
        late = "document.querySelector('#curtain-late')"
        assert not chromium.eval(f"{late}.checkVisibility({{ visibilityProperty: true }})")
        chromium.wait_true(f"{late}.checkVisibility({{ visibilityProperty: true }})"
                           f" && {late}.offsetHeight > 10")
        chromium.enter(daemon.url, "writer")
        assert chromium.eval(late) is None

    def test_without_scripts(self, chromium: Chromium, daemon: Daemon) -> None:
        chromium.open(daemon.url, "writer", scripts=False)
        assert chromium.eval("document.body.innerText").strip() == (
            "This page needs JavaScript, which is off in this browser.")


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
