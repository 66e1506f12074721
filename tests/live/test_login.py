"""Coming in without Basic: a real browser at the real door."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Iterator

import pytest

from kasmd.interfaces import Account
from kasmd.permission.accounts import MemoryAccounts
from kasmd.permission.invitations import Invitations, load_key
from kasmd.rights import OWNER, READ
from tests.live.chromium import Chromium
from tests.live.daemon import SECRET, Daemon
from tests.permission.disk import inline, now

MORE = """\
site:
  login: page
  frame_ancestors: [none]
"""


def invitation_code(folder: Path) -> str:
    """Make an invitation of the owner's for a daemon that is still to start."""
    state = folder / "state"
    state.mkdir(mode=0o700)
    accounts = MemoryAccounts([Account("owner", SECRET, OWNER)])
    invitations = Invitations(
        accounts, str(state / "invitations.json"), load_key(str(state / "invitation-key")),
        time.time, time.monotonic, inline(),
    )
    return invitations.code(now(invitations.make("Eve", "owner", READ, time.time() + 600)).ident)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("login")


@pytest.fixture(scope="module")
def code(folder: Path) -> str:
    return invitation_code(folder)


@pytest.fixture(scope="module")
def daemon(folder: Path, code: str) -> Iterator[Daemon]:
    people = {"ada": "rw", "bea": "rw", "owner": "o"}
    with Daemon(folder, MORE, accounts=people) as daemon:
        yield daemon


def wait_for_desktop(chromium: Chromium) -> None:
    chromium.wait_true("document.querySelector('#curtain')?.className === 'gone'")


def log_in(chromium: Chromium, daemon: Daemon, name: str, password: str = "password") -> None:
    assert chromium.do("open", url=daemon.url) == 401
    chromium.do("fill", selector="#name", text=name)
    chromium.do("fill", selector="#password", text=password)
    chromium.do("press", key="Enter")


def test_log_in_and_out(chromium: Chromium, daemon: Daemon) -> None:
    log_in(chromium, daemon, "ada", "wrong")
    chromium.wait_text("#message", "do not belong together")
    chromium.do("fill", selector="#password", text="password")
    chromium.do("press", key="Enter")
    wait_for_desktop(chromium)
    # The websocket had the cookie, which no script can read.
    chromium.wait_text("#who", "Connected as ada")
    assert chromium.eval("document.cookie") == ""
    chromium.do("click", selector="#handle")
    chromium.do("click", selector="#log-out")
    chromium.wait_true("document.querySelector('#password')")
    daemon.wait_for(r"\(ada\): this session is over")
    assert chromium.eval("fetch('api/v1/me').then((answer) => answer.status)") == 401


def test_log_out_ends_the_other_windows_of_the_log_in(chromium: Chromium, daemon: Daemon) -> None:
    log_in(chromium, daemon, "ada")
    wait_for_desktop(chromium)
    assert chromium.eval("fetch('logout', {method: 'POST'}).then((answer) => answer.status)") == 204
    chromium.wait_text("#curtain-text", "This session is over.")
    chromium.do("click", selector="#curtain-login")
    chromium.wait_true("document.querySelector('#password')")


def test_a_new_password_ends_the_log_in(chromium: Chromium, daemon: Daemon) -> None:
    log_in(chromium, daemon, "bea")
    wait_for_desktop(chromium)
    text = daemon.passwords.read_text()
    daemon.write_passwords(text.replace(f"bea:{SECRET}", f"bea:{SECRET[:-1]}A"))
    chromium.wait_text("#curtain-text", "This session is over.")
    chromium.do("click", selector="#curtain-retry")
    chromium.wait_text("#curtain-text", "Your session has ended; log in again.")


def test_an_invitation(chromium: Chromium, daemon: Daemon, code: str) -> None:
    assert chromium.do("open", url=f"{daemon.url}invite#{code}", mobile=True) == 200
    chromium.do("tap", selector="button")
    wait_for_desktop(chromium)
    chromium.wait_text("#who", "You may look but not type")
    assert chromium.eval("fetch('api/v1/me').then((answer) => answer.json())")["rights"] == [
        "enter", "view",
    ]
    assert code not in daemon.output
    # The owner's demotion is the guest's end.
    daemon.write_passwords(daemon.passwords.read_text().replace(":o\n", ":r\n"))
    chromium.wait_text("#curtain-text", "This session is over.")


def test_nobody_frames_the_door(chromium: Chromium, daemon: Daemon) -> None:
    chromium.do("open", url=f"{daemon.url}login")
    policy = chromium.eval(
        "fetch('login').then((answer) => answer.headers.get('Content-Security-Policy'))"
    )
    assert "frame-ancestors 'none'" in policy
