"""Plain HTTP requests to the daemon under test."""

from __future__ import annotations

import base64
import json
import ssl
from http.client import HTTPConnection, HTTPSConnection
from typing import Any, NamedTuple, Optional

from tests.live.programs import PATIENCE


class Answer(NamedTuple):
    """What came back; HAProxy writes the names of headers in lower case."""

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


def unchecked() -> ssl.SSLContext:
    """Give TLS with anybody."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def get(port: int, path: str = "/", user: str = "", password: str = "password",
        secure: bool = False, source: str = "127.0.0.1", **headers: str) -> Answer:
    """Ask as ``user``, or without credentials; in header names ``_`` is ``-``.

    ``secure`` with TLS, ``source`` from another of this machine's addresses.
    """
    connection = _connection(port, secure, source)
    return _ask(connection, "GET", path, None, user, password, headers)


def post(port: int, path: str, value: object, user: str = "", password: str = "password",
         secure: bool = False, **headers: str) -> Answer:
    """Send a JSON value as ``user``, or without credentials; the rest as in `get`."""
    connection = _connection(port, secure)
    return _ask(connection, "POST", path, json.dumps(value), user, password, headers)


def patch(port: int, path: str, value: object, user: str, secure: bool = False) -> Answer:
    """Change what ``value`` names, as ``user``."""
    kind = {"Content-Type": "application/json"}
    return _ask(_connection(port, secure), "PATCH", path, json.dumps(value), user, "password", kind)


def _connection(port: int, secure: bool = False, source: str = "127.0.0.1") -> HTTPConnection:
    if secure:
        return HTTPSConnection("127.0.0.1", port, timeout=PATIENCE, context=unchecked(),
                               source_address=(source, 0))
    return HTTPConnection("127.0.0.1", port, timeout=PATIENCE, source_address=(source, 0))


def _ask(connection: HTTPConnection, method: str, path: str, body: Optional[str], user: str,
         password: str, headers: dict[str, str]) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if user:
        named["Authorization"] = basic(user, password)
    try:
        connection.request(method, path, body, named)
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.getheaders()), answer.read().decode())
    finally:
        connection.close()
