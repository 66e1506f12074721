"""What goes wrong around an edge, with real processes: each has its answer, and ends."""

from __future__ import annotations

import json
import signal
import socket
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Callable, Iterator, NamedTuple, Optional, Self

import pytest

from tests.live.echo import EchoUpstream
from tests.live.edge import INJECTED, EdgeDaemon, edge, free_port, session, websocket_request
from tests.live.kasm_api import Desk, KasmApi
from tests.live.programs import eventually
from tests.live.raw_upstream import exchange, statuses
from tests.live.raw_websocket import TEXT, Frame, RawWebsocket, frame
from tests.live.web import Answer, get

GOING_AWAY, POLICY, BAD_GATEWAY = 1001, 1008, 1014
#: For an upstream that never answers.
HASTY = "{answer: 1}"
IDENT = "01234567-89ab-cdef-0123-456789abcdef"
VIEWERS = 200


class Stub:
    """An upstream that says the same to everybody, whatever it is asked, or nothing."""

    def __init__(self, said: Optional[bytes]) -> None:
        self._said = said
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._held: list[socket.socket] = []
        self.port = int(self._socket.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._held.append(connection)
            if self._said is not None:
                connection.recv(65536)
                connection.sendall(self._said)
                connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._socket.close()
        for connection in self._held:
            connection.close()


class Fault(NamedTuple):
    """A session, what becomes of a request for it, and how its upstream is made."""

    ident: str
    status: int
    more: str = ""
    place: Callable[[int], object] = lambda port: port
    #: None: nothing listens there.
    said: Optional[bytes] = None
    listens: bool = True
    #: The edge that is asked.
    at: str = "front"


_PIN = f"    pin: {'0' * 64}\n"
FAULTS = (
    Fault("upstream-refused", 502, listens=False),
    Fault("upstream-silent", 504, at="hasty"),
    Fault("upstream-nonsense", 502, said=b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
    Fault("upstream-closed", 502, said=b""),
    Fault("upstream-tls", 502, _PIN, lambda port: f"https://127.0.0.1:{port}", b"no TLS\r\n"),
    Fault("name-not-resolved", 502, place=lambda port: f"http://no-such-host.invalid:{port}"),
    Fault("session-starting", 503, "    state: starting\n"),
    Fault("credential-refused", 502, said=b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"),
    Fault("no-such-session", 404, listens=False),
)


def entry(fault: Fault, stack: ExitStack) -> str:
    """Give a fault's session, with an upstream that runs as long as the ``stack``."""
    if fault.ident == "no-such-session":
        return ""
    port = stack.enter_context(Stub(fault.said)).port if fault.listens else free_port()
    return session(fault.ident, fault.place(port), more=fault.more)


@pytest.fixture(scope="module")
def echo_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def sessions(echo_port: int) -> Iterator[str]:
    with ExitStack() as stack:
        faulty = "".join(entry(fault, stack) for fault in FAULTS)
        yield session("echo", echo_port) + session("broken", echo_port) + faulty


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, sessions: str) -> Iterator[EdgeDaemon]:
    folder = tmp_path_factory.mktemp("edge")
    directory = folder / "sessions.yaml"
    edges = edge("front", directory=directory)
    edges += edge("hasty", directory=directory, timeouts=HASTY)
    with EdgeDaemon(folder, edges, sessions) as daemon:
        daemon.port_of("front")
        yield daemon
        assert "Traceback" not in daemon.output
        assert INJECTED.partition(" ")[2] not in daemon.output


def ask(daemon: EdgeDaemon, ident: str, accept: str = "application/json",
        at: str = "front") -> Answer:
    return get(daemon.port_of(at), f"/desktop/{ident}/x", "owner", Accept=accept)


def code(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json["code"]


def connect(daemon: EdgeDaemon) -> RawWebsocket:
    """Open a websocket that echoes."""
    websocket = RawWebsocket(daemon.port_of("front"), websocket_request("/desktop/echo/"))
    assert websocket.status == 101
    return websocket


def echoes(websocket: RawWebsocket) -> bool:
    websocket.send(frame(TEXT, b"here"))
    return websocket.message() == Frame(TEXT, b"here")


def last_code(websocket: RawWebsocket) -> int:
    """Wait for the close frame; give its code."""
    return websocket.until_close()[-1].code


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.ident)
def test_each_failure_has_its_page(daemon: EdgeDaemon, fault: Fault) -> None:
    """With its own word, the request's id and the hop's name, for people and for programs."""
    answer = ask(daemon, fault.ident, at=fault.at)
    assert code(answer) == (fault.status, fault.ident)
    ident = answer.headers["X-Request-Id"]
    assert (answer.json["request_id"], answer.json["hop"]) == (ident, fault.at)
    daemon.wait_for(rf" {fault.status} .*id={ident}$")
    page = ask(daemon, fault.ident, "text/html", fault.at)
    assert (page.status, page.headers["Content-Type"]) == (fault.status, "text/html; charset=utf-8")
    for said in (fault.ident, page.headers["X-Request-Id"], fault.at):
        assert said in page.body


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.ident)
def test_a_websocket_hears_the_same(daemon: EdgeDaemon, fault: Fault) -> None:
    handshake = websocket_request(f"/desktop/{fault.ident}/x", b"Accept: application/json")
    answer = exchange(daemon.port_of(fault.at), handshake)
    assert statuses(answer) == [fault.status]
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == fault.ident


def test_an_upstream_that_is_killed_and_comes_again(daemon: EdgeDaemon, echo_port: int) -> None:
    with EchoUpstream(echo_port) as echo:
        with connect(daemon) as websocket:
            assert echoes(websocket)
            echo.signal(signal.SIGKILL)
            assert last_code(websocket) == BAD_GATEWAY
            assert websocket.is_ended()
    assert code(ask(daemon, "echo")) == (502, "upstream-refused")
    with EchoUpstream(echo_port):
        with connect(daemon) as websocket:
            assert echoes(websocket)
        assert ask(daemon, "echo").status == 200


def test_an_upstream_that_is_stopped_and_goes_on(daemon: EdgeDaemon, echo_port: int) -> None:
    with EchoUpstream(echo_port) as echo:
        with connect(daemon) as websocket:
            assert echoes(websocket)
            echo.signal(signal.SIGSTOP)
            try:
                websocket.send(frame(TEXT, b"waits"))
                assert code(ask(daemon, "echo", at="hasty")) == (504, "upstream-silent")
            finally:
                echo.signal(signal.SIGCONT)
            assert websocket.message() == Frame(TEXT, b"waits")
        assert ask(daemon, "echo").status == 200


def test_edits_of_the_directory(daemon: EdgeDaemon, sessions: str, echo_port: int) -> None:
    """A broken one changes nothing, nor does SIGHUP; a good one ends only what it changed."""
    handshake = websocket_request("/desktop/broken/")
    with EchoUpstream(echo_port), connect(daemon) as websocket:
        with RawWebsocket(daemon.port_of("front"), handshake) as other:
            daemon.write_sessions(sessions + "  - id: broken\n    ownr: nobody\n")
            daemon.wait_for("the sessions stay as they were")
            daemon.signal(signal.SIGHUP)
            daemon.wait_for("SIGHUP")
            assert echoes(websocket) and echoes(other)
            daemon.write_sessions(sessions.replace("id: broken", "id: mended"))
            assert last_code(other) == POLICY
            assert echoes(websocket)
        assert code(ask(daemon, "broken")) == (404, "no-such-session")
        assert ask(daemon, "mended").status == 200
        daemon.write_sessions(sessions)
        eventually(lambda: ask(daemon, "broken").status == 200, "it is back")


def test_it_ends_in_order(tmp_path: Path) -> None:
    """Two hundred websockets hear 1001, and the status is 0."""
    with EchoUpstream() as echo:
        edges = edge("front", directory=tmp_path / "sessions.yaml")
        with EdgeDaemon(tmp_path, edges, session("echo", echo.port)) as daemon, ExitStack() as all_:
            websockets = [all_.enter_context(connect(daemon)) for _ in range(VIEWERS)]
            assert all(echoes(websocket) for websocket in websockets)
            daemon.signal(signal.SIGTERM)
            assert {last_code(websocket) for websocket in websockets} == {GOING_AWAY}
            assert daemon.wait() == 0
            assert "Traceback" not in daemon.output


# The control plane.

COOKIES = b"Cookie: username=ann; session_token=%b; kasm_client_key=k"


class Plane(NamedTuple):
    """Edges of one daemon: two ask ``lost``, a control plane; the third asks ``other``."""

    daemon: EdgeDaemon
    lost: KasmApi
    other: KasmApi

    def open(self, name: str) -> RawWebsocket:
        path, cookies = f"/desktop/{IDENT}/vnc/", COOKIES % b"token"
        handshake = websocket_request(path, cookies, authorization=b"")
        return RawWebsocket(self.daemon.port_of(name), handshake)

    def ask(self, name: str) -> tuple[int, str]:
        cookies = (COOKIES % b"token").decode().partition(": ")[2]
        answer = get(self.daemon.port_of(name), f"/desktop/{IDENT}/vnc/", Cookie=cookies,
                     Accept="application/json")
        return answer.status, answer.json["code"] if answer.status >= 400 else ""


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[Plane]:
    def hop(name: str, api: KasmApi, grace: int, answer: int = 60) -> str:
        auth = f'{{address: "{api.url}", grace_seconds: {grace}}}'
        timeouts = f"{{connect: 30, answer: {answer}}}"
        return edge(name, "webapp", auth=auth, lease_seconds=1, timeouts=timeouts,
                    upstream="{unchecked: true}")

    with KasmApi() as lost, KasmApi() as other, EchoUpstream() as echo:
        for api in (lost, other):
            api.logins["ann"] = "token"
            api.desks[IDENT] = Desk("ann", "127.0.0.1", echo.port, "Bearer x", "http")
        edges = hop("patient", lost, 600) + hop("strict", lost, 0, 10) + hop("asking", other, 600)
        with EdgeDaemon(tmp_path, edges) as daemon:
            yield Plane(daemon, lost, other)
            assert "Traceback" not in daemon.output


def test_an_auth_service_in_trouble(plane: Plane) -> None:
    """Nobody new comes in; who is in stays for the grace, and goes when he is refused."""
    down = (500, "auth-service-down")
    assert plane.ask("strict") == (200, "")
    with plane.open("patient") as patient, plane.open("strict") as strict, \
            plane.open("asking") as asking:
        assert echoes(patient) and echoes(strict) and echoes(asking)
        plane.lost.status = 500
        eventually(lambda: plane.ask("strict") == down, "it fails, and the lease is over")
        plane.lost.status = None
        assert plane.ask("strict") == (200, "")
        plane.lost.awake.clear()
        eventually(lambda: plane.ask("strict") == down, "it is slow, and the lease is over")
        plane.lost.end()
        assert plane.ask("patient") == down
        plane.other.logins.clear()
        eventually(lambda: plane.ask("asking") == (401, "expired-cookie"), "it refuses")
        assert last_code(asking) == POLICY
        assert last_code(strict) == POLICY
        assert echoes(patient)
