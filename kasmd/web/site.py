"""The desktop's own site, composed: a plain function of values."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Collection, Optional, Sequence

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import (
    IOpenSSLServerConnectionCreator,
    IProtocolFactory,
    IReactorTime,
)

from kasmd.errors import ConfigError, ProtocolError
from kasmd.http.counts import Counts
from kasmd.http.face import Carrier, Plain, make_face
from kasmd.http.failures import explained
from kasmd.http.guard import Authenticates, Guard
from kasmd.http.headers import Origin, parse_origin
from kasmd.http.problems import Problem
from kasmd.http.proxies import Proxies
from kasmd.http.routes import Route, Routes
from kasmd.http.server import Answer, Limits, Request
from kasmd.interfaces import IPermissionRegistry, IReachable, IRoster, MakeViewer
from kasmd.permission.tickets import Tickets
from kasmd.rights import Right
from kasmd.web.entrance import Entrance
from kasmd.web.pages import Pages
from kasmd.web.session import Session
from kasmd.web.static import Mount, StaticFiles
from kasmd.web.websockify import Timing, Websockify

PAGE = Path(__file__).with_name("page")
#: The library changes with its package only; the page with every edit.
_LIBRARY_CACHE = b"private, max-age=3600"


def content_policy(ancestors: Sequence[str] = ("self",), form: str = "none") -> bytes:
    """Give the Content-Security-Policy of our pages: no inline script or style.

    noVNC draws cursors from data: and images from blob:.  ``ancestors`` has who may
    show the page in a frame: ``self``, ``none`` or origins; ``form`` where its
    form may go.
    """
    framing = frame_ancestors(ancestors)
    rules = (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        f"form-action '{form}'",
        f"frame-ancestors {framing}",
    )
    return "; ".join(rules).encode("ascii")


def frame_ancestors(words: Sequence[str]) -> str:
    """Give the sources of a frame-ancestors directive (CSP level 3)."""
    return " ".join(f"'{word}'" if word in ("self", "none") else word for word in words)


def page_mounts(
    novnc: Path, page: Path = PAGE, policy: bytes = content_policy()
) -> tuple[Mount, ...]:
    """Give the mounts of our own page over the noVNC package at ``novnc``."""
    strict = ((b"Content-Security-Policy", policy),)
    return (
        Mount(b"/", page, headers=strict),
        Mount(b"/novnc/", novnc, _LIBRARY_CACHE, strict),
    )


def find_novnc(configured: Optional[Path] = None) -> Path:
    """Give the noVNC package: where it was said to be, else beside the sources."""
    beside = Path(__file__).parents[2] / "node_modules" / "@novnc" / "novnc"
    directory = configured or beside
    if not (directory / "core" / "rfb.js").is_file():
        raise ConfigError(f"{directory}: holds no noVNC (core/rfb.js); run npm ci,"
                          " or say in site.novnc_directory where it is")
    return directory


def parse_origins(values: Collection[str]) -> frozenset[Origin]:
    """Read the configured list of origins; `ConfigError` names a bad one."""
    try:
        return frozenset(parse_origin(value) for value in values)
    except ProtocolError as error:
        raise ConfigError(f"allowed_origins: {error}: {', '.join(values)}") from None


def site_routes(
    static: StaticFiles, session: Session, websockify: Websockify, more: Sequence[Route] = ()
) -> Routes:
    """Give all that the site publishes, and to whom."""
    return Routes(
        (
            Route(b"GET", b"/websockify", Right.ENTER, websockify.connect),
            Route(b"GET", b"/api/v1/me", Right.ENTER, session.me),
            Route(b"GET", b"/api/v1/me/events", Right.ENTER, session.events),
            Route(b"GET", b"/*", Right.ENTER, static.get),
            *more,
        )
    )


def make_site(
    reactor: IReactorTime,
    *,
    authenticator: Authenticates,
    registry: IPermissionRegistry,
    roster: IRoster,
    pages: Pages,
    make_viewer: MakeViewer,
    mounts: Sequence[Mount],
    more: Sequence[Route] = (),
    desktop: Optional[IReachable] = None,
    entrance: Optional[Entrance] = None,
    tickets: Optional[Tickets] = None,
    proxies: Proxies = Proxies(),
    headers: Sequence[tuple[str, str]] = (),
    allowed_origins: Collection[Origin] = (),
    target: str = "desktop",
    tls: Optional[IOpenSSLServerConnectionCreator] = None,
    plain: Plain = Plain.SERVE,
    limits: Limits = Limits(),
    timing: Timing = Timing(),
    counts: Optional[Counts] = None,
) -> IProtocolFactory:
    """Give what listens on the site's port.

    Without ``tls`` only plain connections are understood.  ``headers`` go on
    every answer, the refusals too.  ``more`` is what else is published; without
    an ``entrance`` there are passwords only, and without ``tickets`` no edge in
    front is believed.
    """
    sessions = entrance.sessions if entrance is not None else None
    guard = Guard(authenticator, registry, target, sessions, tickets)
    routes = site_routes(
        StaticFiles(reactor, mounts),
        Session(reactor, roster, pages, desktop),
        Websockify(reactor, make_viewer, allowed_origins, timing),
        (*more, *(entrance.routes() if entrance is not None else ())),
    )

    def respond(request: Request) -> Answer:
        if routes.is_public(request):
            return routes.dispatch(request)
        admitted: Deferred[Any] = maybeDeferred(guard.admit, request)
        if entrance is None:
            return admitted.addCallback(routes.dispatch)
        return admitted.addCallbacks(routes.dispatch, entrance.instead, errbackArgs=(request,))

    def present(problem: Problem, request: Request) -> Problem:
        return explained(problem, target.encode("ascii"), request.request_id)

    return make_face(
        reactor, respond, Carrier(tls, plain, proxies), headers, limits, routes.room, present,
        limits.crowd(counts, proxies.trusts), "site",
    )
