"""Addresses, prefixes and pins: what is taken, and what is not."""

from __future__ import annotations

import base64

import pytest

from kasmd.config.addresses import (
    Address,
    Trusting,
    address_of_service,
    address_to_ask,
    pin,
    prefix,
)
from kasmd.edge.asking import Trust, Upstream


@pytest.mark.parametrize("text, wanted", [
    ("http://10.0.0.5:6901", Address(Upstream("10.0.0.5", 6901))),
    ("http://host", Address(Upstream("host", 80))),
    ("https://host/a/b/", Address(Upstream("host", 443, "", Trust()), "/a/b")),
    ("https://[2001:db8::1]:8443", Address(Upstream("2001:db8::1", 8443, "", Trust()))),
    ("unix:/run/x y", Address(Upstream(path="/run/x y"))),
])
def test_services(text: str, wanted: Address) -> None:
    assert address_of_service(text) == wanted


@pytest.mark.parametrize("text", [
    "", "host:80", "ftp://host", "http://", "http:///x", "http://a:0", "http://a:65536",
    "http://a:x", "http://u:p@host",
    "http://host?x", "http://host#x", "http://host/a/../b", "http://host//a",
    "http://host/%2e", "http://ho st", "http://host\n", "unix:x", "unix:", "unix:/\0",
    "unix:/" + "x" * 107, "http://$request_host$",
])
def test_what_is_no_service(text: str) -> None:
    with pytest.raises(ValueError, match="must be http://host:port"):
        address_of_service(text)


def test_the_host_that_was_asked_for() -> None:
    whoever = Upstream("$request_host$", 443, "", Trust())
    assert address_to_ask("$request_host$") == Address(whoever)
    assert address_to_ask("https://$request_host$/x") == Address(whoever, "/x")
    assert address_to_ask("http://$request_host$:81").upstream == Upstream("$request_host$", 81)
    assert address_to_ask("http://proxy:81").upstream == Upstream("proxy", 81)
    for text in ("a$request_host$", "http://a.$request_host$", "unix:$request_host$"):
        with pytest.raises(ValueError):
            address_to_ask(text)


@pytest.mark.parametrize("text, wanted", [("/", ""), ("/kasm", "/kasm"), ("/a/b-c/", "/a/b-c")])
def test_prefixes(text: str, wanted: str) -> None:
    assert prefix(text) == wanted


@pytest.mark.parametrize("text", ["", "kasm", "/a//b", "/a/../b", "/.", "/%41", "/a?b", "/a b"])
def test_what_is_no_prefix(text: str) -> None:
    with pytest.raises(ValueError, match="must be / or a path"):
        prefix(text)


def test_pins() -> None:
    digest = bytes(range(32))
    assert pin(digest.hex()) == digest
    assert pin("sha256//" + base64.b64encode(digest).decode()) == digest
    for text in ("", "sha256//", "00" * 31, "zz" * 32, "sha256//" + "A" * 40):
        with pytest.raises(ValueError, match="SHA-256"):
            pin(text)


def test_trust() -> None:
    assert not Trusting().decided and Trusting(unchecked=True).decided
    assert Trusting(ca="/ca", server_name="x").trust == Trust(b"", "/ca", "x")
