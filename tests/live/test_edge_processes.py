"""Several processes behind one port: who is let in by one is let go by all."""

from __future__ import annotations

import os
import re
import signal
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Callable, Iterator, Optional, Sequence

import pytest

from kasmd.permission.registry import EVERYTHING
from kasmd.permission.tickets import AGENT_HOP, Tickets
from tests.live.echo import EchoUpstream
from tests.live.edge import EdgeDaemon, edge, session, websocket_request
from tests.live.kasm_api import Desk, KasmApi
from tests.live.programs import SOON, eventually
from tests.live.raw_websocket import CLOSE, TEXT, Frame, Lost, RawWebsocket, frame
from tests.live.web import Answer, basic, get, post

PROCESSES = 3
POLICY, GOING_AWAY = 1008, 1001
#: Sockets of one person, so many that no process has none.
SOCKETS = 24
#: Connections of an edge that has few.
MOST = 6
IDENT = "01234567-89ab-cdef-0123-456789abcdef"
JSON = {"Content_Type": "application/json"}
KASM = {"Cookie": "username=ada; session_token=ada-s; api_token=x"}
ACCOUNTS = {"ada": "rw", "bea": "rw", "owner": "rwo"}
ADA, BEA = basic("ada").encode(), basic("bea").encode()


@pytest.fixture(scope="module")
def echo() -> Iterator[EchoUpstream]:
    with EchoUpstream() as echo:
        yield echo


@pytest.fixture(scope="module")
def api() -> Iterator[KasmApi]:
    with KasmApi() as api:
        yield api


def sessions(echo: EchoUpstream, share: bool = True) -> str:
    others = "    others: {bea: r}\n" if share else ""
    desk = session("desk", echo.port, "ada", others, "{bearer: x}, {bearer: y, rights: r}")
    return desk + session("bea", echo.port, "bea")


def start(folder: Path, echo: EchoUpstream) -> EdgeDaemon:
    """Start a direct edge of several processes, in which Ada and Bea share a desktop."""
    keys = {"directory": folder / "sessions.yaml", "processes": PROCESSES}
    front = edge("front", **keys)
    return EdgeDaemon(folder, front, sessions(echo), "logging: {format: json}\n", ACCOUNTS)


@pytest.fixture
def own(echo: EchoUpstream, tmp_path: Path) -> Iterator[EdgeDaemon]:
    """One that ends with the test."""
    with start(tmp_path, echo) as edges:
        yield edges


@pytest.fixture(scope="module")
def running(echo: EchoUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeDaemon]:
    with start(tmp_path_factory.mktemp("edges"), echo) as edges:
        yield edges


@pytest.fixture
def edges(running: EdgeDaemon, echo: EchoUpstream) -> Iterator[EdgeDaemon]:
    """One for all tests, with the same accounts and sessions for each."""
    running.set_accounts(ACCOUNTS)
    running.write_sessions(sessions(echo))
    port = running.port_of("front")
    eventually(lambda: get(port, "/desktop/desk/", "bea").status == 200, "Bea is let in")
    yield running


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


def test_all_serve_one_port(edges: EdgeDaemon) -> None:
    with ExitStack() as stack:
        crowd(stack, edges)
        port = edges.port_of("front")
        assert edges.pid not in carriers(port)
        for secure in (False, True):
            assert get(port, "/desktop/desk/", "ada", secure=secure).status == 200
        assert get(port, "/desktop/desk/", "owner").status == 404
        assert get(port, "/desktop/desk/").status == 401
        assert get(port, "/api/v1/desktops", "bea").json["desktops"][0]["id"] == "desk"
        said = eventually(
            lambda: {int(pid) for pid in re.findall(r'"status":101,.*"process":(\d+)', edges.output)
                     } == set(children(edges.pid)), "a line of each process"
        )
        assert said
    metrics = eventually(lambda: told(port, "kasmd_edge_websockets") == 0.0 and get(
        port, "/__edge/metrics", "owner").body, "all sockets are closed")
    assert 'kasmd_requests_total{face="edge:front",status="1xx"}' in metrics


def told(port: int, metric: str) -> float:
    """Give a metric of the edge."""
    body = get(port, "/__edge/metrics", "owner").body
    found = re.search(rf'^{metric}{{face="edge:front"}} (\S+)$', body, re.MULTILINE)
    assert found is not None, body
    return float(found[1])


def change_directory(edges: EdgeDaemon, echo: EchoUpstream) -> None:
    edges.write_sessions(sessions(echo, share=False))


def remove_session(edges: EdgeDaemon, echo: EchoUpstream) -> None:
    edges.write_sessions(session("bea", echo.port, "bea"))


def remove_account(edges: EdgeDaemon, echo: EchoUpstream) -> None:
    edges.set_accounts({"ada": "rw", "owner": "rwo"})


@pytest.mark.parametrize("change", [change_directory, remove_session, remove_account])
def test_a_change_closes_the_sockets_of_every_process(
    edges: EdgeDaemon, echo: EchoUpstream, change: Callable[[EdgeDaemon, EchoUpstream], None]
) -> None:
    with ExitStack() as stack:
        sockets = crowd(stack, edges, BEA)
        stays = stack.enter_context(connect(edges.port_of("front"), ADA))
        began = time.monotonic()
        change(edges, echo)
        assert closed(sockets, began) == {POLICY}
        status = get(edges.port_of("front"), "/desktop/desk/", "bea").status
        assert status == (401 if change is remove_account else 404)
        if change is not remove_session:
            # Nobody else notices.
            use(stays)


def log_in(port: int, name: str) -> str:
    """Give a cookie."""
    who = {"name": name, "password": "password"}
    answer = post(port, "/login", who, **JSON)
    assert answer.status == 204, answer
    return answer.headers["Set-Cookie"].partition(";")[0]


def test_log_out_closes_the_sockets_of_every_process(edges: EdgeDaemon) -> None:
    port = edges.port_of("front")
    cookie, other = log_in(port, "ada"), log_in(port, "ada")
    with ExitStack() as stack:
        sockets = crowd(stack, edges, b"", "/desktop/desk/", f"Cookie: {cookie}".encode())
        stays = stack.enter_context(
            connect(port, b"", "/desktop/desk/", f"Cookie: {other}".encode())
        )
        began = time.monotonic()
        assert post(port, "/logout", {}, Cookie=cookie, **JSON).status == 204
        assert closed(sockets, began) == {POLICY}
        assert get(port, "/desktop/desk/", Cookie=cookie).status == 401
        use(stays)


def test_a_push_closes_the_sockets_of_every_process(
    api: KasmApi, echo: EchoUpstream, tmp_path: Path
) -> None:
    api.logins["ada"] = "ada-s"
    api.desks[IDENT] = Desk("ada", "127.0.0.1", echo.port, "Basic c2VjcmV0", "http")
    hop = edge("hop", "webapp", auth=f"{{address: 'http://127.0.0.1:{api.port}'}}",
               lease_seconds=60, upstream="{unchecked: true}", processes=PROCESSES)
    with EdgeDaemon(tmp_path, hop) as edges, ExitStack() as stack:
        port = edges.port_of("hop")
        path = f"/desktop/{IDENT}/vnc/"
        fields = f"Cookie: {KASM['Cookie']}".encode()
        sockets = crowd(stack, edges, b"", path, fields, name="hop")
        asked = len(api.asked)
        # One question of the control plane for all of them, whichever process they came to.
        assert asked == 1
        began = time.monotonic()
        answer = post(port, "/__edge/revocations", {"user": "ada"}, "owner", **JSON)
        assert answer.json == {"ended": 1}
        assert closed(sockets, began) == {POLICY}
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
    # By the lease, and by the ticket's life, it would be one for longer than is waited here.
    hop = edge("hop", "agent", auth="{address: 'http://127.0.0.1:9'}", ticket_key=place,
               directory=tmp_path / "sessions.yaml", lease_seconds=60, processes=PROCESSES)
    with EdgeDaemon(tmp_path, hop, session(IDENT, echo.port)) as edges, ExitStack() as stack:
        port, path = edges.port_of("hop"), f"/desktop/{IDENT}/vnc/"
        eventually(lambda: edges.output.count("accepts connections") == PROCESSES, "processes")
        ticket = sign(key)
        field = f"Kasmd-Ticket: {ticket}".encode()
        sockets = crowd(stack, edges, b"", path, field, name="hop")
        place.write_text(f"{other.hex()}\n")

        def statuses() -> set[int]:
            return {get(port, path, Kasmd_Ticket=ticket).status for _ in range(SOCKETS)}

        eventually(lambda: statuses() == {403}, "nobody believes the ticket", 15.0)
        assert get(port, path, Kasmd_Ticket=sign(other)).status == 200
        # What was opened before stays, as in one process.
        for client in sockets:
            use(client)


def test_one_that_is_killed_is_replaced(edges: EdgeDaemon) -> None:
    with ExitStack() as stack:
        sockets = crowd(stack, edges)
        port, before = edges.port_of("front"), set(children(edges.pid))
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: is_gone(victim), "it is gone")
        eventually(lambda: len(children(edges.pid)) == PROCESSES, "another in its place")
        assert len(set(children(edges.pid)) & before) == PROCESSES - 1
        left = [client for client in sockets if is_open(client)]
        assert 0 < len(left) < len(sockets)
        for _ in range(SOCKETS):
            stack.enter_context(connect(port))
    edges.wait_for(r"a process of edge front ended \(signal 9.*starting it again")


def is_open(client: RawWebsocket) -> bool:
    try:
        use(client)
    except (Lost, OSError):
        return False
    return True


def test_one_that_hangs_keeps_nobody_in(edges: EdgeDaemon, echo: EchoUpstream) -> None:
    with ExitStack() as stack:
        sockets = crowd(stack, edges, BEA)
        victim = min(children(edges.pid))
        os.kill(victim, signal.SIGSTOP)
        change_directory(edges, echo)
        eventually(lambda: is_gone(victim), "the process that hangs is killed")
        for client in sockets:
            assert ends(client)


def ends(client: RawWebsocket) -> bool:
    """Wait for the end, in order or not."""
    try:
        return client.until_close()[-1].opcode == CLOSE
    except (Lost, OSError):
        return True


def test_a_daemon_that_stops_takes_them_along(own: EdgeDaemon) -> None:
    with ExitStack() as stack:
        sockets = crowd(stack, own)
        workers = children(own.pid)
        own.signal(signal.SIGTERM)
        assert {client.until_close()[-1].code for client in sockets} == {GOING_AWAY}
        assert own.wait() == 0
        assert all(is_gone(pid) for pid in workers)


def test_a_daemon_that_is_killed_leaves_nobody_in(own: EdgeDaemon) -> None:
    with ExitStack() as stack:
        sockets = crowd(stack, own)
        port, workers = own.port_of("front"), children(own.pid)
        began = time.monotonic()
        own.signal(signal.SIGKILL)
        assert all(ends(client) for client in sockets)
        assert time.monotonic() - began < SOON
        eventually(lambda: all(is_gone(pid) for pid in workers), "no process is left")
        with pytest.raises(OSError):
            asked: Answer = get(port, "/desktop/desk/", "ada")
            assert asked.status == 500, asked


def test_the_directory_is_read_without_dropping_anyone(
    edges: EdgeDaemon, echo: EchoUpstream
) -> None:
    with ExitStack() as stack:
        sockets = crowd(stack, edges)
        edges.write_sessions(sessions(echo) + session("more", echo.port, "ada"))
        port = edges.port_of("front")
        eventually(lambda: get(port, "/desktop/more/", "ada").status == 200, "the new session")
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
        port, workers = edges.port_of("front"), children(edges.pid)
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
