"""Rights on the living desktop: what each person may see and do, and edits of the file."""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path
from typing import Iterator

import numpy as np
import pytest

from kasmd.rfb.client import Connected, CutTextSent, FenceSent, Received, UpdateReceived
from kasmd.rfb.numbers import Encoding
from kasmd.screen.pixels import Pixels
from tests.live.chromium import Chromium
from tests.live.daemon import ACCOUNTS, Daemon
from tests.live.desktop import BLUE, IN_TERMINAL, copying, pasted, terminal, wait_typed
from tests.live.painter import Painter
from tests.live.pictures import TILE, difference, known_picture
from tests.live.programs import eventually
from tests.live.rawviewer import RawViewer, websocket

#: One account for each test that edits it, so that no edit disturbs another test.
PEOPLE = {**ACCOUNTS, "ada": "rw", "bea": "rw", "cleo": "rw", "dora": "rw"}
#: Shapes of X's cursor font; each is unlike the one before.
GLYPHS = itertools.cycle(range(0, 140, 2))
A = 0x61
ENTER = 0xFF0D
#: The mask of the first button, as a viewer sends it and as X has it.
LEFT, X_LEFT = 1, 256


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(tmp_path_factory.mktemp("rights"), accounts=PEOPLE) as daemon:
        yield daemon


def viewer(daemon: Daemon, name: str) -> RawViewer:
    return RawViewer(websocket(daemon.port, name))


def shows(viewer: RawViewer, picture: Pixels) -> bool:
    height, width = picture.shape[:2]
    return bool(np.array_equal(viewer.screen[:height, :width, :3], picture[..., :3]))


def happen(daemon: Daemon, painter: Painter, witness: RawViewer, tmp_path: Path) -> Pixels:
    """Have a new picture, cursor and clipboard, and wait until ``witness`` has all three."""
    since, text = len(witness.events), f"text {time.monotonic()}"
    picture = known_picture()
    picture[:TILE, :, :3] = list(os.urandom(3))
    painter.show(picture, tmp_path / "picture.npy")
    witness.point(20, 20)
    painter.do(f"cursor {next(GLYPHS)}")
    with copying(daemon, text):
        witness.wait_until(lambda: shows(witness, picture), "the new picture")
        witness.wait_for(CutTextSent, since)
        witness.wait_until(lambda: Encoding.CURSOR in encodings(witness, since), "the new cursor")
    return picture


def encodings(viewer: RawViewer, since: int = 0) -> set[int]:
    return {rectangle.encoding for rectangle in rectangles(viewer, since)}


def rectangles(viewer: RawViewer, since: int) -> list[Received]:
    updates = [event for event in viewer.events[since:] if isinstance(event, UpdateReceived)]
    return [rectangle for update in updates for rectangle in update.rectangles]


class TestWire:
    """What goes over the wire, byte by byte."""

    def test_a_reader_sees_and_is_not_heard(self, daemon: Daemon, painter: Painter,
                                            tmp_path: Path) -> None:
        with viewer(daemon, "reader") as reader, viewer(daemon, "owner") as owner:
            picture = happen(daemon, painter, owner, tmp_path)
            reader.wait_until(lambda: shows(reader, picture), "the reader sees")
            owner.point(30, 30)
            owner.settle()
            reader.session.send_key(True, A)
            reader.session.send_cut_text("of a reader")
            reader.session.send_desktop_size(640, 480, [])
            reader.point(50, 50, LEFT)
            reader.settle()
            assert painter.do("held") == "0 0"
            assert painter.size == (800, 600)
            assert pasted(daemon) != "of a reader"

    def test_one_without_rights_receives_nothing(self, daemon: Daemon, painter: Painter,
                                                 tmp_path: Path) -> None:
        with viewer(daemon, "nobody") as nobody, viewer(daemon, "owner") as owner:
            happen(daemon, painter, owner, tmp_path)
            nobody.session.send_key(True, A)
            nobody.settle()
            assert {type(event) for event in nobody.events} == {Connected, FenceSent}
            assert painter.do("held") == "0 0"

    def test_write_lost(self, daemon: Daemon, painter: Painter) -> None:
        with viewer(daemon, "ada") as ada:
            ada.session.send_key(True, A)
            ada.point(700, 500, LEFT)
            eventually(lambda: painter.do("held") == f"1 {X_LEFT}", "key and button are down")
            daemon.set_accounts({**PEOPLE, "ada": "r"})
            eventually(lambda: painter.do("held") == "0 0", "key and button are up")
            ada.session.send_key(True, A)
            ada.settle()
            assert painter.do("held") == "0 0"
            daemon.set_accounts(PEOPLE)

            def heard() -> bool:
                ada.type(A)
                ada.session.send_key(True, A)
                ada.settle()
                return painter.do("held") == "1 0"

            eventually(heard, "the key is down again")
        eventually(lambda: painter.do("held") == "0 0", "who leaves lets go")

    def test_read_lost_and_regained(self, daemon: Daemon, painter: Painter, tmp_path: Path) -> None:
        with viewer(daemon, "bea") as bea, viewer(daemon, "owner") as owner:
            painter.do("blink 0 0")
            bea.wait_until(lambda: len(bea.updates) > 5, "pictures come")
            daemon.set_accounts({**PEOPLE, "bea": ""})
            daemon.wait_for(r'audit: account "bea": rights rw -> ')
            bea.settle()
            since = len(bea.events)
            picture = happen(daemon, painter, owner, tmp_path)
            bea.request(incremental=False)
            bea.settle()
            assert {type(event) for event in bea.events[since:]} == {FenceSent}
            bea.screen[:] = 0
            daemon.set_accounts(PEOPLE)
            bea.wait_until(lambda: shows(bea, picture), "the picture is back")
            assert sum(received.rect.area for received in rectangles(bea, since)
                       if received.encoding == Encoding.TIGHT) >= 800 * 600
            assert Encoding.CURSOR in encodings(bea, since)

    def test_an_account_is_removed(self, daemon: Daemon) -> None:
        with viewer(daemon, "cleo") as cleo:
            daemon.set_accounts({name: PEOPLE[name] for name in PEOPLE if name != "cleo"})
            end = cleo.wait_for_end()
            assert (end.code, end.reason) == (1008, "this account may not be here any more")
        with pytest.raises(AssertionError, match="401"):
            viewer(daemon, "cleo")


class TestBrowser:
    """What the page makes of it."""

    def test_a_reader_sees_and_cannot_type(self, chromium: Chromium, daemon: Daemon) -> None:
        chromium.enter(daemon.url, "reader")
        chromium.wait_text("#chip", "You may look but not type")
        with terminal(daemon) as path, viewer(daemon, "owner") as owner:
            chromium.wait_pixel(*IN_TERMINAL, BLUE)
            owner.point(*IN_TERMINAL, LEFT, 0)
            chromium.do("click", x=600, y=100)
            chromium.do("type", text="no")
            chromium.do("press", key="Enter")
            chromium.do("click", selector="#handle")
            assert chromium.eval("document.querySelector('[data-tap=Tab]').disabled")
            assert chromium.eval("document.querySelector('#clipboard').readOnly")
            owner.type(A, ENTER)
            wait_typed(path, "a\n")
        assert chromium.errors() == []

    def test_one_without_rights_sees_nothing(self, chromium: Chromium, daemon: Daemon,
                                             painter: Painter, tmp_path: Path) -> None:
        chromium.enter(daemon.url, "nobody")
        chromium.wait_text("#chip", "You may not see this desktop")
        with viewer(daemon, "owner") as owner:
            happen(daemon, painter, owner, tmp_path)
        assert not chromium.picture().any()
        assert chromium.eval("document.querySelector('#clipboard').value") == ""
        assert chromium.errors() == []

    def test_rights_are_edited(self, chromium: Chromium, daemon: Daemon, painter: Painter,
                               tmp_path: Path) -> None:
        chromium.enter(daemon.url, "dora")
        chromium.watch_curtain()
        with viewer(daemon, "owner") as owner:
            first = happen(daemon, painter, owner, tmp_path)
            eventually(lambda: difference(chromium.picture(), first) < 3, "the first is seen")
            daemon.set_accounts({**PEOPLE, "dora": "r"})
            chromium.wait_text("#chip", "You may look but not type")
            daemon.set_accounts({**PEOPLE, "dora": ""})
            chromium.wait_text("#chip", "You may not see this desktop")
            chromium.wait_true("!document.querySelector('#screen canvas').checkVisibility({"
                               "visibilityProperty: true })")
            second = happen(daemon, painter, owner, tmp_path)
            assert difference(chromium.picture(), second) == float("inf")
            daemon.set_accounts(PEOPLE)
            eventually(lambda: difference(chromium.picture(), second) < 3, "the second is seen")
            chromium.wait_true("document.querySelector('#chip').hidden")
            assert chromium.curtains() == []
            assert chromium.errors() == []
        daemon.set_accounts({name: PEOPLE[name] for name in PEOPLE if name != "dora"})
        chromium.wait_text("#curtain-text", "This account may not be here any more.")
        chromium.wait_text("#curtain-title", "Disconnected")
        chromium.wait_true("document.querySelector('#here').children.length === 0")
        daemon.set_accounts(PEOPLE)
        chromium.do("click", selector="#curtain-retry")
        chromium.wait_connected()
        chromium.wait_text("#who", "Connected as dora")
        assert chromium.errors() == []
