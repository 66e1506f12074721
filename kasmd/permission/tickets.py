"""Tickets: one hop tells the next who comes, for which session, and what he may do there.

-> Kasmd-Ticket: a JWT (RFC 7519), HS256 under a key that only the two hops have

It is good for seconds.  The algorithm and the header are given, not chosen by
who sends it, and each claim has one type and one form: whatever else is in a
ticket makes it none.  A key's holder can make tickets, so a key is for the
sessions of one upstream.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from secrets import token_hex
from typing import Any, Callable, NamedTuple, Optional, Sequence, Union

import jwt
from jwt.api_jws import PyJWS
from jwt.utils import base64url_decode

from kasmd.errors import LoginRefused
from kasmd.interfaces import Principal
from kasmd.permission.kasmpasswd import is_one_line
from kasmd.permission.keyfile import KeyFile
from kasmd.permission.registry import TICKET
from kasmd.rights import Right, feature_names, rights_from_features

#: Seconds for which a ticket is good, and by which two hosts' clocks may differ.
LIFE, SKEW = 30, 5
#: Seconds for which the same ticket serves again.
REUSE = 10
#: Tickets remembered on either side.
REMEMBERED = 1024
#: Characters; one with every right and the longest names has half of it.
MAX_TICKET = 2048
#: Characters of a name, an id or an audience.
MAX_NAME = 128
#: What the desktop's own site calls itself.
DESKTOP_HOP = "desktop"
#: What an agent hop does.
AGENT_HOP = "agent"

_HEADER = {"alg": "HS256", "typ": "JWT"}
_TICKET = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}\Z")
_TEXTS = ("aud", "sub", "sid", "jti")
_TIMES = ("iat", "nbf", "exp")
_CLAIMS = frozenset((*_TEXTS, *_TIMES, "rights"))


class Ticket(NamedTuple):
    """What a ticket says."""

    name: str
    session: str
    rights: Right
    ident: str
    #: In seconds since the epoch.
    ends: int

    @property
    def principal(self) -> Principal:
        """Give who comes."""
        return Principal(self.name, TICKET, self.ident, self.rights)


class _Signed(NamedTuple):
    """A ticket with its times."""

    ticket: Ticket
    begins: int
    made: int


class Tickets:
    """Signs and reads the tickets for one hop, ``audience``.

    The first of ``keys`` signs, every one is good for reading; those of a file are
    always what is in it, and two that have the same file are equal.  ``clock`` is
    the wall clock (``time.time``), for the other hop has another.
    """

    def __init__(
        self,
        keys: Union[Sequence[bytes], KeyFile],
        audience: str,
        clock: Callable[[], float],
    ) -> None:
        self._file: Optional[KeyFile] = keys if isinstance(keys, KeyFile) else None
        self._keys = keys.keys() if isinstance(keys, KeyFile) else tuple(keys)
        if not self._keys or any(len(key) < 32 for key in self._keys):
            raise ValueError("a ticket needs a key of 32 bytes")
        self._audience = audience
        self._clock = clock
        self._signer = PyJWS(algorithms=["HS256"])
        # Neither depends on the time; a page of fifty files is one ticket.
        self._made = lru_cache(REMEMBERED)(self._make)
        self._verified = lru_cache(REMEMBERED)(self._verify)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tickets):
            return NotImplemented
        return self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[object, str]:
        return self._keys if self._file is None else self._file.path, self._audience

    def _look(self) -> None:
        """Forget what was made by other keys than the present ones."""
        keys = self._keys if self._file is None else self._file.keys()
        if keys is not self._keys:
            self._keys = keys
            self._made.cache_clear()
            self._verified.cache_clear()

    def sign(self, name: str, session: str, rights: Right) -> str:
        """Give a ticket for ``name`` in ``session`` with these rights."""
        self._look()
        now = int(self._clock())
        return self._made(name, session, rights, now - now % REUSE)

    def _make(self, name: str, session: str, rights: Right, now: int) -> str:
        claims = {
            "aud": self._audience, "sub": name, "sid": session, "jti": token_hex(8),
            "rights": feature_names(rights), "iat": now, "nbf": now, "exp": now + LIFE,
        }
        payload = json.dumps(claims, separators=(",", ":")).encode("ascii")
        return self._signer.encode(payload, self._keys[0], algorithm="HS256")

    def read(self, text: str) -> Ticket:
        """Give what a ticket says (LoginRefused says why it is none)."""
        if len(text) > MAX_TICKET:
            raise LoginRefused("this is no ticket")
        self._look()
        signed = self._verified(text)
        self._check_times(signed)
        return signed.ticket

    def left(self, ticket: Ticket) -> float:
        """Give the seconds until a ticket ends, by our clock."""
        return max(0.0, ticket.ends - self._clock())

    def _verify(self, text: str) -> _Signed:
        """Give what is said for us and signed by one of our keys, whenever it holds."""
        if _TICKET.match(text) is None:
            raise LoginRefused("this is no ticket")
        claims = self._signed_claims(text)
        if claims["aud"] != self._audience:
            raise LoginRefused("this ticket is for another hop")
        try:
            rights = rights_from_features(claims["rights"])
        except ValueError:
            raise LoginRefused("this ticket names rights that there are not") from None
        ticket = Ticket(claims["sub"], claims["sid"], rights, claims["jti"], claims["exp"])
        return _Signed(ticket, max(claims["nbf"], claims["iat"]), claims["iat"])

    def _signed_claims(self, text: str) -> dict[str, Any]:
        """Give the claims, each of its type."""
        if _object(_decoded(text.partition(".")[0])) != _HEADER:
            raise LoginRefused("this ticket's header is another one")
        for key in self._keys:
            try:
                return _claims(self._signer.decode(text, key, algorithms=["HS256"]))
            except jwt.InvalidSignatureError:
                continue
            except jwt.PyJWTError:
                raise LoginRefused("this is no ticket") from None
        raise LoginRefused("this ticket is signed by somebody else")

    def _check_times(self, signed: _Signed) -> None:
        now, ends = self._clock(), signed.ticket.ends
        if not 0 < ends - signed.made <= LIFE:
            raise LoginRefused("this ticket is good for too long")
        if signed.begins > now + SKEW:
            raise LoginRefused("this ticket is of the future: compare the two hosts' clocks")
        if now >= ends + SKEW:
            raise LoginRefused("this ticket is over: if it is new, compare the two hosts' clocks")


def _decoded(part: str) -> bytes:
    try:
        return base64url_decode(part)
    except ValueError:
        raise LoginRefused("this is no ticket") from None


def _claims(payload: bytes) -> dict[str, Any]:
    claims = _object(payload)
    texts = [claims.get(name) for name in _TEXTS]
    times = [claims.get(name) for name in _TIMES]
    rights = claims.get("rights")
    sound = (
        claims.keys() == _CLAIMS
        and all(isinstance(text, str) and _is_name(text) for text in texts)
        and all(type(time) is int for time in times)
        and isinstance(rights, list)
        and all(isinstance(right, str) for right in rights)
    )
    if not sound:
        raise LoginRefused("this ticket's claims are not as they should be")
    return claims


def _is_name(text: str) -> bool:
    return 0 < len(text) <= MAX_NAME and is_one_line(text)


def _object(data: bytes) -> dict[str, Any]:
    """Read a JSON object, strictly: no key comes twice, no number is none."""
    try:
        value = json.loads(data, object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise LoginRefused("this ticket is not JSON") from None
    if not isinstance(value, dict):
        raise LoginRefused("this ticket is no object")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key comes twice")
    return found


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")
