"""Whether a request may become a websocket (RFC 6455 section 4.2), and why not."""

from __future__ import annotations

import re
from typing import Optional

from kasmd.http.headers import tokens
from kasmd.http.problems import Problem
from kasmd.http.server import Request

#: What noVNC and Kasm's client offer, and all that RFB needs.
SUBPROTOCOL = b"binary"
_VERSION = b"13"
_KEY = re.compile(rb"[A-Za-z0-9+/]{22}==\Z")


def check_upgrade(request: Request) -> bytes:
    """Give the Sec-WebSocket-Key of a well-formed upgrade request, else a `Problem`."""
    if b"websocket" not in tokens(request.values(b"Upgrade")):
        raise Problem(
            426,
            "This address speaks WebSocket only.",
            [(b"Upgrade", b"websocket"), (b"Connection", b"Upgrade")],
        )
    if request.version != b"HTTP/1.1" or request.method != b"GET":
        raise Problem(400, "A WebSocket handshake is a GET of HTTP/1.1.")
    if b"upgrade" not in tokens(request.values(b"Connection")):
        raise Problem(400, "The Connection header does not say Upgrade.")
    if request.value(b"Sec-WebSocket-Version") != _VERSION:
        raise Problem(
            426,
            "Only WebSocket version 13 is spoken here.",
            [(b"Sec-WebSocket-Version", _VERSION), (b"Upgrade", b"websocket")],
        )
    key = request.value(b"Sec-WebSocket-Key")
    if not _KEY.match(key):
        raise Problem(400, "The Sec-WebSocket-Key is not 16 bytes in base64.")
    return key


def choose_subprotocol(request: Request) -> Optional[bytes]:
    """Give ``binary`` if it was offered, None if nothing was, else a `Problem`."""
    offered = tokens(request.values(b"Sec-WebSocket-Protocol"))
    if not offered:
        return None
    if SUBPROTOCOL not in offered:
        raise Problem(400, "None of the offered subprotocols is spoken here, only binary.")
    return SUBPROTOCOL
