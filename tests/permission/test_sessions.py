"""Sessions: their secrets, their time, their number."""

from __future__ import annotations

from typing import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from kasmd.permission.secret import digest, ident_of, is_secret
from kasmd.permission.sessions import Lifetime, Session, Sessions

LIFETIME = Lifetime(idle=10.0, whole=100.0, each=3)


def make(clock: Clock, capacity: int = 5) -> Sessions:
    return Sessions(clock.seconds, LIFETIME, capacity)


def found(sessions: Sessions, secret: str) -> str:
    session = sessions.find(secret)
    return session.owner if session is not None else ""


def test_a_secret_is_256_bits_and_is_not_kept() -> None:
    sessions = make(Clock())
    secrets = {sessions.start(str(number)) for number in range(5)}
    assert len(secrets) == 5
    for secret in secrets:
        assert is_secret(secret) and len(secret) == 43
        assert secret not in repr(sessions.sessions())


def test_its_ident_is_no_credential() -> None:
    sessions = make(Clock())
    secret = sessions.start("ann")
    (session,) = sessions.sessions()
    assert session.ident == ident_of(digest(secret))
    for wrong in (session.ident, session.digest, secret[:-1], secret + "A", secret.swapcase(), ""):
        assert sessions.find(wrong) is None
    assert found(sessions, secret) == "ann"


def test_one_of_the_same_ident_is_not_enough() -> None:
    sessions = make(Clock())
    secret = sessions.start("ann")
    (session,) = sessions.sessions()
    sessions._sessions[session.ident] = session._replace(digest="0" * 64)
    assert sessions.find(secret) is None


@given(st.text() | st.binary(max_size=60).map(lambda data: data.decode("latin-1")))
def test_hostile_secrets(text: str) -> None:
    assert make(Clock()).find(text) is None


def test_use_keeps_it_and_silence_ends_it() -> None:
    clock = Clock()
    sessions = make(clock)
    secret = sessions.start("ann")
    for _ in range(5):
        clock.advance(9)
        assert found(sessions, secret) == "ann"
    clock.advance(10)
    assert sessions.find(secret) is None
    assert sessions.sessions() == []


def test_a_held_connection_is_use_but_not_for_ever() -> None:
    clock = Clock()
    sessions = make(clock)
    secret = sessions.start("ann")
    (session,) = sessions.sessions()
    for _ in range(19):
        clock.advance(5)
        sessions.expire([session.ident])
    assert found(sessions, secret) == "ann"
    clock.advance(5)
    sessions.expire([session.ident])
    assert sessions.get(session.ident) is None


def test_of_one_owner_the_one_unused_longest_makes_way() -> None:
    clock = Clock()
    sessions = make(clock)
    first, second, third = (sessions.start("ann") for _ in range(3))
    sessions.find(first)
    sessions.start("bob")
    sessions.start("ann")
    assert [bool(found(sessions, each)) for each in (first, second, third)] == [True, False, True]


def test_of_all_too() -> None:
    sessions = make(Clock(), capacity=2)
    secrets = [sessions.start(name) for name in ("ann", "bob", "eve")]
    assert [found(sessions, each) for each in secrets] == ["", "bob", "eve"]


@pytest.mark.parametrize("end", [
    lambda sessions, session: sessions.end(session.ident, "no such"),
    lambda sessions, session: [sessions.start("ann") for _ in range(3)],
])
def test_whoever_asked_is_told_after_the_end(end: Callable[[Sessions, Session], object]) -> None:
    sessions = make(Clock())
    sessions.start("ann")
    (session,) = sessions.sessions()
    told: list[object] = []
    sessions.when_changed(lambda: told.append(sessions.get(session.ident)))
    end(sessions, session)
    assert told == [None]
    assert not sessions.end(session.ident)
    assert told == [None]
