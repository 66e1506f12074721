"""Two hops in two processes: what each believes, what goes on, and when it ends.

    client -> webapp hop -> agent hop -> a desktop that tells all it can
"""

from __future__ import annotations

from http.client import HTTPConnection
from pathlib import Path
from typing import Callable, Iterator, NamedTuple

import pytest

from kasmd.h1.session import RequestReceived
from tests.live.echo import EchoUpstream
from tests.live.edge import INJECTED, EdgeDaemon, edge, session, websocket_request
from tests.live.kasm_api import Desk, KasmApi
from tests.live.programs import PATIENCE, eventually
from tests.live.proxies import Nginx, free_port
from tests.live.raw_upstream import RawUpstream
from tests.live.raw_websocket import CLOSE, TEXT, RawWebsocket, frame
from tests.live.web import Answer, get, post
from tests.live.workers import LEASE

SECRET = INJECTED.partition(" ")[2]
#: Ada's session token, and what she puts into addresses.
TOKEN, IN_QUERY = "t-4c1b7e0a", "q-91d2aa57"
COOKIE = f"username=ada; session_token={TOKEN}; kasm_client_key=k-77; else=x"
#: RFC 6455 section 7.4.1.
POLICY = 1008

PLAIN, TICKETED, STRIPPED, ECHO, DEAD = (
    f"01234567-89ab-cdef-0123-00000000000{number}" for number in range(5)
)
STRIPS = """\
server {{
    listen 127.0.0.1:{port};
    location / {{
        proxy_pass http://127.0.0.1:{agent};
        proxy_set_header Host $http_host;
        proxy_set_header Cookie "";
        proxy_set_header X-Request-Id $http_x_request_id;
    }}
}}
"""


def telltale(request: RequestReceived) -> bytes:
    """Answer with the credential wherever one may stand."""
    given = request.head.fields.get(b"authorization")
    secret = given.partition(b" ")[2]
    lines = [b"HTTP/1.1 200 OK"]
    if b"redirect" in request.head.target:
        lines = [b"HTTP/1.1 302 Found", b"Location: http://user:%b@elsewhere.example/" % secret]
    elif b"refused" in request.head.target:
        lines = [b"HTTP/1.1 401 No", b"WWW-Authenticate: Basic realm=%b" % secret]
    lines += [
        b"X-Echo: " + given, b"Set-Cookie: session_token=evil; Path=/", b"Set-Cookie: x=" + secret,
        b"X-Kasm-ID: 1", b"Content-Length: 3", b"", b"ok\n",
    ]
    return b"\r\n".join(lines)


class Hops(NamedTuple):
    """Both hops, with what stands beside and behind them."""

    webapp: EdgeDaemon
    agent: EdgeDaemon
    far: RawUpstream
    echo: EchoUpstream

    @property
    def port(self) -> int:
        return self.webapp.port_of("webapp")

    @property
    def logs(self) -> str:
        return self.webapp.output + self.agent.output

    def ask(self, path: str, session: str = PLAIN, **headers: str) -> Answer:
        return get(self.port, f"/desktop/{session}/vnc{path}", **{"Cookie": COOKIE, **headers})

    def sessions(self, without: str = "") -> str:
        places = {PLAIN: self.far.port, TICKETED: self.far.port, STRIPPED: self.far.port,
                  ECHO: self.echo.port, DEAD: free_port()}
        return "".join(session(each, f"http://127.0.0.1:{port}/inner", "ada")
                       for each, port in places.items() if each != without)

    def websocket(self) -> RawWebsocket:
        """Open one through both hops, which works."""
        fields = f"Cookie: {COOKIE}".encode()
        opened = RawWebsocket(
            self.port, websocket_request(f"/desktop/{ECHO}/vnc/", fields, authorization=b"")
        )
        assert opened.status == 101
        opened.send(frame(TEXT, b"hello"))
        assert opened.message().payload == b"hello"
        return opened


@pytest.fixture(scope="module")
def hops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hops]:
    first, second = tmp_path_factory.mktemp("webapp"), tmp_path_factory.mktemp("agent")
    # Who is not told would let in for longer than anything is waited for.
    keys = {"trusted_proxies": "[127.0.0.1]", "ticket_key": first / "tickets",
            "lease_seconds": LEASE}
    with KasmApi() as api, RawUpstream(telltale) as far, EchoUpstream() as echo:
        auth = f"{{address: '{api.url}'}}"
        webapp = edge("webapp", "webapp", auth=auth, upstream="{unchecked: true}", **keys)
        shared = {"auth": auth, "directory": second / "sessions.yaml"}
        agents = edge("agent", "agent", trusted_proxies="[127.0.0.1]", lease_seconds=LEASE,
                      **shared)
        agents += edge("ticketed", "agent", **keys, **shared)
        # The first makes the key.
        with EdgeDaemon(first, webapp) as one:
            one.port_of("webapp")
            with EdgeDaemon(second, agents) as two:
                api.logins["ada"] = TOKEN
                hops = Hops(one, two, far, echo)
                strip = free_port()
                text = STRIPS.format(port=strip, agent=two.port_of("agent"))
                ports = {TICKETED: two.port_of("ticketed"), STRIPPED: strip}
                for each in (PLAIN, TICKETED, STRIPPED, ECHO, DEAD):
                    port = ports.get(each, two.port_of("agent"))
                    api.desks[each] = Desk("ada", "127.0.0.1", port, "", "http")
                two.write_sessions(hops.sessions())
                with Nginx(tmp_path_factory.mktemp("strip"), strip, text):
                    eventually(lambda: hops.ask("/").status == 200, "the directory is read")
                    yield hops


# What comes back.


@pytest.mark.parametrize("ident", [PLAIN, TICKETED])
@pytest.mark.parametrize("path, status", [("/", 200), ("/redirect", 302), ("/refused", 502)])
def test_the_credential_never_comes_back(hops: Hops, ident: str, path: str, status: int) -> None:
    hops.far.forget()
    answer = hops.ask(path, ident)
    assert hops.far.heads[0].head.fields.get(b"authorization") == INJECTED.encode()
    assert answer.status == status
    for said in (*answer.headers.items(), ("", answer.body)):
        assert SECRET not in said[1], said
    names = {name.lower() for name in answer.headers}
    assert not {"x-echo", "x-kasm-id", "www-authenticate"} & names
    assert "session_token" not in answer.headers.get("Set-Cookie", "")


def test_nor_where_the_desktop_is_dead(hops: Hops) -> None:
    answer = hops.ask("/", DEAD, Accept="application/json")
    assert (answer.status, answer.json["code"], answer.json["hop"]) == (
        502, "upstream-refused", "agent",
    )
    assert SECRET not in str(answer)


# What goes on.


def test_nobody_speaks_for_himself(hops: Hops) -> None:
    hops.far.forget()
    claims = {
        "Authorization": "Bearer mine", "X-Kasm-ID": "9", "X-Kasm-User": "eve", "X_Kasm_User": "e",
        "Kasmd-Ticket": "e30.e30.e30", "X-Original-URI": "/x", "X-Forwarded-User": "eve",
        "Proxy-Authorization": "Basic eA==", "Cookie": COOKIE,
    }
    connection = HTTPConnection("127.0.0.1", hops.port, timeout=PATIENCE)
    connection.request("GET", f"/desktop/{PLAIN}/vnc/x?password={IN_QUERY}&a=1", headers=claims)
    assert connection.getresponse().status == 200
    connection.close()
    head = hops.far.heads[0].head
    assert head.target == b"/inner/x?a=1"
    assert head.fields.all(b"authorization") == [INJECTED.encode()]
    said = b"\n".join(value for _, value in head.fields)
    for foreign in (b"eve", b"mine", b"e30", b"eA==", TOKEN.encode(), b"k-77", IN_QUERY.encode()):
        assert foreign not in said
    assert not [name for name, _ in head.fields if b"kasm" in name.lower().replace(b"_", b"-")]


def test_one_request_has_one_id(hops: Hops) -> None:
    hops.far.forget()
    ident = hops.ask("/", X_Request_Id="from-outside").headers["X-Request-Id"]
    assert ident == "from-outside", "this machine's proxies are believed"
    assert hops.far.heads[0].head.fields.get(b"x-request-id") == ident.encode()
    for daemon in (hops.webapp, hops.agent):
        daemon.wait_for(rf'"GET /desktop/{PLAIN}/vnc/ HTTP/1.1" 200 .* id={ident}$')


def test_a_cookie_that_is_lost_on_the_way(hops: Hops) -> None:
    answer = hops.ask("/", STRIPPED, Accept="application/json")
    assert answer.status == 401
    problem = answer.json
    assert (problem["code"], problem["hop"]) == ("no-cookie", "agent")
    assert problem["request_id"] == answer.headers["X-Request-Id"]


def test_two_cookies_of_one_name(hops: Hops) -> None:
    connection = HTTPConnection("127.0.0.1", hops.port, timeout=PATIENCE)
    connection.request("GET", f"/desktop/{PLAIN}/vnc/", headers={
        "Cookie": f"{COOKIE}; username=eve", "Host": "desk.kasm.example", "Accept": "text/html",
    })
    answer = connection.getresponse()
    page = answer.read().decode()
    connection.close()
    assert answer.status == 409
    assert "Your browser sent two logins at once" in page and "username" in page
    cleared = answer.headers.get_all("Set-Cookie") or []
    assert cleared and all(value.startswith("username=; Max-Age=0;") for value in cleared)
    assert any("Domain=kasm.example" in value for value in cleared)


def test_large_cookies(hops: Hops) -> None:
    assert hops.ask("/", Cookie=f"{COOKIE}; large={'x' * 15_000}").status == 200
    answer = hops.ask("/", Cookie=f"{COOKIE}; large={'x' * 70_000}")
    assert answer.status == 431
    assert "header is too large" in answer.body and "Remove the cookies" in answer.body
    assert "<html" in answer.body and answer.headers["X-Request-Id"] in answer.body


def test_who_is_alive(hops: Hops) -> None:
    agent = hops.agent.port_of("agent")
    for port, path in ((hops.port, ""), (agent, ""), (agent, "/agent")):
        answer = get(port, f"{path}/__healthcheck")
        assert (answer.status, answer.json) == (200, {"ok": True})


# When it ends.


def connections(port: int) -> int:
    """Count the connections that a port of this machine has (proc(5))."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(f":{port:04X}") and row[3] == "01" for row in rows)


def push(hops: Hops, daemon: EdgeDaemon, name: str) -> None:
    told = {"user": "ada", "session": ECHO}
    answer = post(daemon.port_of(name), "/__edge/revocations", told, "owner")
    assert (answer.status, answer.json) == (200, {"ended": 1})


ENDS: dict[str, Callable[[Hops], None]] = {
    "pushed to the first hop": lambda hops: push(hops, hops.webapp, "webapp"),
    "pushed to the last hop": lambda hops: push(hops, hops.agent, "agent"),
    "session gone": lambda hops: hops.agent.write_sessions(hops.sessions(without=ECHO)),
    "other credential": lambda hops: hops.agent.write_sessions(
        hops.sessions(without=ECHO) + session(ECHO, hops.echo.port, "ada", credential="{bearer: n}")
    ),
}


@pytest.mark.parametrize("how", ENDS)
def test_every_hop_ends_at_once(hops: Hops, how: str) -> None:
    with hops.websocket() as opened:
        eventually(lambda: connections(hops.echo.port) == 1, "it is alone")
        ENDS[how](hops)
        last = opened.until_close()[-1]
        assert (last.opcode, last.code) == (CLOSE, POLICY)
        eventually(lambda: connections(hops.echo.port) == 0, "the desktop is left")
    hops.agent.write_sessions(hops.sessions())
    eventually(lambda: hops.ask("/", ECHO).status != 404, "the session is there again")


def test_only_owners_push(hops: Hops) -> None:
    told = {"user": "ada"}
    for user, status in (("", 401), ("writer", 403)):
        assert post(hops.port, "/__edge/revocations", told, user).status == status


def test_no_log_has_a_secret(hops: Hops) -> None:
    ident = hops.ask(f"/x?password={IN_QUERY}").headers["X-Request-Id"]
    for daemon in (hops.webapp, hops.agent):
        daemon.wait_for(rf'"GET /desktop/{PLAIN}/vnc/x HTTP/1.1" 200 .* id={ident}$')
    logs = hops.logs
    for secret in (IN_QUERY, SECRET, TOKEN, "k-77"):
        assert secret not in logs
