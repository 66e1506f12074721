"""The session's cookie (RFC 6265bis): one, with the strictest attributes there are."""

from __future__ import annotations

from kasmd.http.problems import Problem
from kasmd.http.proxies import is_loopback
from kasmd.http.server import Request

#: Browsers take a cookie of this name over TLS only, for this host and the root only.
SECURE_NAME = b"__Host-kasmd"
#: Over plain HTTP, which is for this machine's own browser.
PLAIN_NAME = b"kasmd"
_ENDED = b"; Max-Age=0"


class SessionCookie:
    """Reads and writes the cookie.

    ``embedded``: it is also sent inside frames of other sites, to each site a
    cookie of its own (CHIPS).
    """

    def __init__(self, embedded: bool = False) -> None:
        self._embedded = embedded

    def read(self, request: Request) -> str:
        """Give the cookie's value, or an empty text.

        Two of the name (one may be somebody else's) are refused with a `Problem`
        that makes the browser forget both.
        """
        name = _name(request)
        found = []
        for line in request.values(b"Cookie"):
            for pair in line.split(b";"):
                key, _, value = pair.strip().partition(b"=")
                if key == name:
                    found.append(value.decode("latin-1"))
        if len(found) > 1:
            raise Problem(
                400,
                "Your browser sent two session cookies of this site, and they were removed:"
                " load the page again. If this comes back, remove all cookies of this site.",
                [(b"Set-Cookie", value) for value in self._ends(request)],
            )
        return found[0] if found else ""

    def begin(self, request: Request, secret: str) -> bytes:
        """Give the Set-Cookie value that begins a session.

        Raises a `Problem` where everybody on the way could read it.
        """
        if not request.secure and not is_loopback(request.address):
            raise Problem(
                403,
                "A session needs https. If a proxy in front speaks it, network.trusted_proxies"
                " must name the proxy, and the proxy must send X-Forwarded-Proto.",
            )
        return self._cookie(request, secret, self._embedded)

    def end(self, request: Request) -> bytes:
        """Give the Set-Cookie value that makes the browser forget it."""
        return self._cookie(request, "", self._embedded) + _ENDED

    def _ends(self, request: Request) -> list[bytes]:
        kinds = (True, False) if request.secure else (False,)
        return [self._cookie(request, "", embedded) + _ENDED for embedded in kinds]

    def _cookie(self, request: Request, value: str, embedded: bool) -> bytes:
        parts = [_name(request) + b"=" + value.encode("ascii"), b"Path=/", b"HttpOnly"]
        if not request.secure:
            parts.append(b"SameSite=Lax")
        elif embedded:
            parts += [b"Secure", b"SameSite=None", b"Partitioned"]
        else:
            parts += [b"Secure", b"SameSite=Lax"]
        return b"; ".join(parts)


def _name(request: Request) -> bytes:
    return SECURE_NAME if request.secure else PLAIN_NAME
