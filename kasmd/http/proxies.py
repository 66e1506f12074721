"""Whose word is taken for where a request came from: nobody's but our own proxies'.

X-Forwarded-For, or Forwarded (RFC 7239) where there is none, is read from the
right, where the nearest proxy wrote; the first address that is no trusted
proxy's is the client's.  What stands left of it may be anybody's invention.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Iterable, Optional, Sequence, Union

from kasmd.h1.fields import Fields

#: Addresses of a header that are looked at.
MAX_HOPS = 32

_Address = Union[IPv4Address, IPv6Address]


class Proxies:
    """The trusted proxies, as addresses or networks (``10.0.0.0/8``); ValueError."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        self._networks: list[Union[IPv4Network, IPv6Network]] = [
            ip_network(network, strict=False) for network in networks
        ]

    def __bool__(self) -> bool:
        return bool(self._networks)

    def trusts(self, address: str) -> bool:
        """Tell whether ``address`` is a trusted proxy's."""
        ip = _parsed(address) if self._networks else None
        return ip is not None and any(ip in network for network in self._networks)

    def client(self, peer: str, forwarded: Sequence[bytes]) -> str:
        """Give the client's address for a request from ``peer`` with these headers.

        Where a trusted proxy names no address, the proxy itself is the client.
        """
        address = peer
        hops = [hop for line in forwarded for hop in line.split(b",")][-MAX_HOPS:]
        while hops and self.trusts(address):
            ip = _parsed(_bare(hops.pop()))
            if ip is None:
                break
            address = str(ip)
        return address

    def is_secure(self, peer: str, proto: Sequence[bytes]) -> bool:
        """Tell whether a trusted proxy says that its client speaks TLS."""
        last = proto[-1].rpartition(b",")[2].strip().lower() if proto else b""
        return last == b"https" and self.trusts(peer)


def said(fields: Fields, what: bytes) -> list[bytes]:
    """Give what proxies say of ``for`` or ``proto``, the nearest one last.

    A proxy that writes one of the two headers may pass on a client's own other
    one; that it may not do with X-Forwarded-*, which counts.
    """
    lines = fields.all(b"x-forwarded-" + what)
    if lines or b"forwarded" not in fields:
        return lines
    hops = [hop for line in fields.all(b"forwarded") for hop in line.split(b",")][-MAX_HOPS:]
    return [_parameter(hop, what) for hop in hops]


def _parameter(hop: bytes, name: bytes) -> bytes:
    for pair in hop.split(b";"):
        key, _, value = pair.partition(b"=")
        if key.strip().lower() == name:
            return value.strip().strip(b'"')
    return b""


def is_loopback(address: str) -> bool:
    """Tell whether ``address`` is this machine's own; a unix socket's is empty."""
    ip = _parsed(address)
    return ip.is_loopback if ip is not None else not address


def _bare(hop: bytes) -> str:
    """Give a hop's address without its port: 192.0.2.1:80, [2001:db8::1]:80."""
    text = hop.strip().decode("latin-1")
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


@lru_cache(maxsize=1024)
def _parsed(address: str) -> Optional[_Address]:
    try:
        ip = ip_address(address)
    except ValueError:
        return None
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    return ip
