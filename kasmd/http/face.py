"""What listens on a port: HTTP over TLS, and what becomes of connections without."""

from __future__ import annotations

import enum
import re
from typing import Callable, NamedTuple, Optional, Sequence

from twisted.internet.interfaces import (
    IOpenSSLServerConnectionCreator,
    IProtocolFactory,
    IReactorTime,
)

from kasmd.errors import ConfigError
from kasmd.http.body import Room
from kasmd.http.crowd import Crowd
from kasmd.http.problems import CLOSE, Problem
from kasmd.http.proxies import Proxies
from kasmd.http.server import (
    Answer,
    HttpFactory,
    Limits,
    Present,
    Request,
    Respond,
    as_it_is,
)
from kasmd.http.sniff import SniffingFactory
from kasmd.http.tls import TlsFactory

#: The word of a refusal for the want of TLS.
HTTPS_ONLY = "https-only"


class Plain(enum.Enum):
    """What becomes of a connection that does not speak TLS."""

    SERVE = "serve"
    REDIRECT = "redirect"
    REFUSE = "refuse"


class Carrier(NamedTuple):
    """How a face is reached."""

    #: None: only plain connections are understood.
    tls: Optional[IOpenSSLServerConnectionCreator] = None
    plain: Plain = Plain.SERVE
    #: Whose X-Forwarded-For and X-Forwarded-Proto are believed.
    proxies: Proxies = Proxies()
    #: Who must say for whom it connects, before anything else (PROXY protocol, version 2).
    announced: Proxies = Proxies()


def make_face(
    reactor: IReactorTime,
    respond: Respond,
    carrier: Carrier,
    headers: Sequence[tuple[str, str]] = (),
    limits: Limits = Limits(),
    room: Callable[[bytes, bytes], Room] = lambda method, path: 0,
    present: Present = as_it_is,
    crowd: Optional[Crowd] = None,
    name: str = "http",
) -> IProtocolFactory:
    """Give what listens; ``headers`` go on every answer, the refusals too (ConfigError).

    ``crowd`` counts who comes, and has the numbers of what comes of it; ``name`` is
    what the log calls the port.
    """
    extra = [header(name, value) for name, value in headers]
    if crowd is None:
        crowd = limits.crowd(exempt=carrier.proxies.trusts)
    served = HttpFactory(
        reactor, respond, extra, limits, room, carrier.proxies, present, crowd, name
    )
    if carrier.tls is None:
        if not carrier.announced:
            return served
        return SniffingFactory(reactor, served, served, carrier.announced, crowd, name)
    refusal = {Plain.REDIRECT: _redirect, Plain.REFUSE: _refuse}.get(carrier.plain)
    unsafe = served
    if refusal is not None:
        unsafe = HttpFactory(reactor, refusal, extra, limits, present=present, crowd=crowd)
    tls = TlsFactory(carrier.tls, served)
    return SniffingFactory(reactor, tls, unsafe, carrier.announced, crowd, name)


def header(name: str, value: str) -> tuple[bytes, bytes]:
    """Give a configured header as it goes on the wire (ConfigError)."""
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name) or not value.isprintable():
        raise ConfigError(f"http headers: {name!a}: {value!a} cannot be a header")
    try:
        return name.encode("ascii"), value.encode("latin-1")
    except UnicodeEncodeError:
        raise ConfigError(f"http headers: {name}: {value!a} is not Latin-1") from None


def _redirect(request: Request) -> Answer:
    """Send to the same address over TLS; the Host header was checked before."""
    host = request.value(b"Host")
    if not host or not request.uri.startswith(b"/"):
        return _refuse(request)
    raise Problem(308, "Use https.", [CLOSE, (b"Location", b"https://" + host + request.uri)])


def _refuse(request: Request) -> Answer:
    text = "This port speaks https only: begin the address with https://"
    raise Problem(403, text, [CLOSE], word=HTTPS_ONLY)
