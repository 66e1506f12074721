"""schemathesis against the document that a daemon serves: all its checks, in all its phases."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from tests.live.contract_hooks import GUEST, NOTES, PORT, USER
from tests.live.daemon import SECRET, Daemon
from tests.live.programs import ROOT, run
from tests.live.rawviewer import RawViewer, unix_socket
from tests.live.web import post

#: No lock-out: schemathesis tries wrong passwords too, and would be refused for nothing else.
MORE = """\
display:
  window_manager: []
  terminal: []
native:
  unix_socket: {folder}/viewers
  unix_account: {guest}
security:
  brute_force_protection:
    blacklist_threshold: 0
"""
#: The event stream has no end to wait for.
CONFIGURATION = """\
hooks = "tests.live.contract_hooks"
seed = 3

[auth.basic]
username = "owner"
password = "password"

[generation]
max-examples = 10
database = "none"

[[operations]]
include-operation-id = "events"
enabled = false
"""
JSON = {"Content_Type": "application/json"}
#: Viewers, log-ins and users for it to end.
EACH = 20
PEOPLE = {USER: "rwo", GUEST: "rw", **{f"user{number}": "r" for number in range(EACH)}}


class Note(NamedTuple):
    """An answer: to what, whether the request was meant to be accepted, and its status."""

    operation: str
    right: bool
    status: int

    @property
    def accepted(self) -> bool:
        return self.status < 300


def contract(daemon: Daemon, folder: Path) -> list[Note]:
    """Run schemathesis, which must find nothing; give every answer that it got."""
    configuration, notes = folder / "schemathesis.toml", folder / "notes"
    configuration.write_text(CONFIGURATION)
    program = os.path.join(os.path.dirname(sys.executable), "schemathesis")
    environment = {"PYTHONPATH": str(ROOT), PORT: str(daemon.port), NOTES: str(notes)}
    url = f"http://127.0.0.1:{daemon.port}/api/v1/openapi.json"
    run(program, "--config-file", str(configuration), "--no-color", "run", url,
        env=environment, cwd=folder, timeout=500)
    return [Note(*json.loads(line)) for line in notes.read_text().splitlines()]


def test_what_is_served_is_what_is_documented(tmp_path: Path) -> None:
    more = MORE.format(folder=tmp_path, guest=GUEST)
    running = Daemon(tmp_path, more, require_ssl=False, accounts=PEOPLE)
    with running as daemon, ExitStack() as guests:
        daemon.wait_for(f"native viewers, as {GUEST}")
        for _ in range(EACH):
            # They answer no pings, so it is no websocket.
            carrier = unix_socket(f"{tmp_path}/viewers")
            guests.enter_context(RawViewer(carrier, follows=False))
            form = {"name": GUEST, "password": "password"}
            assert post(daemon.port, "/login", form, **JSON).status == 204
        notes = contract(daemon, tmp_path)
        assert f"{USER}:{SECRET}:rwo\n" in daemon.passwords.read_text()
        assert "Traceback" not in daemon.output
    # All would pass as well if nothing were ever reached.
    right = [note for note in notes if note.right]
    accepted = Counter(note.operation for note in right if note.accepted)
    assert accepted.keys() == {note.operation for note in notes}
    assert accepted.total() > 0.9 * len(right)
