"""Plain HTTP requests to the daemon under test."""

from __future__ import annotations

import base64
from http.client import HTTPConnection
from typing import NamedTuple

from tests.live.programs import PATIENCE


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: str


def basic(user: str, password: str = "password") -> str:
    """Give the value of the Authorization header."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def get(port: int, path: str = "/", user: str = "", password: str = "password",
        **headers: str) -> Answer:
    """Ask as ``user``, or without credentials; in header names ``_`` is ``-``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if user:
        named["Authorization"] = basic(user, password)
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path, headers=named)
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.getheaders()), answer.read().decode())
    finally:
        connection.close()
