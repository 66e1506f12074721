"""One line for each request, without credentials, queries or control characters."""

from __future__ import annotations

from twisted.logger import Logger

_log = Logger(namespace="kasmd.access")
#: What of a hostile path or name is worth a line of the log.
MAX_LOGGED = 256


def printable(text: str) -> str:
    """Give ``text`` on one line of ASCII, cut to MAX_LOGGED characters."""
    return text[:MAX_LOGGED].encode("unicode_escape").decode("ascii")


def log_access(
    peer: str, name: str, method: bytes, path: bytes, status: int, length: int, seconds: float
) -> None:
    """Record one answered request; ``path`` is without its query."""
    who, where = printable(name) or "-", printable(path.decode("latin-1"))
    verb = printable(method.decode("latin-1"))
    _log.info(
        "{line}",
        line=f'{peer or "-"} {who} "{verb} {where}" {status} {length} {seconds * 1000:.1f} ms',
        peer=peer,
        name=who,
        method=verb,
        path=where,
        status=status,
    )
