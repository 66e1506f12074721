"""The page where there is little room, little light, or nothing to be had from the server."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Iterator

import numpy as np
import pytest

from tests.live.chromium import Chromium
from tests.live.daemon import ACCOUNTS, Daemon
from tests.live.painter import Painter
from tests.live.pictures import known_picture
from tests.live.prefix import PrefixProxy
from tests.live.programs import eventually
from tests.live.test_browser import GONE, PHONE
from tests.live.web import patch

LONG = "Donaudampfschifffahrtselektrizitaetenhauptbetriebswerkbauunterbeamter"
PEOPLE = {**ACCOUNTS, "ada": "rw", LONG: "rw"}
#: Gives what is too faint (WCAG 2.2, 1.4.3 and 1.4.11): which element, and its contrast.
FAINT = """(() => {
    const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const light = (colour) => parts(colour).slice(0, 3).map((part) => part / 255)
        .map((part) => (part > 0.04045 ? ((part + 0.055) / 1.055) ** 2.4 : part / 12.92))
        .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
    const behind = (each) => {
        const colour = getComputedStyle(each).backgroundColor;
        return parts(colour)[3] === 0 ? behind(each.parentElement) : colour;
    };
    const contrast = (...colours) => {
        const [dark, bright] = colours.map(light).sort((one, other) => one - other);
        return (bright + 0.05) / (dark + 0.05);
    };
    const found = [];
    for (const each of document.querySelectorAll("body *:not(:disabled)")) {
        const { color, borderTopColor } = getComputedStyle(each);
        const isText = [...each.childNodes].some((node) => node.data?.trim());
        if (!each.checkVisibility() || each.closest(".unseen")) {
            continue;
        }
        if (isText && contrast(color, behind(each)) < 4.5) {
            found.push([each.outerHTML, contrast(color, behind(each))]);
        }
        const isField = each.matches("textarea, select, input:not([type=range])");
        if (isField && contrast(borderTopColor, behind(each.parentElement)) < 3) {
            found.push([each.outerHTML, contrast(borderTopColor, behind(each.parentElement))]);
        }
    }
    return found;
})()"""
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


def is_on_top(selector: str) -> str:
    """Give what is true where an element is not covered by another one."""
    return (f"((it) => {{ const {{ x, y, width, height }} = it.getBoundingClientRect();"
            " return document.elementFromPoint(x + width / 2, y + height / 2) === it;"
            f" }})(document.querySelector('{selector}'))")


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


class TestPhone:
    """A narrow screen and fingers."""

    def test_why_it_ended_is_not_behind_the_panel(self, chromium: Chromium,
                                                  daemon: Daemon) -> None:
        chromium.enter(daemon.url, "ada", **PHONE)
        chromium.do("tap", selector="#handle")
        chromium.wait_true("!document.querySelector('#panel').inert")
        daemon.set_accounts({name: PEOPLE[name] for name in PEOPLE if name != "ada"})
        chromium.wait_text("#curtain-text", "This account may not be here any more.")
        chromium.wait_true(is_on_top("#curtain-retry"))
        # Who is not let in without logging in is not asked to try once more.
        chromium.do("tap", selector="#curtain-retry")
        chromium.wait_true("document.querySelector('#curtain-retry').hidden"
                           " && document.querySelector('#curtain').className === 'halted'")
        chromium.wait_true(is_on_top("#curtain-login"))
        assert chromium.eval("document.querySelector('#curtain-login').offsetHeight") >= 30
        daemon.set_accounts(PEOPLE)

    def test_actual_pixels_are_moved_by_a_finger(
        self, chromium: Chromium, daemon: Daemon, painter: Painter, tmp_path: Path
    ) -> None:
        picture = known_picture()
        painter.show(picture, tmp_path / "picture.npy")
        chromium.enter(daemon.url, "reader", **{**PHONE, "viewport": [300, 200]})
        chromium.do("tap", selector="#handle")
        chromium.eval("""(() => {
            const size = document.querySelector("#size");
            size.value = "actual";
            size.dispatchEvent(new Event("change"));
        })()""")
        chromium.do("tap", selector="#close")
        rgb = picture[..., 2::-1]

        def shows(x: int, y: int) -> bool:
            return bool(np.array_equal(chromium.picture(), rgb[y:y + 200, x:x + 300]))

        eventually(lambda: shows(0, 0), "the corner is seen")
        chromium.do("swipe", points=[[250, 150], [230, 130], [210, 110], [190, 100]])
        eventually(lambda: shows(60, 50), "another part is seen")

    def test_safari_need_not_magnify_what_is_typed_in(self, chromium: Chromium,
                                                      daemon: Daemon) -> None:
        chromium.open(daemon.url, "writer", **PHONE)
        assert chromium.eval("""[...document.querySelectorAll("select, textarea")].every(
            (each) => parseFloat(getComputedStyle(each).fontSize) >= 16)""")


class TestTexts:
    """What is written is true, and there to be read."""

    def test_a_long_name_leaves_room_for_who_it_is(self, chromium: Chromium,
                                                   daemon: Daemon) -> None:
        chromium.enter(daemon.url, LONG)
        chromium.do("click", selector="#handle")
        box = chromium.eval("""(() => {
            const name = document.querySelector("#here .name");
            const range = document.createRange();
            range.selectNode(name.nextSibling);
            const all = [name, range, name.parentNode];
            const boxes = all.map((each) => each.getBoundingClientRect());
            return { text: String(range), title: name.title, name: boxes[0].right,
                     left: boxes[1].left, right: boxes[1].right, end: boxes[2].right };
        })()""")
        assert (box["text"], box["title"]) == ("(you)", LONG)
        assert box["name"] < box["left"] < box["right"] < box["end"]

    @pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
    def test_nothing_is_too_faint(self, chromium: Chromium, daemon: Daemon, dark: bool) -> None:
        chromium.enter(daemon.url, "writer", dark=dark)
        chromium.do("click", selector="#handle")
        chromium.wait_true("document.querySelector('#panel').getAnimations().length === 0")
        assert chromium.eval(FAINT) == []
        chromium.open(f"{daemon.url}login", "writer", dark=dark)
        assert chromium.eval(FAINT) == []

    def test_sizes(self, chromium: Chromium, daemon: Daemon) -> None:
        chromium.open(daemon.url, "writer")
        assert chromium.eval("""import(new URL("uploads.mjs", document.baseURI)).then(
            ({ sized }) => [0, 1, 2, 999, 1500, 2e9].map(sized))""") == [
            "0 bytes", "1 byte", "2 bytes", "999 bytes", "1.5 kB", "2.0 GB",
        ]


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
