"""Whether a request may become a websocket (RFC 6455 section 4.2), and why not."""

from __future__ import annotations

from typing import Optional

from kasmd.h1.head import HTTP_1_1
from kasmd.http.headers import tokens
from kasmd.http.problems import Problem
from kasmd.http.server import Request
from kasmd.http.upgrade import check_handshake

#: What noVNC and Kasm's client offer, and all that RFB needs.
SUBPROTOCOL = b"binary"


def check_upgrade(request: Request) -> bytes:
    """Give the Sec-WebSocket-Key of a well-formed upgrade request, else a `Problem`."""
    if b"websocket" not in tokens(request.values(b"Upgrade")):
        raise Problem(
            426,
            "This address speaks WebSocket only.",
            [(b"Upgrade", b"websocket"), (b"Connection", b"Upgrade")],
        )
    if request.version != HTTP_1_1:
        raise Problem(400, "A WebSocket handshake is a GET of HTTP/1.1.")
    if b"upgrade" not in tokens(request.values(b"Connection")):
        raise Problem(400, "The Connection header does not say Upgrade.")
    return check_handshake(request)


def choose_subprotocol(request: Request) -> Optional[bytes]:
    """Give ``binary`` if it was offered, None if nothing was, else a `Problem`."""
    offered = tokens(request.values(b"Sec-WebSocket-Protocol"))
    if not offered:
        return None
    if SUBPROTOCOL not in offered:
        raise Problem(400, "None of the offered subprotocols is spoken here, only binary.")
    return SUBPROTOCOL
