"""Secrets that we make: 256 random bits for their holder, a hash of them for us."""

from __future__ import annotations

import hmac
import re
from hashlib import sha256
from secrets import token_urlsafe

#: Characters of the hash that name a secret where it is listed or ended.
IDENT_LENGTH = 16
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}\Z")


def new_secret() -> str:
    """Give 256 bits of the system's randomness, in 43 characters of base64url."""
    return token_urlsafe(32)


def is_secret(text: str) -> bool:
    """Tell whether ``text`` has the form of a secret; nothing longer is hashed."""
    return _SECRET.match(text) is not None


def digest(secret: str) -> str:
    """Give what is kept of a secret.  It needs no salt: nobody guesses 256 bits."""
    return sha256(secret.encode("ascii")).hexdigest()


def ident_of(digested: str) -> str:
    """Give the name of a secret, which is safe to show."""
    return digested[:IDENT_LENGTH]


def same(one: str, other: str) -> bool:
    """Compare two digests in constant time."""
    return hmac.compare_digest(one, other)
