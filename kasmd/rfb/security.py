"""Proving who a viewer is (RFC 6143 section 7.2), None apart.

VeNCrypt (type 19, rfbproto), for native viewers::

    <- U8 0, U8 2                     version 0.2
    -> U8 0, U8 2
    <- U8 0                           agreed
    <- U8 n, n x U32                  subtypes, dearest first
    -> U32 subtype
    <- U8 1                           TLS follows
    -- TLS --
    -> U32 length, U32 length, name, password

Whatever comes between the choice and TLS was put there by somebody else and ends
the connection.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Callable, Optional

from kasmd.errors import ProtocolError
from kasmd.rfb import limits
from kasmd.rfb.messages import CredentialsGiven, Event, TlsRequested
from kasmd.rfb.numbers import SecurityType, VeNCryptSubtype
from kasmd.rfb.wire import HOLD, U32, Parser, Script

#: SecurityResult for one who may come in.
ACCEPTED = U32.pack(0)

VERSION = b"\x00\x02"
LENGTHS = struct.Struct(">II")

#: Dearest first: viewers take the first that they know.
SUBTYPES = (VeNCryptSubtype.X509_PLAIN, VeNCryptSubtype.TLS_PLAIN)


@dataclass(slots=True)
class Desk:
    """Where the scripts of a handshake meet the session, and so the shell."""

    send: Callable[[bytes], None]
    #: How many bytes came that nobody has read yet.
    waiting: Callable[[], int]
    version: tuple[int, int] = (3, 3)
    #: The event that the shell has to answer now.
    asked: Optional[type[Event]] = None

    def answer(self, question: type[Event]) -> None:
        """The shell has answered; RuntimeError where it was asked nothing of the kind."""
        if self.asked is not question:
            raise RuntimeError(f"{question.__name__} is not what is to be answered")
        self.asked = None

    def ask(self, event: Event) -> Script[Event]:
        """Hand out ``event`` and hold until it is answered."""
        self.asked = type(event)
        yield event
        while self.asked is not None:
            yield HOLD


def none(desk: Desk) -> Script[Event]:
    """Who comes this far was let in by the transport: a websocket, a unix socket."""
    if desk.version == (3, 8):
        desk.send(ACCEPTED)
    yield from ()


def vencrypt(desk: Desk) -> Script[Event]:
    """Ends once the shell has accepted; holds for ever where it refused."""
    subtype = yield from _agreed(desk)
    yield from _tls(desk, TlsRequested(certificate=subtype == VeNCryptSubtype.X509_PLAIN))
    names, passwords = LENGTHS.unpack((yield LENGTHS.size))
    if max(names, passwords) > limits.CREDENTIAL:
        raise ProtocolError(f"a name of {names} bytes and a password of {passwords}")
    name = (yield names).decode("utf-8", "replace")
    password = (yield passwords).decode("utf-8", "replace")
    yield from desk.ask(CredentialsGiven(name, password))


def _tls(desk: Desk, event: TlsRequested) -> Script[Event]:
    for asked in desk.ask(event):
        if asked == HOLD and desk.waiting():
            raise ProtocolError(f"{desk.waiting()} bytes in clear where TLS was to begin")
        yield asked


def _agreed(desk: Desk) -> Parser[int]:
    """Agree on version and subtype, and say that TLS may begin."""
    desk.send(VERSION)
    version = yield 2
    if version != VERSION:
        desk.send(b"\xff")
        raise ProtocolError(f"VeNCrypt {version[0]}.{version[1]}; only 0.2 is spoken here")
    desk.send(b"\x00")
    desk.send(struct.pack(f">B{len(SUBTYPES)}I", len(SUBTYPES), *SUBTYPES))
    (subtype,) = U32.unpack((yield 4))
    if subtype not in SUBTYPES:
        desk.send(b"\x00")
        raise ProtocolError(f"VeNCrypt subtype {subtype} was not offered")
    desk.send(b"\x01")
    return int(subtype)


#: What to do for each security type.
SCRIPTS: dict[SecurityType, Callable[[Desk], Script[Event]]] = {
    SecurityType.NONE: none,
    SecurityType.VENCRYPT: vencrypt,
}
