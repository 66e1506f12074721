"""Starting, staying, ending: the daemon, and the programs it keeps."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
from pathlib import Path
from typing import Iterator

import numpy as np
import pytest

from kasmd.display.x11_authority import COOKIE_NAME, FAMILY_WILD, Entry, format_entry
from kasmd.rfb.client import UpdateReceived
from tests.live.daemon import Daemon, twistd
from tests.live.painter import Painter
from tests.live.programs import ROOT, Program, eventually, processes_with, run
from tests.live.rawviewer import RawViewer, unix_socket, websocket
from tests.live.web import get

NATIVE = """\
native:
  unix_socket: {folder}/viewers
  unix_account: writer
"""
GUEST = """\
state_directory: {folder}/state
network:
  websocket_port: 0
server:
  advanced:
    x_authority_file: {folder}/Xauthority
display:
  x11: "{display}"
native:
  unix_socket: {folder}/viewers
  unix_account: kasm_user
"""
#: What stays in the state directory when the daemon ends.
KEPT = {"self-signed.pem", "invitation-key"}
PLACE = (64, 96)


def start(folder: Path, require_ssl: bool = True) -> Daemon:
    """Start a daemon with a socket for native viewers."""
    return Daemon(folder, NATIVE.format(folder=folder), require_ssl)


def watch(folder: Path) -> RawViewer:
    """Connect to that socket."""
    return RawViewer(unix_socket(f"{folder}/viewers"))


def process(folder: Path, name: str) -> int:
    """Give the id of a daemon's child; waits until there is one."""
    pattern = re.compile(rf"(\d+): (?:\S*/)?{name} ")

    def look() -> int:
        found = map(pattern.match, processes_with(f"HOME={folder}"))
        return next((int(match[1]) for match in found if match), 0)

    return int(eventually(look, f"{name} runs"))


def nobody_left(folder: Path) -> bool:
    """Tell whether all processes that a daemon started are gone."""
    return not processes_with(f"HOME={folder}")


def x_files(environment: dict[str, str]) -> list[Path]:
    """Give the socket and the lock of a display, as far as they are there and nobody's.

    Another test's X server may have taken the number since, or be about to.
    """
    number = environment["DISPLAY"].lstrip(":")
    with socket.socket(socket.AF_UNIX) as probe:
        if probe.connect_ex(f"/tmp/.X11-unix/X{number}") == 0:
            return []
    files = Path(f"/tmp/.X11-unix/X{number}"), Path(f"/tmp/.X{number}-lock")
    return [file for file in files if file.exists()]


def shows(viewer: RawViewer, colour: tuple[int, int, int]) -> bool:
    """Tell whether the viewer sees this colour (red, green, blue) where we paint."""
    blue, green, red = (int(value) for value in viewer.screen[PLACE][:3])
    return (red, green, blue) == colour


def paint(daemon: Daemon, folder: Path, colour: tuple[int, int, int]) -> Painter:
    """Show a square of one colour on the desktop."""
    painter = Painter(daemon.x_environment)
    red, green, blue = colour
    square = np.full((128, 128, 4), (blue, green, red, 0), np.uint8)
    painter.show(square, folder / "square.npy", 16, 16)
    return painter


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the daemon that several tests share."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def daemon(home: Path) -> Iterator[Daemon]:
    """A daemon whose programs are killed and stopped."""
    with start(home, require_ssl=False) as running:
        yield running


@pytest.mark.parametrize("name", ["openbox", "xterm"])
def test_a_killed_program_is_started_again(daemon: Daemon, home: Path, name: str) -> None:
    before = process(home, name)
    os.kill(before, signal.SIGKILL)
    eventually(lambda: process(home, name) != before, f"another {name}")
    daemon.wait_for(f"{name} ended .signal 9, Killed.; starting it again in")


def test_an_x_server_that_hangs_holds_nobody_up(daemon: Daemon, home: Path) -> None:
    xvfb = process(home, "Xvfb")
    with watch(home) as viewer, paint(daemon, home, (200, 0, 0)):
        viewer.wait_until(lambda: shows(viewer, (200, 0, 0)), "the painted square")
        os.kill(xvfb, signal.SIGSTOP)
        try:
            viewer.type(0x61)
            # Both need the daemon alone, and end before the X server goes on.
            for _ in range(20):
                assert get(daemon.port).status == 401
            viewer.settle()
        finally:
            os.kill(xvfb, signal.SIGCONT)
    with watch(home) as viewer, paint(daemon, home, (0, 200, 0)):
        viewer.wait_until(lambda: shows(viewer, (0, 200, 0)), "what was painted later")


def test_viewers_survive_the_x_server(daemon: Daemon, home: Path) -> None:
    first = process(home, "Xvfb")
    old = daemon.x_environment
    with watch(home) as viewer, watch(home) as asleep:
        with paint(daemon, home, (0, 0, 200)):
            viewer.wait_until(lambda: shows(viewer, (0, 0, 200)), "the painted square")
            desktops = daemon.output.count("desktop :")
            os.kill(first, signal.SIGKILL)
        eventually(lambda: daemon.output.count("desktop :") > desktops, "a new desktop")
        with paint(daemon, home, (200, 200, 0)):
            viewer.wait_until(lambda: shows(viewer, (200, 200, 0)), "the new desktop")
            asleep.wait_until(lambda: shows(asleep, (200, 200, 0)), "the new desktop")
    assert process(home, "Xvfb") != first
    process(home, "openbox")
    process(home, "xterm")
    if daemon.x_environment["DISPLAY"] != old["DISPLAY"]:
        eventually(lambda: not x_files(old), "no X socket, no lock")


def test_stopped_in_order(tmp_path: Path) -> None:
    """Viewers are told, and nothing is left but what is to be kept."""
    with start(tmp_path) as daemon:
        viewer = RawViewer(websocket(daemon.port, "reader"))
        environment = daemon.x_environment
        process(tmp_path, "xterm")
        daemon.signal(signal.SIGTERM)
        with viewer:
            end = viewer.wait_for_end()
        assert (end.code, end.reason) == (1001, "the server is stopping")
        assert daemon.wait() == 0
        assert "Traceback" not in daemon.output
        eventually(lambda: nobody_left(tmp_path), "all are gone")
    eventually(lambda: not x_files(environment), "no X socket, no lock")
    assert not (tmp_path / "viewers").exists()
    assert {path.name for path in (tmp_path / "state").iterdir()} == KEPT


def test_a_hung_x_server_does_not_keep_the_daemon(tmp_path: Path) -> None:
    with start(tmp_path) as daemon:
        environment = daemon.x_environment
        os.kill(process(tmp_path, "Xvfb"), signal.SIGSTOP)
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 0
        eventually(lambda: nobody_left(tmp_path), "all are gone")
    eventually(lambda: not x_files(environment), "no X socket, no lock")


def test_killed_and_started_again(tmp_path: Path) -> None:
    """Even SIGKILL leaves no process and no X server's files; the next start finds its state."""
    with start(tmp_path) as daemon:
        environment = daemon.x_environment
        shell = process(tmp_path, "xterm")
        daemon.signal(signal.SIGKILL)
        daemon.wait()
        eventually(lambda: nobody_left(tmp_path), f"all are gone, {shell} too")
        eventually(lambda: not x_files(environment), "no X socket, no lock")
        certificate = (tmp_path / "state" / "self-signed.pem").read_bytes()
    assert (tmp_path / "viewers").is_socket()
    with start(tmp_path) as daemon:
        daemon.wait_for("removed the stale socket")
        with watch(tmp_path) as viewer:
            viewer.wait_for(UpdateReceived)
        assert (tmp_path / "state" / "self-signed.pem").read_bytes() == certificate


def test_a_display_of_somebody_else(tmp_path: Path) -> None:
    """It is shown, and left alone at the end."""
    authority = tmp_path / "Xauthority"
    authority.write_bytes(format_entry(Entry(FAMILY_WILD, b"", b"", COOKIE_NAME, bytes(range(16)))))
    with Program("Xvfb", "-displayfd", "1", "-auth", str(authority), "-nolisten", "tcp",
                 "-noreset", "-screen", "0", "640x480x24") as xvfb:
        display = ":" + xvfb.wait_for(r"^(\d+)$")[1]
        environment = {"DISPLAY": display, "XAUTHORITY": str(authority)}
        run("xsetroot", "-solid", "#406080", env=environment)
        configuration = tmp_path / "kasmd.yaml"
        configuration.write_text(GUEST.format(folder=tmp_path, display=display))
        command = twistd("--config", str(configuration))
        with Program(*command, env={"HOME": str(tmp_path)}, cwd=ROOT) as daemon:
            daemon.wait_for("native viewers")
            with watch(tmp_path) as viewer:
                viewer.wait_until(lambda: shows(viewer, (0x40, 0x60, 0x80)), "its picture")
                assert viewer.screen.shape == (480, 640, 4)
            assert len(processes_with(f"HOME={tmp_path}")) == 1
            daemon.signal(signal.SIGTERM)
            assert daemon.wait() == 0
        run("xsetroot", "-solid", "#000000", env=environment)
        assert xvfb.process.poll() is None


def test_the_first_start(tmp_path: Path) -> None:
    """It says URL, user and password, once; what it keeps is for us alone."""
    state = tmp_path / "state"
    configuration = tmp_path / "kasmd.yaml"
    configuration.write_text(f"state_directory: {state}\nnetwork:\n  websocket_port: 0\n")
    command = twistd("--config", str(configuration))
    environment = {"HOME": str(tmp_path)}
    with Program(*command, env=environment, cwd=ROOT) as first:
        port = int(first.wait_for(r"^kasmd: https://127\.0\.0\.1:(\d+)/$")[1])
        user, password, kept = first.wait_for(
            r"^kasmd: user (\S+) password (\S+) \(made now; kept in (\S+)\)$"
        ).groups()
        first.wait_for("desktop :")
        with RawViewer(websocket(port, user, password)) as viewer:
            viewer.wait_for(UpdateReceived)
        assert first.output.count(password) == 1
        assert Path(kept).read_text() == f"{password}\n"
        assert stat.S_IMODE(state.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in state.iterdir()} == {0o600}
        second = run(*command, env=environment, cwd=ROOT, check=False)
        assert second.returncode == 1
        assert second.stdout == f"kasmd: state_directory: {state} is in use by another kasmd\n"
    with Program(*command, env=environment, cwd=ROOT) as again:
        again.wait_for("^kasmd: accounts are in ")
        again.wait_for("desktop :")
    assert password not in again.output
