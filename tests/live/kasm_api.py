"""A stand-in for Kasm's API: answers the two questions as workspaces.md 1.3 and 1.4 say.

It knows logins (username, session_token) and who may enter which session, and
can be told to be slow, to fail or to be gone.
"""

from __future__ import annotations

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple, Optional, Self


class Desk(NamedTuple):
    """Where a session is, and whose it is."""

    owner: str
    hostname: str
    port: int
    auth: str
    schema: str = "https"
    #: What stands in place of /desktop/<id>; None: the public shape is kept.
    path: Optional[str] = None


class KasmApi:
    """Listens on a port that the system gives, until the end of the ``with``."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.logins: dict[str, str] = {}
        self.desks: dict[str, Desk] = {}
        #: (path, X-Original-URI, names of the cookies) of each question, in order.
        self.asked: list[tuple[str, str, tuple[str, ...]]] = []
        #: Answer with this status instead.
        self.status: Optional[int] = None
        #: Answers wait until this is set.
        self.awake = threading.Event()
        self.awake.set()
        self.connections: set[socket.socket] = set()
        api = self

        class Handler(_Handler):
            owner = api

        self._server = ThreadingHTTPServer((address, 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def questions(self, path: str) -> int:
        """Count the questions that ``path`` was asked."""
        return sum(asked[0] == path for asked in self.asked)

    def end(self) -> None:
        """Be gone: connections are cut, and refused from now on."""
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        self.awake.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.end()

    def verdict(
        self, path: str, original: str, cookies: dict[str, str]
    ) -> tuple[int, dict[str, str]]:
        """Give the status and the fields of an answer."""
        session = original.split("/")[2] if original.count("/") >= 2 else ""
        name = cookies.get("username", "")
        desk = self.desks.get(session.split("?")[0])
        if not name or self.logins.get(name) != cookies.get("session_token"):
            return 401, {}
        if desk is None or desk.owner != name:
            return 403, {}
        if path == "/api/internal_auth/":
            return 202, {}
        inner = original
        if desk.path is not None:
            inner = desk.path + original.partition(session)[2]
        return 202, {
            "connect_hostname": desk.hostname,
            "connect_port": str(desk.port),
            "connect_path": inner,
            "connect_auth": desk.auth,
            "connect_kasm_id": session,
            "connect_schema": desk.schema,
        }


class _Handler(BaseHTTPRequestHandler):
    owner: KasmApi
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        api = self.owner
        if self.path == "/api/__healthcheck":
            self._answer(200, {}, b'{"ok": true}')
            return
        original = self.headers.get("X-Original-URI", "")
        pairs = [pair.partition("=") for pair in self.headers.get("Cookie", "").split("; ")]
        cookies = {name: value for name, _, value in pairs if name}
        api.asked.append((self.path, original, tuple(name for name, _, _ in pairs)))
        api.awake.wait()
        status, fields = api.verdict(self.path, original, cookies)
        self._answer(api.status or status, fields, json.dumps({}).encode())

    def _answer(self, status: int, fields: dict[str, str], body: bytes) -> None:
        try:
            self.send_response(status)
            for name, value in {**fields, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def handle(self) -> None:
        self.owner.connections.add(self.connection)
        try:
            super().handle()
        except ConnectionResetError:
            pass
        finally:
            self.owner.connections.discard(self.connection)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing on the terminal of the tests."""
