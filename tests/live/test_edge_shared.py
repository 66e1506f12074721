"""What the processes of an edge share: answers, keys, limits and the socket itself."""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Iterator, Optional, Sequence

import pytest

from kasmd.permission.registry import EVERYTHING
from kasmd.permission.tickets import AGENT_HOP, Tickets
from tests.live.echo import EchoUpstream
from tests.live.edge import EdgeDaemon, edge, session, websocket_request
from tests.live.kasm_api import Desk, KasmApi
from tests.live.programs import eventually
from tests.live.raw_websocket import Lost, RawWebsocket
from tests.live.web import get, post
from tests.live.workers import (
    ACCOUNTS,
    ADA,
    JSON,
    LEASE,
    PROCESSES,
    SOCKETS,
    all_told,
    all_workers,
    carriers,
    children,
    connect,
    crowd,
    is_gone,
    is_open,
    sessions,
    use,
)

#: Connections of an edge that has few.
MOST = 6
IDENT = "01234567-89ab-cdef-0123-456789abcdef"
KASM = {"Cookie": "username=ada; session_token=ada-s; api_token=x"}


@pytest.fixture(scope="module")
def echo() -> Iterator[EchoUpstream]:
    with EchoUpstream() as echo:
        yield echo


@pytest.fixture(scope="module")
def api() -> Iterator[KasmApi]:
    with KasmApi() as api:
        yield api


def test_a_push_closes_the_sockets_of_every_process(
    api: KasmApi, echo: EchoUpstream, tmp_path: Path
) -> None:
    api.logins["ada"] = "ada-s"
    api.desks[IDENT] = Desk("ada", "127.0.0.1", echo.port, "Basic c2VjcmV0", "http")
    hop = edge("hop", "webapp", auth=f"{{address: 'http://127.0.0.1:{api.port}'}}",
               lease_seconds=LEASE, upstream="{unchecked: true}", processes=PROCESSES)
    with EdgeDaemon(tmp_path, hop) as edges, ExitStack() as stack:
        port = edges.port_of("hop")
        path = f"/desktop/{IDENT}/vnc/"
        field = f"Cookie: {KASM['Cookie']}".encode()
        sockets = crowd(stack, edges, lambda port: connect(port, b"", path, field), "hop")
        asked = len(api.asked)
        # One question of the control plane for all of them, whichever process they came to.
        assert asked == 1
        answer = post(port, "/__edge/revocations", {"user": "ada"}, "owner", **JSON)
        assert answer.json == {"ended": 1}
        assert all_told(edges, sockets)
        assert get(port, path, **KASM).status == 200
        assert len(api.asked) == 2


def sign(key: bytes) -> str:
    return Tickets((key,), AGENT_HOP, time.time).sign("ada", IDENT, EVERYTHING)


def test_a_key_that_is_taken_away_is_no_key_in_any_process(
    echo: EchoUpstream, tmp_path: Path
) -> None:
    key, other = bytes(32), bytes(range(32))
    place = tmp_path / "key"
    place.write_text(f"{key.hex()}\n")
    place.chmod(0o600)
    hop = edge("hop", "agent", auth="{address: 'http://127.0.0.1:9'}", ticket_key=place,
               directory=tmp_path / "sessions.yaml", lease_seconds=LEASE, processes=PROCESSES)
    with EdgeDaemon(tmp_path, hop, session(IDENT, echo.port)) as edges, ExitStack() as stack:
        port, path = edges.port_of("hop"), f"/desktop/{IDENT}/vnc/"
        eventually(lambda: edges.output.count("accepts connections") == PROCESSES, "processes")

        def opened(port: int) -> RawWebsocket:
            return connect(port, b"", path, f"Kasmd-Ticket: {sign(key)}".encode())

        def statuses(ticket: str) -> set[int]:
            return {get(port, path, Kasmd_Ticket=ticket).status for _ in range(SOCKETS)}

        sockets = crowd(stack, edges, opened, "hop")
        ticket = sign(key)
        assert statuses(ticket) == {200}
        place.write_text(f"{other.hex()}\n")
        eventually(lambda: statuses(sign(key)) == {403}, "nobody believes the key's tickets")
        # Nor one that was believed before.
        eventually(lambda: statuses(ticket) == {403}, "nobody believes what was believed before")
        eventually(lambda: statuses(sign(other)) == {200}, "all believe the other key's")
        # What was opened before stays, as in one process.
        for client in sockets:
            use(client)


@pytest.mark.parametrize("limit", ["connections", "connections_per_address"])
def test_a_limit_is_one_number_for_all(
    echo: EchoUpstream, tmp_path: Path, limit: str
) -> None:
    keys = {"directory": tmp_path / "sessions.yaml", "processes": PROCESSES}
    front = edge("front", limits=f"{{{limit}: {MOST}}}", **keys)
    with EdgeDaemon(tmp_path, front, sessions(echo), accounts=ACCOUNTS) as edges, \
            ExitStack() as stack:
        port, workers = edges.port_of("front"), all_workers(edges)
        # Each process has room for all of it by itself.
        sockets = fill(stack, port)
        first = sorted(carriers(port))[0]
        assert first in workers
        os.kill(first, signal.SIGKILL)
        eventually(lambda: is_gone(first), "it is gone")
        left = [client for client in sockets if is_open(client)]
        assert len(left) < MOST
        # What it had is free for others, and no more than that.
        sockets = fill(stack, port, left)
        assert set(left) <= set(sockets)
        for client in sockets:
            client.socket.close()
        eventually(lambda: attempt(stack, port), "there is room again")


def fill(stack: ExitStack, port: int, there: Sequence[RawWebsocket] = ()) -> list[RawWebsocket]:
    """Try to have three times as many as may be; give those that stay, which are as many."""
    sockets = [*there, *(attempt(stack, port) for _ in range(3 * MOST))]
    stay: list[RawWebsocket] = []

    def as_many() -> bool:
        stay[:] = [client for client in sockets if client is not None and is_open(client)]
        if len(stay) < MOST:
            sockets.append(attempt(stack, port))
        return len(stay) == MOST

    eventually(as_many, "there are as many as there may be")
    assert all(is_open(client) for client in stay)
    return stay


def attempt(stack: ExitStack, port: int) -> Optional[RawWebsocket]:
    """Open a websocket; None where it is cut."""
    try:
        client = RawWebsocket(port, websocket_request("/desktop/desk/", authorization=ADA))
    except (Lost, OSError):
        return None
    return stack.enter_context(client) if is_open(client) else None


def test_a_unix_socket_is_shared_too(echo: EchoUpstream, tmp_path: Path) -> None:
    place = tmp_path / "edge"
    listen = f"{{unix_socket: {place}}}"
    shared = edge("shared", listen=listen, directory=tmp_path / "sessions.yaml", processes=2)
    with EdgeDaemon(tmp_path, shared, sessions(echo)) as edges:
        edges.wait_for("starting up")
        mode = place.stat().st_mode & 0o777
        eventually(lambda: len(children(edges.pid)) == 2, "processes")
        assert place.stat().st_mode & 0o777 == mode == 0o600
        # Whichever ends, the socket stays.
        victim = children(edges.pid)[0]
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: is_gone(victim), "it is gone")
        eventually(lambda: len(children(edges.pid)) == 2, "another in its place")
        assert place.is_socket()
    assert not place.exists()
