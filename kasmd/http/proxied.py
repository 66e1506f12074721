"""The PROXY protocol, version 2: for whom a proxy in front connects.

    -> signature (12), 0x20 LOCAL or 0x21 PROXY, family, length (2), addresses, TLVs

It is read from peers that are configured to send it, who then must; from anyone
else it is no HTTP, and refused as such.  (HAProxy, doc/proxy-protocol.txt 2.2.)
"""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple, Optional

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress

from kasmd.errors import ProtocolError

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
#: Addresses and what else a proxy tells; more is refused.
MAX_LENGTH = 4096
_HEAD = struct.Struct("!12sBBH")
_LOCAL, _PROXY = 0x20, 0x21
_TCP4, _TCP6 = 0x11, 0x21
_ADDRESSES = {_TCP4: struct.Struct("!4s4sHH"), _TCP6: struct.Struct("!16s16sHH")}


class Announced(NamedTuple):
    """Who is at the far end, None where the proxy speaks for itself, and what follows."""

    address: Optional[IAddress]
    rest: bytes


def read_announcement(data: bytes) -> Optional[Announced]:
    """Read the header at the start of ``data``; None until all of it is there (ProtocolError)."""
    if not data.startswith(SIGNATURE[: len(data)]):
        raise ProtocolError("the connection does not begin with the PROXY protocol")
    if len(data) < _HEAD.size:
        return None
    _, command, family, length = _HEAD.unpack_from(data)
    if command not in (_LOCAL, _PROXY) or length > MAX_LENGTH:
        raise ProtocolError(f"a PROXY header with command {command:#04x} and {length} bytes")
    end = _HEAD.size + length
    if len(data) < end:
        return None
    address = _address(family, data[_HEAD.size : end]) if command == _PROXY else None
    return Announced(address, data[end:])


def _address(family: int, data: bytes) -> Optional[IAddress]:
    layout = _ADDRESSES.get(family)
    if layout is None:
        return None
    if len(data) < layout.size:
        raise ProtocolError(f"a PROXY header of family {family:#04x} with {len(data)} bytes")
    source, _, port, _ = layout.unpack_from(data)
    if family == _TCP4:
        return IPv4Address("TCP", socket.inet_ntop(socket.AF_INET, source), port)
    return IPv6Address("TCP", socket.inet_ntop(socket.AF_INET6, source), port)
