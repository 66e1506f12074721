"""VNC viewers that are no browser: vncdo over a unix socket, TigerVNC's over VeNCrypt."""

from __future__ import annotations

import os
import socket
import ssl
import stat
import struct
import sys
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import pytest
import xcffib
from PIL import Image
from xcffib.xproto import ImageFormat, MatchError

from kasmd.rfb.numbers import SecurityType, VeNCryptSubtype
from kasmd.screen.pixels import Pixels
from tests.live.daemon import Daemon
from tests.live.desktop import BLUE, IN_TERMINAL, terminal, wait_typed
from tests.live.painter import Painter
from tests.live.pictures import WIDTH, difference, known_picture
from tests.live.programs import PATIENCE, Program, eventually, run
from tests.live.rawviewer import RawViewer, unix_socket
from tests.live.web import patch

NATIVE = """\
display:
  terminal: []
native:
  unix_socket: {folder}/viewers
  unix_account: {account}
  vencrypt:
    port: 0
security:
  brute_force_protection:
    blacklist_threshold: 3
    blacklist_timeout: 600
"""
VERSION = b"RFB 003.008\n"
#: Where those come from who give wrong passwords; the owner comes from elsewhere.
CALLER = "127.0.0.9"
#: What JPEG may change, on average, in levels of 255.
LOSS = 4.0
#: All of it would have a graph in the window.
LOG = "-Log=*:stderr:30,CConnection:stderr:100"
#: What TigerVNC's viewer is told to ask for.
TIGERVNC = {
    "Tight, JPEG": "-QualityLevel=2",
    "Tight": "-NoJPEG",
    "ZRLE": "-PreferredEncoding=ZRLE",
    "Hextile": "-PreferredEncoding=hextile",
    "Raw": "-PreferredEncoding=raw",
}
PLAINS = {"TLSPlain": VeNCryptSubtype.TLS_PLAIN, "X509Plain": VeNCryptSubtype.X509_PLAIN}


def start(folder: Path, account: str) -> Daemon:
    """Start a daemon whose unix socket acts as ``account``."""
    return Daemon(folder, NATIVE.format(folder=folder, account=account))


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with start(tmp_path_factory.mktemp("native"), "writer") as daemon:
        yield daemon


@pytest.fixture
def port(daemon: Daemon) -> int:
    """The port for viewers with VeNCrypt."""
    return int(daemon.wait_for(r"VeNCrypt: 127\.0\.0\.1::(\d+)$")[1])


@pytest.fixture
def picture(daemon: Daemon, tmp_path: Path) -> Iterator[Pixels]:
    """A picture that is shown on the desktop, and has come to the daemon."""
    with Painter(daemon.x_environment) as painter, watch(daemon) as viewer:
        painter.show(picture := known_picture(), tmp_path / "picture.npy")
        height, width = picture.shape[:2]
        viewer.wait_until(
            lambda: np.array_equal(viewer.screen[:height, :width, :3], picture[..., :3]),
            "the picture",
        )
        yield picture


def vncdo(daemon: Daemon, *commands: str) -> None:
    """Run vncdo on the unix socket."""
    program = os.path.join(os.path.dirname(sys.executable), "vncdo")
    run(program, "--nocursor", "-s", f"{daemon.folder}/viewers", "-t", str(PATIENCE), *commands)


def watch(daemon: Daemon) -> RawViewer:
    """Connect to the unix socket."""
    return RawViewer(unix_socket(f"{daemon.folder}/viewers"))


def wait_for_terminal(daemon: Daemon) -> None:
    """Wait until the terminal is to be seen."""
    x, y = IN_TERMINAL
    with watch(daemon) as viewer:
        viewer.wait_until(lambda: tuple(viewer.screen[y, x, 2::-1]) == BLUE, "a blue terminal")


def to_terminal() -> tuple[str, ...]:
    """Give vncdo's commands for a click that gives the terminal the keys."""
    return "move", *map(str, IN_TERMINAL), "click", "1"


def test_the_unix_socket_is_ours_alone(daemon: Daemon) -> None:
    daemon.wait_for("native viewers, as writer")
    assert stat.S_IMODE(os.stat(daemon.folder / "viewers").st_mode) == 0o600


def test_vncdo_sees(daemon: Daemon, picture: Pixels, tmp_path: Path) -> None:
    vncdo(daemon, "capture", str(tmp_path / "seen.png"))
    with Image.open(tmp_path / "seen.png") as seen:
        assert difference(np.asarray(seen.convert("RGB")), picture, lossless=True) < LOSS


def test_vncdo_types(daemon: Daemon) -> None:
    with terminal(daemon) as typed:
        wait_for_terminal(daemon)
        vncdo(daemon, *to_terminal(), "type", "Hello, kasmd", "key", "enter")
        wait_typed(typed, "Hello, kasmd\n")


def test_a_reader_sees_and_cannot_type(tmp_path: Path) -> None:
    with start(tmp_path, "reader") as daemon, terminal(daemon) as typed:
        wait_for_terminal(daemon)
        # What is captured was asked for after the keys: they have been read by then.
        vncdo(daemon, *to_terminal(), "type", "no", "key", "enter",
              "capture", str(tmp_path / "seen.png"))
        with Image.open(tmp_path / "seen.png") as seen:
            assert seen.convert("RGB").getpixel(IN_TERMINAL) == BLUE
        x, y = map(str, IN_TERMINAL)
        run("xdotool", "mousemove", x, y, "click", "1", "type", "yes\n", env=daemon.x_environment)
        wait_typed(typed, "yes\n")


@pytest.fixture(scope="module")
def monitor() -> Iterator[str]:
    """Another X server, where TigerVNC's viewer can open its window."""
    with Program("Xvfb", "-displayfd", "1", "-nolisten", "tcp", "-noreset",
                 "-screen", "0", "1024x768x24") as xvfb:
        yield ":" + xvfb.wait_for(r"^(\d+)$")[1]


def tigervnc(daemon: Daemon, monitor: str, port: int, kind: str, *options: str) -> Program:
    """Start TigerVNC's viewer, which knows no security but ``kind``."""
    certificate = str(daemon.folder / "state" / "self-signed.pem")
    (home := daemon.folder / "viewer").mkdir(exist_ok=True)
    environment = {"HOME": str(home), "VNC_USERNAME": "writer", "VNC_PASSWORD": "password"}
    return Program(
        "xtigervncviewer", "-display", monitor, "-SecurityTypes", kind, "-X509CA", certificate,
        "-AutoSelect=0", *options, f"127.0.0.1::{port}", env=environment,
    )


def window_of(monitor: str) -> str:
    """Wait for the viewer's window; give its number."""
    done = run("xdotool", "search", "--sync", "--onlyvisible", "--name", " - TigerVNC",
               env={"DISPLAY": monitor})
    return done.stdout.split()[-1]


def content(monitor: str, window: str) -> Pixels:
    """Give what a window shows, as (height, width, 3) of RGB; nothing while its size changes."""
    connection: Any = xcffib.connect(display=monitor)
    core, number = connection.core, int(window)
    try:
        size = core.GetGeometry(number).reply()
        image = core.GetImage(
            ImageFormat.ZPixmap, number, 0, 0, size.width, size.height, 0xFFFFFFFF
        ).reply()
    except MatchError:
        # It was made smaller in between.
        return np.zeros((0, 0, 3), np.uint8)
    finally:
        connection.disconnect()
    pixels = np.frombuffer(image.data.buf(), np.uint8).reshape(size.height, size.width, 4)
    return pixels[..., 2::-1]


@pytest.mark.parametrize("kind", PLAINS)
def test_tigervnc(daemon: Daemon, monitor: str, port: int, picture: Pixels, kind: str) -> None:
    """It sees, and what is typed into its window arrives."""
    with tigervnc(daemon, monitor, port, kind) as viewer:
        viewer.wait_for(rf"Choosing security type {kind}")
        window = window_of(monitor)
        eventually(lambda: difference(content(monitor, window), picture) < LOSS, "the picture")


@pytest.mark.parametrize("option", TIGERVNC.values(), ids=TIGERVNC.keys())
def test_tigervnc_ends_exact(daemon: Daemon, monitor: str, port: int, tmp_path: Path,
                             option: str) -> None:
    """Its window shows a still desktop to the pixel, after a film and where it scrolled."""
    with Painter(daemon.x_environment) as painter, watch(daemon) as seen, \
            tigervnc(daemon, monitor, port, "X509Plain", LOG, option) as viewer:
        window, picture = window_of(monitor), known_picture()

        def same() -> bool:
            seen.settle()
            return np.array_equal(content(monitor, window), seen.screen[..., 2::-1])

        viewer.wait_for("Enabling continuous updates")
        painter.play(np.stack([picture, picture[::-1]]), tmp_path / "film.npy")
        seen.wait_until(lambda: len(seen.updates) > 20, "a film")
        for y in (0, 3, 40):
            painter.show(picture, tmp_path / "picture.npy", 0, y)
            height = min(len(picture), len(seen.screen) - y)
            seen.wait_until(
                lambda: np.array_equal(seen.screen[y:y + height, :WIDTH, :3],
                                       picture[:height, :, :3]),
                "the picture",
            )
            eventually(same, "the same picture in the viewer")


@pytest.mark.parametrize("kind", PLAINS)
def test_tigervnc_types(daemon: Daemon, monitor: str, port: int, kind: str) -> None:
    with terminal(daemon) as typed, tigervnc(daemon, monitor, port, kind):
        wait_for_terminal(daemon)
        window = window_of(monitor)
        x, y = IN_TERMINAL
        eventually(lambda: (content(monitor, window)[y:y + 1, x:x + 1] == BLUE).all(axis=2).any(),
                   "the terminal")
        run("xdotool", "windowfocus", "--sync", window, "mousemove", "--window", window,
            str(x), str(y), "click", "1", "type", f"I am {kind}\n", env={"DISPLAY": monitor})
        wait_typed(typed, f"I am {kind}\n")


class Caller:
    """As much of a viewer as it takes to be let in, or not."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE, (CALLER, 0))

    def take(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise EOFError(data)
            data += more
        return data

    def text(self) -> str:
        (length,) = struct.unpack(">I", self.take(4))
        return self.take(length).decode()

    def offers(self) -> list[int]:
        """Give the security types that are offered."""
        assert self.take(12) == VERSION
        self.socket.sendall(VERSION)
        return list(self.take(self.take(1)[0]))

    def vencrypt(self) -> list[int]:
        """Choose VeNCrypt; give the subtypes that are offered."""
        self.socket.sendall(bytes([SecurityType.VENCRYPT]))
        assert self.take(2) == b"\x00\x02"
        self.socket.sendall(b"\x00\x02")
        assert self.take(1) == b"\x00"
        count = self.take(1)[0]
        return list(struct.unpack(f">{count}I", self.take(4 * count)))

    def log_in(self, kind: VeNCryptSubtype, name: str, password: str) -> str:
        """Give the reason of a refusal, or nothing."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if kind == VeNCryptSubtype.TLS_PLAIN:
            context.set_ciphers("aNULL:@SECLEVEL=0")
        self.socket.sendall(struct.pack(">I", kind))
        assert self.take(1) == b"\x01"
        self.socket = context.wrap_socket(self.socket)
        self.socket.sendall(struct.pack(">II", len(name), len(password)))
        self.socket.sendall(name.encode() + password.encode())
        return self.text() if self.take(4) != bytes(4) else ""


def refusal(port: int, kind: VeNCryptSubtype, name: str, password: str) -> str:
    """Log in; give the reason of a refusal, or nothing."""
    caller = Caller(port)
    with caller.socket:
        assert caller.offers() == [SecurityType.VENCRYPT]
        assert sorted(caller.vencrypt()) == sorted(PLAINS.values())
        return caller.log_in(kind, name, password)


@pytest.mark.parametrize("choice", [SecurityType.NONE, 2])
def test_nothing_weaker_is_offered_or_taken(port: int, choice: int) -> None:
    """Neither None (1) nor a shared VNC password (2), and nothing at all to RFB 3.3."""
    caller = Caller(port)
    with caller.socket:
        assert caller.offers() == [SecurityType.VENCRYPT]
        caller.socket.sendall(bytes([choice]) + b"\x01")
        assert caller.socket.recv(1) == b""
    old = Caller(port)
    with old.socket:
        assert old.take(12) == VERSION
        old.socket.sendall(b"RFB 003.003\n")
        assert old.take(4) == bytes(4)
        assert old.text() == "RFB 3.3 cannot log in here: use a newer viewer"


def test_wrong_passwords_lock_out(daemon: Daemon, port: int) -> None:
    """They count for both kinds together, and for a while."""
    kinds = [VeNCryptSubtype.TLS_PLAIN, VeNCryptSubtype.X509_PLAIN, VeNCryptSubtype.TLS_PLAIN]
    for kind in kinds:
        assert "do not belong together" in refusal(port, kind, "writer", "guess")
    for kind in kinds[:2]:
        assert "do not belong together" not in (said := refusal(port, kind, "writer", "password"))
        assert "locked" in said
    less = {"blacklist_timeout": 1}
    assert patch(daemon.port, "/api/v1/settings", less, "owner", secure=True).status == 200
    eventually(lambda: refusal(port, kinds[0], "writer", "password") == "", "the lock-out's end")
    assert "guess" not in daemon.output
