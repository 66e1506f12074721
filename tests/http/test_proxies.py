"""Whose word is taken for where a request came from (threats, group G)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.h1.fields import Fields
from kasmd.http.proxies import MAX_HOPS, Proxies, is_loopback, said

PROXIES = Proxies(["10.0.0.0/8", "::1", "192.0.2.7"])


@pytest.mark.parametrize(
    "peer, forwarded, client",
    [
        # Nobody else's header counts.
        ("198.51.100.1", [b"203.0.113.9"], "198.51.100.1"),
        ("198.51.100.1", [b"10.0.0.1"], "198.51.100.1"),
        ("10.0.0.1", [b"203.0.113.9"], "203.0.113.9"),
        ("::ffff:10.0.0.1", [b"203.0.113.9"], "203.0.113.9"),
        # From the right: what stands left of the first stranger is his invention.
        ("10.0.0.1", [b"1.1.1.1, 203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", [b"1.1.1.1, 203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        ("10.0.0.1", [b"1.1.1.1", b"203.0.113.9", b"10.0.0.2 ,192.0.2.7"], "203.0.113.9"),
        ("10.0.0.1", [b"10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("::1", [b"2001:db8::5"], "2001:db8::5"),
        ("::1", [b"[2001:db8::5]:4711"], "2001:db8::5"),
        ("::1", [b"203.0.113.9:4711"], "203.0.113.9"),
        ("::1", [b"::ffff:203.0.113.9"], "203.0.113.9"),
        # No address: the proxy is the client.
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [b""], "10.0.0.1"),
        ("10.0.0.1", [b"unknown"], "10.0.0.1"),
        ("10.0.0.1", [b"203.0.113.9, _hidden"], "10.0.0.1"),
        ("10.0.0.1", [b"203.0.113.9,"], "10.0.0.1"),
        ("", [b"203.0.113.9"], ""),
    ],
)
def test_the_client(peer, forwarded, client):
    assert PROXIES.client(peer, forwarded) == client


@pytest.mark.parametrize("forwarded, address, secure", [
    ([b"for=203.0.113.9"], "203.0.113.9", False),
    ([b"for=1.1.1.1;proto=http, By=_a;FOR=203.0.113.9 ; Proto=https"], "203.0.113.9", True),
    ([b"for=203.0.113.9", b'for="10.0.0.2:4711";proto=https'], "203.0.113.9", True),
    ([b'for="[2001:db8::5]:4711"'], "2001:db8::5", False),
    ([b"for=203.0.113.9, proto=https"], "10.0.0.1", True),
    ([b"for=203.0.113.9, for=_hidden"], "10.0.0.1", False),
    ([b'for="1.1.1.1, for=203.0.113.9"'], "203.0.113.9", False),
    ([b""], "10.0.0.1", False),
])
def test_forwarded(forwarded, address, secure):
    fields = Fields([(b"Forwarded", line) for line in forwarded])
    assert PROXIES.client("10.0.0.1", said(fields, b"for")) == address
    assert PROXIES.is_secure("10.0.0.1", said(fields, b"proto")) is secure
    assert PROXIES.client("198.51.100.1", said(fields, b"for")) == "198.51.100.1"


def test_x_forwarded_for_counts_before_forwarded():
    fields = Fields([(b"Forwarded", b"for=1.1.1.1"), (b"X-Forwarded-For", b"203.0.113.9")])
    assert PROXIES.client("10.0.0.1", said(fields, b"for")) == "203.0.113.9"


def test_without_proxies_no_header_counts():
    assert Proxies().client("127.0.0.1", [b"203.0.113.9"]) == "127.0.0.1"


def test_a_long_chain_is_cut():
    hops = b", ".join([b"203.0.113.9"] + [b"10.0.0.2"] * (MAX_HOPS + 5))
    assert PROXIES.client("10.0.0.1", [hops]) == "10.0.0.2"


@given(st.lists(st.binary(max_size=80), max_size=4))
def test_hostile_headers(lines):
    client = PROXIES.client("10.0.0.1", lines)
    assert client.isascii() and len(client) < 64


@pytest.mark.parametrize(
    "peer, proto, secure",
    [
        ("10.0.0.1", [b"https"], True),
        ("10.0.0.1", [b"http, HTTPS"], True),
        ("10.0.0.1", [b"https, http"], False),
        ("10.0.0.1", [b"https", b"http"], False),
        ("10.0.0.1", [], False),
        ("198.51.100.1", [b"https"], False),
    ],
)
def test_who_speaks_tls(peer, proto, secure):
    assert PROXIES.is_secure(peer, proto) is secure


def test_loopback():
    assert [is_loopback(a) for a in ("127.0.0.1", "::1", "::ffff:127.0.0.1", "", "10.0.0.1")] == [
        True, True, True, True, False,
    ]
