"""Two hops to a desktop, in a browser: Kasm's path, each hop kasmd's, nginx's or HAProxy's.

    Chromium -> HAProxy -> nginx -> webapp hop -> agent hop -> a kasmd's desktop
                            \\-> Kasm's API <-----/
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path
from typing import Iterator, NamedTuple

import pytest

from tests.live.chromium import CANVAS, Chromium
from tests.live.daemon import Daemon
from tests.live.desktop import BLUE, IN_TERMINAL, terminal, wait_typed
from tests.live.edge import EdgeDaemon, edge, session
from tests.live.kasm_api import Desk, KasmApi
from tests.live.programs import ROOT, eventually
from tests.live.proxies import Haproxy, Nginx, example, free_port
from tests.live.web import basic, get

#: A session for each way there: what its hops are, and its id.
WAYS = {
    "kasmd-kasmd": "01234567-89ab-cdef-0123-456789abcdea",
    "nginx-kasmd": "01234567-89ab-cdef-0123-456789abcdeb",
    "kasmd-nginx": "01234567-89ab-cdef-0123-456789abcdec",
    "haproxy-kasmd": "01234567-89ab-cdef-0123-456789abcded",
    "kasmd-haproxy": "01234567-89ab-cdef-0123-456789abcdee",
}
EXAMPLES = {"nginx": "nginx.conf", "haproxy": "haproxy.cfg"}
LUA = {"/etc/haproxy/kasm-haproxy.lua": ROOT / "etc" / "proxies" / "kasm-haproxy.lua"}
COOKIES = {"username": "ada", "session_token": "t-ada", "kasm_client_key": "k", "else": "x"}
WRITER = "{user: writer, password: password}"
PROVES = ("username", "session_token", "kasm_client_key")
CALLS = ("/api/kasm_connect/", "/api/internal_auth/")


class Way(NamedTuple):
    """One way to the desktop."""

    session: str
    port: int
    edges: EdgeDaemon
    #: How many of the hops are in it.
    ours: int
    desktop: Daemon
    api: KasmApi
    #: The proxies on it that are nginx.
    nginxes: tuple[Nginx, ...]

    @property
    def path(self) -> str:
        return f"/desktop/{self.session}/vnc/"


@pytest.fixture(scope="module")
def desktop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    network = "  trusted_proxies: [127.0.0.1]\n"
    with Daemon(tmp_path_factory.mktemp("desktop"), network=network) as running:
        yield running


@pytest.fixture(scope="module")
def api() -> Iterator[KasmApi]:
    with KasmApi() as api:
        api.logins["ada"] = "t-ada"
        yield api


@pytest.fixture(scope="module")
def edges(desktop: Daemon, api: KasmApi,
          tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeDaemon]:
    folder = tmp_path_factory.mktemp("edges")
    keys = {"trusted_proxies": "[127.0.0.1]", "upstream": "{unchecked: true}"}
    asks = "{address: $request_host$, request_hosts: [127.0.0.1], unchecked: true}"
    hops = edge("webapp", "webapp", auth=f"{{address: '{api.url}'}}", **keys) + edge(
        "agent", "agent", auth=asks, directory=folder / "sessions.yaml", **keys
    )
    place = f"https://127.0.0.1:{desktop.port}"
    sessions = [session(ident, place, "ada", credential=WRITER) for ident in WAYS.values()]
    with EdgeDaemon(folder, hops, "".join(sessions)) as edges:
        yield edges


class Proxies(ExitStack):
    """Starts proxies with shipped examples, until the end of the ``with``."""

    def __init__(self, folder: Path, certificate: Path) -> None:
        super().__init__()
        self._folder = folder
        self._certificate = certificate
        self.nginxes: list[Nginx] = []

    def start(self, name: str, port: int, changes: dict[str, object]) -> int:
        text = example(name, {"/etc/ssl/desktop.pem": self._certificate, **changes})
        if name.endswith(".conf"):
            self.nginxes.append(self.enter_context(Nginx(self._folder / name, port, text)))
        else:
            self.enter_context(Haproxy(self._folder / name, port, text))
        return port

    def agent(self, kind: str, ident: str, asked: int, desktop: int) -> int:
        """Start an agent hop for one session."""
        port = free_port()
        return self.start(f"kasm-agent-{EXAMPLES[kind]}", port, {
            **(LUA if kind == "haproxy" else {}),
            "127.0.0.1:443/": f"127.0.0.1:{asked}/",
            "127.0.0.1:4443": f"127.0.0.1:{port}",
            "127.0.0.1:6901": f"127.0.0.1:{desktop}",
            "01234567-89ab-cdef-0123-456789abcdef": ident,
            "Basic a2FzbV91c2VyOnBhc3N3b3Jk": basic("writer"),
        })

    def webapp(self, kind: str, api: int) -> int:
        """Start a webapp hop."""
        port = free_port()
        return self.start(f"kasm-webapp-{EXAMPLES[kind]}", port, {
            **(LUA if kind == "haproxy" else {}),
            "127.0.0.1:8080": f"127.0.0.1:{api}",
            "127.0.0.1:443": f"127.0.0.1:{port}",
        })

    def front(self, public: int, webapp: int, api: int) -> None:
        """Start what comes before both hops."""
        inner = self.start("edge-nginx.conf", port := free_port(), {
            "127.0.0.1:443": f"127.0.0.1:{port}", "127.0.0.1:8444": f"127.0.0.1:{webapp}",
            "#location": "location", "127.0.0.1:8080": f"127.0.0.1:{api}",
            "X-Request-Id $request_id": "X-Request-Id $http_x_request_id",
        })
        self.start("edge-haproxy.cfg", public, {
            "127.0.0.1:443": f"127.0.0.1:{public}", "127.0.0.1:8444": f"127.0.0.1:{inner}",
        })


@pytest.fixture(scope="module", params=WAYS)
def way(request: pytest.FixtureRequest, desktop: Daemon, api: KasmApi, edges: EdgeDaemon,
        tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    ident, public = WAYS[request.param], free_port()
    webapp, agent = request.param.split("-")
    ports = {name: edges.port_of(name) for name in ("webapp", "agent")}
    certificate = edges.folder / "state" / "self-signed.pem"
    with Proxies(tmp_path_factory.mktemp("way"), certificate) as proxies:
        if agent != "kasmd":
            ports["agent"] = proxies.agent(agent, ident, public, desktop.port)
        if webapp != "kasmd":
            ports["webapp"] = proxies.webapp(webapp, api.port)
        api.desks[ident] = Desk("ada", "127.0.0.1", ports["agent"], "")
        proxies.front(public, ports["webapp"], api.port)
        ours = [webapp, agent].count("kasmd")
        yield Way(ident, public, edges, ours, desktop, api, tuple(proxies.nginxes))


def test_the_desktop_is_seen_and_used(way: Way, chromium: Chromium) -> None:
    way.api.asked.clear()
    url = f"https://127.0.0.1:{way.port}{way.path}"
    assert chromium.do("open", url=url, cookies=COOKIES) == 200
    chromium.wait_connected()
    chromium.wait_text("#here", "writer")
    chromium.wait_true(f"document.querySelector('{CANVAS}').width === 1280")
    with terminal(way.desktop) as typed:
        chromium.wait_pixel(*IN_TERMINAL, BLUE)
        chromium.do("click", x=IN_TERMINAL[0], y=IN_TERMINAL[1])
        chromium.do("type", text="through two hops")
        chromium.do("press", key="Enter")
        wait_typed(typed, "through two hops\n")
    assert chromium.errors() == []
    for call in CALLS:
        assert way.api.questions(call), call
    # The page of the way before may ask on for a while.
    mine = [asked for asked in way.api.asked if way.session in asked[1]]
    for _, original, cookies in mine:
        assert original.startswith(way.path)
        assert cookies == PROVES


def test_every_hop_has_the_same_request_in_its_log(way: Way) -> None:
    cookie = "; ".join(f"{name}={value}" for name, value in COOKIES.items())
    answer = get(way.port, f"{way.path}style.css", secure=True, Cookie=cookie)
    assert answer.status == 200
    ident = answer.headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f-]{36}", ident), "HAProxy made it"
    line = rf'"GET {way.path}style.css HTTP/1.1" 200 .* id={ident}$'
    eventually(
        lambda: len(re.findall(line, way.edges.output, re.MULTILINE)) == way.ours, "each hop"
    )
    way.desktop.wait_for(rf'127.0.0.1 writer "GET /style.css HTTP/1.1" 200 .* id={ident}$')
    for nginx in way.nginxes:
        eventually(lambda: f"style.css 200 id={ident}" in nginx.log, "nginx, too")


def test_large_cookies_of_others_do_not_matter(way: Way) -> None:
    cookie = f"username=ada; session_token=t-ada; large={'x' * 15_000}"
    assert get(way.port, f"{way.path}style.css", secure=True, Cookie=cookie).status == 200


def test_no_cookie_is_no_way_in(way: Way) -> None:
    for cookie in ("", "username=ada", "username=ada; session_token=wrong"):
        answer = get(way.port, f"{way.path}style.css", secure=True, Cookie=cookie)
        assert answer.status == 401, cookie
        assert "www-authenticate" not in answer.headers
    eve = "username=eve; session_token=t-eve"
    way.api.logins["eve"] = "t-eve"
    assert get(way.port, way.path, secure=True, Cookie=eve).status == 403


def test_two_log_ins_at_once_are_explained_and_cleared(
    edges: EdgeDaemon, chromium: Chromium
) -> None:
    url = f"https://127.0.0.1:{edges.port_of('webapp')}/desktop/{WAYS['kasmd-kasmd']}/vnc/"
    chromium.do("open", url=url, cookies=COOKIES)
    chromium.eval("document.cookie = 'username=eve; path=/desktop; secure'")
    chromium.do("reload")
    chromium.wait_text("h1", "Your browser sent two logins at once")
    assert "username" not in chromium.eval("document.cookie")
    chromium.do("reload")
    chromium.wait_text("h1", "You are not logged in")
