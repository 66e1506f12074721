"""From the first byte to ServerInit (RFC 6143 section 7.1 to 7.3).

::

    <- "RFB 003.008\\n"
    -> "RFB 003.00x\\n"               3.3, 3.7 and 3.8 as they are; above 8, 8; others, 3
    <- U8 n, n x U8 types            3.3: U32 type, which can only be None
    -> U8 type                       3.3: nothing
    .. security ..
    <- U32 0, or U32 1 and reason    not for None before 3.8; the reason from 3.8 on
    -> U8 shared
    <- U16 width, U16 height, PIXEL_FORMAT, U32 length, name

Each ``<-`` is an item of its own: both noVNCs read one step of a websocket message.
"""

from __future__ import annotations

import re
from typing import Sequence

from kasmd.errors import ProtocolError
from kasmd.rfb.messages import Event, SharedRequested
from kasmd.rfb.numbers import SecurityType
from kasmd.rfb.security import SCRIPTS, Desk
from kasmd.rfb.wire import U32, Parser, Script, text

SERVER_VERSION = b"RFB 003.008\n"
_VERSION = re.compile(rb"RFB (\d{3})\.(\d{3})\n")


def handshake(desk: Desk, offered: Sequence[SecurityType]) -> Script[Event]:
    """Ends when the shell has sent ServerInit."""
    desk.send(SERVER_VERSION)
    desk.version = _agreed((yield 12))
    if desk.version == (3, 3):
        chosen = _imposed(desk, offered)
    else:
        chosen = yield from _chosen(desk, offered)
    yield from SCRIPTS[chosen](desk)
    shared = (yield 1)[0]
    yield from desk.ask(SharedRequested(bool(shared)))


def refusal(version: tuple[int, int], reason: str) -> bytes:
    """SecurityResult for one who may not come in."""
    return U32.pack(1) + (text(reason) if version == (3, 8) else b"")


def _agreed(line: bytes) -> tuple[int, int]:
    match = _VERSION.fullmatch(line)
    if match is None:
        raise ProtocolError(f"{line!r} is not an RFB version")
    major, minor = int(match[1]), int(match[2])
    if major != 3:
        raise ProtocolError(f"RFB {major}.{minor} is not spoken here")
    return 3, 8 if minor >= 8 else 7 if minor == 7 else 3


def _imposed(desk: Desk, offered: Sequence[SecurityType]) -> SecurityType:
    if SecurityType.NONE not in offered:
        desk.send(U32.pack(0) + text("RFB 3.3 cannot log in here: use a newer viewer"))
        raise ProtocolError("RFB 3.3 where a log-in is needed")
    desk.send(U32.pack(SecurityType.NONE))
    return SecurityType.NONE


def _chosen(desk: Desk, offered: Sequence[SecurityType]) -> Parser[SecurityType]:
    desk.send(bytes([len(offered), *offered]))
    number = (yield 1)[0]
    if number not in offered:
        raise ProtocolError(f"security type {number} was not offered")
    return SecurityType(number)
