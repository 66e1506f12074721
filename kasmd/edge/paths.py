"""The paths that an edge takes: those that every server behind it reads alike.

A path that one server decodes, folds or joins and the next one does not is two
paths, and leave for one would be leave for the other.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple, Optional
from urllib.parse import unquote_to_bytes

from kasmd.http.problems import Problem

#: What may stand in a path as it is (RFC 3986 section 3.3), and escapes.
_PLAIN = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*\Z")
#: Escapes of what means something in a path, once or twice over: . / \ % and controls.
_TELLING = re.compile(rb"%(?:25)*(?:2e|2f|5c|[01][0-9a-f]|7f)", re.IGNORECASE)
_IDENT = re.compile(rb"[A-Za-z0-9][A-Za-z0-9_-]{0,127}\Z")


class Place(NamedTuple):
    """What a path below the desktops' names: a session, and what is asked of it."""

    session: str
    #: With its first slash; empty where the path ends with the session.
    rest: bytes


@lru_cache(maxsize=1024)
def check_path(path: bytes) -> None:
    """Refuse a path that is not read alike everywhere (a `Problem`: 400)."""
    if _PLAIN.match(path) is None or not path.startswith(b"/"):
        raise Problem(400, "The address holds what no address may.")
    if _TELLING.search(path) is not None:
        raise Problem(400, "The address hides a dot, a slash or a control character.")
    if b"//" in path:
        raise Problem(400, "The address has an empty part (two slashes).")
    # Some servers cut off what follows a semicolon before they look at the dots.
    parts = (part.partition(b";")[0] for part in path.split(b"/"))
    if any(part in (b".", b"..") for part in parts):
        raise Problem(400, "The address goes up or stays (. or ..).")
    try:
        unquote_to_bytes(path).decode("utf-8")
    except UnicodeDecodeError:
        raise Problem(400, "The address is not UTF-8.") from None


def place_of(path: bytes, below: bytes) -> Optional[Place]:
    """Read a path that was checked; ``below`` is for instance ``/desktop/``."""
    ident, slash, rest = path.removeprefix(below).partition(b"/")
    if not path.startswith(below) or _IDENT.match(ident) is None:
        return None
    return Place(ident.decode("ascii"), slash + rest)
