"""Heads of messages: one reading, or none (threats, group D)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.h1.fields import HttpError
from kasmd.h1.head import (
    HTTP_1_0,
    HTTP_1_1,
    Limits,
    parse_request,
    parse_response,
    render_request,
    render_response,
)

LIMITS = Limits()
HOST = b"\r\nHost: a"
TARGETS = st.from_regex(rb"/[!-\"$-~]{0,40}", fullmatch=True)


def request(line, rest=HOST):
    return parse_request(line + rest, LIMITS)


@pytest.mark.parametrize("line, method, target, version", [
    (b"GET / HTTP/1.1", b"GET", b"/", HTTP_1_1),
    (b"GET /a?b=c%20d HTTP/1.0", b"GET", b"/a?b=c%20d", HTTP_1_0),
    (b"get //x/..;/ HTTP/1.1", b"get", b"//x/..;/", HTTP_1_1),
    (b"OPTIONS * HTTP/1.1", b"OPTIONS", b"*", HTTP_1_1),
    (b"GET http://a/x?y HTTP/1.1", b"GET", b"/x?y", HTTP_1_1),
    (b"GET HTTPS://A HTTP/1.1", b"GET", b"/", HTTP_1_1),
    (b"GET http://a?y HTTP/1.1", b"GET", b"/?y", HTTP_1_1),
])
def test_request_lines(line, method, target, version):
    assert request(line)[:3] == (method, target, version)


@pytest.mark.parametrize("line, status", [
    (b"", 400), (b"GET", 400), (b"GET /", 400), (b"GET  / HTTP/1.1", 400),
    (b"GET / HTTP/1.1 ", 400),
    (b" GET / HTTP/1.1", 400), (b"GET\t/ HTTP/1.1", 400), (b"GET /a b HTTP/1.1", 400),
    (b"G(T / HTTP/1.1", 400), (b"GET /\x00 HTTP/1.1", 400), (b"GET /\x7f HTTP/1.1", 400),
    (b"GET /\xc0\xae HTTP/1.1", 400), (b"GET /#x HTTP/1.1", 400), (b"GET a HTTP/1.1", 400),
    (b"GET * HTTP/1.1", 400), (b"GET a:443 HTTP/1.1", 400), (b"CONNECT a:443 HTTP/1.1", 400),
    (b"GET ftp://a/ HTTP/1.1", 400), (b"GET http:///x HTTP/1.1", 400),
    (b"GET http://b/ HTTP/1.1", 400), (b"GET http://u@a/ HTTP/1.1", 400),
    (b"GET http://a:80/ HTTP/1.1", 400), (b"GET \\ HTTP/1.1", 400),
    (b"GET / http/1.1", 400), (b"GET / HTTP/1.1x", 400), (b"GET / HTTP/11", 400),
    (b"GET / HTTP/0.9", 505), (b"GET / HTTP/1.2", 505), (b"GET / HTTP/2.0", 505),
    (b"PRI * HTTP/2.0", 505), (b"GET /" + b"x" * 8192 + b" HTTP/1.1", 414),
    (b"X" * 9000 + b" / HTTP/1.1", 414),
])
def test_what_is_no_request_line(line, status):
    with pytest.raises(HttpError) as caught:
        request(line)
    assert caught.value.status == status


@pytest.mark.parametrize("path", [
    b"/..;/x", b"/%2e%2e%2fx", b"/%252e%252e/x", b"/..\\x", b"/%c0%ae%c0%ae/x", b"//host/..",
])
def test_a_path_is_handed_on_as_it_came(path):
    assert request(b"GET " + path + b" HTTP/1.1").target == path


@pytest.mark.parametrize("rest", [
    b"", b"\r\nHost: a\r\nHost: a", b"\r\nHost: a\r\nHost: b", b"\r\nHost : a",
    b"\r\n Host: a",
    b"\r\nHost: a\r\n folded", b"\r\nHost: a\r\n\tfolded", b"\r\nHost: a\nX: y",
    b"\r\nHost: a\rX: y",
    b"\r\nHost: a\r\nX: \x00", b"\r\nHost: a\r\nX: \x0b", b"\r\nHost: a\r\n: y",
    b"\r\nHost: a\r\nX",
    b"\r\nHost: a\r\nX\x00: y", b"\nHost: a", b"\r\r\nHost: a",
])
def test_malformed_headers(rest):
    with pytest.raises(HttpError) as caught:
        request(b"GET / HTTP/1.1", rest)
    assert caught.value.status == 400


@pytest.mark.parametrize("line, kept", [
    (b"GET /app.js HTTP/1.1", True), (b"GET /app.js?token=secret HTTP/1.1", False),
    (b"GET /" + b"x" * 1024 + b" HTTP/1.1", False),
])
def test_a_request_line_is_remembered_unless_it_may_hold_a_credential(line, kept):
    first, second = request(line), request(line)
    assert first.target == second.target
    assert (first.target is second.target) == kept


def test_http_1_0_needs_no_host():
    assert request(b"GET / HTTP/1.0", b"").fields.raw == ()


def test_answers():
    head = parse_response(b"HTTP/1.1 404 Not  Found\r\nX: y", LIMITS)
    assert (head.status, head.reason, head.version) == (404, b"Not  Found", HTTP_1_1)
    assert parse_response(b"HTTP/1.0 200", LIMITS).reason == b""


@pytest.mark.parametrize("line", [
    b"", b"HTTP/1.1", b"HTTP/1.1 20", b"HTTP/1.1 2000 x", b"HTTP/1.1 600 x", b"HTTP/2 200",
    b"200 OK",
    b"HTTP/1.1  200 OK", b"HTTP/1.1 +20 x", b"HTTP/1.1 099 x", b"HTTP/1.1 200 O\x00K",
    b"HTTP/1.1 200 O\rK", b"HTTP/1.1 200 O\nK",
])
def test_what_is_no_answer(line):
    with pytest.raises(HttpError) as caught:
        parse_response(line, LIMITS)
    assert caught.value.status == 502


@given(st.from_regex(rb"[A-Z]{1,10}", fullmatch=True), TARGETS)
def test_a_request_is_read_as_it_was_sent(method, target):
    sent = render_request(method, target, [(b"Host", b"a"), (b"X", b"y")])
    head = parse_request(sent.removesuffix(b"\r\n\r\n"), LIMITS)
    assert (head.method, head.target) == (method, target)
    assert head.fields.raw == ((b"Host", b"a"), (b"X", b"y"))


@given(st.integers(100, 599), st.from_regex(rb"[ -~\x80-\xff]{0,20}", fullmatch=True))
def test_an_answer_is_read_as_it_was_sent(status, reason):
    sent = render_response(status, reason, [(b"X", b"y")], b"Date: now\r\n")
    head = parse_response(sent.removesuffix(b"\r\n\r\n"), LIMITS)
    assert (head.status, head.reason) == (status, reason)
    assert head.fields.raw == ((b"Date", b"now"), (b"X", b"y"))


@pytest.mark.parametrize("method, target", [
    (b"GE T", b"/"), (b"", b"/"), (b"GET", b"/ x"), (b"GET", b"/\r\nX: y"), (b"GET", b""),
])
def test_a_request_that_cannot_be_sent(method, target):
    with pytest.raises(ValueError):
        render_request(method, target, [])


def test_a_reason_that_cannot_be_sent():
    with pytest.raises(ValueError):
        render_response(200, b"OK\r\nX: y", [])
    assert render_response(200, None, []) == b"HTTP/1.1 200 OK\r\n\r\n"
