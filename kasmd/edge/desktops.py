"""The list of one's own desktops: a page at the edge's address, and the same as JSON."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from html import escape
from pathlib import Path
from string import Template
from typing import Mapping, NamedTuple, Sequence
from urllib.parse import quote

from kasmd.edge.directory import Directory, Session
from kasmd.errors import PermissionDenied
from kasmd.http.server import Request, Response
from kasmd.interfaces import IPermissionRegistry, Principal
from kasmd.rights import FEATURES, Right

#: Stands in a session's page for the path of its own address, without slashes around it.
BASE = "$base$"
#: Desktops on one page; who has more finds all in the JSON.
MAX_SHOWN = 500
#: Seconds after which a page with a desktop that starts is loaded again.
_AGAIN = 5

_PAGE = Path(__file__).with_name("page").joinpath("desktops.html").read_text("utf-8")
_TEMPLATE = Template(_PAGE)
_STYLE = _PAGE.partition("<style>")[2].partition("</style>")[0]
_STYLE_HASH = b64encode(hashlib.sha256(_STYLE.encode("utf-8")).digest()).decode("ascii")
_DESKTOP = """
      <li{starting}><a href="{href}">
        <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M3 5h18v12H3zM9 20.5h6"/></svg>
        <div><p class="name" title="{name}">{name}</p><p class="whose">{whose}</p></div>
      </a></li>"""
_NONE = """
      <li class="none">There is no desktop for you yet.</li>"""


class Listed(NamedTuple):
    """A desktop as one of those who may enter it sees it."""

    id: str
    name: str
    owner: str
    #: What he may do there.
    rights: Sequence[str]
    state: str
    #: Relative to the edge's address.
    href: str


class Desktops:
    """Lists the desktops of whoever asks, as ``registry`` lets him in.

    ``prefix`` is the path that the edge is hosted below, without a slash at its
    end; ``ancestors`` has who may show the page in a frame, as CSP has it.
    """

    def __init__(self, directory: Directory, registry: IPermissionRegistry,
                 prefix: str = "", ancestors: str = "'self'") -> None:
        self._directory = directory
        self._registry = registry
        self._prefix = prefix
        policy = (
            f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src 'self';"
            f" base-uri 'none'; form-action 'self'; frame-ancestors {ancestors}"
        )
        self._policy = policy.encode("ascii")

    def show(self, request: Request) -> Response:
        """Give the page, or JSON to what is no browser."""
        if not request.navigates:
            return self.as_json(request)
        principal = _principal(request)
        listed = self.of(principal)
        desktops = "".join(_shown(each, principal.name) for each in listed[:MAX_SHOWN])
        starts = any(desktop.state != "running" for desktop in listed)
        page = _TEMPLATE.substitute(
            who=escape(principal.name),
            desktops=desktops or _NONE,
            refresh=f'\n  <meta http-equiv="refresh" content="{_AGAIN}">' if starts else "",
        )
        headers = (
            (b"Content-Type", b"text/html; charset=utf-8"),
            (b"Cache-Control", b"no-store"),
            (b"Content-Security-Policy", self._policy),
        )
        return Response(200, headers, page.encode("utf-8"))

    def as_json(self, request: Request) -> Response:
        """Give JSON: ``{"desktops": [...]}``."""
        value = {"desktops": [desktop._asdict() for desktop in self.of(_principal(request))]}
        headers = ((b"Content-Type", b"application/json"), (b"Cache-Control", b"no-store"))
        return Response(200, headers, json.dumps(value).encode("ascii"))

    def of(self, principal: Principal) -> list[Listed]:
        """Give the desktops that ``principal`` may enter, in the directory's order."""
        listed = []
        for session in self._directory.entered_by(principal.name):
            try:
                grant = self._registry.admit(principal, session.ident)
            except PermissionDenied:
                continue
            rights = [name for name, right in FEATURES.items() if grant.holds(right)]
            entered = grant.holds(Right.ENTER)
            grant.release()
            if entered:
                listed.append(self._listed(session, rights))
        return listed

    def _listed(self, session: Session, rights: Sequence[str]) -> Listed:
        address = f"desktop/{session.ident}"
        base = quote(f"{self._prefix}/{address}".lstrip("/"), safe="/")
        page = session.page.replace(BASE, base)
        state = "running" if session.running else "starting"
        return Listed(
            session.ident, session.name, session.owner, rights, state, f"{address}/{page}"
        )


def _principal(request: Request) -> Principal:
    assert request.principal is not None, "the route needs a grant"
    return request.principal


def _shown(desktop: Listed, name: str) -> str:
    return _DESKTOP.format(
        starting="" if desktop.state == "running" else ' class="starting"',
        href=escape(desktop.href),
        name=escape(desktop.name),
        whose=escape(_whose(desktop, name)),
    )


#: What somebody may do in a desktop that is not his, by the most telling of his rights.
_MAY: Mapping[str, str] = {
    "manage": "with all rights",
    "keyboard": "to use",
    "pointer": "to use",
    "view": "to watch",
}


def _whose(desktop: Listed, name: str) -> str:
    may = next((said for right, said in _MAY.items() if right in desktop.rights), "to enter")
    whose = "yours" if desktop.owner == name else f"of {desktop.owner}"
    return whose if len(desktop.rights) == len(FEATURES) else f"{whose}, {may}"
