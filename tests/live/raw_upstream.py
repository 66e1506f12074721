"""An upstream that writes down every request it was sent, byte for byte strict."""

from __future__ import annotations

import re
import socket
import threading
from typing import Callable, Self

from kasmd.errors import ProtocolError
from kasmd.h1.session import BodyReceived, MessageEnded, RequestReceived, ServerSession
from tests.live.programs import PATIENCE

#: Seconds of silence after which no more answers are expected.
QUIET = 0.4
Answer = Callable[[RequestReceived], bytes]


def plain_answer(request: RequestReceived) -> bytes:
    """Answer 200 with a short text."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Type: text/plain\r\n\r\nok\n"


class RawUpstream:
    """Listens on a port that the system gives, a thread for each connection."""

    def __init__(self, answer: Answer = plain_answer) -> None:
        self._answer = answer
        #: (method, target, body) of each whole request, in order of their ends.
        self.requests: list[tuple[bytes, bytes, bytes]] = []
        #: The heads as they came.
        self.heads: list[RequestReceived] = []
        #: What was no HTTP.
        self.nonsense: list[str] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.connections: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def forget(self) -> None:
        """Begin to count anew."""
        self.requests.clear()
        self.heads.clear()
        self.nonsense.clear()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        session = ServerSession()
        head = None
        body = b""
        try:
            while data := connection.recv(65536):
                session.receive_data(data)
                events = session.events_received()
                while events:
                    for event in events:
                        if isinstance(event, RequestReceived):
                            head, body = event, b""
                            self.heads.append(event)
                        elif isinstance(event, BodyReceived):
                            body += event.data
                        elif isinstance(event, MessageEnded) and head is not None:
                            self.requests.append((head.head.method, head.head.target, body))
                            connection.sendall(self._answer(head))
                    session.next_request()
                    events = session.events_received()
        except ProtocolError as error:
            self.nonsense.append(str(error))
        except OSError:
            pass
        finally:
            self.connections.discard(connection)
            connection.close()

    def end(self) -> None:
        """Stop, and drop every connection."""
        self._socket.close()
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.end()


def exchange(port: int, data: bytes, least: int = 1) -> bytes:
    """Send raw bytes, and give all that comes.

    That is until the other side closes, or is silent: for long where there are
    fewer answers than ``least``, else for a moment.
    """
    received = b""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        try:
            connection.sendall(data)
            while piece := connection.recv(65536):
                received += piece
                if len([status for status in statuses(received) if status >= 200]) >= least:
                    connection.settimeout(QUIET)
        except (TimeoutError, ConnectionResetError, BrokenPipeError):
            pass
    return received


def statuses(answers: bytes) -> list[int]:
    """Give the status of each answer in ``answers``, whose bodies hold nothing like one."""
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] ([0-9]{3}) ", answers)]
