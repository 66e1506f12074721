"""The site with /api/v1 on a real port: accounts with features, proofs, a desktop in memory."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from functools import partial
from typing import Any, Optional

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from kasmd.display.memory import MemoryDisplay
from kasmd.http.cookies import SessionCookie
from kasmd.http.guard import Sessions
from kasmd.http.server import Limits
from kasmd.interfaces import Account, Principal
from kasmd.log import output
from kasmd.permission.accounts import FileAccounts, rewrite
from kasmd.permission.checkers import Authenticator
from kasmd.permission.features import FeaturedAccounts, Features
from kasmd.permission.held import Hold
from kasmd.permission.invitations import Invitations
from kasmd.permission.lockout import Lockout
from kasmd.permission.logins import Logins
from kasmd.permission.proofs import Proofs
from kasmd.permission.registry import Registry
from kasmd.permission.seat import Seat
from kasmd.permission.tokens import Tokens
from kasmd.ranges import line_of_text
from kasmd.rights import OWNER, READ, WRITE, Right
from kasmd.viewer.measures import Measures
from kasmd.viewer.roster import Roster
from kasmd.viewer.worker import InlineWorker, ThreadWorker
from kasmd.web.api.service import Api
from kasmd.web.api.settings import Setting
from kasmd.web.downloads import Downloads
from kasmd.web.entrance import Entrance
from kasmd.web.pages import Pages
from kasmd.web.site import PAGE, content_policy, make_site, page_mounts
from kasmd.web.uploads import Uploads
from tests.permission.disk import threaded
from tests.web.asking import HASH, Answer, ask, basic, listen

ACCOUNTS = {
    "own": Right.ENTER | WRITE | OWNER,
    "writer": Right.ENTER | WRITE,
    "reader": Right.ENTER | READ,
}


#: The settings that nothing here hangs on, which are just remembered.
SETTINGS: dict[str, Any] = {
    "desktop_name": "memory", "allow_resize": True, "max_frame_rate": 60, "max_bandwidth": None,
    "viewers": 200,
    "stalled_viewer_seconds": 30.0, "clipboard_bytes": 1 << 24, "blacklist_threshold": 5,
    "blacklist_timeout": 10.0,
}
#: Bytes of a file.
MAX_UPLOAD = 4 << 20
LEVEL = Setting("log_level", output.level, output.set_level)


def authorization(proof: Any) -> str:
    """Give the header for a user's name, or for a token's secret."""
    if proof.startswith("kasmd_"):
        return f"Bearer {proof}"
    return basic(proof)


def _remembered(values: dict[str, Any], name: str) -> Setting:
    check = line_of_text if name == "desktop_name" else None
    return Setting(name, lambda: values[name], partial(values.__setitem__, name), check)


class Here:
    """One who is on the roster, and keeps what he is told."""

    peer = "192.0.2.1:4711"
    page = ""
    connected_at = 1000.5

    def __init__(self, name: str, grant: Any) -> None:
        self.name = name
        self.grant = grant
        self.measures = Measures(1 / 60)
        self.max_bandwidth: Optional[float] = None
        self.ended: list[tuple[int, str]] = []

    def limit_bandwidth(self, most: Optional[float]) -> None:
        """Keep it."""
        self.max_bandwidth = most

    def disconnect(self, code: int, reason: str) -> None:
        """Keep the reason."""
        self.ended.append((code, reason))


class Served:
    """A site; ``port`` is where it listens."""

    timeout = 120

    def setUp(self) -> None:
        """Listen."""
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)  # type: ignore[attr-defined]
        passwords, features = self._file("kasmpasswd"), self._file("features.json")
        for name, held in ACCOUNTS.items():
            rewrite(passwords, lambda file: file.with_account(Account(name, HASH, held)))
        self.accounts = FeaturedAccounts(
            FileAccounts(reactor, passwords, threaded()),
            Features(reactor, features, threaded()),
            threaded(),
        )
        self.proofs = Proofs(
            Logins(self.accounts, time.monotonic),
            Tokens(self.accounts, self._file("tokens.json"), time.time, threaded()),
            Invitations(self.accounts, self._file("invitations.json"), b"k" * 32, time.time,
                        time.monotonic, threaded()),
        )
        self.registry = Registry(self.accounts, proofs=self.proofs.kinds)
        self.display = MemoryDisplay(320, 200)
        self.roster, self.pages = Roster(), Pages()
        self.settings = dict(SETTINGS)
        self.worker = ThreadWorker(reactor)
        self.uploads = Uploads(
            reactor, self._file("Uploads"), MAX_UPLOAD, self.worker  # type: ignore[arg-type]
        )
        os.mkdir(self._file("Downloads"))
        self.port, self.site = self._listen()

    def _file(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def _listen(self) -> tuple[int, Any]:
        hold = Hold()
        authenticator: Any = Authenticator(
            self.accounts, Lockout(100, 10.0), InlineWorker(), reactor.seconds  # type: ignore
        )
        api = Api(
            reactor,  # type: ignore[arg-type]
            accounts=self.accounts,
            proofs=self.proofs,
            roster=self.roster,
            pages=self.pages,
            settings=[LEVEL, *(_remembered(self.settings, name) for name in self.settings)],
            uploads=self.uploads,
            downloads=Downloads(
                reactor, self._file("Downloads"), ThreadWorker(reactor)  # type: ignore[arg-type]
            ),
            seat_of=lambda request: Seat(self.display, request.grant, hold),
            hashing=InlineWorker(),
            work=ThreadWorker(reactor),
        )
        self.api = api
        entrance = Entrance(
            PAGE, content_policy(form="self"), authenticator,
            Sessions(self.proofs, SessionCookie(), True), self.registry.present, frozenset(),
        )
        site: Any = make_site(
            reactor,  # type: ignore[arg-type]
            authenticator=authenticator,
            registry=self.registry,
            roster=self.roster,
            pages=self.pages,
            make_viewer=lambda transport, principal: None,
            mounts=page_mounts(PAGE),
            more=api.routes(),
            entrance=entrance,
            limits=Limits(linger=60, abort_timeout=60),
        )
        return listen(self, site), site

    def join(self, name: str) -> Here:
        """Let somebody be connected."""
        here = Here(name, self.registry.admit(Principal(name), "desktop"))
        self.roster.joined(here)  # type: ignore[arg-type]
        return here

    def ask(self, method: str, path: str, value: Any = None, proof: Optional[str] = "own",
            **headers: str) -> Deferred[Answer]:
        """Ask below /api/v1, with a JSON body; an underscore in a header's name is a hyphen."""
        sent = {key.replace("_", "-"): text for key, text in headers.items()}
        body = value if value is None or isinstance(value, bytes) else json.dumps(value).encode()
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        if proof is not None:
            sent["Authorization"] = authorization(proof)
        return deferToThread(ask, self.port, method, f"/api/v1{path}", body, sent)
