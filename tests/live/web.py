"""Plain HTTP requests to the daemon under test."""

from __future__ import annotations

import base64
import json
from http.client import HTTPConnection
from typing import Any, NamedTuple, Optional

from tests.live.programs import PATIENCE


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: str

    @property
    def json(self) -> Any:
        """The body's value."""
        return json.loads(self.body)


def basic(user: str, password: str = "password") -> str:
    """Give the value of the Authorization header."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def get(port: int, path: str = "/", user: str = "", password: str = "password",
        **headers: str) -> Answer:
    """Ask as ``user``, or without credentials; in header names ``_`` is ``-``."""
    return _ask(port, "GET", path, None, user, password, headers)


def post(port: int, path: str, value: object, user: str = "", password: str = "password",
         **headers: str) -> Answer:
    """Send a JSON value as ``user``, or without credentials; headers as in `get`."""
    return _ask(port, "POST", path, json.dumps(value), user, password, headers)


def patch(port: int, path: str, value: object, user: str) -> Answer:
    """Change what ``value`` names, as ``user``."""
    kind = {"Content-Type": "application/json"}
    return _ask(port, "PATCH", path, json.dumps(value), user, "password", kind)


def _ask(port: int, method: str, path: str, body: Optional[str], user: str, password: str,
         headers: dict[str, str]) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if user:
        named["Authorization"] = basic(user, password)
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, path, body, named)
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.getheaders()), answer.read().decode())
    finally:
        connection.close()
