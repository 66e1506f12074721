"""The proxy examples of etc/proxies, as they are shipped but for ports and certificates."""

from __future__ import annotations

import ssl
from http.client import HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Iterator, Optional

import pytest

from tests.live.chromium import Chromium
from tests.live.daemon import Daemon
from tests.live.programs import PATIENCE
from tests.live.proxies import Haproxy, Nginx, example, free_port
from tests.live.web import basic

#: A client's address, which is not the proxies', and wrong passwords that lock one out.
CLIENT, THRESHOLD = "127.0.0.2", 5
LONG = "security:\n  brute_force_protection:\n    blacklist_timeout: 600\n"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    network = "  trusted_proxies: [127.0.0.1]\n"
    with Daemon(tmp_path_factory.mktemp("daemon"), LONG, network=network) as running:
        assert running.x_environment
        yield running


def changes(daemon: Daemon, port: int) -> dict[str, object]:
    """Say what an example has of this test's ports and of the daemon's own certificate."""
    return {
        "127.0.0.1:443": f"127.0.0.1:{port}",
        "127.0.0.1:8443": f"127.0.0.1:{daemon.port}",
        "/etc/ssl/desktop.pem": daemon.folder / "state" / "self-signed.pem",
    }


@pytest.fixture(params=[(Nginx, "nginx.conf"), (Haproxy, "haproxy.cfg")], ids=["nginx", "haproxy"])
def proxy(request: pytest.FixtureRequest, daemon: Daemon, tmp_path: Path) -> Iterator[int]:
    """The port of a proxy that runs."""
    port = free_port()
    start, name = request.param
    with start(tmp_path, port, example(name, changes(daemon, port))):
        yield port


def ask(port: int, path: str, client: str, password: str = "password",
        forwarded: str = "", content: Optional[bytes] = None) -> HTTPResponse:
    """Ask as the owner from one of this machine's addresses, perhaps lying about it."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = HTTPSConnection("127.0.0.1", port, timeout=PATIENCE, context=context,
                                 source_address=(client, 0))
    headers = {"Authorization": basic("owner", password)}
    if forwarded:
        headers["X-Forwarded-For"] = forwarded
    connection.request("GET" if content is None else "PUT", path, content, headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def test_the_page_works_behind_it_under_a_prefix(
    proxy: int, daemon: Daemon, chromium: Chromium
) -> None:
    # Without the last slash first: the proxy sends to the right place.
    chromium.enter(f"https://127.0.0.1:{proxy}/desk", "writer")
    assert chromium.eval("location.pathname") == "/desk/"
    chromium.wait_text("#here", "writer")
    assert chromium.do("console") == []


def test_a_large_file_is_brought(proxy: int, daemon: Daemon) -> None:
    name, content = f"{proxy}.bin", bytes(4 << 20)
    assert ask(proxy, f"/desk/api/v1/files/{name}", CLIENT, content=content).status == 201
    assert (daemon.folder / "Uploads" / name).read_bytes() == content


@pytest.mark.parametrize("forged", ["", "203.0.113.9", "127.0.0.1", "203.0.113.9, 127.0.0.1", "x"])
def test_the_log_has_the_client_s_address(proxy: int, daemon: Daemon, forged: str) -> None:
    ident = ask(proxy, "/desk/style.css", CLIENT, forwarded=forged).headers["X-Request-Id"]
    daemon.wait_for(rf': 127.0.0.1 {CLIENT} owner "GET /style.css HTTP/1.1" 200 .* id={ident}$')


def test_it_is_the_client_that_is_locked_out(proxy: int, daemon: Daemon) -> None:
    def status(client: str, password: str, forwarded: str = "") -> int:
        return ask(proxy, "/desk/style.css", client, password, forwarded).status

    # Nobody has been locked out from this address: each proxy has a port of its own.
    guesser = f"127.1.{proxy >> 8}.{proxy & 255}"
    tries = [status(guesser, "wrong", f"203.0.113.{number}") for number in range(THRESHOLD)]
    assert tries == [401] * THRESHOLD
    for forged in ("", CLIENT, "203.0.113.99"):
        assert status(guesser, "password", forged) == 429
    # Neither the proxy itself nor another client behind it.
    assert status(CLIENT, "password") == 200
    assert status(CLIENT, "password", guesser) == 200
    assert ask(daemon.port, "/style.css", "127.0.0.1").status == 200


def test_who_is_no_proxy_speaks_for_himself(daemon: Daemon) -> None:
    answer = ask(daemon.port, "/style.css", CLIENT, forwarded="203.0.113.9")
    daemon.wait_for(rf': {CLIENT} {CLIENT} owner "GET .* id={answer.headers["X-Request-Id"]}$')
