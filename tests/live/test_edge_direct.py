"""One port, many people, each with a desktop of their own: the direct edge in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.live.chromium import CANVAS, Chromium
from tests.live.daemon import Daemon
from tests.live.desktop import BLUE, IN_TERMINAL, terminal, wait_typed
from tests.live.edge import EdgeDaemon, edge, session
from tests.live.programs import eventually
from tests.live.proxies import Haproxy, Nginx, example, free_port
from tests.live.web import get
from tests.live.workers import HELD_UP, LEASE

WRITER = "{user: writer, password: password}"
READER = "{user: reader, password: password, rights: r}"
#: What the page says then, and what it finds out where it was not told.
ENDED = "You may not use this desktop any more."
FOUND_OUT = "The desktop was ended", "log in again"
MORE = """\
site:
  login: page
"""
PHONE = {"viewport": [390, 780], "mobile": True}
#: A client's address, which is not the proxies'.
CLIENT = "127.0.0.2"
#: An edge of one process, and one of several.
each_way = pytest.mark.parametrize("at", ["desktops", "shared"])


def sessions(ada: Daemon, bea: Daemon, share: bool = True) -> str:
    """Give Ada's desktop, which Bea may watch perhaps, Bea's, and two that do not work."""
    others = "    others: {bea: r}\n" if share else ""
    places = {daemon: f"https://127.0.0.1:{daemon.port}" for daemon in (ada, bea)}
    ways = f"{WRITER}, {READER}"
    return "".join((
        session("ada", places[ada], "ada", others + "    name: Ada's desktop\n", credential=ways),
        session("bea", places[bea], "bea", credential=ways),
        session("dead", free_port(), "ada"),
        session("new", free_port(), "ada", "    state: starting\n"),
    ))


@pytest.fixture(scope="module")
def desktops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Daemon, Daemon]]:
    network = "  trusted_proxies: [127.0.0.1]\n"
    with Daemon(tmp_path_factory.mktemp("ada"), network=network) as ada:
        with Daemon(tmp_path_factory.mktemp("bea"), network=network) as bea:
            yield ada, bea


@pytest.fixture(scope="module")
def running(desktops: tuple[Daemon, Daemon],
            tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeDaemon]:
    folder = tmp_path_factory.mktemp("edges")
    # Who is not told would let in for longer than anything is waited for.
    keys = {"directory": folder / "sessions.yaml", "upstream": "{unchecked: true}",
            "lease_seconds": LEASE}
    believes = edge("desktops", trusted_proxies="[127.0.0.1]", **keys)
    hears = edge("announced", proxy_protocol="[127.0.0.1]", **keys)
    accounts = {"ada": "rw", "bea": "rw"}
    below = edge("below", prefix="/kasm/desks", **keys)
    all_ = believes + hears + below + edge("shared", processes=2, **keys)
    with EdgeDaemon(folder, all_, sessions(*desktops), MORE, accounts) as edges:
        yield edges


@pytest.fixture
def edges(running: EdgeDaemon, desktops: tuple[Daemon, Daemon]) -> EdgeDaemon:
    """Those edges, with the same sessions for each test."""
    running.write_sessions(sessions(*desktops))
    for at in ("desktops", "shared"):
        port = running.port_of(at)
        eventually(lambda: get(port, "/desktop/ada/style.css", "bea", secure=True).status == 200,
                   "Bea may watch")
    return running


@pytest.fixture(scope="module")
def other() -> Iterator[Chromium]:
    with Chromium() as browser:
        yield browser


def log_in(chromium: Chromium, edges: EdgeDaemon, name: str, path: str = "",
           at: str = "desktops", **options: Any) -> None:
    """Open an address of the edge, be asked who one is, and say it."""
    url = f"https://127.0.0.1:{edges.port_of(at)}/{path}"
    assert chromium.do("open", url=url, **options) == 401
    chromium.do("fill", selector="#name", text=name)
    chromium.do("fill", selector="#password", text="password")
    chromium.do("press", key="Enter")


def choose(chromium: Chromium, ident: str) -> None:
    """Open a desktop from the list, and wait for its picture."""
    link = f"a[href='desktop/{ident}/']"
    chromium.wait_true(f'document.querySelector("{link}")')
    chromium.do("click", selector=link)
    chromium.wait_connected()


def wait_out(chromium: Chromium, edges: EdgeDaemon) -> None:
    """Wait until the page was told, or was on a process that was killed, and found out."""
    def is_out() -> bool:
        text = chromium.eval("document.querySelector('#curtain-text').textContent")
        return ENDED in text or (
            HELD_UP in edges.output and any(found in text for found in FOUND_OUT)
        )

    eventually(is_out, "the connection is ended, and why is said")


@each_way
def test_each_has_a_desktop_of_their_own(
    chromium: Chromium, other: Chromium, edges: EdgeDaemon, desktops: tuple[Daemon, Daemon],
    at: str,
) -> None:
    people = ((chromium, "ada", desktops[0]), (other, "bea", desktops[1]))
    for browser, name, daemon in people:
        log_in(browser, edges, name, at=at)
        choose(browser, name)
        browser.wait_true(f"document.querySelector('{CANVAS}').width === 1280")
    for browser, name, daemon in people:
        with terminal(daemon) as typed:
            browser.wait_pixel(*IN_TERMINAL, BLUE)
            browser.do("click", x=IN_TERMINAL[0], y=IN_TERMINAL[1])
            browser.do("type", text=f"I am {name}")
            browser.do("press", key="Enter")
            wait_typed(typed, f"I am {name}\n")
        assert [line for line in browser.errors() if "401" not in line] == [], edges.output
    listed = "fetch('../../api/v1/desktops').then((answer) => answer.json())"
    for browser, expected in ((chromium, ["ada", "dead", "new"]), (other, ["ada", "bea"])):
        assert [each["id"] for each in browser.eval(listed)["desktops"]] == expected
    foreign = "fetch('../bea/').then((answer) => answer.status)"
    assert chromium.eval(foreign) == 404


@each_way
def test_log_out_ends_the_desktop_at_once(
    chromium: Chromium, edges: EdgeDaemon, at: str
) -> None:
    log_in(chromium, edges, "ada", "desktop/ada/", at)
    chromium.wait_connected()
    left = "fetch('../../logout', {method: 'POST'}).then((answer) => answer.status)"
    assert chromium.eval(left) == 204
    wait_out(chromium, edges)
    assert chromium.eval("fetch('').then((answer) => answer.status)") == 401


@each_way
def test_the_directory_ends_what_it_no_longer_allows(
    chromium: Chromium, other: Chromium, edges: EdgeDaemon, desktops: tuple[Daemon, Daemon],
    at: str,
) -> None:
    log_in(chromium, edges, "ada", "desktop/ada/", at)
    log_in(other, edges, "bea", "desktop/ada/", at)
    chromium.wait_connected()
    other.wait_connected()
    other.wait_text("#who", "You may look but not type")
    chromium.watch_curtain()
    edges.write_sessions(sessions(*desktops, share=False))
    wait_out(other, edges)
    # Nobody else notices.
    assert chromium.curtains() == [] or HELD_UP in edges.output


def test_a_page_that_is_not_let_in_asks_no_more_than_it_tries(
    chromium: Chromium, edges: EdgeDaemon, desktops: tuple[Daemon, Daemon]
) -> None:
    def asked(what: str) -> int:
        return sum(what in address for address in chromium.do("requests"))

    log_in(chromium, edges, "bea", "desktop/ada/")
    chromium.wait_connected()
    edges.write_sessions(sessions(*desktops, share=False))
    wait_out(chromium, edges)
    before = asked("/me/events")
    chromium.do("click", selector="#curtain-retry")
    # After each try the page asks why.
    eventually(lambda: asked("/api/v1/me") - asked("/me/events") >= 3, "it tries on")
    # One more try may have begun.
    assert asked("/me/events") - before <= 4


def test_below_a_path_on_a_phone(chromium: Chromium, edges: EdgeDaemon) -> None:
    log_in(chromium, edges, "ada", "kasm/desks", at="below", **PHONE)
    choose(chromium, "ada")
    assert chromium.eval("location.pathname") == "/kasm/desks/desktop/ada/"
    chromium.wait_text("#here", "writer")
    chromium.eval("location.assign('../../')")
    chromium.wait_true("document.querySelector('form[action=\"./logout\"] button')")
    chromium.wait_true("document.documentElement.scrollWidth === 390")
    chromium.do("tap", selector="button")
    chromium.wait_true("document.querySelector('#password')")


def test_a_failure_is_a_page(chromium: Chromium, edges: EdgeDaemon) -> None:
    log_in(chromium, edges, "ada", "desktop/dead/")
    chromium.wait_text("h1", "The desktop refused the connection")
    chromium.wait_text("body", "upstream-refused (502)")
    _, ident = chromium.wait_true("/Request\\s+(\\S+)/.exec(document.body.innerText)")
    edges.wait_for(rf'ada "GET /desktop/dead/ HTTP/1.1" 502 .* id={ident}$')
    # One that asks again by itself.
    chromium.eval("location.assign('../new/')")
    chromium.wait_text("h1", "The desktop is starting")


def test_large_cookies(edges: EdgeDaemon) -> None:
    port, path = edges.port_of("desktops"), "/desktop/ada/style.css"
    for size, status in ((15_000, 200), (70_000, 431)):
        answer = get(port, path, "ada", secure=True, Cookie=f"large={'x' * size}")
        assert answer.status == status
    assert "Remove the cookies" in answer.body


# Behind proxies.


@pytest.fixture(params=["edge-nginx.conf", "edge-haproxy.cfg", "edge-haproxy-tcp.cfg"])
def proxy(request: pytest.FixtureRequest, edges: EdgeDaemon, tmp_path: Path) -> Iterator[int]:
    """The port of a shipped example before an edge."""
    name, port = request.param, free_port()
    role = "announced" if "tcp" in name else "desktops"
    changes: dict[str, object] = {
        "127.0.0.1:443": f"127.0.0.1:{port}",
        "127.0.0.1:8444": f"127.0.0.1:{edges.port_of(role)}",
    }
    if role == "desktops":
        changes["/etc/ssl/desktop.pem"] = edges.folder / "state" / "self-signed.pem"
    start = Nginx if name.endswith(".conf") else Haproxy
    with start(tmp_path, port, example(name, changes)):
        yield port


def test_a_desktop_behind_a_proxy(proxy: int, chromium: Chromium) -> None:
    assert chromium.do("open", url=f"https://127.0.0.1:{proxy}/") == 401
    chromium.do("fill", selector="#name", text="ada")
    chromium.do("fill", selector="#password", text="password")
    chromium.do("press", key="Enter")
    choose(chromium, "ada")
    chromium.wait_text("#here", "writer")


@pytest.mark.parametrize("forged", ["", "203.0.113.9", "127.0.0.1", "203.0.113.9, 127.0.0.1"])
def test_the_client_s_address_is_known(proxy: int, edges: EdgeDaemon, forged: str) -> None:
    lies = {"X_Forwarded_For": forged, "Forwarded": f"for={forged}"} if forged else {}
    answer = get(proxy, "/__healthcheck", secure=True, source=CLIENT, **lies)
    ident = answer.headers.get("x-request-id") or answer.headers["X-Request-Id"]
    edges.wait_for(rf': \S+ {CLIENT} - "GET /__healthcheck HTTP/1.1" 200 .* id={ident}$')


def test_who_must_announce_and_does_not_is_no_client(edges: EdgeDaemon) -> None:
    with pytest.raises(OSError):
        get(edges.port_of("announced"), "/__healthcheck", secure=True)
    edges.wait_for(r"PROXY|announce")
