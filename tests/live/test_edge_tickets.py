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
from tests.live.programs import eventually
from tests.live.raw_websocket import BINARY, RawWebsocket, frame
from tests.live.web import get

KEY = bytes(range(32))
#: Bytes of the server's words as far as the desktop's name: RFC 6143 sections 7.1 to 7.3.2.
SERVER_INIT = 12 + 2 + 4 + 24
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
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder: Path = tmp_path_factory.mktemp("desktop")
    (folder / "key").write_text(KEY.hex() + "\n")
    (folder / "key").chmod(0o600)
    more = f"security:\n  ticket_key: {folder}/key\n"
    with Daemon(folder, more, require_ssl=False) as daemon:
        yield daemon
        assert "Traceback" not in daemon.output


@pytest.fixture(scope="module")
def port(daemon: Daemon) -> int:
    return daemon.port


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


def test_another_key_takes_the_old_one_s_place_without_a_restart(daemon: Daemon) -> None:
    """In the steps of docs/operating.rst; what was opened before stays."""
    port, other = daemon.port, bytes(32)

    def status(key: bytes) -> int:
        return get(port, "/api/v1/me", Kasmd_Ticket=sign(key)).status

    line = b"Kasmd-Ticket: " + sign().encode("ascii")
    request = websocket_request("/websockify", line, authorization=b"")
    with RawWebsocket(port, request) as opened:
        opened.send(frame(BINARY, b"RFB 003.008\n\x01\x01"))
        said = b""
        while len(said) < SERVER_INIT or len(said) < SERVER_INIT + said[SERVER_INIT - 1]:
            said += opened.message().payload
        for keys, old in (((KEY, other), 200), ((other, KEY), 200), ((other,), 401)):
            (daemon.folder / "key").write_text("".join(f"{key.hex()}\n" for key in keys))
            eventually(lambda: (status(other), status(KEY)) == (200, old), "the keys hold")
        # A picture is asked for, and comes.
        opened.send(frame(BINARY, b"\x03\0\0\0\0\0\0\x10\0\x10"))
        while opened.message().payload[:1] != b"\0":
            pass
    (daemon.folder / "key").write_text(f"{KEY.hex()}\n")
    eventually(lambda: status(KEY) == 200, "the first key holds again")
