"""Header fields: strict, bounded, and only ProtocolError on any bytes."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.errors import ProtocolError
from kasmd.http.headers import (
    MAX_AUTHORIZATION,
    Origin,
    basic_credentials,
    byte_range,
    etag_matches,
    parse_origin,
    same_origin,
    takes_gzip,
    tokens,
    valid_host,
)


def basic(text: bytes) -> bytes:
    return b"Basic " + base64.b64encode(text)


@pytest.mark.parametrize(
    "value, expected",
    [
        (basic(b"ann:secret"), ("ann", "secret")),
        (basic(b"ann:a:b:c"), ("ann", "a:b:c")),
        (basic(b":"), ("", "")),
        (basic("änn:pässwörd€".encode()), ("änn", "pässwörd€")),
        (basic("änn:ü".encode("latin-1")), ("änn", "ü")),
        (b"bAsIc " + base64.b64encode(b"a:b"), ("a", "b")),
    ],
)
def test_credentials_are_read(value, expected):
    assert basic_credentials(value) == expected


@pytest.mark.parametrize("value", [b"", b"Bearer abc", b"Digest x=y", b"Basic", b"Basicann"])
def test_another_scheme_is_no_attempt(value):
    assert basic_credentials(value) is None


@pytest.mark.parametrize(
    "value",
    [
        b"Basic !!!!",
        b"Basic YW5uOnNlY3JldA",
        b"Basic YW5u OnNlY3JldA==",
        b"Basic YW5uOnNlY3JldA==junk",
        basic(b"no colon"),
        basic(b"ann\n:secret"),
        basic(b"ann:sec\0ret"),
        b"Basic " + b"A" * MAX_AUTHORIZATION,
    ],
)
def test_malformed_credentials_are_refused(value):
    with pytest.raises(ProtocolError):
        basic_credentials(value)


@given(st.binary(max_size=2000))
def test_only_protocol_error_leaves_the_parsers(data):
    for read in (basic_credentials, lambda value: basic_credentials(b"Basic " + value)):
        try:
            read(data)
        except ProtocolError:
            pass
    try:
        parse_origin(data.decode("latin-1"))
    except ProtocolError:
        pass
    valid_host(data)
    byte_range(data, 10)
    same_origin(Origin("https", "a", 443), data, True)


@given(st.text(), st.text())
def test_what_a_browser_encodes_is_what_we_read(name, password):
    name = "".join(c for c in name if c > "\x1f" and c not in ":\x7f")[:60]
    password = "".join(c for c in password if c > "\x1f" and c != "\x7f")[:60]
    assert basic_credentials(basic(f"{name}:{password}".encode())) == (name, password)


@pytest.mark.parametrize("value", [b"a", b"desk.example:8443", b"[::1]:8443", b"127.0.0.1", b"a_b"])
def test_hosts(value):
    assert valid_host(value)


@pytest.mark.parametrize(
    "value",
    [b"", b"a b", b"a/b", b"a\\b", b"a@b", b"a:b", b"a:123456", b"a\r\nx", b"[::1", b"x" * 600],
)
def test_what_is_no_host(value):
    assert not valid_host(value)


@pytest.mark.parametrize(
    "value",
    ["null", "", "https://", "https://a/", "https://a?x", "ftp://a", "https://u@a", "//a", "a"],
)
def test_what_is_no_origin(value):
    with pytest.raises(ProtocolError):
        parse_origin(value)


@pytest.mark.parametrize(
    "origin, host, secure, same",
    [
        ("https://desk:8443", b"desk:8443", True, True),
        ("https://desk", b"desk", True, True),
        ("https://desk", b"desk:443", True, True),
        ("https://DESK", b"desk", True, True),
        ("https://[::1]:8443", b"[::1]:8443", True, True),
        ("https://desk", b"desk", False, True),
        ("http://desk:80", b"desk", False, True),
        ("http://desk", b"desk", True, False),
        ("https://desk:8444", b"desk:8443", True, False),
        ("https://evil-desk", b"desk", True, False),
        ("https://desk.evil", b"desk", True, False),
        ("https://desk", b"desk\r\nx", True, False),
        ("https://desk", b"", True, False),
    ],
)
def test_same_origin(origin, host, secure, same):
    assert same_origin(parse_origin(origin), host, secure) is same


def test_tokens_join_lines_and_lists():
    assert tokens([b"keep-alive, Upgrade", b" H2C"]) == [b"keep-alive", b"upgrade", b"h2c"]


@pytest.mark.parametrize(
    "value, takes",
    [
        (b"gzip", True),
        (b"deflate, GZIP ;q=0.5, br", True),
        (b"gzip;q=1.0", True),
        (b"gzip; q=0.001", True),
        (b"", False),
        (b"br, deflate", False),
        (b"not-gzip", False),
        (b"gzip;q=0", False),
        (b"gzip ; q=0.000, *", False),
    ],
)
def test_takes_gzip(value, takes):
    assert takes_gzip([value]) is takes


@pytest.mark.parametrize(
    "values, matches",
    [
        ([b'"a"'], True),
        ([b'W/"a"'], True),
        ([b'"b", "a"'], True),
        ([b"*"], True),
        ([b'"b"'], False),
    ],
)
def test_etag_matches(values, matches):
    assert etag_matches(values, b'"a"') is matches


@pytest.mark.parametrize(
    "value, span",
    [
        (b"bytes=0-0", (0, 1)),
        (b"bytes=2-5", (2, 4)),
        (b"bytes=2-", (2, 8)),
        (b"bytes=2-99", (2, 8)),
        (b"bytes=-3", (7, 3)),
        (b"bytes=-99", (0, 10)),
        (b"bytes=10-", (10, 0)),
        (b"bytes=-0", (10, 0)),
        (b"bytes=5-2", None),
        (b"bytes=0-1,3-4", None),
        (b"lines=0-1", None),
        (b"bytes=a-b", None),
        (b"bytes=", None),
    ],
)
def test_byte_range(value, span):
    assert byte_range(value, 10) == span
