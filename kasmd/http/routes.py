"""Gate two: what is published, and the right that each of it needs."""

from __future__ import annotations

from typing import Callable, NamedTuple, Sequence

from kasmd.errors import PermissionDenied
from kasmd.http.problems import Problem
from kasmd.http.server import Answer, Request
from kasmd.rights import NOTHING, Right


class Route(NamedTuple):
    """One thing that is published; ``needs`` has no default.

    ``path`` is matched whole, or as a prefix where it ends with ``*``.  A route
    for GET answers HEAD too.
    """

    method: bytes
    path: bytes
    needs: Right
    handle: Callable[[Request], Answer]


class Routes:
    """Sends each request to the one route that it names, if its grant allows."""

    def __init__(self, table: Sequence[Route]) -> None:
        self.table = tuple(table)
        self._exact: dict[bytes, dict[bytes, Route]] = {}
        self._prefixes: list[tuple[bytes, dict[bytes, Route]]] = []
        for route in self.table:
            self._publish(route)

    def _publish(self, route: Route) -> None:
        if route.needs == NOTHING:
            raise ValueError(f"{route.path!r} is published to nobody in particular")
        if not route.path.endswith(b"*"):
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
        methods = self._methods(request.path)
        method = b"GET" if request.method == b"HEAD" else request.method
        route = methods.get(method)
        grant = request.grant
        if grant is None or not grant.holds(Right.ENTER):
            raise PermissionDenied("the grant is gone")
        if route is None:
            allowed = sorted(methods) + ([b"HEAD"] if b"GET" in methods else [])
            raise Problem(
                405, "This method is not for this address.", [(b"Allow", b", ".join(allowed))]
            )
        grant.require(route.needs)
        return route.handle(request)

    def _methods(self, path: bytes) -> dict[bytes, Route]:
        exact = self._exact.get(path)
        if exact is not None:
            return exact
        for prefix, methods in self._prefixes:
            if path.startswith(prefix):
                return methods
        raise Problem(404, "There is nothing at this address.")
