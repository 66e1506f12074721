"""How KasmVNC says things over HTTP: bare texts, and JSON that is called text."""

from __future__ import annotations

import json

from kasmd.http.problems import Headers, Problem
from kasmd.http.server import Response

TEXT = (b"Content-Type", b"text/plain")
#: What KasmVNC calls the JSON of its newer addresses.
TEXT_JSON = (b"Content-Type", b"text/json")
_NO_STORE = (b"Cache-Control", b"no-store")

#: The body is not the reason phrase of RFC 9110 for these.
_TEXTS = {404: "404"}


class Refusal(Problem):
    """A failure with KasmVNC's text; a ``why`` is one line more, where KasmVNC has no such failure.

    The text is the same whatever the client accepts.
    """

    fixed = True

    def __init__(
        self, status: int, why: str = "", headers: Headers = (), word: str = ""
    ) -> None:
        super().__init__(status, why, headers, word=word)

    def rendered(self, accept: bytes) -> tuple[bytes, bytes]:
        """Give (content type, body)."""
        text = _TEXTS.get(self.status, f"{self.status} {self.title}")
        if self.detail:
            text += f"\n{self.detail}\n"
        return TEXT[1], text.encode("utf-8", "replace")


def not_the_owner() -> Refusal:
    """Refuse one who is known but no owner: 401, and no challenge, as KasmVNC does."""
    return Refusal(401)


def done() -> Response:
    """Say that a deed is done."""
    return said(b"200 OK")


def said(body: bytes) -> Response:
    """Answer with text."""
    return Response(200, (TEXT, _NO_STORE), body)


def told(value: object, content_type: tuple[bytes, bytes] = TEXT) -> Response:
    """Answer with JSON in ASCII, which is the same in whatever charset it is read."""
    body = json.dumps(value, allow_nan=False).encode("ascii") + b"\n"
    return Response(200, (content_type, _NO_STORE), body)


def pictured(jpeg: bytes) -> Response:
    """Answer with a picture."""
    return Response(200, ((b"Content-Type", b"image/jpeg"), _NO_STORE), jpeg)
