"""A site on a real port, and a client that asks there, in a thread."""

from __future__ import annotations

import base64
import http.client
import json
from typing import Any, NamedTuple

from twisted.internet import reactor
from twisted.internet.task import deferLater

from kasmd.permission.kasmpasswd import hash_password

PASSWORD = "secret"
HASH = hash_password(PASSWORD)


class Answer(NamedTuple):
    """What came back."""

    status: int
    body: bytes
    headers: http.client.HTTPMessage

    @property
    def type(self) -> str:
        """The Content-Type, empty where there is none."""
        return str(self.headers.get("Content-Type", ""))

    @property
    def json(self) -> Any:
        """The body's value."""
        return json.loads(self.body)

    @property
    def fields(self) -> list[str]:
        """The fields that a problem names."""
        return [each["field"] for each in self.json.get("errors", [])]


def basic(name: str, password: str = PASSWORD) -> str:
    """Give an Authorization value."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def ask(port: int, method: str, target: str, body: Any, headers: dict[str, str]) -> Answer:
    """Make one request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, target, body, headers)
        response = connection.getresponse()
        return Answer(response.status, response.read(), response.headers)
    finally:
        connection.close()


def listen(case: Any, site: Any) -> int:
    """Serve ``site`` until the test ends and its clients are gone; give the port."""

    async def hung_up() -> None:
        while site.counts.connections:
            await deferLater(reactor, 0)  # type: ignore[arg-type]

    listening = reactor.listenTCP(0, site, interface="127.0.0.1")  # type: ignore
    case.addCleanup(hung_up)
    case.addCleanup(listening.stopListening)
    return int(listening.getHost().port)
