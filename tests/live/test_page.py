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
from tests.live.painter import Painter
from tests.live.prefix import PrefixProxy
from tests.live.programs import eventually
from tests.live.test_browser import GONE
from tests.live.web import patch

LONG = "Donaudampfschifffahrtselektrizitaetenhauptbetriebswerkbauunterbeamter"
PEOPLE = {**ACCOUNTS, "ada": "rw", LONG: "rw"}
CONTROL = "document.querySelector('[data-hold=ControlLeft]')"
STATUS = "document.querySelector('#status').textContent"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("page")
    with Daemon(folder, require_ssl=False, accounts=PEOPLE) as daemon:
        yield daemon


def allow(daemon: Daemon, **rights: bool) -> None:
    """Give writer rights, or take them."""
    assert patch(daemon.port, "/api/v1/users/writer", {"rights": rights}, "owner").status == 200


class TestRights:
    """What is said and held while rights come and go."""

    def test_what_is_held_ends_with_the_right(self, chromium: Chromium, daemon: Daemon,
                                              painter: Painter) -> None:
        chromium.enter(daemon.url, "writer")
        chromium.do("click", selector="#handle")
        chromium.do("click", selector="[data-hold=ControlLeft]")
        eventually(lambda: painter.do("held") == "1 4", "Control is down")
        allow(daemon, keyboard=False)
        chromium.wait_true(f"{CONTROL}.disabled && {CONTROL}.ariaPressed === 'false'")
        eventually(lambda: painter.do("held") == "0 0", "Control is up")
        allow(daemon, keyboard=True)
        chromium.wait_true(f"!{CONTROL}.disabled")
        chromium.do("click", selector="[data-hold=ControlLeft]")
        eventually(lambda: painter.do("held") == "1 4", "Control is down again")
        chromium.do("click", selector="[data-hold=ControlLeft]")
        eventually(lambda: painter.do("held") == "0 0", "Control is up again")

    def test_escape_closes_the_panel_though_its_button_was_disabled(
        self, chromium: Chromium, daemon: Daemon
    ) -> None:
        chromium.enter(daemon.url, "writer")
        chromium.do("click", selector="#handle")
        chromium.do("click", selector="[data-tap=Tab]")
        allow(daemon, keyboard=False)
        chromium.wait_true("document.activeElement === document.body")
        chromium.do("press", key="Escape")
        chromium.wait_true("document.querySelector('#panel').inert")
        allow(daemon, keyboard=True)

    def test_each_change_is_said(self, chromium: Chromium, daemon: Daemon) -> None:
        chromium.enter(daemon.url, "writer")
        for rights, said in (
            ({"keyboard": False}, "You may click but not type"),
            ({"pointer": False}, "You may look but not type"),
            ({"keyboard": True}, "You may type but not click"),
            ({"pointer": True}, "Connected"),
        ):
            allow(daemon, **rights)
            chromium.wait_true(f"{STATUS} === '{said}'")
            chip = "document.querySelector('#chip')"
            assert chromium.eval(f"{chip}.textContent || 'Connected'") == said
        assert chromium.errors() == []


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
