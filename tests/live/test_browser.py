"""A real browser on a real desktop: it sees, types, pastes, resizes, and finds its way back."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import pytest

from kasmd.codec.base import COLUMNS
from tests.live.chromium import CANVAS, Chromium
from tests.live.daemon import Daemon, twistd
from tests.live.desktop import BLUE, IN_TERMINAL, copying, pasted, terminal, wait_typed, x_server
from tests.live.painter import Painter
from tests.live.pictures import difference, known_picture
from tests.live.prefix import PrefixProxy
from tests.live.programs import ROOT, Program, eventually
from tests.live.proxies import free_port
from tests.live.rawviewer import RawViewer, websocket
from tests.live.web import get, post
from tests.written import BRIGHT, GREYS, written

PHONE = {"viewport": [390, 844], "mobile": True}
#: What the browser and noVNC themselves say of a server that is gone.
GONE = re.compile(r"net::ERR_|\(code: 1006\)")
#: Has ``met`` hold the encodings of what noVNC shows from now on.
MET = """import(new URL("novnc/core/rfb.js", document.baseURI)).then(({ default: RFB }) => {
    window.met = new Set();
    const inner = RFB.prototype._handleDataRect;
    RFB.prototype._handleDataRect = function () {
        window.met.add(this._FBU.encoding);
        return inner.call(this);
    };
})"""
#: Text that Latin-1 has not.
ODD = "Grüße, 5 €, \N{HIRAGANA LETTER A}\N{GRINNING FACE}"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(tmp_path_factory.mktemp("browser"), require_ssl=False) as daemon:
        yield daemon


@pytest.fixture
def page(chromium: Chromium, daemon: Daemon) -> Iterator[Chromium]:
    """The page, connected as writer; whatever is done, its console stays empty."""
    chromium.enter(daemon.url, "writer")
    yield chromium
    assert chromium.errors() == []


def wait_focus(page: Chromium, *selectors: str) -> None:
    for selector in selectors:
        page.wait_true(f"document.activeElement.matches('{selector}')")


class TestDesktop:
    """What a person does with the desktop."""

    def test_sees_what_was_painted(self, page: Chromium, painter: Painter, tmp_path: Path) -> None:
        picture = known_picture()
        painter.show(picture, tmp_path / "picture.npy")
        eventually(lambda: difference(page.picture(), picture) < 2, "the picture is seen")

    @pytest.mark.parametrize("smooth,inks", [(False, GREYS), (True, GREYS), (True, BRIGHT)])
    def test_sees_what_is_written(
        self, chromium: Chromium, daemon: Daemon, painter: Painter, tmp_path: Path,
        smooth: bool, inks: tuple[tuple[int, int, int], ...],
    ) -> None:
        text = written(600, 1000, smooth, inks)
        painter.show(np.zeros_like(text), tmp_path / "blank.npy")
        chromium.enter(daemon.url, "writer")
        chromium.eval(MET)
        painter.show(text, tmp_path / "text.npy")
        eventually(lambda: difference(chromium.picture(), text, True) == 0, "the text is seen")
        assert COLUMNS in chromium.eval("[...met]")
        assert chromium.errors() == []

    def test_types(self, page: Chromium, daemon: Daemon) -> None:
        with terminal(daemon) as path:
            page.wait_pixel(*IN_TERMINAL, BLUE)
            page.do("click", x=IN_TERMINAL[0], y=IN_TERMINAL[1])
            page.do("type", text="Hello, World! {}~")
            page.do("press", key="Enter")
            page.do("stroke", key="ü", code="BracketLeft")
            page.do("stroke", key="€", code="KeyE")
            page.do("stroke", key="あ", code="KeyA")
            page.do("press", key="Enter")
            wait_typed(path, "Hello, World! {}~\nü€あ\n")

    def test_types_before_it_knows_what_it_may(self, chromium: Chromium, daemon: Daemon) -> None:
        chromium.enter(daemon.url, "writer")
        with terminal(daemon) as path:
            chromium.wait_pixel(*IN_TERMINAL, BLUE)
            chromium.do("click", x=IN_TERMINAL[0], y=IN_TERMINAL[1])
            chromium.open(daemon.url, "writer", held="**/me/events*")
            chromium.wait_true("document.querySelector('#curtain').className === 'gone'")
            chromium.do("type", text="early")
            chromium.do("press", key="Enter")
            wait_typed(path, "early\n")
            assert chromium.eval("document.querySelector('#here').children.length") == 0

    def test_holds_keys_only_while_it_has_the_focus(self, page: Chromium, painter: Painter) -> None:
        page.do("down", key="Shift")
        eventually(lambda: painter.do("held") == "1 1", "Shift is down")
        page.do("press", key="Control+Alt+P")
        page.wait_true("document.querySelector('#handle').ariaExpanded === 'true'")
        eventually(lambda: painter.do("held") == "0 0", "all keys are up")
        page.do("up", key="Shift")

    def test_resizes(self, page: Chromium, painter: Painter) -> None:
        for size in ((1000, 700), (1280, 800)):
            page.do("resize", viewport=size)
            eventually(lambda: painter.size == size, f"the desktop is {size}")
            page.wait_true(f"document.querySelector('{CANVAS}').width === {size[0]}")

    def test_pastes_onto_the_desktop(self, page: Chromium, daemon: Daemon) -> None:
        page.do("click", selector="#handle")
        for text in (ODD, "long " * 20_000):
            page.do("fill", selector="#clipboard", text=text)
            eventually(lambda: pasted(daemon) == text, "the text is on the desktop")

    def test_copies_from_the_desktop(self, page: Chromium, daemon: Daemon) -> None:
        for text in (ODD, "more " * 20_000):
            with copying(daemon, text):
                page.wait_true(f"document.querySelector('#clipboard').value === {text!r}")

    def test_keeps_the_browsers_clipboard_in_step(self, chromium: Chromium, daemon: Daemon) -> None:
        chromium.enter(daemon.url, "writer", permissions=["clipboard-read", "clipboard-write"])
        with copying(daemon, ODD):
            eventually(lambda: chromium.do("clipboard") == ODD, "the browser has the text")
        chromium.do("clipboard", text=ODD[::-1])
        chromium.do("click", x=900, y=700)
        eventually(lambda: pasted(daemon) == ODD[::-1], "the desktop has the text")
        assert chromium.errors() == []


class TestPanel:
    """The panel, by mouse, by keyboard alone, and on a phone."""

    def test_by_keyboard_alone(self, page: Chromium, painter: Painter) -> None:
        page.wait_true("document.querySelector('#panel').inert")
        page.do("press", key="Control+Alt+Shift+P")
        wait_focus(page, "#close")
        assert page.eval("document.querySelector('#handle').ariaExpanded") == "true"
        reached = set()
        for _ in range(20):
            page.do("press", key="Tab")
            reached.add(page.eval("document.activeElement.id || document.activeElement.innerText"))
        assert reached >= {"Ctrl", "Alt", "Tab", "Esc", "Ctrl+Alt+Del", "clipboard", "size",
                           "quality", "compression", "fullscreen"}
        page.do("press", key="Escape")
        wait_focus(page, CANVAS)
        assert page.eval("document.querySelector('#handle').ariaExpanded") == "false"
        page.do("down", key="Shift")
        eventually(lambda: painter.do("held") == "1 1", "keys are the desktop's again")
        page.do("up", key="Shift")
        page.eval("document.querySelector('#handle').focus()")
        page.do("press", key="Enter")
        page.wait_true("!document.querySelector('#panel').inert")
        wait_focus(page, "#close")
        page.do("press", key="Enter")
        page.wait_true("document.querySelector('#panel').inert")
        wait_focus(page, CANVAS)

    def test_keys_that_a_browser_keeps(self, page: Chromium, daemon: Daemon,
                                       painter: Painter) -> None:
        with terminal(daemon) as path:
            page.wait_pixel(*IN_TERMINAL, BLUE)
            page.do("click", x=IN_TERMINAL[0], y=IN_TERMINAL[1])
            page.do("click", selector="#handle")
            page.do("click", selector="[data-tap=Tab]")
            page.do("click", selector="[data-tap=Escape]")
            page.do("click", selector="[data-hold=ControlLeft]")
            eventually(lambda: painter.do("held") == "1 4", "Control is down")
            page.do("click", selector="[data-hold=ControlLeft]")
            eventually(lambda: painter.do("held") == "0 0", "Control is up")
            page.do("click", x=IN_TERMINAL[0], y=IN_TERMINAL[1])
            page.do("press", key="Enter")
            wait_typed(path, "\t\x1b\n")

    def test_quality_is_kept(self, page: Chromium, daemon: Daemon) -> None:
        page.do("click", selector="#handle")
        page.do("fill", selector="#quality", text="9")
        page.do("reload")
        page.wait_connected()
        page.wait_true("document.querySelector('output[for=quality]').value === '9'")

    def test_who_else_is_here(self, page: Chromium, daemon: Daemon) -> None:
        page.wait_text("#here", "writer(you)")
        with RawViewer(websocket(daemon.port, "reader")):
            page.wait_text("#here", "reader")
        page.wait_true("!document.querySelector('#here').textContent.includes('reader')")

    def test_two_windows_of_one_account_know_themselves(self, page: Chromium,
                                                        daemon: Daemon) -> None:
        names = ("[...document.querySelectorAll('#here .name')].map("
                 "(name) => name.textContent + (name.nextSibling.data ?? ''))")
        with Chromium() as second:
            second.enter(daemon.url, "writer")
            for window, said in ((page, "writer(you),writer"), (second, "writer,writer(you)")):
                window.wait_true(f"({names}).join() === '{said}'")

    def test_a_message_is_shown_until_it_is_put_away(self, page: Chromium, daemon: Daemon) -> None:
        text = "The machine is updated at six.\n<b>Save</b> your work."
        with RawViewer(websocket(daemon.port, "writer")):
            # Of those who were here before, some may leave still.
            mine, raw = eventually(
                lambda: len(found := get(daemon.port, "/api/v1/sessions", "owner").json) == 2
                and [each["id"] for each in found], "the two of us")
            for ident, shown in ((mine, True), (raw, False)):
                answer = post(daemon.port, f"/api/v1/sessions/{ident}/messages", {"text": text},
                              "owner", Content_Type="application/json")
                assert answer.json == {"shown": shown}
        page.wait_text("#messages .name", "owner")
        assert page.eval("document.querySelector('#messages .text').innerText") == text
        page.do("click", selector="#messages button")
        page.wait_true("document.querySelector('#messages').children.length === 0")
        wait_focus(page, CANVAS)

    def test_on_a_phone(self, chromium: Chromium, daemon: Daemon) -> None:
        chromium.enter(daemon.url, "writer", **PHONE)
        with terminal(daemon) as path:
            chromium.wait_pixel(*IN_TERMINAL, BLUE)
            chromium.do("tap", selector=CANVAS)
            chromium.do("tap", selector="#handle")
            chromium.wait_true("!document.querySelector('#panel').inert"
                               " && document.querySelector('#panel').getAnimations().length === 0")
            box = chromium.eval("document.querySelector('#panel').getBoundingClientRect()")
            assert (box["left"], box["right"], box["bottom"]) == (0, 390, 844)
            assert chromium.eval("document.documentElement.scrollWidth") == 390
            chromium.do("tap", selector="#keyboard")
            wait_focus(chromium, "#typing")
            assert chromium.eval("document.querySelector('#panel').inert")
            chromium.do("type", text="on a phone: 5 €x")
            chromium.do("press", key="Backspace")
            chromium.do("press", key="Enter")
            wait_typed(path, "on a phone: 5 €\n")
        assert chromium.errors() == []


class TestSafety:
    """What the page may not do, and where it may lie."""

    def test_scripts_of_others_do_not_run(self, chromium: Chromium, daemon: Daemon) -> None:
        chromium.enter(daemon.url, "writer")
        chromium.eval("""(() => {
            window.refused = [];
            addEventListener("securitypolicyviolation",
                ({ effectiveDirective }) => refused.push(effectiveDirective));
            const script = document.createElement("script");
            script.textContent = "window.ran = true";
            document.body.append(script);
            document.body.insertAdjacentHTML("beforeend", '<p style="color: red">');
            fetch("https://example.invalid/").catch(() => {});
        })()""")
        chromium.wait_true("refused.length >= 3")
        assert set(chromium.eval("refused")) == {"script-src-elem", "style-src-attr", "connect-src"}
        assert not chromium.eval("window.ran")

    def test_under_a_path_prefix(self, chromium: Chromium, daemon: Daemon) -> None:
        with PrefixProxy(daemon.port) as proxy:
            chromium.enter(proxy.url, "writer")
            chromium.wait_text("#who", "Connected as writer")
            chromium.wait_true(f"document.querySelector('{CANVAS}').width === 1280")
            assert chromium.errors() == []
            assert proxy.strays == []


class TestTrouble:
    """What becomes of a viewer when something behind it dies."""

    def test_the_x_server_is_killed(self, page: Chromium, daemon: Daemon, tmp_path: Path) -> None:
        page.watch_curtain()
        before = len(re.findall("desktop :", daemon.output))
        os.kill(x_server(daemon), signal.SIGKILL)
        eventually(lambda: len(re.findall("desktop :", daemon.output)) > before, "a new X server")
        picture = known_picture()
        with Painter(daemon.x_environment) as painter:
            painter.show(picture, tmp_path / "picture.npy")
            eventually(lambda: difference(page.picture(), picture) < 2, "the new screen is seen")
        assert page.curtains() == []

    def test_the_x_server_is_stopped(self, page: Chromium, daemon: Daemon, painter: Painter,
                                     tmp_path: Path) -> None:
        page.watch_curtain()
        picture = known_picture()
        pid = x_server(daemon)
        with RawViewer(websocket(daemon.port, "owner")) as other:
            os.kill(pid, signal.SIGSTOP)
            try:
                page.do("type", text="nobody hears")
                page.do("click", selector="#handle")
                page.do("fill", selector="#clipboard", text="nobody reads")
                other.settle()
                assert page.eval("fetch('api/v1/me').then((answer) => answer.status)") == 200
                page.wait_text("#chip", "The desktop does not answer")
            finally:
                os.kill(pid, signal.SIGCONT)
        page.wait_true("document.querySelector('#chip').hidden")
        painter.show(picture, tmp_path / "picture.npy")
        eventually(lambda: difference(page.picture(), picture) < 2, "the screen is seen again")
        assert page.curtains() == []

    def test_the_daemon_is_started_again(self, chromium: Chromium, tmp_path: Path) -> None:
        with Daemon(tmp_path, port=free_port()) as daemon:
            chromium.enter(daemon.url, "writer")
            chromium.watch_curtain()
        chromium.wait_true("curtains.some((text) => text.includes('again in 2 s'))")
        command = twistd("--config", str(daemon.configuration))
        with Program(*command, env={"HOME": str(tmp_path)}, cwd=ROOT):
            chromium.wait_connected()
        seen = chromium.curtains()
        assert seen[0] == "Connection lost. The server is stopping.\nTrying again in 1 s."
        assert any("The server does not answer.\nTrying again in 2 s." in text for text in seen)
        assert [error for error in chromium.errors() if not GONE.search(error)] == []


@pytest.mark.parametrize("screen", [{}, PHONE], ids=["desk", "phone"])
def test_the_page_of_the_api(
    chromium: Chromium, daemon: Daemon, screen: dict[str, Any]
) -> None:
    chromium.open(f"{daemon.url}api/v1/docs", "reader", **screen)
    chromium.wait_text("#about", "Version")
    document = get(daemon.port, "/api/v1/openapi.json", "reader").json
    operations = [said for methods in document["paths"].values() for said in methods.values()]

    def texts(selector: str) -> list[str]:
        found: list[str] = chromium.eval(
            f"[...document.querySelectorAll('{selector}')].map((each) => each.textContent)"
        )
        return found

    tags = dict.fromkeys(said["tags"][0].capitalize() for said in operations)
    assert (texts("h1"), texts("h2")) == (["The owner's API"], [*tags, "Schemas"])
    titles = [f"{method.upper()} /api/v1{path}"
              for path, methods in document["paths"].items() for method in methods]
    assert sorted(texts("h3")) == sorted([*titles, *document["components"]["schemas"]])
    # Every link within the page leads somewhere, and nothing is wider than the screen.
    assert chromium.eval("[...document.links].every(({ hash }) => !hash"
                         " || document.getElementById(hash.slice(1)))")
    assert chromium.eval("document.documentElement.scrollWidth <= innerWidth")
    assert {url for url in chromium.do("requests") if not url.startswith(daemon.url)} == set()
    assert chromium.errors() == []
