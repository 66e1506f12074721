"""Where a body ends: said once, in words that everybody reads alike (threats, group D)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.h1.body import (
    CHUNKED,
    EMPTY,
    LAST_CHUNK,
    UNTIL_CLOSE,
    Framing,
    chunk,
    decoder,
    request_framing,
    response_framing,
)
from kasmd.h1.fields import Fields, HttpError
from kasmd.h1.head import HTTP_1_0, HTTP_1_1, Limits, RequestHead, ResponseHead

LIMITS = Limits()
LENGTH, CODING = b"Content-Length", b"Transfer-Encoding"


def asked(*fields, version=HTTP_1_1):
    return request_framing(RequestHead(b"POST", b"/", version, Fields(fields)))


def answered(*fields, status=200, method=b"GET"):
    return response_framing(ResponseHead(status, b"", HTTP_1_1, Fields(fields)), method)


def test_requests():
    assert asked() == EMPTY
    assert asked((LENGTH, b"0")) == EMPTY
    assert asked((LENGTH, b"007")) == Framing(7)
    assert asked((CODING, b"Chunked")) == CHUNKED


@pytest.mark.parametrize("fields, status", [
    (((LENGTH, b"1"), (LENGTH, b"1")), 400),
    (((LENGTH, b"1"), (LENGTH, b"2")), 400),
    (((LENGTH, b"1"), (b"content-length", b"1")), 400),
    (((LENGTH, b"1, 1"),), 400),
    (((LENGTH, b"1"), (CODING, b"chunked")), 400),
    (((CODING, b"chunked"), (LENGTH, b"1")), 400),
    *((((LENGTH, value),), 400) for value in (
        b"", b"+1", b"-1", b"0x1", b"1 1", b"1.0", b"1_0", b"\xb2", b"1e1", b"9" * 19,
    )),
    *((((CODING, value),), 501) for value in (
        b"", b"gzip", b"chunked, identity", b"identity, chunked", b"chunked, chunked",
        b"xchunked", b"chunked;q=1", b"\"chunked\"", b"chunked,", b"\x0bchunked", b"chunked\x0b",
        b"chunKed ,gzip",
    )),
    (((CODING, b"chunked"), (CODING, b"chunked")), 501),
    (((CODING, b"chunked"), (CODING, b"identity")), 501),
])
def test_two_readings_are_none(fields, status):
    with pytest.raises(HttpError) as caught:
        asked(*fields)
    assert caught.value.status == status


def test_http_1_0_has_no_chunks():
    with pytest.raises(HttpError):
        asked((CODING, b"chunked"), version=HTTP_1_0)


def test_answers():
    assert answered() == UNTIL_CLOSE
    assert answered((LENGTH, b"5")) == Framing(5)
    assert answered((CODING, b"chunked")) == CHUNKED
    for status, method in ((204, b"GET"), (304, b"GET"), (101, b"GET"), (200, b"HEAD")):
        assert answered((LENGTH, b"5"), status=status, method=method) == EMPTY
    with pytest.raises(HttpError) as caught:
        answered((CODING, b"gzip"))
    assert caught.value.status == 502


def read(framing, *pieces):
    """Give (body, what follows it, whether it ended)."""
    body, rest, reading = b"", b"", decoder(framing, LIMITS)
    for piece in pieces:
        if reading.done:
            rest += piece
            continue
        found, rest = reading.feed(piece)
        body += b"".join(found)
    return body, rest, reading.done


def test_a_length():
    assert read(Framing(3), b"abcd") == (b"abc", b"d", True)
    assert read(Framing(3), b"a", b"b") == (b"ab", b"", False)
    assert read(UNTIL_CLOSE, b"a", b"b") == (b"ab", b"", False)


@pytest.mark.parametrize("data, body", [
    (b"0\r\n\r\n", b""),
    (b"3\r\nabc\r\n0\r\n\r\n", b"abc"),
    (b"00000A\r\n0123456789\r\n000\r\n\r\n", b"0123456789"),
    (b"1;x=y\r\na\r\n1 ; x=\"y z\"\r\nb\r\n0;z\r\n\r\n", b"ab"),
    (b"1\r\na\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\n", b"a"),
])
def test_chunks(data, body):
    assert read(CHUNKED, data + b"next") == (body, b"next", True)
    assert read(CHUNKED, *(bytes([byte]) for byte in data)) == (body, b"", True)


@pytest.mark.parametrize("data", [
    b"0x1\r\na\r\n", b"+1\r\na\r\n", b"-1\r\n", b" 1\r\na\r\n", b"\r\n", b"1\na\r\n", b"g\r\n",
    b";x\r\n",
    b"1\ra\r\n", b"1\r\nab\r\n", b"1\r\na\n", b"1\r\naX", b"1;\x00\r\na\r\n", b"1;\x7f\r\na\r\n",
    b"1;a\rb\r\na\r\n", b"1_0\r\n", b"\xb2\r\n", b"1" * 16 + b"\r\n", b"F" * 16 + b"\r\n",
    b"0" * 300,
    b"1;" + b"x" * 300, b"0\r\nTrailer\r\n\r\n", b"0\r\n Trailer: x\r\n\r\n",
    b"0\r\nX: \x00\r\n\r\n",
    b"0\r\nX: y\nZ: z\r\n\r\n", b"0\r\n: y\r\n\r\n",
])
def test_what_is_no_chunk(data):
    with pytest.raises(HttpError) as caught:
        read(CHUNKED, data)
    assert caught.value.status == 400


@pytest.mark.parametrize("line", [b"X: \x00", b"X: y\nY: z", b"X: y\rY: z", b"X", b"X : y"])
def test_a_trailer_is_a_field(line):
    with pytest.raises(HttpError) as caught:
        read(CHUNKED, b"0\r\n" + line + b"\r\n\r\n")
    assert caught.value.status == 400


def test_trailers_have_a_ceiling():
    with pytest.raises(HttpError) as caught:
        read(CHUNKED, b"0\r\n", *[b"X: " + b"y" * 1000 + b"\r\n"] * 9)
    assert caught.value.status == 431


def test_ends():
    for framing in (Framing(3), CHUNKED):
        reading = decoder(framing, LIMITS)
        reading.feed(b"1")
        with pytest.raises(HttpError):
            reading.end()
    decoder(UNTIL_CLOSE, LIMITS).end()


@given(st.lists(st.binary(min_size=1, max_size=300)), st.binary(), st.data())
def test_chunks_are_read_as_they_were_sent(pieces, rest, data):
    sent = b"".join(map(chunk, pieces)) + LAST_CHUNK
    at = data.draw(st.integers(0, len(sent)))
    assert read(CHUNKED, sent[:at], sent[at:] + rest)[0] == b"".join(pieces)


@given(st.binary(max_size=200))
def test_only_http_errors_come_of_bytes(data):
    for start in (b"", b"1\r\na\r\n", b"0\r\n"):
        try:
            read(CHUNKED, start + data)
        except HttpError:
            pass
