"""Several processes behind one port: who is let in by one is let go by all."""

from __future__ import annotations

import os
import re
import signal
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Callable, Iterator

import pytest

from tests.live.echo import EchoUpstream
from tests.live.edge import EdgeDaemon, edge, session
from tests.live.programs import eventually
from tests.live.raw_websocket import RawWebsocket
from tests.live.web import Answer, get, post
from tests.live.workers import (
    ACCOUNTS,
    ADA,
    BEA,
    JSON,
    LEASE,
    POLICY,
    PROCESSES,
    SOCKETS,
    all_told,
    carriers,
    children,
    connect,
    crowd,
    is_gone,
    is_open,
    last_code,
    sessions,
    use,
)

GOING_AWAY = 1001
by_bea = partial(connect, authorization=BEA)


@pytest.fixture(scope="module")
def echo() -> Iterator[EchoUpstream]:
    with EchoUpstream() as echo:
        yield echo


def start(folder: Path, echo: EchoUpstream) -> EdgeDaemon:
    """Start a direct edge of several processes, in which Ada and Bea share a desktop."""
    keys = {"directory": folder / "sessions.yaml", "processes": PROCESSES, "lease_seconds": LEASE}
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
        sockets = crowd(stack, edges, by_bea)
        stays = stack.enter_context(connect(edges.port_of("front"), ADA))
        change(edges, echo)
        assert all_told(edges, sockets)
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


def with_cookie(cookie: str, port: int) -> RawWebsocket:
    return connect(port, b"", "/desktop/desk/", f"Cookie: {cookie}".encode())


def test_log_out_closes_the_sockets_of_every_process(edges: EdgeDaemon) -> None:
    port = edges.port_of("front")
    cookie, other = log_in(port, "ada"), log_in(port, "ada")
    with ExitStack() as stack:
        sockets = crowd(stack, edges, partial(with_cookie, cookie))
        stays = stack.enter_context(with_cookie(other, port))
        assert post(port, "/logout", {}, Cookie=cookie, **JSON).status == 204
        assert all_told(edges, sockets)
        assert get(port, "/desktop/desk/", Cookie=cookie).status == 401
        use(stays)


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


def test_one_that_hangs_keeps_nobody_in(edges: EdgeDaemon, echo: EchoUpstream) -> None:
    with ExitStack() as stack:
        sockets = crowd(stack, edges, by_bea)
        victim = min(children(edges.pid))
        os.kill(victim, signal.SIGSTOP)
        change_directory(edges, echo)
        eventually(lambda: is_gone(victim), "the process that hangs is killed")
        assert all_told(edges, sockets)


def test_a_daemon_that_stops_takes_them_along(own: EdgeDaemon) -> None:
    with ExitStack() as stack:
        sockets = crowd(stack, own)
        workers = children(own.pid)
        own.signal(signal.SIGTERM)
        assert {last_code(client) for client in sockets} == {GOING_AWAY}
        assert own.wait() == 0
        assert all(is_gone(pid) for pid in workers)


def test_a_daemon_that_is_killed_leaves_nobody_in(own: EdgeDaemon) -> None:
    with ExitStack() as stack:
        sockets = crowd(stack, own)
        port, workers = own.port_of("front"), children(own.pid)
        own.signal(signal.SIGKILL)
        assert {last_code(client) for client in sockets} <= {GOING_AWAY, POLICY, None}
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
