"""A reverse proxy that publishes a site under a path prefix, as nginx would."""

from __future__ import annotations

import re
import socket
import socketserver
import threading
from typing import Any

from tests.live.programs import PATIENCE

PREFIX = "/far/away/"


class PrefixProxy(socketserver.ThreadingTCPServer):
    """Listens until the end of the ``with``; ``strays`` are requests for other paths.

    While it is ``mute`` it takes websockets, and answers them nothing.
    """

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.behind = port
        self.strays: list[bytes] = []
        self.mute = False
        self.url = f"http://127.0.0.1:{self.server_address[1]}{PREFIX}"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def __exit__(self, *exc: Any) -> None:
        self.shutdown()
        super().__exit__(*exc)


class _Connection(socketserver.BaseRequestHandler):
    server: PrefixProxy

    def handle(self) -> None:
        """Pass one request on, and then bytes as they are."""
        head = b""
        while b"\r\n\r\n" not in head:
            data = self.request.recv(65536)
            if not data:
                return
            head += data
        line = head.partition(b"\r\n")[0]
        if not line.startswith(f"GET {PREFIX}".encode()):
            self.server.strays.append(line)
            return
        if self.server.mute and b"/websockify" in line:
            while self.request.recv(65536):
                pass
            return
        head = head.replace(PREFIX.encode(), b"/", 1)
        head = re.sub(rb"(?i)connection: keep-alive", b"Connection: close", head, count=1)
        behind = socket.create_connection(("127.0.0.1", self.server.behind), PATIENCE)
        behind.settimeout(None)
        with behind:
            behind.sendall(head)
            back = threading.Thread(target=_pass_on, args=(behind, self.request), daemon=True)
            back.start()
            _pass_on(self.request, behind)
            back.join(PATIENCE)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    """Copy bytes until one side ends, then end the other."""
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return
