"""The desktop in a frame of another site's page, in a browser that keeps sites apart."""

from __future__ import annotations

import datetime
import re
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Iterator

import pytest

from kasmd.web.certificate import self_signed
from tests.live.chromium import Chromium
from tests.live.daemon import Daemon
from tests.live.desktop import BLUE, IN_TERMINAL, terminal
from tests.live.programs import eventually

#: Three sites, all on this machine: kasmd's, and two whose pages show it in a frame.
DESK, LISTED, UNLISTED = "desk.test", "listed.test", "unlisted.test"
MORE = """\
display:
  terminal: []
site:
  login: page
  frame_ancestors: [self, "{origin}"]
  embedding: {embedding}
"""
FLAGS = (
    "--host-resolver-rules=MAP *.test 127.0.0.1",
    # No cookie of another site but a partitioned one, as in Safari and Firefox.
    "--test-third-party-cookie-phaseout",
)


class Site(ThreadingHTTPServer):
    """Pages over TLS that show, in a frame, the site at the port that their path says."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Page)
        pem = self_signed(folder, datetime.datetime.now(datetime.timezone.utc))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(pem)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def __exit__(self, *exc: Any) -> None:
        self.shutdown()
        super().__exit__(*exc)

    def origin(self, host: str) -> str:
        """Give the origin of the pages under one of their names."""
        return f"https://{host}:{self.server_address[1]}"


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        source = f"https://{DESK}:{self.path.lstrip('/')}/"
        body = f"<iframe name=desk width=1000 height=700 src={source}></iframe>".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    with Chromium(*FLAGS) as chromium:
        yield chromium


def start(folder: Path, site: Site, embedding: str) -> Daemon:
    return Daemon(folder, MORE.format(origin=site.origin(LISTED), embedding=embedding))


def show(chromium: Chromium, page: str, daemon: Daemon) -> None:
    """Open the page that has the desktop in a frame."""
    assert chromium.do("open", url=f"{page}/{daemon.port}") == 200


def log_in(chromium: Chromium) -> None:
    """Log in within the frame, and stay there."""
    chromium.do("frame", name="desk")
    chromium.wait_true("document.querySelector('#password')")
    chromium.do("fill", selector="#name", text="writer")
    chromium.do("fill", selector="#password", text="password")
    chromium.do("click", selector="button")


def test_listed_pages_show_the_desktop(chromium: Chromium, site: Site, tmp_path: Path) -> None:
    with start(tmp_path, site, "true") as daemon, terminal(daemon):
        show(chromium, site.origin(LISTED), daemon)
        log_in(chromium)
        chromium.wait_connected()
        chromium.wait_text("#who", "Connected as writer")
        chromium.wait_pixel(*IN_TERMINAL, BLUE)
        daemon.wait_for("/websockify")
        # Cookies that are not partitioned are out of the frame's reach.
        assert chromium.eval("document.hasStorageAccess()") is False
        show(chromium, site.origin(UNLISTED), daemon)
        refused = f"'https://{DESK}:{daemon.port}/' violates .*frame-ancestors"
        eventually(lambda: re.search(refused, "".join(chromium.errors())), "it is refused")


def test_without_embedding_the_page_says_why_not(
    chromium: Chromium, site: Site, tmp_path: Path
) -> None:
    with start(tmp_path, site, "false") as daemon:
        show(chromium, site.origin(LISTED), daemon)
        log_in(chromium)
        chromium.wait_text("#message", "Your browser did not keep the log-in")
        assert chromium.eval("document.querySelector('canvas')") is None
        assert "/websockify" not in daemon.output
