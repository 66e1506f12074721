"""The guide's cases, on two hosts: what stands between the hops, each with its own answer.

    client -> webapp hop on WEB -> agent hop on AGENT -> a desktop on AGENT
                   \\-> Kasm's API on WEB <-/

The public name is a load balancer's, which the agent's host cannot reach: what is sent
there from inside is lost (no NAT hairpin).
"""

from __future__ import annotations

from typing import Iterator, NamedTuple

import pytest

from tests.live.edge import EdgeDaemon, edge, session
from tests.live.hosts import Host, join
from tests.live.kasm_api import Desk, KasmApi
from tests.live.raw_upstream import RawUpstream
from tests.live.web import Answer, get

WEB, AGENT = "10.20.0.1", "10.20.0.2"
#: The load balancer's; a network behind a firewall that drops, and one without a route.
PUBLIC, DROPPED, NO_ROUTE = "203.0.113.10", "198.51.100.9", "192.0.2.9"
NAME, UNKNOWN = "kasm.example", "nowhere.example"
COOKIE = "username=ada; session_token=t-ada"
#: No program listens there.
CLOSED = 9
ASKED = "/api/internal_auth/"


class Network(NamedTuple):
    """Both hosts with what runs on them."""

    web: Host
    webapp: int
    api: KasmApi
    agents: EdgeDaemon


def ident(number: int) -> str:
    return f"01234567-89ab-cdef-0123-{number:012x}"


BY_REQUEST = f"address: $request_host$, request_hosts: [{NAME}], unchecked: true"
#: By name: where the agent hop asks, and what the client hears at the end; None: it is let in.
AGENTS = {
    "hairpin": (BY_REQUEST, "upstream-unanswered"),
    "ticket": (BY_REQUEST, None),
    "internal": (f"address: 'http://{WEB}:{{api}}'", None),
    "port": (f"address: 'http://{WEB}:{CLOSED}'", "upstream-refused"),
    "unnamed": (f"address: 'http://{UNKNOWN}'", "name-not-resolved"),
    "routeless": (f"address: 'http://{NO_ROUTE}'", "upstream-unreachable"),
}
SESSIONS = {name: ident(number) for number, name in enumerate(AGENTS)}
#: By number: where Kasm's API says that the agent is, and the answer.
PLACES = {
    100: (AGENT, CLOSED, 502, "upstream-refused"),
    101: (UNKNOWN, 443, 502, "name-not-resolved"),
    102: (DROPPED, 443, 504, "upstream-unanswered"),
    103: (NO_ROUTE, 443, 502, "upstream-unreachable"),
}


def build(web: Host, agent: Host) -> None:
    """Make the network."""
    join(web, agent)
    for host, other, lost in ((web, agent, DROPPED), (agent, web, PUBLIC)):
        host.ip("route", "add", "unreachable", NO_ROUTE)
        host.ip("route", "add", lost, "via", other.address)
        # Drops what is sent there, and says nothing.
        other.ip("route", "add", "blackhole", lost)


@pytest.fixture(scope="module", params=[1, 2], ids=["one", "two"])
def network(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Network]:
    """Have each hop in one process, and in two that are told what to do."""
    processes = request.param
    folder = tmp_path_factory.mktemp("network")
    names = {NAME: PUBLIC}
    with Host(WEB, names) as web, Host(AGENT, names) as agent:
        build(web, agent)
        with web.inside():
            api = KasmApi("0.0.0.0")
        with agent.inside():
            desktop = RawUpstream()
        soon = "{connect: 10, answer: 60}"
        key = folder / "tickets"
        webapp = edge("webapp", "webapp", auth=f"{{address: 'http://127.0.0.1:{api.port}'}}",
                      upstream="{unchecked: true}", timeouts=soon, ticket_key=key,
                      processes=processes)
        with api, desktop, EdgeDaemon(tmp_path_factory.mktemp("web"), webapp,
                                      host=web.command) as webapps:
            port = webapps.port_of("webapp")
            directory = tmp_path_factory.mktemp("agents")
            edges = "".join(
                edge(name, "agent", f"{{interface: {AGENT}, port: 0}}", timeouts=soon,
                     processes=processes,
                     auth=f"{{{where.format(api=api.port)}}}",
                     directory=directory / "sessions.yaml",
                     ticket_key=key if name == "ticket" else "")
                for name, (where, _) in AGENTS.items()
            )
            sessions = "".join(session(each, desktop.port, "ada") for each in SESSIONS.values())
            with EdgeDaemon(directory, edges, sessions, host=agent.command) as agents:
                api.logins["ada"] = "t-ada"
                for name, each in SESSIONS.items():
                    api.desks[each] = Desk("ada", AGENT, agents.port_of(name), "")
                for number, (host, closed, _, _) in PLACES.items():
                    api.desks[ident(number)] = Desk("ada", host, closed, "")
                yield Network(web, port, api, agents)


def ask(network: Network, session: str) -> Answer:
    """Ask for a desktop at the public name."""
    with network.web.inside():
        return get(network.webapp, f"/desktop/{session}/vnc/x", secure=True, Cookie=COOKIE,
                   Host=NAME, Accept="application/json")


@pytest.mark.parametrize("name", AGENTS)
def test_what_the_agent_cannot_ask(network: Network, name: str) -> None:
    expected = AGENTS[name][1]
    answer = ask(network, SESSIONS[name])
    if expected is None:
        assert (answer.status, answer.body) == (200, "ok\n"), answer.body
        return
    problem = answer.json
    assert (answer.status, problem["code"], problem["hop"]) == (500, "auth-service-down", name)
    assert expected in problem["detail"]


def test_a_ticket_needs_no_question(network: Network) -> None:
    network.api.asked.clear()
    assert ask(network, SESSIONS["ticket"]).status == 200
    assert network.api.questions(ASKED) == 0


@pytest.mark.parametrize("number", PLACES)
def test_where_the_agent_is_not(network: Network, number: int) -> None:
    _, _, status, word = PLACES[number]
    answer = ask(network, ident(number))
    assert (answer.status, answer.json["code"]) == (status, word)
    assert answer.json["hop"] == "webapp"
    assert f'details="{word}"' in answer.headers["Proxy-Status"]
