"""ETag and If-Match (RFC 9110 sections 8.8.3 and 13.1.1): a change of what is still as it was."""

from __future__ import annotations

from hashlib import blake2b

from kasmd.web.api.operations import Call
from kasmd.web.api.problems import Refused


def tag_of(value: object, key: bytes = b"") -> bytes:
    """Give a tag for a value of plain types; with a secret in it, it needs a ``key``."""
    digest = blake2b(repr(value).encode(), digest_size=12, key=key)
    return b'"%s"' % digest.hexdigest().encode("ascii")


def check_match(call: Call, tag: bytes, what: str) -> None:
    """Refuse to change what is not as If-Match has it."""
    values = call.request.values(b"If-Match")
    wanted = [each.strip(b" \t") for value in values for each in value.split(b",")]
    if wanted and not {b"*", tag} & set(wanted):
        raise Refused(412, f"The {what} not as If-Match has it; get it again.")
