"""``display.rfb``: where it is, and what may be said to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kasmd.config.addresses import Trusting
from kasmd.config.load import load
from kasmd.config.upstreams import place, quality, terms
from kasmd.display.upstream_line import Place
from kasmd.errors import ConfigError
from kasmd.rfb.numbers import SecurityType, VeNCryptSubtype

CLEAR = {SecurityType.NONE, SecurityType.VNC_AUTH}
PLAIN = {VeNCryptSubtype.TLS_PLAIN, VeNCryptSubtype.X509_PLAIN}


@pytest.mark.parametrize(
    ("value", "where", "text"),
    [
        ("vnc.example:5900", Place("vnc.example", 5900), "vnc.example:5900"),
        ("[::1]:5901", Place("::1", 5901), "[::1]:5901"),
        ("/run/qemu.sock", Place(path="/run/qemu.sock"), "/run/qemu.sock"),
    ],
)
def test_places(value: str, where: Place, text: str) -> None:
    assert place(value) == where
    assert str(where) == text


@pytest.mark.parametrize("value", ["", "host", ":5900", "host:0", "host:65536", "host:x", "a b:1",
                                   ["a:1"], "host:\u0665"])
def test_no_places(value: object) -> None:
    with pytest.raises(ValueError):
        place(value)  # type: ignore[arg-type]


def test_qualities() -> None:
    assert (quality("0"), quality("9"), quality("lossless")) == (0, 9, None)
    with pytest.raises(ValueError, match="0 to 9, or lossless"):
        quality("10")


def test_who_checks_a_certificate_speaks_nothing_else() -> None:
    for trusting in (Trusting(pin=b"p" * 32), Trusting(ca="/ca.pem"),
                     Trusting(pin=b"p" * 32, unchecked=True)):
        ways = set(terms("ann", "secret", 9, trusting).credentials.ways)
        assert {int(way) for way in ways} == {260, 261, 262}


def test_without_a_check_there_is_tls_at_least_or_no_plain_password() -> None:
    assert not CLEAR & set(terms(None, "s", 9, Trusting(unchecked=True)).credentials.ways)
    assert not PLAIN & set(terms(None, "s", 9, Trusting()).credentials.ways)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('display: {rfb: "a:1", x11: ":0"}', "display.rfb: cannot be together with display.x11"),
        ("display: {rfb: nowhere}", "must be host:port"),
        ("display: {rfb_tls: {pin: abc}}", "SHA-256"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "kasmd.yaml"
    path.write_text(text + "\n")
    with pytest.raises(ConfigError, match=reason):
        load(str(path), {"HOME": str(tmp_path)})
