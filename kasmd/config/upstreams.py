"""An upstream RFB server in place of a display: where it is, and how to meet it."""

from __future__ import annotations

from typing import Optional

from kasmd.config.addresses import Trusting
from kasmd.config.kinds import Raw, integer, is_host, path
from kasmd.display.upstream_line import Place, Terms
from kasmd.rfb.client_handshake import Credentials
from kasmd.rfb.numbers import SecurityType, VeNCryptSubtype

#: What RFB has for a quality that loses nothing.
LOSSLESS = "lossless"
#: That and numbers are one kind of value.
QUALITY: Optional[int] = 9

_CERTIFIED = (
    VeNCryptSubtype.X509_PLAIN,
    VeNCryptSubtype.X509_VNC,
    VeNCryptSubtype.X509_NONE,
)
_UNCHECKED = (
    *_CERTIFIED,
    VeNCryptSubtype.TLS_PLAIN,
    VeNCryptSubtype.TLS_VNC,
    VeNCryptSubtype.TLS_NONE,
)
#: TLS with anybody is no worse than none, but gets no password as it is.
_ANY = (
    VeNCryptSubtype.X509_VNC,
    VeNCryptSubtype.TLS_VNC,
    SecurityType.VNC_AUTH,
    VeNCryptSubtype.X509_NONE,
    VeNCryptSubtype.TLS_NONE,
    SecurityType.NONE,
)


def place(raw: Raw) -> Place:
    """``host:port``, or the path of a unix socket."""
    value = raw if isinstance(raw, str) else ""
    if value.startswith(("/", "~")):
        return Place(path=path(value))
    host, _, port = value.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not is_host(host) or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError("must be host:port, such as localhost:5900, or a unix socket's path")
    return Place(host, int(port))


def quality(raw: Raw) -> Optional[int]:
    """RFB's JPEG quality, 0 to 9, or none for ``lossless``."""
    if raw == LOSSLESS:
        return None
    try:
        return integer(0, 9)(raw)
    except ValueError:
        raise ValueError(f"must be 0 to 9, or {LOSSLESS}") from None


def terms(username: Optional[str], password: Optional[str], level: Optional[int],
          trusting: Trusting) -> Terms:
    """Give who we are there, whom we believe, and what we ask for."""
    checked = trusting.pin or trusting.ca
    ways = _CERTIFIED if checked else _UNCHECKED if trusting.unchecked else _ANY
    return Terms(Credentials(ways, password, username or ""), trusting.trust, level)
