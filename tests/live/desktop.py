"""Programs on the daemon's desktop: a terminal, a clipboard, and the X server itself."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from tests.live.daemon import Daemon
from tests.live.programs import Program, eventually, processes_with, run

#: The background of the terminal, a place in it, and its title.
BLUE, IN_TERMINAL, TITLE = (0x12, 0x34, 0x56), (190, 420), "a blue terminal"


_XVFB = re.compile(r"(\d+): \S*Xvfb ")


@contextmanager
def terminal(daemon: Daemon) -> Iterator[Path]:
    """Open a terminal; the lines typed into it go to the file."""
    path = daemon.folder / "typed"
    path.write_text("")
    environment = {**daemon.x_environment, "LC_ALL": "C.UTF-8"}
    wait_managed(environment)
    with Program("xterm", "-u8", "-bg", "#123456", "-geometry", "40x12+60+360", "-T", TITLE,
                 "-e", "sh", "-c", f"cat > {path}", env=environment):
        eventually(lambda: has_keys(environment), "the terminal has the keys")
        yield path


def has_keys(environment: dict[str, str]) -> bool:
    """Give the terminal the keys; tell whether it has them.

    The window manager gives them to who is clicked on, but later than a key may come.
    """
    run("xdotool", "search", "--onlyvisible", "--name", TITLE, "windowactivate",
        env=environment, check=False)
    said = run("xdotool", "getwindowfocus", "getwindowname", env=environment, check=False).stdout
    return said.strip() == TITLE


def wait_managed(environment: dict[str, str]) -> None:
    """Wait until the window manager is there: openbox loses windows while it starts."""
    def is_managed() -> bool:
        said = run("xprop", "-root", "_NET_SUPPORTING_WM_CHECK", env=environment).stdout
        return "window id #" in said

    eventually(is_managed, "the window manager runs")


def wait_typed(path: Path, text: str) -> None:
    """Wait until the terminal's file holds just ``text``."""
    eventually(lambda: path.read_text() == text, f"{text!r} is in the file")


def copying(daemon: Daemon, text: str) -> Program:
    """Give a program that owns the clipboard until the end of the ``with``."""
    path = daemon.folder / "copied"
    path.write_text(text)
    return Program("xclip", "-quiet", "-i", "-selection", "clipboard", str(path),
                   env=daemon.x_environment)


def pasted(daemon: Daemon) -> str:
    """Give the clipboard's text; empty if there is none."""
    done = run("xclip", "-o", "-selection", "clipboard", env=daemon.x_environment, check=False)
    return "" if done.returncode else done.stdout


def x_server(daemon: Daemon) -> int:
    """Give the process id of the daemon's X server; waits until there is one."""
    def look() -> int:
        matches = map(_XVFB.match, processes_with(str(daemon.folder)))
        return next((int(found[1]) for found in matches if found), 0)

    return int(eventually(look, "an X server runs"))
