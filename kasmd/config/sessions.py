"""The file with the sessions of an edge: its keys, and what it gives.

What each key means, for people, is in etc/sessions.yaml, which has them all.
"""

from __future__ import annotations

import base64
import re
import time
from dataclasses import dataclass
from typing import Iterator, Mapping, Optional

from kasmd.config.addresses import Address, Trusting, address_of_service, undecided
from kasmd.config.kinds import (
    Raw,
    choice,
    optional,
    path,
    secret,
    secret_file,
    text,
    word,
)
from kasmd.config.reading import Reading
from kasmd.config.schema import by_name, entries, option, required
from kasmd.edge.directory import OPEN, Credential, Session
from kasmd.errors import AccountsError
from kasmd.permission.keyfile import KeyFile
from kasmd.permission.registry import EVERYTHING
from kasmd.permission.tickets import DESKTOP_HOP, Tickets
from kasmd.rights import FEATURES, OWNER, READ, WRITE, Right, rights_from_letters

#: Bytes; two thousand sessions with a key of each kind fit.
FILE_LIMIT = 1 << 20
SESSIONS = 5000
OTHERS = 100
CREDENTIALS = 8

_WORDS: Mapping[str, Right] = {"read": READ, "write": WRITE, "owner": OWNER, **FEATURES}
_BEARER = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_LETTERS = re.compile(r"[rwo]{1,3}")


def rights(raw: Raw) -> Right:
    """KasmVNC's letters (``rw``), or read, write, owner and the names of features."""
    words = raw.replace(",", " ").split() if isinstance(raw, str) else raw
    if not words or not all(each in _WORDS or _LETTERS.fullmatch(each) for each in words):
        raise ValueError(f"must be letters of rwo, or words of {', '.join(_WORDS)}")
    found = Right.ENTER
    for each in words:
        found |= _WORDS[each] if each in _WORDS else rights_from_letters(each)
    return found


def keys_of_tickets(raw: Raw) -> KeyFile:
    """The path of a file with keys, which is read here, and made where there is none."""
    try:
        return KeyFile(path(raw))
    except AccountsError as error:
        raise ValueError(f"is no file of keys: {error}") from None


def page(raw: Raw) -> str:
    """An address below the session's, with a query where one is wanted."""
    line = text(raw)
    if line.startswith("/") or not re.fullmatch(r"[!-~]+", line) or set(line) & set("\\\"<>#:"):
        raise ValueError("must be an address below the session's, such as vnc.html?resize=remote")
    return line


@dataclass(frozen=True, kw_only=True)
class CredentialValues:
    """One way in: a name with a password, a token, or tickets; what it allows there."""

    user: Optional[str] = option(None, optional(text))
    password: Optional[str] = option(None, optional(secret))
    password_file: Optional[str] = option(None, optional(secret_file))
    bearer: Optional[str] = option(None, optional(secret))
    bearer_file: Optional[str] = option(None, optional(secret_file))
    ticket_key: Optional[KeyFile] = option(None, optional(keys_of_tickets))
    rights: Right = option(EVERYTHING, rights)


@dataclass(frozen=True, kw_only=True)
class SessionValues(Trusting):
    """One session; what it trusts is for an upstream with https."""

    id: str = required(word)
    name: Optional[str] = option(None, optional(text))
    owner: str = required(text)
    others: Mapping[str, Right] = by_name(rights)
    upstream: Address = required(address_of_service)
    credentials: tuple[CredentialValues, ...] = entries(CredentialValues)
    page: str = option("", page)
    state: str = option("running", choice("running", "starting"))


@dataclass(frozen=True, kw_only=True)
class SessionsFile:
    """The whole file."""

    sessions: tuple[SessionValues, ...] = entries(SessionValues)


def read_sessions(name: str, environ: Mapping[str, str],
                  trusting: Trusting = Trusting()) -> tuple[Session, ...]:
    """Read the file ``name``, with all that it names (ConfigError).

    What a session does not say of its certificate, ``trusting`` says.
    """
    reading = Reading(name, environ, SessionsFile)
    reading.read(FILE_LIMIT)
    file: SessionsFile = reading.result(lambda file: _contradictions(file, trusting))
    return tuple(_session(values, trusting) for values in file.sessions)


def _session(values: SessionValues, trusting: Trusting) -> Session:
    upstream, prefix = values.upstream
    if upstream.tls is not None:
        upstream = upstream._replace(tls=(values if values.decided else trusting).trust)
    credentials = tuple(map(_credential, values.credentials))
    return Session(
        values.id,
        values.name or values.id,
        values.owner,
        dict(values.others),
        upstream,
        prefix.encode("ascii"),
        values.page,
        credentials or (OPEN,),
        values.state == "running",
    )


def _credential(values: CredentialValues) -> Credential:
    if values.ticket_key is not None:
        return Credential(values.rights, tickets=Tickets(values.ticket_key, DESKTOP_HOP, time.time))
    bearer = values.bearer or values.bearer_file
    if bearer is not None:
        return Credential(values.rights, b"Bearer " + bearer.encode("ascii"))
    blob = f"{values.user}:{values.password or values.password_file}".encode("utf-8")
    return Credential(values.rights, b"Basic " + base64.b64encode(blob))


def _contradictions(file: SessionsFile, trusting: Trusting) -> Iterator[tuple[str, str]]:
    if len(file.sessions) > SESSIONS:
        yield "sessions", f"there are {len(file.sessions)}, and {SESSIONS} may be"
    known: set[str] = set()
    for index, session in enumerate(file.sessions):
        key = f"sessions[{index}]"
        if session.id in known:
            yield f"{key}.id", f"another session is called {session.id}"
        known.add(session.id)
        for leaf, said in _about(session, trusting):
            yield f"{key}.{leaf}", said


def _about(session: SessionValues, trusting: Trusting) -> Iterator[tuple[str, str]]:
    secure = session.upstream.upstream.tls is not None
    if secure and not (session.decided or trusting.decided):
        yield "upstream", undecided("it")
    if len(session.others) > OTHERS:
        yield "others", f"there are {len(session.others)}, and {OTHERS} may be"
    if session.owner in session.others:
        yield f"others.{session.owner}", "is the owner, who has every right"
    if len(session.credentials) > CREDENTIALS:
        yield "credentials", f"there are {len(session.credentials)}, and {CREDENTIALS} may be"
    bad = False
    for index, credential in enumerate(session.credentials):
        for leaf, said in _about_credential(credential):
            bad = True
            yield f"credentials[{index}].{leaf}", said
    if not bad:
        yield from _about_others(session)


def _about_credential(values: CredentialValues) -> Iterator[tuple[str, str]]:
    passwords = [each for each in (values.password, values.password_file) if each is not None]
    ways = [
        each
        for each in (values.user, values.bearer, values.bearer_file, values.ticket_key)
        if each is not None
    ]
    if len(ways) != 1 or len(passwords) != (values.user is not None):
        yield "user", "needs a password or a password_file; else give bearer, bearer_file" \
            " or ticket_key, and one of all these"
    if values.user is not None and ":" in values.user:
        yield "user", "must be without a colon"
    bearer = values.bearer or values.bearer_file
    if bearer is not None and not _BEARER.fullmatch(bearer):
        yield "bearer", "must be a token of letters, digits and -._~+/"


def _about_others(session: SessionValues) -> Iterator[tuple[str, str]]:
    """See that nobody is let in by more than he may do."""
    ways = session.credentials or (CredentialValues(),)
    for name, held in session.others.items():
        fits = any(way.ticket_key is not None or way.rights in held for way in ways)
        if not fits and name != session.owner:
            yield f"others.{name}", "has fewer rights than every credential gives: add one with" \
                " these rights, or one with a ticket_key"
