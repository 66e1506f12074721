"""From the first byte to ServerInit, as the client sees it (RFC 6143 section 7.1 to 7.3).

::

    <- "RFB 003.00x\\n"               3.3, 3.7, 3.8; Apple's 3.889 and RealVNC's 4 and 5 are 3.8
    -> "RFB 003.00x\\n"
    <- U8 n, n x U8 types            3.3: U32 type; 0 and a reason: no
    -> U8 type                       3.3: nothing
    .. proof ..
    <- U32 0, or 1 or 2 and reason   not for None before 3.8; the reason from 3.8 on
    -> U8 shared

VeNCrypt is in `security`, the other way round.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Callable, Iterable, NamedTuple, Optional, Sequence

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from kasmd.errors import ProtocolError
from kasmd.rfb import limits
from kasmd.rfb.numbers import SecurityType, VeNCryptSubtype
from kasmd.rfb.payload import text_within
from kasmd.rfb.said import Said, TlsAgreed
from kasmd.rfb.security import LENGTHS, VERSION
from kasmd.rfb.wire import HOLD, U32, Parser, Script

_VERSION = re.compile(rb"RFB (\d{3})\.(\d{3})\n")
#: Characters of a server's reason that are repeated to people.
_REASON_SHOWN = 160
#: VncAuth knows no more of a password than this (RFC 6143 section 7.2.2).
_KEY_BYTES = 8


class Refused(ProtocolError):
    """The server does not let us in, or not in a way that is allowed."""


class Credentials(NamedTuple):
    """Who we are, and the ways to prove it that are allowed, dearest first.

    ``ways`` are `SecurityType` and `VeNCryptSubtype`; those that need a
    password are passed over without one.
    """

    ways: Sequence[int] = (SecurityType.NONE,)
    password: Optional[str] = None
    name: str = ""


@dataclass(slots=True)
class Door:
    """Where the scripts meet the session, and so the shell."""

    send: Callable[[bytes], None]
    #: How many bytes came that nobody has read yet.
    waiting: Callable[[], int]
    credentials: Credentials
    version: int = 3
    #: TLS is being started.
    starting: bool = False


def enter(door: Door) -> Script[Said]:
    """Ends when the server has let us in."""
    door.version = _agreed((yield 12))
    door.send(b"RFB 003.%03d\n" % door.version)
    if door.version == 3:
        (imposed,) = U32.unpack((yield 4))
        if not imposed:
            raise (yield from _refused())
        way = _picked(door, [imposed])
    else:
        types = yield (yield 1)[0]
        if not types:
            raise (yield from _refused())
        way = _picked(door, types)
        door.send(bytes([way]))
    yield from SCRIPTS[way](door)
    if door.version == 8 or way != SecurityType.NONE:
        yield from _result(door)


def _agreed(line: bytes) -> int:
    match = _VERSION.fullmatch(line)
    if match is None:
        raise ProtocolError(f"{line!r} is not an RFB version")
    major, minor = int(match[1]), int(match[2])
    if major < 3:
        raise ProtocolError(f"RFB {major}.{minor} is not spoken here")
    return 8 if major > 3 or minor >= 8 else 7 if minor == 7 else 3


def _picked(door: Door, offered: Iterable[int]) -> SecurityType:
    """Give the dearest way that is offered."""
    types = set(offered)
    for way in _possible(door.credentials):
        of_type = SecurityType.VENCRYPT if way in _SUBTYPES else SecurityType(way)
        if of_type in types:
            return of_type
    raise Refused(f"security types {sorted(types)}, none of which is allowed here")


def _possible(credentials: Credentials) -> list[int]:
    with_password = credentials.password is not None
    return [way for way in credentials.ways if with_password or way not in _WITH_PASSWORD]


def _result(door: Door) -> Parser[None]:
    if any((yield 4)):
        raise (yield from _refused()) if door.version == 8 else Refused("refused")


def _refused() -> Parser[Refused]:
    reason = (yield from text_within(limits.REASON)).decode("utf-8", "replace")
    return Refused(f"refused: {reason[:_REASON_SHOWN]!r}")


def _none(door: Door) -> Script[Said]:
    yield from ()


def _vnc_auth(door: Door) -> Script[Said]:
    """RFC 6143 section 7.2.2."""
    challenge = yield 16
    door.send(encrypted(challenge, door.credentials.password or ""))


def encrypted(challenge: bytes, password: str) -> bytes:
    """Answer a challenge: DES with the password for a key, each byte's bits turned round."""
    key = password.encode("latin-1", "replace")[:_KEY_BYTES].ljust(_KEY_BYTES, b"\0")
    turned = bytes(int(f"{byte:08b}"[::-1], 2) for byte in key)
    # DES is TripleDES with one key three times, and ECB is what the RFC says.
    encryptor = Cipher(TripleDES(turned * 3), modes.ECB()).encryptor()
    return encryptor.update(challenge) + encryptor.finalize()


def _plain(door: Door) -> Script[Said]:
    name, password = door.credentials.name.encode(), (door.credentials.password or "").encode()
    door.send(LENGTHS.pack(len(name), len(password)) + name + password)
    yield from ()


def _vencrypt(door: Door) -> Script[Said]:
    subtype = yield from _subtype(door)
    proof, certificate = _SUBTYPES[subtype]
    door.starting = True
    yield TlsAgreed(certificate)
    while door.starting:
        if door.waiting():
            raise ProtocolError("bytes came in clear where TLS was to begin")
        yield HOLD
    yield from proof(door)


def _subtype(door: Door) -> Parser[int]:
    version = yield 2
    if version != VERSION:
        raise ProtocolError(f"VeNCrypt {version[0]}.{version[1]}; only 0.2 is spoken here")
    door.send(VERSION)
    if any((yield 1)):
        raise Refused("VeNCrypt 0.2 is refused")
    count = (yield 1)[0]
    offered = struct.unpack(f">{count}I", (yield 4 * count))
    for way in _possible(door.credentials):
        if way in offered and way in _SUBTYPES:
            door.send(U32.pack(way))
            if (yield 1) != b"\x01":
                raise Refused(f"VeNCrypt subtype {way} is refused")
            return way
    raise Refused(f"VeNCrypt subtypes {sorted(offered)}, none of which is allowed here")


SCRIPTS: dict[SecurityType, Callable[[Door], Script[Said]]] = {
    SecurityType.NONE: _none,
    SecurityType.VNC_AUTH: _vnc_auth,
    SecurityType.VENCRYPT: _vencrypt,
}
#: What follows TLS, and whether the server shows a certificate.
_SUBTYPES: dict[int, tuple[Callable[[Door], Script[Said]], bool]] = {
    VeNCryptSubtype.TLS_NONE: (_none, False),
    VeNCryptSubtype.TLS_VNC: (_vnc_auth, False),
    VeNCryptSubtype.TLS_PLAIN: (_plain, False),
    VeNCryptSubtype.X509_NONE: (_none, True),
    VeNCryptSubtype.X509_VNC: (_vnc_auth, True),
    VeNCryptSubtype.X509_PLAIN: (_plain, True),
}
_WITH_PASSWORD = {
    SecurityType.VNC_AUTH,
    VeNCryptSubtype.TLS_VNC,
    VeNCryptSubtype.TLS_PLAIN,
    VeNCryptSubtype.X509_VNC,
    VeNCryptSubtype.X509_PLAIN,
}
