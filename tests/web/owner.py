"""The site with KasmVNC's owner API on a real port, over a desktop in memory."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from typing import Any, Optional

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from kasmd.display.memory import MemoryDisplay
from kasmd.http.server import Limits
from kasmd.interfaces import Account
from kasmd.permission.accounts import FileAccounts, rewrite
from kasmd.permission.checkers import Authenticator
from kasmd.permission.dlp import Rules
from kasmd.permission.held import Hold
from kasmd.permission.lockout import Lockout
from kasmd.permission.prevention import Prevention
from kasmd.permission.registry import Registry
from kasmd.permission.seat import Seat
from kasmd.rfb.limits import Limits as WireLimits
from kasmd.rights import OWNER, READ, WRITE, Right
from kasmd.viewer.encoders import Encoders
from kasmd.viewer.roster import Roster
from kasmd.viewer.sharing import Encodings
from kasmd.viewer.streams import Streams
from kasmd.viewer.surroundings import Surroundings
from kasmd.viewer.turns import Turns
from kasmd.viewer.worker import InlineWorker, ThreadWorker
from kasmd.web.downloads import Downloads
from kasmd.web.kasmvnc_api import KasmvncApi
from kasmd.web.pages import Pages
from kasmd.web.site import PAGE, make_site, page_mounts
from kasmd.web.system_stats import SystemStats
from tests.permission.disk import threaded
from tests.web.asking import HASH, Answer, ask, basic, listen

#: The owner sees nothing himself; the rest are as their names say.
ACCOUNTS = {
    "own": Right.ENTER | OWNER,
    "writer": Right.ENTER | WRITE,
    "reader": Right.ENTER | READ,
    "nobody": Right.ENTER,
}


class Served:
    """A site; ``port`` is where it listens."""

    timeout = 120
    rules = Rules()
    #: What the API measures time with.
    clock: Any = reactor

    def setUp(self) -> None:
        """Listen."""
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)  # type: ignore[attr-defined]
        self.downloads = os.path.join(self.folder, "Downloads")
        os.mkdir(self.downloads)
        self.path = os.path.join(self.folder, "kasmpasswd")
        for name, held in ACCOUNTS.items():
            rewrite(self.path, lambda file: file.with_account(Account(name, HASH, held)))
        self.accounts = FileAccounts(reactor, self.path, threaded())
        self.registry = Registry(self.accounts)
        self.display = MemoryDisplay(320, 200)
        self.roster = Roster()
        hold, prevention = Hold(), Prevention(self.rules)
        self.around = Surroundings(
            admit=lambda who: Seat(
                self.display, self.registry.admit(who, "desktop"), hold, prevention
            ),
            authenticate=lambda name, password, address: Deferred(),
            roster=self.roster,
            encodings=Encodings(),
            turns=Turns(reactor),
            clock=reactor,  # type: ignore[arg-type]
            limits=WireLimits(),
            handshake_time=10.0,
            patience=30.0,
            max_viewers=20,
            streams=Streams(Encoders(reactor)),
        )
        self.api = KasmvncApi(
            self.clock,
            accounts=self.accounts,
            roster=self.roster,
            seat_of=lambda request: Seat(self.display, request.grant, hold, prevention),
            hashing=InlineWorker(),
            work=ThreadWorker(reactor),
            system=SystemStats(reactor, ThreadWorker(reactor)),  # type: ignore[arg-type]
            downloads=Downloads(
                reactor, self.downloads, ThreadWorker(reactor)  # type: ignore[arg-type]
            ),
        )
        self.site: Any = make_site(
            reactor,  # type: ignore[arg-type]
            authenticator=Authenticator(
                self.accounts, Lockout(100, 10.0), InlineWorker(), reactor.seconds  # type: ignore
            ),
            registry=self.registry,
            roster=self.roster,
            pages=Pages(),
            make_viewer=lambda transport, principal: None,
            mounts=page_mounts(PAGE),
            more=self.api.routes(),
            limits=Limits(linger=60, abort_timeout=60),
        )
        self.port = listen(self, self.site)

    def ask(self, method: str, target: str, body: Any = None, name: Optional[str] = "own",
            **headers: str) -> Deferred[Answer]:
        """Make a request as ``name``; an underscore in a header's name is a hyphen."""
        sent = {key.replace("_", "-"): value for key, value in headers.items()}
        if name is not None:
            sent["Authorization"] = basic(name)
        return deferToThread(ask, self.port, method, target, body, sent)

    def get(self, target: str, **more: Any) -> Deferred[Answer]:
        """GET below /api/."""
        return self.ask("GET", f"/api/{target}", **more)

    def post(self, target: str, value: Any, **more: Any) -> Deferred[Answer]:
        """POST a JSON value below /api/."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return self.ask("POST", f"/api/{target}", body, **more)

    def letters(self, name: str) -> str:
        """Give the letters in the file, ``-`` for an account that is not there."""
        with open(self.path, encoding="utf-8") as file:
            lines = [line.rstrip("\n").split(":") for line in file]
        return next((fields[2] for fields in lines if fields[0] == name), "-")
