"""The proxy examples of etc/proxies, as they are shipped but for ports and certificates."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Callable, Iterator

import pytest

from tests.live.chromium import Chromium
from tests.live.daemon import Daemon
from tests.live.programs import ROOT, Program, eventually

NGINX_FRAME = """\
daemon off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {example}
}}
"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(tmp_path_factory.mktemp("daemon")) as running:
        assert running.x_environment
        yield running


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    with Chromium() as browser:
        yield browser


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def example(name: str, daemon: Daemon, port: int) -> str:
    """Give a shipped example with this test's ports and the daemon's own certificate."""
    text = (ROOT / "etc" / "proxies" / name).read_text()
    changes = {
        "127.0.0.1:443": f"127.0.0.1:{port}",
        "127.0.0.1:8443": f"127.0.0.1:{daemon.port}",
        "/etc/ssl/desktop.pem": str(daemon.folder / "state" / "self-signed.pem"),
    }
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return text


def nginx(daemon: Daemon, port: int, folder: Path) -> Program:
    file = folder / "nginx.conf"
    file.write_text(NGINX_FRAME.format(folder=folder, example=example("nginx.conf", daemon, port)))
    return Program("nginx", "-p", str(folder), "-c", str(file))


def haproxy(daemon: Daemon, port: int, folder: Path) -> Program:
    file = folder / "haproxy.cfg"
    file.write_text(example("haproxy.cfg", daemon, port))
    return Program("haproxy", "-db", "-f", str(file))


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("start", [nginx, haproxy])
def test_the_page_works_behind_it_under_a_prefix(
    start: Callable[[Daemon, int, Path], Program], daemon: Daemon, chromium: Chromium,
    tmp_path: Path,
) -> None:
    port = free_port()
    with start(daemon, port, tmp_path) as proxy:
        eventually(lambda: listens(port) or proxy.process.poll() is not None, "the proxy listens")
        # Without the last slash first: the proxy sends to the right place.
        chromium.enter(f"https://127.0.0.1:{port}/desk", "writer")
        assert chromium.eval("location.pathname") == "/desk/"
        chromium.wait_text("#here", "writer")
        assert chromium.do("console") == []
