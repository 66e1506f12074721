"""The processes of one edge, and sockets that each of them has some of."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from pathlib import Path

from tests.live.echo import EchoUpstream
from tests.live.edge import EdgeDaemon, session, websocket_request
from tests.live.programs import SOON, eventually
from tests.live.raw_websocket import TEXT, Frame, Lost, RawWebsocket, frame
from tests.live.web import basic

PROCESSES = 3
POLICY = 1008
#: Sockets of one person, so many that no process has none.
SOCKETS = 24
JSON = {"Content_Type": "application/json"}
ACCOUNTS = {"ada": "rw", "bea": "rw", "owner": "rwo"}
ADA, BEA = basic("ada").encode(), basic("bea").encode()


def sessions(echo: EchoUpstream, share: bool = True) -> str:
    others = "    others: {bea: r}\n" if share else ""
    desk = session("desk", echo.port, "ada", others, "{bearer: x}, {bearer: y, rights: r}")
    return desk + session("bea", echo.port, "bea")


def children(pid: int) -> list[int]:
    """Give the processes that this one started and that run."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found if not is_gone(int(child))]


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def connect(port: int, authorization: bytes = ADA, path: str = "/desktop/desk/",
            *fields: bytes) -> RawWebsocket:
    """Open a websocket that was used once."""
    client = RawWebsocket(port, websocket_request(path, *fields, authorization=authorization))
    assert client.status == 101, client.head
    use(client)
    return client


def use(client: RawWebsocket) -> None:
    client.send(frame(TEXT, b"here"))
    assert client.receive() == Frame(TEXT, b"here")


def is_open(client: RawWebsocket) -> bool:
    try:
        use(client)
    except (Lost, OSError):
        return False
    return True


def crowd(stack: ExitStack, edges: EdgeDaemon, authorization: bytes = ADA,
          path: str = "/desktop/desk/", *fields: bytes, name: str = "front") -> list[RawWebsocket]:
    """Open websockets until each process has one."""
    port = edges.port_of(name)
    # All of them, before the first is served.
    workers = set(eventually(
        lambda: len(found := children(edges.pid)) == PROCESSES and found, "processes"
    ))
    sockets: list[RawWebsocket] = []
    while len(sockets) < SOCKETS or carriers(port) != workers:
        assert len(sockets) < 20 * SOCKETS, (carriers(port), workers)
        sockets.append(stack.enter_context(connect(port, authorization, path, *fields)))
    return sockets


def carriers(port: int) -> set[int]:
    """Give the processes that hold a connection of the port (proc(5), net/tcp)."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    rows = [line.split() for line in lines]
    inodes = {row[9] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "01"}
    found = set()
    for entry in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            target = os.readlink(entry)
        except OSError:
            continue
        if target.startswith("socket:[") and target[8:-1] in inodes:
            found.add(int(entry.parts[2]))
    return found


def closed(sockets: list[RawWebsocket], began: float) -> set[int]:
    """Give the close codes of all, which came soon enough."""
    codes = {client.until_close()[-1].code for client in sockets}
    assert time.monotonic() - began < SOON
    return codes
