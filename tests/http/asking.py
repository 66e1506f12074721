"""A client in memory that has asked for a page."""

from __future__ import annotations

from typing import Any

from twisted.internet.testing import StringTransportWithDisconnection

from kasmd.http.server import HttpFactory


def ask(factory: HttpFactory, transport: StringTransportWithDisconnection) -> None:
    """Ask for the page at the other end of ``transport``."""
    channel: Any = factory.buildProtocol(None)
    transport.protocol = channel
    channel.makeConnection(transport)
    channel.dataReceived(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
