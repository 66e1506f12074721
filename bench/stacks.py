"""The stacks that are compared: each serves one desktop at a websocket of 127.0.0.1."""

from __future__ import annotations

import base64
import re
import shutil
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional, Sequence, TypeVar

from bench.processes import (
    PATIENCE,
    Failed,
    check_scheduling,
    cpu_seconds,
    free_port,
    private_mib,
    pss_mib,
    start,
    stop,
    tree,
)

WIDTH, HEIGHT = 1920, 1080
SECRET = "$5$kasm$M.z5TLjdOq8hLv4c3HJaD5mKBkD6uIV8a1mkEVonCq/"


def basic(name: str, password: str = "password") -> str:
    """Give the value of an Authorization header."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


#: The account of the measuring viewers, an owner; the peers ask for none.
AUTHORIZATION = basic("bench")
#: An account whose rights are changed.
WATCHER = "watcher"
#: What is asked for by GET, and how many bytes it has: a module of the page.
STATIC_FILE, STATIC_SIZE = "static.js", 4096
_KASMD = """\
network:
  interface: 127.0.0.1
  websocket_port: {port}
  ssl:
    require_ssl: false
server:
  http:
    httpd_directory: {folder}/www
  advanced:
    kasm_password_file: {folder}/passwords
desktop:
  resolution:
    width: {width}
    height: {height}
display:
  window_manager: []
  terminal: []
state_directory: {folder}/state
"""

_X_SOCKET = re.compile(r"(\d+) /tmp/\.X11-unix/X(\d+)$", re.MULTILINE)
_Found = TypeVar("_Found")


@dataclass
class Stack:
    """A running stack: where it is, and the processes that count as its cost."""

    name: str
    port: int
    display: str
    authority: str
    roots: list[int]

    def cpu_seconds(self) -> float:
        """Give the CPU time used so far by all its processes; `Failed` if one is real-time."""
        pids = tree(self.roots)
        check_scheduling(pids)
        return cpu_seconds(pids)

    def pss_mib(self) -> float:
        """Give the memory of all its processes."""
        return pss_mib(tree(self.roots))

    def private_mib(self) -> float:
        """Give the memory that its processes share with nobody."""
        return private_mib(tree(self.roots))


class Starter:
    """Starts the processes of one stack; ``ending`` ends them, last first."""

    def __init__(self, folder: Path, ending: ExitStack) -> None:
        self.folder, self._ending = folder, ending
        self.log = folder / "log"
        self.roots: list[int] = []

    def start(self, *command: str) -> int:
        process = start(command, self.log, {"XAUTHORITY": "/dev/null"})
        self._ending.callback(stop, process)
        self.roots.append(process.pid)
        return process.pid

    def x_server(self, *command: str) -> tuple[str, str]:
        """Start an X server that finds itself a display number."""
        pid = self.start(*command, "-displayfd", "1", "-noreset")
        return self.wait_for(lambda: _find_display(pid), "an X server")

    def websockify(self, target: int) -> int:
        """Put Debian's websockify before a VNC server."""
        self.wait_for_port(target)
        port = free_port()
        self.start("websockify", f"127.0.0.1:{port}", f"127.0.0.1:{target}")
        self.wait_for_port(port)
        return port

    def wait_for_port(self, port: int) -> None:
        self.wait_for(lambda: _listens(port) or None, f"port {port}")

    def wait_for(self, find: Callable[[], Optional[_Found]], what: str) -> _Found:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            found = find()
            if found is not None:
                return found
            time.sleep(0.05)
        raise Failed(f"{what} did not come up:\n{self.log.read_text(errors='replace')[-3000:]}")

    def stack(self, name: str, port: int, x_server: tuple[str, str]) -> Stack:
        return Stack(name, port, *x_server, self.roots)


def _kasmd(starter: Starter) -> Stack:
    folder, port = starter.folder, free_port()
    (folder / "passwords").write_text(
        f"bench:{SECRET}:rwo\n{WATCHER}:{SECRET}:r\n"
    )
    (folder / "passwords").chmod(0o600)
    (folder / "www").mkdir()
    (folder / "www" / STATIC_FILE).write_bytes(bytes(STATIC_SIZE))
    config = folder / "kasmd.yaml"
    config.write_text(_KASMD.format(port=port, folder=folder, width=WIDTH, height=HEIGHT))
    twistd = str(Path(sys.executable).with_name("twistd"))
    pid = starter.start(twistd, "-n", "--pidfile=", "kasmd", "--config", str(config))
    starter.wait_for_port(port)
    return starter.stack(
        "kasmd", port, starter.wait_for(lambda: _find_display(pid), "kasmd's X server")
    )


def _tigervnc(starter: Starter) -> Stack:
    vnc = free_port()
    options = f"-geometry {WIDTH}x{HEIGHT} -depth 24 -SecurityTypes None -AlwaysShared -localhost"
    x_server = starter.x_server("Xtigervnc", *options.split(), "-rfbport", str(vnc))
    return starter.stack("tigervnc", starter.websockify(vnc), x_server)


def _x11vnc(starter: Starter) -> Stack:
    x_server = starter.x_server("Xvfb", "-screen", "0", f"{WIDTH}x{HEIGHT}x24")
    vnc = free_port()
    options = "-norc -localhost -noipv6 -forever -shared -nopw -quiet -rfbport"
    starter.start("x11vnc", *options.split(), str(vnc), "-display", x_server[0])
    return starter.stack("x11vnc", starter.websockify(vnc), x_server)


def kasmvnc() -> Optional[str]:
    """Give the first program of PATH that says it is KasmVNC's Xvnc."""
    found = filter(None, map(shutil.which, ("Xkasmvnc", "Xvnc")))
    return next((path for path in found if "kasmvnc" in _said([path, "-version"]).lower()), None)


def _kasmvnc(starter: Starter) -> Stack:
    program = kasmvnc()
    assert program is not None
    port = free_port()
    options = (
        f"-geometry {WIDTH}x{HEIGHT} -depth 24 -SecurityTypes None -DisableBasicAuth"
        f" -AlwaysShared -interface 127.0.0.1 -sslOnly 0 -websocketPort {port}"
    )
    x_server = starter.x_server(program, *options.split())
    starter.wait_for_port(port)
    return starter.stack("kasmvnc", port, x_server)


def _said(command: list[str]) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout


#: KasmVNC is measured where it is installed.
STACKS: dict[str, Callable[[Starter], Stack]] = {
    "kasmd": _kasmd,
    **({"kasmvnc": _kasmvnc} if kasmvnc() else {}),
    "tigervnc": _tigervnc,
    "x11vnc": _x11vnc,
}


def start_stacks(names: Sequence[str], folder: Path, ending: ExitStack) -> list[Stack]:
    """Start the stacks, each with its files below ``folder``."""
    return [STACKS[name](_starter(folder / name, ending)) for name in names]


def _starter(folder: Path, ending: ExitStack) -> Starter:
    folder.mkdir(mode=0o700)
    return Starter(folder, ending)


def versions() -> dict[str, str]:
    """Give the first line in which each program of the peers names its version."""
    commands = {
        "kasmvnc": [kasmvnc() or "false", "-version"],
        "tigervnc": ["Xtigervnc", "-version"],
        "x11vnc": ["x11vnc", "-version"],
        "websockify": ["dpkg-query", "-W", "websockify"],
        "xvfb": ["dpkg-query", "-W", "xvfb"],
        "wrk": ["dpkg-query", "-W", "wrk"],
        "nginx": ["nginx", "-v"],
        "haproxy": ["haproxy", "-v"],
    }
    return {name: _first_line(command) for name, command in commands.items()}


def _first_line(command: list[str]) -> str:
    return next((line.strip() for line in _said(command).splitlines() if line.strip()), "absent")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _find_display(root: int) -> Optional[tuple[str, str]]:
    """Find the X server at or below ``root``: its display, and its authority file."""
    table = Path("/proc/net/unix").read_text()
    displays = {f"socket:[{inode}]": number for inode, number in _X_SOCKET.findall(table)}
    for pid in tree([root]):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            links = [str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir()]
        except (FileNotFoundError, ProcessLookupError):
            continue
        for link in links:
            if link in displays:
                authority = words[words.index("-auth") + 1] if "-auth" in words else "/dev/null"
                return f":{displays[link]}", authority
    return None
