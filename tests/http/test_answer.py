"""How an answer goes on the wire: its length, its chunks, and whether another may follow."""

from __future__ import annotations

from typing import Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.h1.head import HTTP_1_0, HTTP_1_1
from kasmd.h1.session import BodyReceived, ClientSession, ResponseReceived
from kasmd.http.answer import Outgoing, has_body
from kasmd.http.problems import CLOSE


def head(outgoing: Outgoing, status: int = 200, length: Optional[int] = None,
         keep: bool = True) -> list[bytes]:
    return outgoing.head(status, None, [], length, keep).split(b"\r\n")


@pytest.mark.parametrize("method, status, expected", [
    (b"GET", 200, True), (b"HEAD", 200, False), (b"GET", 204, False), (b"GET", 304, False),
    (b"GET", 101, False), (b"POST", 404, True),
])
def test_what_may_have_a_body(method: bytes, status: int, expected: bool) -> None:
    assert has_body(method, status) is expected


@pytest.mark.parametrize("method, version, status, length, said, keeps", [
    (b"GET", HTTP_1_1, 200, 5, b"Content-Length: 5", True),
    (b"GET", HTTP_1_1, 200, 0, b"Content-Length: 0", True),
    (b"HEAD", HTTP_1_1, 200, 5, b"Content-Length: 5", True),
    (b"HEAD", HTTP_1_1, 304, 5, None, True),
    (b"GET", HTTP_1_1, 204, 0, None, True),
    (b"GET", HTTP_1_1, 200, None, b"Transfer-Encoding: chunked", True),
    (b"GET", HTTP_1_0, 200, None, b"Connection: close", False),
    (b"HEAD", HTTP_1_1, 200, None, None, True),
])
def test_framing(method: bytes, version: bytes, status: int, length: Optional[int],
                 said: Optional[bytes], keeps: bool) -> None:
    outgoing = Outgoing(method, version)
    lines = head(outgoing, status, length)
    framing = [line for line in lines if line.startswith((b"Content-L", b"Transfer", b"Connect"))]
    assert framing == ([said] if said else [])
    assert outgoing.keep is keeps and outgoing.status == status


def test_who_may_not_go_on_is_told_once() -> None:
    outgoing = Outgoing(b"GET", HTTP_1_1)
    assert head(outgoing, 200, 0, keep=False).count(b"Connection: close") == 1
    written = outgoing.head(400, None, [CLOSE], 0, True)
    assert written.count(b"Connection: close") == 1 and not outgoing.keep


def test_a_changed_protocol_is_not_closed() -> None:
    assert b"Connection: close" not in head(Outgoing(b"GET", HTTP_1_1), 101, None, keep=False)


def test_no_more_than_was_said() -> None:
    outgoing = Outgoing(b"GET", HTTP_1_1)
    before = len(b"\r\n".join(head(outgoing, 200, 5)))
    assert outgoing.is_short
    assert (outgoing.piece(b"abc"), outgoing.piece(b"defg")) == (b"abc", b"de")
    assert (outgoing.is_short, outgoing.sent, outgoing.last) == (False, before + 5, b"")


def test_a_head_has_nothing_behind_it() -> None:
    outgoing = Outgoing(b"HEAD", HTTP_1_1)
    head(outgoing, 200, 5)
    assert outgoing.piece(b"hello") == b"" and not outgoing.is_short


@given(st.lists(st.binary(max_size=50), max_size=8), st.booleans())
def test_what_goes_out_is_what_comes_in(pieces: list[bytes], known: bool) -> None:
    outgoing, body = Outgoing(b"GET", HTTP_1_1), b"".join(pieces)
    wire = outgoing.head(200, None, [], len(body) if known else None, True)
    wire += b"".join(map(outgoing.piece, pieces)) + outgoing.last
    client = ClientSession()
    client.expect(b"GET")
    client.receive_data(wire)
    events = list(client.events_received())
    assert isinstance(events[0], ResponseReceived)
    assert b"".join(event.data for event in events if isinstance(event, BodyReceived)) == body
