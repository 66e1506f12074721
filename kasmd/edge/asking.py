"""What an edge asks before it lets a request through, and what it may hear."""

from __future__ import annotations

from typing import NamedTuple, Optional, Protocol, Union

from twisted.internet.defer import Deferred

from kasmd.h1.fields import Field
from kasmd.http.server import Request
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


#: At once where nobody has to be asked.
Asked = Union[Allowed, Deferred[Allowed]]


class Authoriser(Protocol):
    """One of: the directory with kasmd's own log-in, or a control plane that is asked."""

    def authorise(self, request: Request) -> Asked:
        """Give leave to pass, or raise or fail with a `Problem` that says why not."""
