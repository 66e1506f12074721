"""The desktop behind an edge: which tickets it believes, over HTTP and for a websocket."""

from __future__ import annotations

import base64
import time
from pathlib import Path
from typing import Callable, Iterator, NamedTuple

import pytest

from kasmd.permission.registry import EVERYTHING
from kasmd.permission.tickets import AGENT_HOP, DESKTOP_HOP, Tickets
from kasmd.rights import READ, Right
from tests.live.daemon import Daemon
from tests.live.edge import websocket_request
from tests.live.raw_websocket import RawWebsocket
from tests.live.web import get

KEY = bytes(range(32))
PATHS = ("/", "/style.css", "/api/v1/me", "/api/v1/me/events", "/api/v1/users", "/api/get_users")


def sign(key: bytes = KEY, hop: str = DESKTOP_HOP, age: float = 0, name: str = "writer",
         rights: Right = Right.ENTER | READ) -> str:
    return Tickets((key,), hop, lambda: time.time() - age).sign(name, "desk", rights)


def _unsigned() -> str:
    head = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    return ".".join((head, sign().split(".")[1], ""))


class Bad(NamedTuple):
    """A ticket that is none here."""

    name: str
    make: Callable[[], str]


BAD = (
    Bad("nothing", lambda: "x"),
    Bad("cut short", lambda: sign()[:-1]),
    Bad("over", lambda: sign(age=1000)),
    Bad("not yet", lambda: sign(age=-1000)),
    Bad("of another key", lambda: sign(bytes(32))),
    Bad("for another hop", lambda: sign(hop=AGENT_HOP)),
    Bad("not signed", _unsigned),
)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder: Path = tmp_path_factory.mktemp("desktop")
    (folder / "key").write_text(KEY.hex() + "\n")
    (folder / "key").chmod(0o600)
    more = f"security:\n  ticket_key: {folder}/key\n"
    with Daemon(folder, more, require_ssl=False) as daemon:
        yield daemon.port
        assert "Traceback" not in daemon.output


def status_of_websocket(port: int, *fields: bytes) -> int:
    with RawWebsocket(port, websocket_request("/websockify", *fields, authorization=b"")) as asked:
        return asked.status


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_others_are_nobody_s(port: int, bad: Bad) -> None:
    """Not even where a password came along."""
    ticket = bad.make()
    for path in PATHS:
        assert get(port, path, Kasmd_Ticket=ticket).status == 401
        assert get(port, path, "owner", Kasmd_Ticket=ticket).status == 401
    assert status_of_websocket(port, b"Kasmd-Ticket: " + ticket.encode("ascii")) == 401


def test_a_good_one_gives_what_it_says_and_no_more(port: int) -> None:
    ticket = sign()
    assert get(port, "/api/v1/me", Kasmd_Ticket=ticket).json["name"] == "writer"
    assert status_of_websocket(port, b"Kasmd-Ticket: " + ticket.encode("ascii")) == 101
    for path in ("/api/v1/users", "/api/get_users"):
        assert get(port, path, Kasmd_Ticket=ticket).status in (401, 403)
    every = sign(name="owner", rights=EVERYTHING)
    assert get(port, "/api/v1/users", Kasmd_Ticket=every).status == 200


def test_two_are_none(port: int) -> None:
    line = b"Kasmd-Ticket: " + sign().encode("ascii")
    assert status_of_websocket(port, line, line) == 400
