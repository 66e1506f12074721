"""Keeps out what pages of other sites ask for in the name of whoever reads them."""

from __future__ import annotations

from typing import Collection

from kasmd.errors import ProtocolError
from kasmd.http.headers import Origin, parse_origin, same_origin
from kasmd.http.problems import Problem
from kasmd.http.server import Request

#: The word of what is refused here.
FOREIGN_PAGE = "foreign-page"
#: What a browser says of a request that its person or our own page made.
_OURS = (b"", b"none", b"same-origin")


def check_same_site(request: Request, allowed_origins: Collection[Origin]) -> None:
    """Refuse the pages of other sites, which would bring the person's credentials.

    For websockets and whatever changes something, GET or not.  A client that is
    no browser sends neither Origin nor Sec-Fetch-Site, and is not bound by it.
    Raises a `Problem`.
    """
    origins = request.values(b"Origin")
    if not origins:
        if request.value(b"Sec-Fetch-Site") not in _OURS:
            raise _refused("a page of another site asked for this.")
        return
    value = request.value(b"Origin").decode("latin-1")
    try:
        origin = parse_origin(value)
    except ProtocolError as error:
        raise _refused(f"{error}.") from None
    if origin in allowed_origins:
        return
    reached = same_origin(origin, request.value(b"Host"), request.secure)
    if not reached or request.value(b"Sec-Fetch-Site") not in _OURS:
        raise _refused(f"pages of {value} may not do this; see allowed_origins.")


def _refused(why: str) -> Problem:
    return Problem(403, f"Refused: {why}", word=FOREIGN_PAGE)
