"""The control plane's cookies (workspaces.md 1.5): read strictly, passed on alone.

Two of one name mean that two hosts or paths set it, and which one counts would
be chance: such a request is answered with how to get out of it.
"""

from __future__ import annotations

import hashlib
from typing import Iterable, Sequence

from kasmd.h1.fields import Field

USERNAME, SESSION_TOKEN, CLIENT_KEY = b"username", b"session_token", b"kasm_client_key"
#: Exactly these reach the control plane and the next hop.
KASM_COOKIES = (USERNAME, SESSION_TOKEN, CLIENT_KEY)
#: Without one of these nobody is anybody.
NEEDED = (USERNAME, SESSION_TOKEN)


class CookieConflict(Exception):
    """Several cookies of one name; ``names`` has which."""

    def __init__(self, names: Sequence[bytes]) -> None:
        super().__init__(b", ".join(names).decode("latin-1"))
        self.names = tuple(names)


def pairs(values: Iterable[bytes]) -> list[tuple[bytes, bytes]]:
    """Give the cookies of Cookie header values, in order (RFC 6265 section 5.4)."""
    found = []
    for line in values:
        for pair in line.split(b";"):
            name, equals, value = pair.strip(b" \t").partition(b"=")
            if equals:
                found.append((name.strip(b" \t"), value.strip(b" \t")))
    return found


def kasm_cookies(values: Iterable[bytes]) -> dict[bytes, bytes]:
    """Give the control plane's cookies by name (CookieConflict)."""
    found: dict[bytes, bytes] = {}
    twice = []
    for name, value in pairs(values):
        if name not in KASM_COOKIES:
            continue
        if name in found and name not in twice:
            twice.append(name)
        found[name] = value
    if twice:
        raise CookieConflict(twice)
    return found


def cookie_field(cookies: dict[bytes, bytes]) -> Field:
    """Give the Cookie header of the control plane's cookies, in their order."""
    known = [b"%b=%b" % (name, cookies[name]) for name in KASM_COOKIES if name in cookies]
    return b"Cookie", b"; ".join(known)


def fingerprint(cookies: dict[bytes, bytes]) -> str:
    """Name this proof without saying it."""
    return hashlib.sha256(cookie_field(cookies)[1]).hexdigest()


def clearing(names: Iterable[bytes], host: bytes, paths: Iterable[bytes]) -> list[Field]:
    """Give the Set-Cookie fields that remove ``names`` wherever this host may remove them.

    That is for the host itself and for each domain above it, which are the two
    that collide, and for each of ``paths``.
    """
    domains = [b"", *_domains(host)]
    return [
        (b"Set-Cookie", b"%b=; Max-Age=0; Path=%b; Secure%b" % (name, path, domain))
        for name in names
        for path in paths
        for domain in domains
    ]


def _domains(host: bytes) -> list[bytes]:
    name = host.rpartition(b":")[0] if host.rpartition(b":")[2].isdigit() else host
    labels = name.split(b".")
    if name.startswith(b"[") or labels[-1].isdigit() or len(labels) > 10:
        return []
    parents = [b".".join(labels[at:]) for at in range(len(labels) - 1)]
    return [b"; Domain=" + parent for parent in parents]
