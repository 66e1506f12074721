"""kasmvncpasswd beside a running daemon: what it changes reaches whoever is connected."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Iterator

import pytest

from kasmd.rfb.client import UpdateReceived
from tests.live.daemon import Daemon
from tests.live.painter import Painter
from tests.live.pictures import known_picture
from tests.live.programs import ROOT, run
from tests.live.rawviewer import RawViewer, websocket

BARE = "display:\n  window_manager: []\n  terminal: []\n"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("kasmvncpasswd")
    with Daemon(folder, BARE, accounts={"eve": "r", "bob": "r", "witness": "r"}) as daemon:
        yield daemon


def kasmvncpasswd(daemon: Daemon, *arguments: str) -> None:
    """Run the command."""
    done = run(sys.executable, "-m", "kasmd.cli.kasmvncpasswd", *arguments, str(daemon.passwords),
               cwd=ROOT)
    assert done.stdout == ""


def test_read_taken_and_given_back(daemon: Daemon, tmp_path: Path) -> None:
    with (
        Painter(daemon.x_environment) as painter,
        RawViewer(websocket(daemon.port, "eve")) as eve,
        RawViewer(websocket(daemon.port, "witness")) as witness,
    ):
        eve.wait_for(UpdateReceived)
        kasmvncpasswd(daemon, "-u", "eve", "-n")
        audit = r'\[PRIO\] audit: account "eve": rights {}, by "{}" from - through kasmvncpasswd$'
        daemon.wait_for(audit.format("r -> none", getpass.getuser()))
        eve.settle()
        seen = len(eve.updates)
        pictures = len(witness.updates)
        painter.show(known_picture(), tmp_path / "picture.npy")
        witness.wait_until(lambda: len(witness.updates) > pictures, "the picture")
        eve.settle()
        assert len(eve.updates) == seen
        kasmvncpasswd(daemon, "-n", "-u", "eve", "-r")
        eve.wait_until(lambda: len(eve.updates) > seen, "a picture again")
        daemon.wait_for(audit.format("none -> r", getpass.getuser()))


def test_the_deleted_are_closed(daemon: Daemon) -> None:
    with RawViewer(websocket(daemon.port, "bob")) as bob:
        bob.wait_for(UpdateReceived)
        kasmvncpasswd(daemon, "-d", "-u", "bob")
        bob.wait_for_end()
    daemon.wait_for(r'audit: account "bob": removed r -> -, by ".*" from - through kasmvncpasswd$')
