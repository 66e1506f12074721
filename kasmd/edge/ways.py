"""What a public path of Kasm's names, and the way from there to an upstream."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple, Optional

from kasmd.edge.asking import Reach, Upstream, rebased
from kasmd.h1.fields import Field

_UUID = re.compile(
    rb"([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\Z", re.IGNORECASE
)


class Place(NamedTuple):
    """What a public path names: ``/desktop/<session>/<service>/...``."""

    session: str
    service: str
    #: The path as far as the session's id, without a slash at its end.
    prefix: bytes
    #: The path as far as the service, with one.
    scope: bytes

    @classmethod
    @lru_cache(maxsize=1024)
    def of(cls, path: bytes, below: bytes) -> Optional[Place]:
        """Read a path below ``below``, for instance ``/desktop/``; None if it names nothing."""
        if not path.startswith(below):
            return None
        ident, _, rest = path[len(below) :].partition(b"/")
        match = _UUID.match(ident)
        if match is None:
            return None
        session = b"-".join(match.groups()).lower().decode("ascii")
        service, prefix = rest.partition(b"/")[0], below + ident
        return cls(session, service.decode("latin-1"), prefix, b"%b/%b/" % (prefix, service))


class Way(NamedTuple):
    """How public targets become the upstream's: one beginning in place of another."""

    upstream: Upstream
    fields: tuple[Field, ...]
    public: bytes
    inner: bytes

    def target(self, uri: bytes) -> Optional[bytes]:
        """Give what to ask the upstream for; None where this way says nothing of it."""
        return rebased(uri, self.public, self.inner)

    def reach(self, place: Place) -> Optional[Reach]:
        """Give what is reached by it of a session's service; None where no service is named."""
        return Reach(place.scope, self.public, self.inner) if place.service else None


def beginnings(public: bytes, inner: bytes) -> tuple[bytes, bytes]:
    """Give what differs at the beginning of two targets that name the same thing.

    What they share at the end, from a slash on, may be another asset's too.
    """
    if public == inner:
        return b"", b""
    shared = 0
    for at in range(1, min(len(public), len(inner)) + 1):
        if public[-at] != inner[-at]:
            break
        if public[-at : len(public) - at + 1] == b"/":
            shared = at
    return public[: len(public) - shared], inner[: len(inner) - shared]
