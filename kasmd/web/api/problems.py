"""Refusals of /api/v1: always problem+json (RFC 9457), and the field named."""

from __future__ import annotations

import json
from typing import Sequence

from kasmd.http.problems import Headers, Problem
from kasmd.web.api.validate import Wrong

TYPE = b"application/problem+json"


class Refused(Problem):
    """A `Problem` in JSON whatever the client accepts.

    ``wrong`` is what in the request is not right, ``where`` its part: ``body``,
    ``path`` or ``query``.
    """

    fixed = True

    def __init__(self, status: int, detail: str, headers: Headers = (),
                 wrong: Sequence[Wrong] = (), where: str = "body", word: str = "") -> None:
        super().__init__(status, detail, headers, word=word)
        self._errors = [{"in": where, **each._asdict()} for each in wrong]

    def rendered(self, accept: bytes) -> tuple[bytes, bytes]:
        """Give (content type, body)."""
        value: dict[str, object] = {
            "status": self.status, "title": self.title, "detail": self.detail
        }
        if self._errors:
            value["errors"] = self._errors
        return TYPE, json.dumps(value).encode("ascii")


def invalid(field: str, detail: str) -> Refused:
    """Refuse a body for one thing that its schema cannot say."""
    return unfit([Wrong(field, detail)])


def unfit(wrong: Sequence[Wrong], where: str = "body") -> Refused:
    """Refuse what is not as its schema says."""
    first = wrong[0]
    return Refused(422, f"{first.field or where}: {first.detail}", (), wrong[:16], where)


def missing(what: str) -> Refused:
    """Refuse what names nothing."""
    return Refused(404, f"There is no such {what}.")
