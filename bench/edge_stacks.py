"""The proxies that are compared, each before the same far side (`bench.edge_peers`, nginx).

kasmd is one daemon with four edges: two that log people in themselves, one of which has two
processes, and Kasm's two hops with a ticket between them.  Who asks, asks all of them alike.
"""

from __future__ import annotations

import datetime
import resource
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Sequence

from bench.child import Child
from bench.processes import PATIENCE, Failed, cpu_seconds, descriptors, free_port, pss_mib, tree
from bench.stacks import AUTHORIZATION, SECRET, STATIC_FILE, STATIC_SIZE, Starter
from kasmd.web.certificate import self_signed

SESSION = "11111111-2222-4333-8444-555555555555"
#: What a page below a session's path sends along; kasmd takes one or the other.
FIELDS = {"Authorization": AUTHORIZATION, "Cookie": "username=bench; session_token=bench"}
#: Descriptors that a process may have.
FILES = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
#: Connections to upstreams that are kept for others.
_SPARE = 100

_FAR = """\
daemon off; master_process off; pid {folder}/far.pid; error_log {folder}/far.log;
worker_rlimit_nofile {files}; events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000;
  server {{
    listen 127.0.0.1:{far};
    location = /api/kasm_connect/ {{
      add_header connect_hostname 127.0.0.1 always; add_header connect_port {agent} always;
      add_header connect_schema http always; add_header connect_kasm_id {session} always;
      return 202;
    }}
    location = /api/internal_auth/ {{ return 202; }}
    location / {{ root {folder}; }}
  }}
}}
"""
_KASMD = """\
desktop:
  enabled: false
server:
  advanced:
    kasm_password_file: {folder}/kept/passwords
state_directory: {folder}/state
edge:
  - name: direct
    role: direct
    listen: {{port: {plain}}}
    tls: {{plain_http: serve}}
    directory: {folder}/kept/sessions.yaml
    limits: {{connections_per_address: 0, body_bytes: 1099511627776}}
  - name: shared
    role: direct
    listen: {{port: {shared}}}
    processes: 2
    tls: {{plain_http: serve}}
    directory: {folder}/kept/sessions.yaml
    limits: {{connections_per_address: 0}}
  - name: webapp
    role: webapp
    listen: {{port: {webapp}}}
    tls: {{plain_http: serve}}
    auth: {{address: "http://127.0.0.1:{far}"}}
    upstream: {{unchecked: true}}
    ticket_key: {folder}/kept/key
  - name: agent
    role: agent
    listen: {{port: {agent}}}
    tls: {{plain_http: serve}}
    auth: {{address: "http://127.0.0.1:{far}"}}
    directory: {folder}/kept/sessions.yaml
    ticket_key: {folder}/kept/key
"""
_SESSIONS = """\
sessions:
  - {{id: peers, owner: bench, upstream: "http://127.0.0.1:{upstream}"}}
  - {{id: {session}, owner: bench, upstream: "http://127.0.0.1:{far}"}}
"""
_NGINX = """\
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
worker_rlimit_nofile {files}; events {{ worker_connections {files}; }}
http {{
  access_log {folder}/nginx-access.log; keepalive_requests 1000000;
  ssl_certificate {pem}; ssl_certificate_key {pem};
  proxy_http_version 1.1; proxy_set_header Connection "";
  upstream far {{ server 127.0.0.1:{far}; keepalive 64; keepalive_requests 1000000; }}
  upstream agent {{ server 127.0.0.1:{agent}; keepalive 64; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{plain}; listen 127.0.0.1:{tls} ssl;
    client_max_body_size 0; proxy_request_buffering off; proxy_max_temp_file_size 0;
    location / {{ proxy_pass http://127.0.0.1:{upstream}; }}
    location /desktop/peers/ws/ {{
      proxy_pass http://127.0.0.1:{upstream};
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
    }}
  }}
  server {{
    listen 127.0.0.1:{webapp};
    location / {{ auth_request /api/kasm_connect/; proxy_pass http://agent; }}
    location = /api/kasm_connect/ {{ {asked} }}
  }}
  server {{
    listen 127.0.0.1:{agent};
    location /desktop/{session}/vnc/ {{
      auth_request /api/internal_auth/; proxy_pass http://far/;
    }}
    location = /api/internal_auth/ {{ {asked} }}
  }}
}}
"""
_ASKED = """internal; proxy_pass http://far; proxy_pass_request_body off;
      proxy_set_header Content-Length ""; proxy_set_header X-Original-URI $request_uri;"""
_HAPROXY = """\
global
  maxconn {connections}
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout tunnel 60s
frontend clients
  bind 127.0.0.1:{plain}
  bind 127.0.0.1:{tls} ssl crt {pem}
  default_backend desktops
backend desktops
  server desktop 127.0.0.1:{upstream}
"""


@dataclass
class Far:
    """What is behind every proxy: the ports of `bench.edge_peers` and of nginx."""

    peers: Child
    upstream: int
    flood: int
    message: int
    http: int
    #: Where the second hop of the stack is that has two.
    agent: int
    pem: Path


@dataclass
class Proxy:
    """A running proxy, and the processes that count as its cost; a port is 0 for none."""

    name: str
    far: Far
    roots: Sequence[int]
    plain: int
    tls: int = 0
    #: The first of two hops that each ask who may pass.
    hops: int = 0
    #: Where messages are answered, if that is not asked for by path.
    message: int = 0
    #: What two processes share, whose descriptors are twice as many.
    shared: int = 0

    def cpu_seconds(self) -> float:
        """Give the CPU time used so far by all its processes."""
        return cpu_seconds(tree(self.roots))

    def pss_kib(self) -> float:
        """Give the memory of all its processes."""
        return pss_mib(tree(self.roots)) * 1024

    def descriptors(self) -> int:
        """Give how many files and sockets all its processes have open."""
        return descriptors(tree(self.roots))

    def wait_until_left(self, descriptors: int) -> None:
        """Wait until it has not many more than these, so that what follows is not disturbed."""
        deadline = time.monotonic() + PATIENCE
        while self.descriptors() > descriptors + _SPARE:
            if time.monotonic() > deadline:
                raise Failed(f"{self.name} keeps what its clients left")
            time.sleep(0.1)


class _Starter(Starter):
    """Starts one proxy, on ports of its own."""

    far: Far

    def ports(self, **known: object) -> dict[str, object]:
        """Give what the configurations are filled with."""
        far = self.far
        return {
            "folder": self.folder, "pem": far.pem, "files": FILES, "session": SESSION,
            "connections": FILES // 2 - 100, "upstream": far.upstream, "far": far.http,
            "plain": free_port(), "tls": free_port(), "webapp": free_port(),
            "agent": far.agent, "shared": free_port(), **known,
        }  # fmt: skip

    def configured(self, template: str, filled: dict[str, object], *command: str) -> None:
        """Write a configuration, start what reads it, and wait for its plain port."""
        path = self.folder / "configuration"
        path.write_text(template.format(**filled))
        self.start(*command, str(path))
        self.wait_for_port(int(str(filled["plain"])))


def _direct(starter: _Starter) -> Proxy:
    return Proxy("none", starter.far, (), starter.far.upstream)


def _kasmd(starter: _Starter) -> Proxy:
    folder, ports = starter.folder, starter.ports()
    # Their folder is watched, and is not the log's.
    kept = folder / "kept"
    kept.mkdir()
    for name, text in (
        ("passwords", f"bench:{SECRET}:rwo\n"),
        ("sessions.yaml", _SESSIONS.format(**ports)),
    ):
        (kept / name).write_text(text)
        (kept / name).chmod(0o600)
    twistd = str(Path(sys.executable).with_name("twistd"))
    starter.configured(_KASMD, ports, twistd, "-n", "--pidfile=", "kasmd", "--config")
    plain, hops, shared = (int(str(ports[name])) for name in ("plain", "webapp", "shared"))
    starter.wait_for(lambda: starter.log.read_text().count("accepts connections") == 2 or None,
                     "two processes")
    return Proxy("kasmd", starter.far, starter.roots, plain, plain, hops, shared=shared)


def _nginx(starter: _Starter) -> Proxy:
    # The second hop is on another port than kasmd's.
    ports = starter.ports(agent=free_port(), asked=_ASKED)
    starter.configured(_NGINX, ports, "nginx", "-c")
    plain, tls, hops = (int(str(ports[name])) for name in ("plain", "tls", "webapp"))
    return Proxy("nginx", starter.far, starter.roots, plain, tls, hops)


def _haproxy(starter: _Starter) -> Proxy:
    ports = starter.ports()
    starter.configured(_HAPROXY, ports, "haproxy", "-db", "-f")
    plain, tls = (int(str(ports[name])) for name in ("plain", "tls"))
    return Proxy("haproxy", starter.far, starter.roots, plain, tls)


def _websockify(starter: _Starter) -> Proxy:
    """It turns a websocket into TCP, so only its speed can be compared."""
    flood, message = (
        starter.websockify(port) for port in (starter.far.flood, starter.far.message)
    )
    return Proxy("websockify", starter.far, starter.roots, flood, message=message)


STACKS: dict[str, Callable[[_Starter], Proxy]] = {
    "kasmd": _kasmd,
    "nginx": _nginx,
    "haproxy": _haproxy,
    "websockify": _websockify,
    "none": _direct,
}


def start_far(folder: Path, ending: ExitStack) -> Far:
    """Start what is behind the proxies."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))
    folder.mkdir(mode=0o755)
    (folder / STATIC_FILE).write_bytes(bytes(STATIC_SIZE))
    upstream, flood, message, http, agent = (free_port() for _ in range(5))
    peers = Child("bench.edge_peers", *map(str, (upstream, flood, message)))
    ending.callback(peers.close)
    pem = self_signed(folder, datetime.datetime.now(datetime.timezone.utc))
    starter = Starter(folder, ending)
    configuration = folder / "configuration"
    configuration.write_text(
        _FAR.format(folder=folder, files=FILES, far=http, agent=agent, session=SESSION)
    )
    starter.start("nginx", "-c", str(configuration))
    starter.wait_for_port(http)
    return Far(peers, upstream, flood, message, http, agent, pem)


def start_proxy(name: str, far: Far, folder: Path, ending: ExitStack) -> Proxy:
    """Start the proxy ``name`` with its files in ``folder`` (made here, 0700)."""
    folder.mkdir(mode=0o700)
    starter = _Starter(folder, ending)
    starter.far = far
    return STACKS[name](starter)
