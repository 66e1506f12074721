"""A daemon of edges without a desktop, and proxies that stand before one of them."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Optional, Sequence

from tests.live.daemon import Daemon
from tests.live.proxies import Haproxy, Nginx, Proxy, free_port
from tests.live.web import basic

USER = "owner"
AUTHORIZATION = basic(USER).encode("ascii")
#: A desktop's own credential: never to be seen by a client.
INJECTED = "Bearer fY8sW2kQ0pLm"
_EDGE = r"^kasmd: edge {name}, \w+: https://[^/]*:(\d+)/"
_ENTRY = """\
  - name: {name}
    role: {role}
    listen: {listen}
    tls: {{plain_http: serve}}
"""
#: An edge that others carry.
_SHARED = r"- name: {name}\n(?:    .*\n)*    processes: (?:[2-9]|[0-9]{{2}})"
_SESSION = """\
  - id: {ident}
    owner: {owner}
    upstream: {upstream}
    credentials: [{credential}]
"""


def edge(name: str, role: str = "direct", listen: str = "{port: 0}", **keys: object) -> str:
    """Give an entry of the configuration's list; values are YAML."""
    # A client that a test does not look at for a while is not dead.
    keys = {"timeouts": "{connect: 30, dead: 600}", **keys}
    lines = (f"    {key}: {value}\n" for key, value in keys.items())
    return _ENTRY.format(name=name, role=role, listen=listen) + "".join(lines)


def session(ident: str, upstream: object, owner: str = USER, more: str = "",
            credential: str = f"{{bearer: {INJECTED.partition(' ')[2]}}}") -> str:
    """Give an entry of the directory; a port is one of this machine."""
    place = f"http://127.0.0.1:{upstream}" if isinstance(upstream, int) else upstream
    text = _SESSION.format(ident=ident, owner=owner, upstream=place, credential=credential)
    return text + more


class EdgeDaemon(Daemon):
    """Runs ``edges``, whose directory, where they have one, is ``sessions``."""

    def __init__(self, folder: Path, edges: str, sessions: str = "", more: str = "",
                 accounts: Optional[dict[str, str]] = None, host: Sequence[str] = ()) -> None:
        self.directory = folder / "sessions.yaml"
        self.folder = folder
        self._edges = edges
        self.write_sessions(sessions)
        text = f"  enabled: false\nedge:\n{edges}{more}"
        super().__init__(folder, text, accounts=accounts, host=host)

    def write_sessions(self, sessions: str) -> None:
        """Edit the directory as an operator would."""
        new = self.directory.with_suffix(".new")
        new.write_text(f"sessions:\n{sessions}" if sessions else "sessions: []\n")
        new.chmod(0o600)
        new.rename(self.directory)

    def port_of(self, name: str) -> int:
        """Give the port of an edge, once somebody is there."""
        port = int(self.wait_for(_EDGE.format(name=re.escape(name)))[1])
        shared = re.search(_SHARED.format(name=re.escape(name)), self._edges)
        self.wait_for(f"a process of edge {name} accepts" if shared else "starting up")
        return port


_NGINX = """\
    map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{upstream};
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
        }}
    }}
"""
_HAPROXY = """\
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend front
    bind 127.0.0.1:{port}
    default_backend edge
backend edge
    server edge 127.0.0.1:{upstream}
"""


def nginx(folder: Path, upstream: int) -> Proxy:
    """Start nginx before a port."""
    port = free_port()
    return Nginx(folder, port, _NGINX.format(port=port, upstream=upstream))


def haproxy(folder: Path, upstream: int) -> Proxy:
    """Start HAProxy before a port."""
    port = free_port()
    return Haproxy(folder, port, _HAPROXY.format(port=port, upstream=upstream))


def websocket_request(path: str, *fields: bytes, key: bytes = base64.b64encode(bytes(16)),
                      authorization: bytes = AUTHORIZATION) -> bytes:
    """Give the bytes of a handshake."""
    lines = [
        b"GET %b HTTP/1.1" % path.encode("ascii"), b"Host: edge.test", b"Upgrade: websocket",
        b"Connection: Upgrade", b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: " + key,
        *([b"Authorization: " + authorization] if authorization else []), *fields,
    ]
    return b"\r\n".join([*lines, b"", b""])
