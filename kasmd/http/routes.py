"""Gate two: what is published, and the right that each of it needs."""

from __future__ import annotations

import enum
import re
from functools import lru_cache
from typing import Callable, NamedTuple, Optional, Sequence, Union
from urllib.parse import unquote_to_bytes

from kasmd.errors import PermissionDenied
from kasmd.http.body import Room
from kasmd.http.problems import Problem
from kasmd.http.server import Answer, Request
from kasmd.log.asking import asked_by, now_asking
from kasmd.rights import NOTHING, Right


class Public(enum.Enum):
    """What a route needs that answers to anybody: nothing, and that said aloud."""

    PUBLIC = "public"


PUBLIC = Public.PUBLIC
#: Every method for which there is no route of its own.
ANY = b"*"
#: Paths and methods whose routes are remembered.
_REMEMBERED = 1024
_PARAMETER = re.compile(rb"\{([a-z_]+)\}")


class Route(NamedTuple):
    """One thing that is published; ``needs`` has no default.

    ``path`` is matched whole, with any one segment where it has ``{a name}``, or as
    a prefix where it ends with ``*``; the more exact match counts.  A route
    for GET answers HEAD too.  ``body`` is how many bytes of one it reads
    (`STREAM`: as many as come, by `Request.read_body`), and ``denied`` what
    those hear who do not hold what it needs (else PermissionDenied).
    """

    method: bytes
    path: bytes
    needs: Union[Right, Public]
    handle: Callable[[Request], Answer]
    body: Room = 0
    denied: Optional[Callable[[], Problem]] = None


class Template:
    """A path whose segments in braces are parameters."""

    def __init__(self, path: bytes) -> None:
        self.path = path
        self._names = [name.decode("ascii") for name in _PARAMETER.findall(path)]
        self._pattern = re.compile(rb"([^/]+)".join(map(re.escape, _PARAMETER.split(path)[::2])))

    def matches(self, path: bytes) -> bool:
        """Tell whether ``path`` is of this kind."""
        return self._pattern.fullmatch(path) is not None

    def parameters(self, path: bytes) -> dict[str, str]:
        """Give the parameters by name; a `Problem` where they are no text."""
        match = self._pattern.fullmatch(path)
        values = match.groups() if match is not None else ()
        try:
            texts = [unquote_to_bytes(value).decode("utf-8") for value in values]
        except UnicodeDecodeError:
            raise Problem(400, "The address is not UTF-8.") from None
        return dict(zip(self._names, texts))


class Routes:
    """Sends each request to the one route that it names, if its grant allows."""

    def __init__(self, table: Sequence[Route]) -> None:
        self.table = tuple(table)
        self._exact: dict[bytes, dict[bytes, Route]] = {}
        self._templates: dict[bytes, tuple[Template, dict[bytes, Route]]] = {}
        self._prefixes: list[tuple[bytes, dict[bytes, Route]]] = []
        self._route = lru_cache(_REMEMBERED)(self._find_route)
        for route in self.table:
            self._publish(route)

    def _publish(self, route: Route) -> None:
        if route.needs == NOTHING:
            raise ValueError(f"{route.path!r} is published to nobody in particular")
        if b"{" in route.path:
            kept = self._templates.setdefault(route.path, (Template(route.path), {}))
            methods = kept[1]
        elif not route.path.endswith(b"*"):
            methods = self._exact.setdefault(route.path, {})
        else:
            prefix = route.path[:-1]
            known = dict(self._prefixes)
            methods = known.setdefault(prefix, {})
            self._prefixes = sorted(known.items(), key=lambda item: -len(item[0]))
        if route.method in methods:
            raise ValueError(f"{route.method!r} {route.path!r} is published twice")
        methods[route.method] = route

    def dispatch(self, request: Request) -> Answer:
        """Check the right, then let the route answer."""
        route = self._route(request.path, request.method)
        if route is not None and route.needs is PUBLIC:
            return self._handle(route, request)
        grant = request.grant
        if grant is None or not grant.holds(Right.ENTER):
            raise PermissionDenied("the grant is gone")
        if route is None:
            methods = self._find_methods(request.path)
            allowed = sorted(methods) + ([b"HEAD"] if b"GET" in methods else [])
            raise Problem(
                405, "This method is not for this address.", [(b"Allow", b", ".join(allowed))]
            )
        needs = route.needs
        assert isinstance(needs, Right), "a public route was answered above"
        if route.denied is not None and not grant.holds(needs):
            raise route.denied()
        grant.require(needs)
        request.note_route()
        return self._handle(route, request)

    def _handle(self, route: Route, request: Request) -> Answer:
        if now_asking() is request:
            return route.handle(request)
        with asked_by(request):
            return route.handle(request)

    def is_public(self, request: Request) -> bool:
        """Tell whether a request is to be dispatched without asking who sent it."""
        try:
            route = self._route(request.path, request.method)
        except Problem:
            return False
        return route is not None and route.needs is PUBLIC

    def room(self, method: bytes, path: bytes) -> Room:
        """Give how much of a body the route for this reads."""
        try:
            route = self._route(path, method)
        except Problem:
            return 0
        return 0 if route is None else route.body

    def _find_methods(self, path: bytes) -> dict[bytes, Route]:
        exact = self._exact.get(path)
        if exact is not None:
            return exact
        for template, methods in self._templates.values():
            if template.matches(path):
                return methods
        for prefix, methods in self._prefixes:
            if path.startswith(prefix):
                return methods
        raise Problem(404, "There is nothing at this address.")

    def _find_route(self, path: bytes, method: bytes) -> Optional[Route]:
        methods = self._find_methods(path)
        route = methods.get(b"GET" if method == b"HEAD" else method)
        return methods.get(ANY) if route is None else route
