"""nginx and HAProxy with the examples of etc/proxies, as shipped but for what a test changes."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Mapping

from tests.live.programs import ROOT, Program, eventually

_NGINX = """\
daemon off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{}}
http {{
    log_format hop '$request_method $uri $status id=$http_x_request_id';
    access_log {folder}/access.log hop;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {example}
}}
"""


#: What keeps the ports that were given.
_taken: list[socket.socket] = []


def free_port() -> int:
    """Give a port that nobody listens on, and that nobody is given from now on.

    Who asks for it may listen there: servers set SO_REUSEADDR, as this does.
    """
    taken = socket.socket()
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    taken.bind(("127.0.0.1", 0))
    _taken.append(taken)
    return int(taken.getsockname()[1])


def listens(port: int) -> bool:
    """Tell whether somebody does."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def example(name: str, changes: Mapping[str, object]) -> str:
    """Give a shipped example in which each text that is a key stands, with its value instead."""
    text = (ROOT / "etc" / "proxies" / name).read_text()
    for old, new in changes.items():
        assert old in text, f"{name} has no {old}"
        text = text.replace(old, str(new))
    return text


class Proxy(Program):
    """Listens on ``port`` until the end of the ``with``."""

    def __init__(self, port: int, *argv: str) -> None:
        self.port = port
        super().__init__(*argv)
        eventually(lambda: listens(port) or self.process.poll() is not None, "it listens")
        assert self.process.poll() is None, self.output


class Nginx(Proxy):
    """nginx with a server of one example."""

    def __init__(self, folder: Path, port: int, text: str) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        file = folder / "nginx.conf"
        file.write_text(_NGINX.format(folder=folder, example=text))
        super().__init__(port, "nginx", "-p", str(folder), "-c", str(file))

    @property
    def log(self) -> str:
        """A line for each request that was answered."""
        return (self.folder / "access.log").read_text()


class Haproxy(Proxy):
    """HAProxy with one example."""

    def __init__(self, folder: Path, port: int, text: str) -> None:
        folder.mkdir(exist_ok=True)
        file = folder / "haproxy.cfg"
        file.write_text(text)
        super().__init__(port, "haproxy", "-db", "-f", str(file))
