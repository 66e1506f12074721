"""The processes of one edge, and sockets that each of them has some of."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Callable, Iterator, Optional

from tests.live.echo import EchoUpstream
from tests.live.edge import EdgeDaemon, session, websocket_request
from tests.live.programs import eventually
from tests.live.raw_websocket import TEXT, Frame, Lost, RawWebsocket, frame
from tests.live.web import basic

PROCESSES = 3
POLICY = 1008
#: What the log says of a process that this machine held up for a second.
HELD_UP = "a process of this edge does not close what it must, and is killed"
#: Who is not told would let in for longer than anything is waited for.
LEASE = 600
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


def crowd(stack: ExitStack, edges: EdgeDaemon, opened: Callable[[int], RawWebsocket] = connect,
          name: str = "front") -> list[RawWebsocket]:
    """Open websockets to the edge's port until each process has one."""
    port = edges.port_of(name)
    workers = all_workers(edges)
    sockets: list[RawWebsocket] = []

    def is_everywhere() -> bool:
        sockets.append(stack.enter_context(opened(port)))
        return len(sockets) >= SOCKETS and carriers(port) == workers

    eventually(is_everywhere, "each process has one")
    return sockets


def all_workers(edges: EdgeDaemon) -> set[int]:
    """Wait until all processes were started; give their ids."""
    return set(eventually(
        lambda: len(found := children(edges.pid)) == PROCESSES and found, "processes"
    ))


def carriers(port: int) -> set[int]:
    """Give the processes that hold a connection of the port (proc(5), net/tcp)."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    rows = [line.split() for line in lines]
    ours = (row for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "01")
    held = {f"socket:[{row[9]}]" for row in ours}
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return {pid for pid in pids if not held.isdisjoint(opened_by(pid))}


def opened_by(pid: int) -> Iterator[str]:
    """Give what a process has open; it, and each of them, may be gone meanwhile."""
    with suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                yield os.readlink(f"/proc/{pid}/fd/{name}")


def all_told(edges: EdgeDaemon, sockets: list[RawWebsocket]) -> bool:
    """Wait for the ends of all; tell whether all heard that they may not stay.

    Those of a process that was held up, and killed for it, need not.
    """
    codes = {last_code(client) for client in sockets}
    if None in codes:
        edges.wait_for(HELD_UP)
    return codes - {None} == {POLICY}


def last_code(client: RawWebsocket) -> Optional[int]:
    """Wait for the end; give the code of the close frame, if one comes."""
    try:
        return client.until_close()[-1].code
    except (Lost, OSError):
        return None
