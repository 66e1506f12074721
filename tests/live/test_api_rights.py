"""Rights changed over the API while pictures, a drag and a paste are under way."""

from __future__ import annotations

from contextlib import suppress
from typing import Iterator

import pytest

from kasmd.rfb.client import FenceSent, UpdateReceived
from tests.live.daemon import Daemon
from tests.live.desktop import pasted
from tests.live.painter import Painter
from tests.live.programs import eventually
from tests.live.rawviewer import RawViewer, websocket
from tests.live.web import get

CHANGES = 20
BARE = "display:\n  window_manager: []\n  terminal: []\n"
PEOPLE = {"ann": "rw", "owner": "rwo"}
#: The mask of the first button, as a viewer sends it and as X has it.
LEFT, X_LEFT = 1, 256
A = 0x61


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("api-rights")
    with Daemon(folder, BARE, require_ssl=False, accounts=PEOPLE) as daemon:
        yield daemon


@pytest.fixture
def ann(daemon: Daemon) -> Iterator[RawViewer]:
    with RawViewer(websocket(daemon.port, "ann", tls=False)) as ann:
        yield ann
    update(daemon, "write=true")


@pytest.fixture
def owner(daemon: Daemon) -> Iterator[RawViewer]:
    with RawViewer(websocket(daemon.port, "owner", tls=False)) as owner:
        yield owner


def update(daemon: Daemon, rights: str) -> None:
    """Change what ann may do."""
    answer = get(daemon.port, f"/api/update_user?name=ann&{rights}", "owner")
    assert (answer.status, answer.body) == (200, "200 OK")


def take_read(daemon: Daemon, ann: RawViewer) -> int:
    """Let ann see nothing more; give how many events she had by then."""
    update(daemon, "read=false")
    drain(ann)
    answered = len(ann.updates)
    ann.settle()
    # The end of an update that was under way.
    assert len(ann.updates) - answered <= 1
    return len(ann.events)


def drain(viewer: RawViewer) -> None:
    """Take in what is there already."""
    with suppress(TimeoutError):
        while True:
            viewer.receive(0)


def more_updates(viewer: RawViewer, count: int) -> None:
    wanted = len(viewer.updates) + count
    viewer.wait_until(lambda: len(viewer.updates) >= wanted, f"{count} more updates")


def test_no_picture_after_the_answer_while_the_screen_changes(
    daemon: Daemon, painter: Painter, ann: RawViewer, owner: RawViewer
) -> None:
    painter.do("blink 0 0")
    for _ in range(CHANGES):
        more_updates(ann, 2)
        since = take_read(daemon, ann)
        drain(owner)
        more_updates(owner, 2)
        ann.settle()
        assert {type(event) for event in ann.events[since:]} == {FenceSent}
        update(daemon, "read=true")


def test_no_picture_after_the_answer_while_the_screen_is_still(
    daemon: Daemon, ann: RawViewer
) -> None:
    for _ in range(CHANGES):
        ann.wait_for(UpdateReceived)
        ann.settle()
        since = take_read(daemon, ann)
        ann.request(incremental=False)
        ann.settle()
        assert {type(event) for event in ann.events[since:]} == {FenceSent}
        update(daemon, "read=true")
        ann.wait_for(UpdateReceived, since)


def test_keys_a_drag_and_a_paste_are_under_way(
    daemon: Daemon, painter: Painter, ann: RawViewer, owner: RawViewer
) -> None:
    ann.session.send_key(True, A)
    ann.point(300, 300, LEFT)
    ann.session.send_pointer(310, 300, LEFT)
    ann.flush()
    ann.session.send_cut_text("half of it is sent " * 1000)
    (paste,) = ann.session.data_to_send()
    ann.session.send(paste[:9000])
    ann.flush()
    eventually(lambda: painter.do("held") == f"1 {X_LEFT}", "key and button are down")
    update(daemon, "write=false")
    eventually(lambda: painter.do("held") == "0 0", "key and button are up")
    ann.session.send(paste[9000:])
    ann.point(320, 300, LEFT)
    ann.settle()
    assert painter.do("held") == "0 0"
    assert pasted(daemon) == ""
    owner.point(330, 300, LEFT)
    eventually(lambda: painter.do("held") == f"0 {X_LEFT}", "another may drag")
    owner.point(330, 300, 0)
    update(daemon, "write=true")
    ann.session.send(paste)
    ann.settle()
    eventually(lambda: pasted(daemon).startswith("half of it is sent"), "the paste is there")
