"""python -m bench.edge_splice: the edge's splice beside nginx, HAProxy and websockify.

One upstream (`bench.edge_peers`), and before it each proxy, plain and with TLS;
the splice is driven by `bench.edge_driver` alone.  Websockify is no websocket's
proxy: it turns one into TCP, so only its speed can be compared.
"""

from __future__ import annotations

import argparse
import datetime
import os
import shutil
import socket
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Callable, Iterator, NamedTuple, Sequence

from bench.child import Child, Numbers
from bench.edge_peers import Client
from bench.processes import PATIENCE, Failed, cpu_seconds, free_port, pss_mib, start, stop, tree
from bench.report import spread, text_table
from kasmd.web.certificate import self_signed

_NGINX = """\
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
worker_rlimit_nofile {files};
events {{ worker_connections {files}; }}
http {{
  access_log off;
  ssl_certificate {pem}; ssl_certificate_key {pem};
  server {{
    listen 127.0.0.1:{plain}; listen 127.0.0.1:{tls} ssl;
    location / {{
      proxy_pass http://127.0.0.1:{upstream};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
    }}
  }}
}}
"""
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
_OURS, _DIRECT = "kasmd", "direct"


class Proxy(NamedTuple):
    """A proxy that runs; a port is 0 where it has none."""

    roots: Sequence[int]
    plain: int
    tls: int = 0
    #: Where messages are answered, if that is not asked for by path.
    message: int = 0
    relays: bool = True

    @property
    def pss_kib(self) -> float:
        """The memory of its processes."""
        return pss_mib(tree(self.roots)) * 1024


class _Starter:
    """Starts the proxies, each before the same upstream."""

    def __init__(self, folder: Path, ending: ExitStack) -> None:
        self._folder, self._ending = folder, ending
        self._pem = self_signed(folder, datetime.datetime.now(datetime.timezone.utc))
        self._upstream, self._flood, self._message = (free_port() for _ in range(3))
        ports = map(str, (self._upstream, self._flood, self._message))
        self.peers = Child("bench.edge_peers", *ports)
        ending.callback(self.peers.close)

    def direct(self) -> Proxy:
        return Proxy((), self._upstream, relays=False)

    def kasmd(self) -> Proxy:
        plain, tls = free_port(), free_port()
        driver = (sys.executable, "-m", "bench.edge_driver")
        roots = [
            self._start(plain, *driver, str(plain), str(self._upstream)),
            self._start(tls, *driver, str(tls), str(self._upstream), str(self._pem)),
        ]
        return Proxy(roots, plain, tls)

    def nginx(self) -> Proxy:
        return self._configured(_NGINX, "nginx", "-c")

    def haproxy(self) -> Proxy:
        return self._configured(_HAPROXY, "haproxy", "-db", "-f")

    def websockify(self) -> Proxy:
        flood, message = free_port(), free_port()
        roots = [
            self._start(port, "websockify", f"127.0.0.1:{port}", f"127.0.0.1:{target}")
            for port, target in ((flood, self._flood), (message, self._message))
        ]
        return Proxy(roots, flood, message=message, relays=False)

    def _configured(self, template: str, *command: str) -> Proxy:
        plain, tls = free_port(), free_port()
        files = os.sysconf("SC_OPEN_MAX")
        path = self._folder / command[0]
        path.write_text(
            template.format(
                folder=self._folder, pem=self._pem, plain=plain, tls=tls,
                upstream=self._upstream, files=files, connections=files // 2 - 100,
            )
        )  # fmt: skip
        return Proxy([self._start(plain, *command, str(path))], plain, tls)

    def _start(self, port: int, *command: str) -> int:
        process = start(command, self._folder / "log")
        self._ending.callback(stop, process)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return process.pid
            time.sleep(0.05)
        raise Failed(f"{command[0]} did not come up: {(self._folder / 'log').read_text()[-2000:]}")


def throughput(proxy: Proxy, seconds: float) -> Iterator[tuple[str, float]]:
    """One stream of 64 KiB frames to the client."""
    for name, port in (("plain", proxy.plain), ("tls", proxy.tls)):
        if not port:
            continue
        client = Client(port, "/flood", tls=name == "tls")
        client.megabytes_per_second(seconds / 4)
        pids = tree(proxy.roots)
        before, began = cpu_seconds(pids), time.monotonic()
        rate = client.megabytes_per_second(seconds)
        used = (cpu_seconds(pids) - before) / (time.monotonic() - began)
        client.close()
        yield f"{name}: MB/s", rate
        if used:
            yield f"{name}: MB per CPU second", rate / used


def messages(proxy: Proxy, seconds: float) -> Iterator[tuple[str, float]]:
    """32 bytes there and 32 bytes back."""
    for name, port in (("plain", proxy.message or proxy.plain), ("tls", proxy.tls)):
        if not port:
            continue
        client = Client(port, "/message", tls=name == "tls")
        times, ends = [], time.monotonic() + seconds
        while time.monotonic() < ends:
            times.append(client.round_trip())
        client.close()
        yield f"{name}: message p50 us", median(times[len(times) // 5 :]) * 1e6


def idle(proxy: Proxy, count: int) -> Iterator[tuple[str, float]]:
    """Websockets on which nothing happens."""
    if proxy.relays:
        before = proxy.pss_kib
        clients = [Client(proxy.plain, "/idle") for _ in range(count)]
        time.sleep(1)
        yield "idle websocket: KiB", (proxy.pss_kib - before) / count
        for client in clients:
            client.close()


def stalled(proxy: Proxy, count: int) -> Iterator[tuple[str, float]]:
    """Clients that take nothing of a flood."""
    if proxy.relays:
        before = proxy.pss_kib
        clients = [Client(proxy.plain, "/flood") for _ in range(count)]
        time.sleep(2)
        yield "stalled reader: KiB", (proxy.pss_kib - before) / count
        for client in clients:
            client.close()


def run_once(seconds: float, count: int) -> dict[str, Numbers]:
    """Start everything afresh, and measure one after the other."""
    found: dict[str, Numbers] = {}
    with ExitStack() as ending:
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="kasmd-bench-")))
        starter = _Starter(folder, ending)
        starts: dict[str, Callable[[], Proxy]] = {
            _DIRECT: starter.direct, _OURS: starter.kasmd, "nginx": starter.nginx,
            "haproxy": starter.haproxy, "websockify": starter.websockify,
        }  # fmt: skip
        proxies = {name: begin() for name, begin in starts.items()}
        for name, proxy in proxies.items():
            found[name] = dict(idle(proxy, count))
            starter.peers.ask("drop")
        for measure, size in ((throughput, seconds), (messages, seconds)):
            for name, proxy in proxies.items():
                found[name].update(measure(proxy, size))
        for name, proxy in proxies.items():
            found[name].update(stalled(proxy, 20))
    return found


def compared(run: dict[str, Numbers]) -> Numbers:
    """Give what the targets are about, within one run."""
    ours = run[_OURS]
    ratios = {
        f"{kind}, of {peer}'s": ours[kind] / run[peer][kind]
        for kind in ("plain: MB/s", "tls: MB/s")
        for peer in ("nginx", "haproxy")
    }
    added = ours["plain: message p50 us"] - run[_DIRECT]["plain: message p50 us"]
    # There and back are two messages.
    return {**ratios, "added to a message: us": added / 2}


def main(arguments: Sequence[str]) -> None:
    """Measure, and print two tables: ours against the others', and all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--idle", type=int, default=9000, help="within the limit on open files")
    chosen = parser.parse_args(arguments)
    for program in ("nginx", "haproxy", "websockify"):
        if shutil.which(program) is None:
            raise Failed(f"not installed: {program}")
    runs = [run_once(chosen.seconds, chosen.idle) for _ in range(chosen.runs)]
    targets = [compared(run) for run in runs]
    lines = [(name, str(spread([run[name] for run in targets]))) for name in targets[0]]
    print(text_table(("kasmd", ""), lines), end="\n\n")
    names = {name: None for proxy in runs[0].values() for name in proxy}
    figures = []
    for name in names:
        cells = ([run[proxy][name] for run in runs if name in run[proxy]] for proxy in runs[0])
        figures.append((name, *(str(spread(values)) if values else "" for values in cells)))
    print(text_table(("", *runs[0]), figures))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Failed as failure:
        sys.exit(f"bench: {failure}")
