"""Whether a request asks to become a websocket, and whether it may (RFC 6455 section 4)."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode

from kasmd.h1.body import EMPTY
from kasmd.h1.head import HTTP_1_1
from kasmd.http.problems import CLOSE, Problem
from kasmd.http.server import Request

VERSION = b"13"
_KEY = re.compile(rb"[A-Za-z0-9+/]{22}==\Z")
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def asks_for_websocket(request: Request) -> bool:
    """Tell whether a request offers to go on as a websocket.

    An Upgrade that Connection does not name, or of HTTP/1.0, is to be ignored
    (RFC 9110 section 7.8), as is one to anything else.
    """
    fields = request.fields
    return (
        b"upgrade" in fields.values
        and b"websocket" in fields.tokens(b"upgrade")
        and b"upgrade" in fields.tokens(b"connection")
        and request.version == HTTP_1_1
    )


def check_handshake(request: Request) -> bytes:
    """Give the Sec-WebSocket-Key of a well-formed handshake, else a `Problem`."""
    if request.method != b"GET":
        raise Problem(400, "A WebSocket handshake is a GET.", [CLOSE])
    if request.framing != EMPTY:
        raise Problem(400, "A WebSocket handshake has no body.", [CLOSE])
    if request.value(b"Sec-WebSocket-Version") != VERSION:
        raise Problem(
            426,
            "Only WebSocket version 13 is spoken here.",
            [(b"Sec-WebSocket-Version", VERSION), (b"Upgrade", b"websocket"), CLOSE],
        )
    key = request.value(b"Sec-WebSocket-Key")
    if not _KEY.match(key):
        raise Problem(400, "The Sec-WebSocket-Key is not 16 bytes in base64.", [CLOSE])
    return key


def accept_of(key: bytes) -> bytes:
    """Give the Sec-WebSocket-Accept that answers a key."""
    return b64encode(hashlib.sha1(key + _GUID).digest())
