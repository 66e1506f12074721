"""The header fields that kasmd reads, each parsed strictly and in one place.

Only `kasmd.errors.ProtocolError` leaves this module, whatever the bytes.
"""

from __future__ import annotations

import binascii
import re
from functools import lru_cache
from typing import NamedTuple, Optional, Sequence
from urllib.parse import urlsplit

from kasmd.errors import ProtocolError

#: A name and a password of 127 bytes each, as KasmVNC has them, in base64, and room.
MAX_AUTHORIZATION = 1024
#: Longer Host and Origin values than this name no host that exists (RFC 1035: 255).
MAX_HOST = 512
#: A Range value of one range needs far less.
MAX_RANGE = 128

#: The header of a ticket, by which another hop vouches for somebody.
TICKET_FIELD = b"Kasmd-Ticket"

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?\Z")
_BASIC = re.compile(rb"basic +([A-Za-z0-9+/]*={0,2})\Z", re.IGNORECASE)
_BEARER = re.compile(rb"bearer +([A-Za-z0-9._~+/-]+=*)\Z", re.IGNORECASE)
_RANGE = re.compile(rb"bytes=(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))\Z")
#: What follows the name of a coding that is not acceptable.
_RULED_OUT = re.compile(rb"[ \t]*q=0(?:\.0{1,3})?")
_CONTROL = re.compile("[\x00-\x1f\x7f]")


class Credentials(NamedTuple):
    """What HTTP Basic carries (RFC 7617)."""

    name: str
    password: str


def basic_credentials(value: bytes) -> Optional[Credentials]:
    """Read an Authorization value; None where it is of another scheme.

    The text is UTF-8, or Latin-1 where it is not valid UTF-8 (older clients).
    """
    if len(value) > MAX_AUTHORIZATION:
        raise ProtocolError(f"the Authorization header has {len(value)} bytes")
    if not value[:6].lower() == b"basic ":
        return None
    match = _BASIC.match(value)
    if match is None:
        raise ProtocolError("the Authorization header is not base64")
    try:
        blob = binascii.a2b_base64(match[1], strict_mode=True)
    except binascii.Error:
        raise ProtocolError("the Authorization header is not base64") from None
    try:
        text = blob.decode("utf-8")
    except UnicodeDecodeError:
        text = blob.decode("latin-1")
    name, colon, password = text.partition(":")
    if not colon or _CONTROL.search(text):
        raise ProtocolError("the Authorization header holds no name:password")
    return Credentials(name, password)


def bearer_token(value: bytes) -> Optional[str]:
    """Read an Authorization value (RFC 6750); None where it is of another scheme."""
    if not value[:7].lower() == b"bearer ":
        return None
    match = _BEARER.match(value) if len(value) <= MAX_AUTHORIZATION else None
    if match is None:
        raise ProtocolError("the Authorization header holds no bearer token")
    return match[1].decode("ascii")


def valid_host(value: bytes) -> bool:
    """Tell whether a Host value is a plain host with an optional port."""
    return len(value) <= MAX_HOST and _is_host(value)


@lru_cache(maxsize=256)
def _is_host(value: bytes) -> bool:
    return _HOST.match(value) is not None


class Origin(NamedTuple):
    """A web origin (RFC 6454), its host in lower case and its port explicit."""

    scheme: str
    host: str
    port: int


def parse_origin(value: str) -> Origin:
    """Read a serialised origin: scheme://host[:port] and nothing else."""
    if len(value) > MAX_HOST:
        raise ProtocolError(f"the origin has {len(value)} characters")
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise ProtocolError("the origin is not scheme://host[:port]") from None
    default = _DEFAULT_PORTS.get(parts.scheme)
    authority = parts.netloc.encode("latin-1", "replace")
    if default is None or value != f"{parts.scheme}://{parts.netloc}" or not valid_host(authority):
        raise ProtocolError("the origin is not scheme://host[:port]")
    return Origin(parts.scheme, (parts.hostname or "").lower(), default if port is None else port)


def same_origin(origin: Origin, host: bytes, secure: bool) -> bool:
    """Tell whether ``origin`` is what the client reached by this Host value.

    A secure connection wants a secure origin: a page of plain HTTP on the same
    host and port may have been written by anyone on the way.  A plain
    connection takes both, for a proxy in front may be what speaks TLS.
    """
    if (secure and origin.scheme != "https") or not valid_host(host):
        return False
    reached = parse_origin(f"{origin.scheme}://{host.decode('ascii')}")
    return reached == origin


def tokens(values: Sequence[bytes]) -> list[bytes]:
    """Give the members of a list-valued header, lower case and in order."""
    return [token.strip(b" \t").lower() for value in values for token in value.split(b",")]


def takes_gzip(values: Sequence[bytes]) -> bool:
    """Tell whether Accept-Encoding names gzip, and does not rule it out (RFC 9110 12.5.3)."""
    for token in tokens(values):
        coding, _, weight = token.partition(b";")
        if coding.rstrip() == b"gzip":
            return _RULED_OUT.fullmatch(weight) is None
    return False


def etag_matches(values: Sequence[bytes], etag: bytes) -> bool:
    """Tell whether If-None-Match names ``etag`` (weak comparison, RFC 9110 13.1.2)."""
    wanted = [token.strip(b" \t") for value in values for token in value.split(b",")]
    return any(token == b"*" or token.removeprefix(b"W/") == etag for token in wanted)


def byte_range(value: bytes, length: int) -> Optional[tuple[int, int]]:
    """Give (offset, size) for a Range value over ``length`` bytes.

    None where the header is to be ignored (another unit, several ranges, bad
    syntax: RFC 9110 14.2); a size of 0 where nothing can satisfy it.
    """
    match = _RANGE.match(value) if len(value) <= MAX_RANGE else None
    if match is None:
        return None
    if match[3] is not None:
        size = min(int(match[3]), length)
        return length - size, size
    first = int(match[1])
    last = min(int(match[2]), length - 1) if match[2] else length - 1
    if match[2] and int(match[2]) < first:
        return None
    return first, max(0, last - first + 1)
