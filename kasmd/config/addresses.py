"""What a value may be that says where something is, and how it is known again."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import NamedTuple, Optional
from urllib.parse import urlsplit

from kasmd.config.kinds import Raw, boolean, is_host, optional, path, text
from kasmd.config.schema import option
from kasmd.edge.asking import Upstream
from kasmd.trust import Trust

#: Stands in an address for the host that the browser asked for.
REQUEST_HOST = "$request_host$"
_PORTS = {"http": 80, "https": 443}
_SEGMENTS = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")
#: A unix socket's address has 108 bytes, one of them a NUL (unix(7)).
_UNIX = 107


class Address(NamedTuple):
    """Where to connect, and the path that comes before every other, without a slash at its end."""

    upstream: Upstream
    prefix: str = ""


def address_of_service(raw: Raw) -> Address:
    """``http://host:port/prefix``, the same with https, or ``unix:/path``."""
    value = raw if isinstance(raw, str) else ""
    socket = value.removeprefix("unix:")
    if socket != value and socket.startswith("/") and socket.isprintable():
        if len(socket.encode()) <= _UNIX:
            return Address(Upstream(path=socket))
    found = _url(value)
    if found is None:
        raise ValueError("must be http://host:port, https://host:port or unix:/path")
    return found


def address_to_ask(raw: Raw) -> Address:
    """A service's address, whose host may be ``$request_host$``; that alone is over https."""
    value = raw if isinstance(raw, str) else ""
    if value == REQUEST_HOST:
        value = f"https://{REQUEST_HOST}"
    if REQUEST_HOST not in value:
        return address_of_service(value)
    stand_in = "request-host"
    address = address_of_service(value.replace(REQUEST_HOST, stand_in, 1))
    if address.upstream.host != stand_in:
        raise ValueError(f"must have {REQUEST_HOST} for all of the host")
    return address._replace(upstream=address.upstream._replace(host=REQUEST_HOST))


def _url(value: str) -> Optional[Address]:
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return None
    host, prefix = parts.hostname or "", parts.path.rstrip("/")
    known = parts.scheme in _PORTS and is_host(host) and port != 0
    rest = parts.query or parts.fragment or "@" in parts.netloc
    if not known or rest or not is_prefix(prefix) or not value.isprintable():
        return None
    tls = Trust() if parts.scheme == "https" else None
    return Address(Upstream(host, port or _PORTS[parts.scheme], "", tls), prefix)


def is_prefix(value: str) -> bool:
    """Tell whether ``value`` is a path of plain segments, or empty."""
    plain = _SEGMENTS.fullmatch(value) is not None
    return plain and not any(set(segment) == {"."} for segment in value[1:].split("/"))


def prefix(raw: Raw) -> str:
    """A path of plain segments; it is kept without a slash at its end."""
    if not isinstance(raw, str) or not raw.startswith("/") or not is_prefix(raw.rstrip("/")):
        raise ValueError("must be / or a path of letters, digits and ._~-, such as /kasm")
    return raw.rstrip("/")


def pin(raw: Raw) -> bytes:
    """``sha256//`` and base64, as curl has it, or 64 hexadecimal digits."""
    value = raw if isinstance(raw, str) else ""
    try:
        if re.fullmatch(r"[0-9A-Fa-f]{64}", value):
            return bytes.fromhex(value)
        digest = base64.b64decode(value.removeprefix("sha256//"), validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) != 32:
        raise ValueError("must be the SHA-256 of a public key: sha256//base64, or 64 hex digits")
    return digest


@dataclass(frozen=True, kw_only=True)
class Trusting:
    """How a certificate is known: by its key, or by who signed it."""

    pin: Optional[bytes] = option(None, optional(pin))
    ca: Optional[str] = option(None, optional(path))
    server_name: Optional[str] = option(None, optional(text))
    unchecked: bool = option(False, boolean)

    @property
    def decided(self) -> bool:
        """Whether anything was said."""
        return bool(self.pin or self.ca or self.unchecked)

    @property
    def trust(self) -> Trust:
        """Give it as the edge has it."""
        return Trust(self.pin or b"", self.ca or "", self.server_name or "")


def undecided(what: str) -> str:
    """Say what is missing where a certificate would not be checked."""
    return f"{what} speaks https: give pin or ca, or say unchecked: true"
