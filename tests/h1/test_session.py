"""Connections: the same events however the bytes are cut, and nothing without a ceiling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.h1.body import chunk
from kasmd.h1.fields import HttpError
from kasmd.h1.head import Limits
from kasmd.h1.session import (
    ENDED,
    BodyReceived,
    ClientSession,
    RequestReceived,
    ResponseReceived,
    ServerSession,
    State,
)

GET = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"PUT /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;x\r\nabc\r\n2\r\nde\r\n0\r\nT: u\r\n\r\n"
)
SMALL = Limits(request_line=60, head=200, fields=8, chunk_line=20, trailers=60)


def play(*pieces, limits=Limits()):
    """Answer each request at once; give what was read, bodies joined, and the error's status."""
    session = ServerSession(limits)
    read = []

    def take():
        for event in session.events_received():
            if isinstance(event, RequestReceived):
                head, framing = event
                read.append([head.method, head.target, head.fields.raw, framing, b"", False])
            elif isinstance(event, BodyReceived):
                assert event.data
                read[-1][4] += event.data
            else:
                read[-1][5] = True

    try:
        for piece in pieces:
            session.receive_data(piece)
            take()
            while session.state is State.WAITING and session.unread:
                session.next_request()
                take()
            if session.state is State.WAITING:
                session.next_request()
    except HttpError as error:
        take()
        if read and not read[-1][5]:
            # How much of a refused body came before the refusal depends on the cuts.
            read[-1][4] = b""
        return read, error.status
    return read, None


def cut(data, places):
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in zip(edges, edges[1:])]


def test_requests_one_after_another():
    read, error = play(b"\r\n" + GET % 1 + POST + CHUNKED + GET % 2)
    assert error is None
    assert [(each[1], each[4], each[5]) for each in read] == [
        (b"/1", b"", True), (b"/p", b"hello", True), (b"/c", b"abcde", True), (b"/2", b"", True),
    ]


def test_the_next_request_is_not_read_before_it_is_its_turn():
    session = ServerSession()
    session.receive_data(GET % 1 + b"rubbish\n\n")
    assert len(session.events_received()) == 2
    assert session.unread == 9 and session.state is State.WAITING
    with pytest.raises(HttpError):
        session.next_request()
    assert session.state is State.BROKEN
    session.receive_data(GET % 2)
    assert session.events_received() == []


def test_what_follows_an_upgrade_is_not_read():
    session = ServerSession()
    session.receive_data(GET % 1 + GET % 2)
    session.events_received()
    assert session.tunnel() == GET % 2
    session.receive_data(GET % 3)
    assert session.events_received() == [] and session.take_unread() == GET % 3


@pytest.mark.parametrize("data, status", [
    (b"GET / HTTP/1.1\n", 400), (b"\n", 400), (b"GET / HTTP/1.1\r\nHost: a\n", 400),
    (b"\r\n\r\n", 400), (b"\x16\x03\x01\x00\n", 400),
    (b"G" * 8193, 414), (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 11000, 431),
])
def test_what_can_become_no_head_is_refused_before_it_is_whole(data, status):
    assert play(data)[1] == status


@pytest.mark.parametrize("smuggled", [
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\n chunked\r\n\r\n0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: y\n\r\n",
])
def test_a_second_request_is_never_smuggled(smuggled):
    read, error = play(smuggled + GET % 1)
    assert error in (400, 501)
    assert not any(each[5] for each in read)


def test_the_end():
    for data, state in ((b"", None), (b"GET", 400), (POST[:-1], 400), (GET % 1, None)):
        session = ServerSession()
        session.receive_data(data)
        if state is None:
            session.receive_eof()
            continue
        with pytest.raises(HttpError):
            session.receive_eof()


def test_answers():
    client = ClientSession()
    client.expect(b"GET")
    client.receive_data(b"HTTP/1.1 100 Continue\r\n\r\n")
    client.receive_data(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab")
    first, second, body, end = client.events_received()
    assert isinstance(first, ResponseReceived) and first.head.status == 100
    assert second.head.status == 200 and body.data == b"ab" and end is ENDED
    assert client.reusable
    client.expect(b"HEAD")
    client.receive_data(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n")
    assert client.events_received()[-1] is ENDED and not client.reusable


def test_an_answer_that_nobody_asked_for():
    client = ClientSession()
    client.receive_data(b"HTTP/1.1 200 OK\r\n\r\n")
    with pytest.raises(HttpError):
        client.expect(b"GET")


def test_an_answer_that_ends_with_its_connection():
    client = ClientSession()
    client.expect(b"GET")
    client.receive_data(b"HTTP/1.1 200 OK\r\n\r\nab")
    client.receive_eof()
    assert client.events_received()[-1] is ENDED and not client.reusable
    client = ClientSession()
    client.expect(b"GET")
    with pytest.raises(HttpError):
        client.receive_eof()


def test_an_answer_of_101_is_the_last():
    client = ClientSession()
    client.expect(b"GET")
    client.receive_data(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nHTTP/1.1 200")
    assert len(client.events_received()) == 1
    assert client.state is State.TUNNEL and client.take_unread() == b"HTTP/1.1 200"


PIECES = st.one_of(
    st.sampled_from([
        GET % 1, POST, CHUNKED, b"\r\n", b"\r", b"\n", b"0\r\n\r\n", b"Host: a\r\n", b" ", b":",
        b"Transfer-Encoding: chunked\r\n", b"Content-Length: 3\r\n", b"GET / HTTP/1.1\r\n",
        b"3\r\nabc\r\n",
    ]),
    st.binary(max_size=12),
)


@given(st.lists(PIECES, max_size=12).map(b"".join), st.lists(st.integers(0, 2000), max_size=6))
def test_cutting_changes_nothing(data, places):
    whole, cut_up = play(data), play(*cut(data, places))
    assert whole == cut_up


@given(st.lists(PIECES, max_size=40).map(b"".join), st.lists(st.integers(0, 2000), max_size=6))
def test_cutting_changes_no_refusal(data, places):
    """Where two limits are passed, which of them is named may depend on the cuts."""
    whole, cut_up = play(data, limits=SMALL), play(*cut(data, places), limits=SMALL)
    assert whole[0] == cut_up[0] and (whole[1] is None) == (cut_up[1] is None)


@given(st.lists(st.binary(max_size=80), max_size=20))
def test_what_is_kept_has_a_ceiling(pieces):
    session = ServerSession(SMALL)
    try:
        for piece in (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", *pieces):
            session.receive_data(piece)
            session.events_received()
            if session.state is State.WAITING:
                break
            assert session.unread <= SMALL.head
    except HttpError:
        pass


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=5), st.lists(st.integers(0, 500)))
def test_bodies_survive(pieces, places):
    body = b"".join(map(chunk, pieces)) + b"0\r\n\r\n"
    data = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body
    (request,), error = play(*cut(data, places))
    assert error is None and request[4:] == [b"".join(pieces), True]
