"""A control plane's word that somebody may not be somewhere any more.

    -> POST <prefix>/__edge/revocations   {"user": "ada", "session": "0123..."}, either or both
    <- 200 {"ended": 2}                   their sockets are closed

For owners of the daemon, with a password or a token.
"""

from __future__ import annotations

import json
from typing import Collection

from kasmd.http.headers import Origin
from kasmd.http.problems import Problem
from kasmd.http.routes import Route
from kasmd.http.same_site import check_same_site
from kasmd.http.server import Request, Response
from kasmd.log.audit import audited
from kasmd.permission.leases import Leases
from kasmd.rights import Right

#: Bytes of a revocation: two names, and room.
MAX_BODY = 4096
_KEYS = {"user", "session"}


class Revocations:
    """Ends leases."""

    def __init__(self, leases: Leases, allowed: Collection[Origin] = ()) -> None:
        self._leases = leases
        self._allowed = frozenset(allowed)

    def route(self, prefix: bytes) -> Route:
        """Give what is to be published."""
        path = prefix + b"/__edge/revocations"
        return Route(b"POST", path, Right.MANAGE, self.revoke, MAX_BODY)

    def revoke(self, request: Request) -> Response:
        """Answer once no grant of them is left."""
        check_same_site(request, self._allowed)
        try:
            named = json.loads(request.body)
        except (ValueError, RecursionError):
            raise Problem(400, "The body is not JSON.") from None
        if not isinstance(named, dict) or not named or not named.keys() <= _KEYS:
            raise Problem(422, "The body must name a user, a session, or both.")
        if not all(isinstance(text, str) and text for text in named.values()):
            raise Problem(422, "The user and the session must be texts.")
        ended = self._leases.revoke(named.get("user"), named.get("session"))
        subject = " in ".join(named[key] for key in ("user", "session") if key in named)
        audited("lease", subject, "revoked", after=str(ended))
        return Response(
            200, ((b"Content-Type", b"application/json"),), json.dumps({"ended": ended}).encode()
        )
