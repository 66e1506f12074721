"""What an edge asks before it lets a request through, and what it may hear."""

from __future__ import annotations

import math
from typing import Callable, NamedTuple, Optional, Protocol, Union

from twisted.internet.defer import Deferred

from kasmd.h1.fields import Field
from kasmd.http.server import Answer, Request
from kasmd.interfaces import IGrant, Principal
from kasmd.trust import Trust


class Upstream(NamedTuple):
    """Where a desktop, or the next hop, is."""

    #: A host's name or address; blank for a unix socket.
    host: str = ""
    port: int = 0
    #: A unix socket's path.
    path: str = ""
    #: None: without TLS.
    tls: Optional[Trust] = None

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'http' if self.tls is None else 'https'}://{host}:{self.port}"


class Reach(NamedTuple):
    """What else leave is for: one beginning goes in place of another."""

    #: Every such target begins with this.
    scope: bytes
    #: Beginnings of the public targets, and of the upstream's.
    public: bytes
    inner: bytes

    def target(self, uri: bytes) -> Optional[bytes]:
        """Give what to ask the upstream for; None where the leave says nothing of it."""
        return rebased(uri, self.public, self.inner) if uri.startswith(self.scope) else None


def rebased(uri: bytes, public: bytes, inner: bytes) -> Optional[bytes]:
    """Give a target with ``inner`` in place of ``public``; None where that is not its beginning."""
    if not uri.startswith(public):
        return None
    rest = uri[len(public) :]
    return inner + rest if rest[:1] in (b"/", b"?", b"") else None


class Allowed(NamedTuple):
    """Leave to pass, for one request."""

    #: Lives on with a websocket; when it no longer holds ENTER, the socket closes.
    grant: IGrant
    principal: Principal
    #: The desktop session's id, for logs and for other hops.
    session: str
    upstream: Upstream
    #: The path and query that the upstream is asked for.
    target: bytes
    #: What goes with the request: the desktop's own credentials, a ticket.
    fields: tuple[Field, ...] = ()
    #: For whoever comes with the same proof; None: this request only.
    reach: Optional[Reach] = None
    #: For which that holds, unless the grant ends before.
    seconds: float = math.inf


#: At once where nobody has to be asked.
Asked = Union[Allowed, Deferred[Allowed]]
#: Carries an allowed request to its upstream, and the answer back.
Forward = Callable[[Request, Allowed], Answer]


class Authoriser(Protocol):
    """One of: the directory with kasmd's own log-in, or a control plane that is asked."""

    def authorise(self, request: Request) -> Asked:
        """Give leave to pass, or raise or fail with a `Problem` that says why not."""
