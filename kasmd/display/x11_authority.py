"""Xauthority files: which secret opens which display.

The format is libXau's (Xau(3)): entries of a 16-bit family and four counted
byte strings (address, display number, name, data), all big endian.
"""

from __future__ import annotations

import os
import socket
import struct
from typing import Iterator, NamedTuple, Optional

from kasmd.errors import DisplayLost

#: A real file has a few hundred bytes.
MAX_FILE = 1 << 20
COOKIE_NAME = b"MIT-MAGIC-COOKIE-1"
FAMILY_WILD = 65535


class Entry(NamedTuple):
    """One line: for whom (family, address, display number) what (name, data)."""

    family: int
    address: bytes
    number: bytes
    name: bytes
    data: bytes


def parse_entries(content: bytes) -> Iterator[Entry]:
    """Give the entries; what follows a broken one is ignored, as libXau does."""
    offset = 0
    while offset + 2 <= len(content):
        (family,) = struct.unpack_from(">H", content, offset)
        offset += 2
        fields = []
        for _ in range(4):
            if offset + 2 > len(content):
                return
            (length,) = struct.unpack_from(">H", content, offset)
            offset += 2 + length
            if offset > len(content):
                return
            fields.append(content[offset - length : offset])
        yield Entry(family, *fields)


def format_entry(entry: Entry) -> bytes:
    """Give the bytes of one entry."""
    fields = b"".join(struct.pack(">H", len(field)) + field for field in entry[1:])
    return struct.pack(">H", entry.family) + fields


def default_path() -> str:
    """Where X11 clients look when nobody tells them."""
    return os.environ.get("XAUTHORITY") or os.path.expanduser("~/.Xauthority")


def find_cookie(path: Optional[str], host: str, number: int) -> Optional[bytes]:
    """Give the cookie for display ``host:number``, or None where there is none.

    ``host`` is empty for this machine.  A path that was given must be readable
    (DisplayLost); the default one may be absent.
    """
    try:
        with open(path or default_path(), "rb") as file:
            content = file.read(MAX_FILE)
    except OSError as error:
        if path is None:
            return None
        raise DisplayLost(f"cannot read the Xauthority file {path}: {error.strerror}") from error
    names = {(host or socket.gethostname()).encode()}
    if host:
        names |= _addresses(host)
    for entry in parse_entries(content):
        known = entry.family == FAMILY_WILD or entry.address in names
        if known and entry.number in (b"", b"%d" % number) and entry.name == COOKIE_NAME:
            return entry.data
    return None


def _addresses(host: str) -> set[bytes]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return set()
    return {socket.inet_pton(family, str(address[0])) for family, _, _, _, address in found}
