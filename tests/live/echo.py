"""python -m tests.live.echo: an upstream that echoes websocket messages, by Autobahn.

Says the port that it listens on; what is no websocket is answered with a page.
"""

from __future__ import annotations

import sys
from typing import Any, Optional

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet import reactor

from tests.live.programs import PATIENCE, ROOT, Program

#: Bytes of one message: the largest of Autobahn's cases has 16 MiB.
MOST = 20 << 20


class Echo(WebSocketServerProtocol):
    """Takes the last subprotocol that is offered, and closes when told to."""

    def onConnect(self, request: Any) -> Optional[str]:
        return request.protocols[-1] if request.protocols else None

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if payload.startswith(b"close "):
            self.sendClose(int(payload.split(b" ")[1]), "as you wish")
        else:
            self.sendMessage(payload, isBinary)


def main(port: int) -> None:
    factory = WebSocketServerFactory(reactor=reactor)
    factory.protocol = Echo
    factory.setProtocolOptions(
        maxFramePayloadSize=MOST, maxMessagePayloadSize=MOST, failByDrop=False, tcpNoDelay=True,
        echoCloseCodeReason=True,
        # It may be due before the close frame is written, where one turn takes long.
        closeHandshakeTimeout=PATIENCE,
    )
    listening = reactor.listenTCP(port, factory, 512, "127.0.0.1")
    print(f"echo: {listening.getHost().port}", flush=True)
    reactor.run()


class EchoUpstream(Program):
    """The program above, until the end of the ``with``; on a port of its own or a given one."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(sys.executable, "-m", "tests.live.echo", str(port), cwd=ROOT)
        self.port = int(self.wait_for(r"^echo: (\d+)$")[1])


if __name__ == "__main__":
    main(int(sys.argv[1]))
