"""Composition of all that knows who comes: accounts, proofs, the registry, the door."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Callable, NamedTuple

from twisted.application.service import MultiService, Service
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from kasmd.config.values import Configuration
from kasmd.http.cookies import SessionCookie
from kasmd.http.guard import Sessions
from kasmd.interfaces import IAccounts
from kasmd.permission.accounts import FileAccounts
from kasmd.permission.checkers import Authenticator
from kasmd.permission.features import FeaturedAccounts, Features
from kasmd.permission.invitations import Invitations, load_key
from kasmd.permission.lockout import AccountLockout, Lockout
from kasmd.permission.logins import Logins
from kasmd.permission.proofs import Proofs
from kasmd.permission.registry import TOKEN, LiveGrants, Registry
from kasmd.permission.sessions import Lifetime
from kasmd.permission.tokens import Tokens
from kasmd.permission.writes import Writes
from kasmd.rights import NOTHING, Right
from kasmd.viewer.worker import ThreadWorker
from kasmd.web.entrance import Entrance
from kasmd.web.site import PAGE, content_policy, parse_origins

#: Seconds within which a time that is over ends what hangs on it.
PUNCTUALITY = 1.0


class Identity(NamedTuple):
    """Who may come in, and what each may do."""

    accounts: IAccounts
    proofs: Proofs
    registry: Registry
    authenticator: Authenticator
    entrance: Entrance
    lockout: Lockout
    guarded: AccountLockout
    #: The registries of other faces than the desktop's, whose grants are looked after, too.
    faces: list[LiveGrants]
    #: Gives (kind, ident) of each who holds a grant, at whatever face.
    present: Callable[[], set[tuple[str, str]]]


class Punctual(Service):
    """Calls ``look`` every `PUNCTUALITY` seconds while the service runs."""

    _log = Logger()

    def __init__(self, reactor: Any, look: Callable[[], None]) -> None:
        self._looking = LoopingCall(self._look)
        self._looking.clock = reactor
        self._noticed = look

    def startService(self) -> None:
        """Begin to look."""
        super().startService()
        self._looking.start(PUNCTUALITY, now=False)

    def stopService(self) -> None:
        """Look no more."""
        super().stopService()
        if self._looking.running:
            self._looking.stop()

    def _look(self) -> None:
        with self._log.failuresHandled("a look at what is over failed"):
            self._noticed()


def compose_identity(
    configuration: Configuration, state: Path, reactor: Any, daemon: MultiService
) -> Identity:
    """Make it of these values; its services are ``daemon``'s (AccountsError, ConfigError)."""
    disk = ThreadWorker(reactor)

    def writes() -> Writes:
        made = Writes(reactor, disk)
        made.setServiceParent(daemon)
        return made

    accounts = _accounts(configuration, state, reactor, daemon, writes)
    proofs = _proofs(configuration, state, accounts, writes)
    withheld = NOTHING if configuration.desktop.allow_resize else Right.RESIZE
    registry = Registry(accounts, withheld, proofs.kinds)
    protection = configuration.security.brute_force_protection
    limits = protection.blacklist_threshold, protection.blacklist_timeout
    lockout, guarded = Lockout(*limits), AccountLockout(*limits)
    authenticator = Authenticator(
        accounts, lockout, ThreadWorker(reactor), time.monotonic, guarded
    )

    faces: list[LiveGrants] = []

    def present() -> set[tuple[str, str]]:
        return registry.present().union(*(face.present() for face in faces))

    def expire() -> None:
        proofs.expire(present())
        registry.recompute()
        for face in faces:
            face.recompute(TOKEN)

    Punctual(reactor, expire).setServiceParent(daemon)
    site = configuration.site
    entrance = Entrance(
        PAGE,
        content_policy(site.frame_ancestors, form="self"),
        authenticator,
        Sessions(proofs, SessionCookie(site.embedding), site.login == "basic"),
        present,
        parse_origins(site.allowed_origins),
    )
    return Identity(
        accounts, proofs, registry, authenticator, entrance, lockout, guarded, faces, present
    )


def _accounts(
    configuration: Configuration, state: Path, reactor: Any, daemon: MultiService,
    writes: Callable[[], Writes],
) -> IAccounts:
    path = configuration.server.advanced.kasm_password_file
    file = FileAccounts(reactor, path, writes())
    features = Features(reactor, os.fspath(state / "features.json"), writes())
    file.setServiceParent(daemon)
    features.setServiceParent(daemon)
    accounts: IAccounts = FeaturedAccounts(file, features, writes())
    return accounts


def _proofs(configuration: Configuration, state: Path, accounts: IAccounts,
            writes: Callable[[], Writes]) -> Proofs:
    sessions = configuration.security.sessions
    lifetime = Lifetime(sessions.idle_seconds, sessions.life_seconds, sessions.per_account)
    return Proofs(
        Logins(accounts, time.monotonic, lifetime),
        Tokens(accounts, os.fspath(state / "tokens.json"), time.time, writes()),
        Invitations(
            accounts,
            os.fspath(state / "invitations.json"),
            load_key(os.fspath(state / "invitation-key")),
            time.time,
            time.monotonic,
            writes(),
            lifetime,
        ),
    )
