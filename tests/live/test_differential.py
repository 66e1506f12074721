"""The same bytes through nginx, through HAProxy and straight to an edge: nobody is fooled.

Whether the edge is one process or several.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Iterator, NamedTuple

import pytest

from tests.live.ambiguous import CASES, NUMBER, Case
from tests.live.edge import (
    INJECTED,
    EdgeDaemon,
    edge,
    haproxy,
    nginx,
    session,
    websocket_request,
)
from tests.live.raw_upstream import RawUpstream, exchange, statuses

THREADS = 24


class Outcome(NamedTuple):
    """What became of a case by one way."""

    answers: bytes
    passed: int

    @property
    def statuses(self) -> tuple[int, ...]:
        """The status of each answer but for 1xx."""
        return tuple(status for status in statuses(self.answers) if status >= 200)

    @property
    def verdicts(self) -> tuple[bool, ...]:
        """Whether each request could pass."""
        return tuple(status < 400 for status in self.statuses)


def wanted(case: Case, name: str) -> tuple[tuple[bool, ...], int]:
    """Give the verdicts of a way, and the requests that pass; where they differ the table
    says why."""
    differs = {"nginx": case.nginx, "haproxy": case.haproxy}.get(name)
    if differs is None:
        return tuple(status < 400 for status in case.answers), case.passed
    return differs.verdicts, differs.passed


class Way(NamedTuple):
    """A way to an edge, and the only upstream behind it."""

    name: str
    port: int
    upstream: RawUpstream

    def send(self, number: int, case: Case) -> bytes:
        """Send a case's bytes until all its answers are there, and it is quiet."""
        least = max(1, len(wanted(case, self.name)[0]))
        ident = b"%03d" % number
        return exchange(self.port, case.data.replace(NUMBER, ident), least)

    def outcomes(self) -> list[Outcome]:
        """Send all cases, many at a time."""
        with ThreadPoolExecutor(THREADS) as pool:
            answers = list(pool.map(self.send, range(len(CASES)), CASES))
        targets = [target for _, target, _ in self.upstream.requests]
        passed = [sum(b"/%03d" % n in target for target in targets) for n in range(len(CASES))]
        assert sum(passed) == len(targets), targets
        return [Outcome(*pair) for pair in zip(answers, passed)]


@pytest.fixture(scope="module", params=[1, 2], ids=["one", "two"])
def outcomes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, list[Outcome]]]:
    folder = tmp_path_factory.mktemp("edge")
    with ExitStack() as stack:
        upstreams = [stack.enter_context(RawUpstream()) for _ in range(3)]
        names = ("alone", "nginx", "haproxy")
        for name, upstream in zip(names, upstreams):
            (folder / name).write_text(f"sessions:\n{session('a', upstream.port)}")
            (folder / name).chmod(0o600)
        edges = "".join(
            edge(name, directory=folder / name, processes=request.param) for name in names
        )
        daemon = stack.enter_context(EdgeDaemon(folder, edges))
        ports = [daemon.port_of(name) for name in names]
        fronts = [stack.enter_context(start(folder, port))
                  for start, port in zip((nginx, haproxy), ports[1:])]
        ports[1:] = [front.port for front in fronts]
        ways = [Way(*each) for each in zip(names, ports, upstreams)]
        yield {way.name: way.outcomes() for way in ways}
        assert [upstream.nonsense for upstream in upstreams] == [[], [], []]
        assert "Traceback" not in daemon.output
        assert INJECTED.partition(" ")[2] not in daemon.output


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_alone(outcomes: dict[str, list[Outcome]], case: Case) -> None:
    outcome = outcomes["alone"][CASES.index(case)]
    assert (outcome.statuses, outcome.passed) == (case.answers, case.passed)


@pytest.mark.parametrize("front", ["nginx", "haproxy"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_behind_another(outcomes: dict[str, list[Outcome]], case: Case, front: str) -> None:
    """The same verdict, and as many requests; where not, the table says why."""
    outcome = outcomes[front][CASES.index(case)]
    assert (outcome.verdicts, outcome.passed) == wanted(case, front), outcome.answers


@pytest.mark.parametrize("way", ["alone", "nginx", "haproxy"])
def test_nothing_tells_of_the_credential(outcomes: dict[str, list[Outcome]], way: str) -> None:
    secret = INJECTED.partition(" ")[2].encode("ascii")
    assert not [outcome for outcome in outcomes[way] if secret in outcome.answers]


def test_a_false_101_opens_no_tunnel(tmp_path: Path) -> None:
    """What follows a handshake that was not answered as it must be reaches nobody."""
    wrong = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    with RawUpstream(lambda request: wrong + b"Sec-WebSocket-Accept: x\r\n\r\n") as upstream:
        edges = edge("front", directory=tmp_path / "sessions.yaml")
        with EdgeDaemon(tmp_path, edges, session("a", upstream.port)) as daemon:
            asked = websocket_request("/desktop/a/x")
            smuggled = b"GET /smuggled HTTP/1.1\r\nHost: edge.test\r\n\r\n"
            for fields in (asked, asked.replace(b"websocket", b"h2c")):
                upstream.forget()
                answers = exchange(daemon.port_of("front"), fields + smuggled)
                assert (statuses(answers), upstream.nonsense) == ([502], [])
                assert [target for _, target, _ in upstream.requests] == [b"/x"]
