"""What went wrong, said to a client: plain text, or problem+json (RFC 9457).

A face gives it more words by `kasmd.http.failures`.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Sequence

from kasmd.errors import KasmdError

Headers = Sequence[tuple[bytes, bytes]]
#: The header of an answer after which the connection ends.
CLOSE = (b"Connection", b"close")


class Problem(KasmdError):
    """An answer other than the one that was asked for.

    ``detail`` is one sentence for the person; ``headers`` go with the answer;
    ``limit`` names the one that was reached (`kasmd.http.counts`); ``word`` is what
    programs know it by, where it has one.
    """

    #: Whether programs rely on the form of the body, so that no page takes its place.
    fixed = False

    def __init__(
        self, status: int, detail: str, headers: Headers = (), limit: str = "", word: str = ""
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = tuple(headers)
        self.limit = limit
        self.word = word

    @property
    def title(self) -> str:
        """The standard's name of the status, for instance ``Not Found``."""
        return HTTPStatus(self.status).phrase

    def rendered(self, accept: bytes) -> tuple[bytes, bytes]:
        """Give (content type, body) as ``accept`` prefers.

        Text is never HTML, so nothing in it can be markup.
        """
        if b"json" not in accept:
            text = f"{self.status} {self.title}\n{self.detail}\n"
            return b"text/plain; charset=utf-8", text.encode("utf-8", "replace")
        value = {"status": self.status, "title": self.title, "detail": self.detail}
        return b"application/problem+json", json.dumps(value).encode("ascii")
