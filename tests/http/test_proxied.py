"""The PROXY protocol, version 2, byte by byte."""

from __future__ import annotations

import struct
from typing import Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address

from kasmd.errors import ProtocolError
from kasmd.http.proxied import MAX_LENGTH, SIGNATURE, read_announcement

FOUR = bytes([192, 0, 2, 7, 127, 0, 0, 1]) + struct.pack("!HH", 4711, 443)
SIX = bytes.fromhex("20010db8000000000000000000000007") + bytes(16) + struct.pack("!HH", 4712, 443)


def header(command: int = 0x21, family: int = 0x11, addresses: bytes = FOUR,
           length: Optional[int] = None) -> bytes:
    length = len(addresses) if length is None else length
    return SIGNATURE + struct.pack("!BBH", command, family, length) + addresses


@pytest.mark.parametrize("family, addresses, expected", [
    (0x11, FOUR, IPv4Address("TCP", "192.0.2.7", 4711)),
    (0x21, SIX, IPv6Address("TCP", "2001:db8::7", 4712)),
    (0x11, FOUR + b"\x04\x00\x03tlv", IPv4Address("TCP", "192.0.2.7", 4711)),
    (0x31, bytes(216), None), (0x00, b"", None),
])
def test_for_whom(family: int, addresses: bytes, expected: object) -> None:
    found = read_announcement(header(family=family, addresses=addresses) + b"GET")
    assert found is not None and (found.address, found.rest) == (expected, b"GET")


def test_a_proxy_that_speaks_for_itself() -> None:
    found = read_announcement(header(0x20))
    assert found is not None and found.address is None


@given(st.integers(0, len(header()) - 1))
def test_until_all_of_it_is_there(length: int) -> None:
    assert read_announcement(header()[:length]) is None


@pytest.mark.parametrize("data", [
    b"GET / HTTP/1.1\r\n", b"PROXY TCP4 192.0.2.7", SIGNATURE[:5] + b"x", b"\x16\x03\x01",
    header(0x22), header(0x11), header(length=MAX_LENGTH + 1), header(addresses=FOUR[:11]),
    header(family=0x21),
])
def test_what_is_none(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_announcement(data)


@given(st.binary(max_size=60))
def test_nothing_else_is_raised(tail: bytes) -> None:
    for data in (tail, SIGNATURE + tail, header() + tail):
        try:
            read_announcement(data)
        except ProtocolError:
            continue
