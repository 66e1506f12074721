"""Tickets: what is signed is read, and nothing else is (threats.md, group H)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.errors import LoginRefused
from kasmd.interfaces import Principal
from kasmd.permission.keyfile import KeyFile, load_keys
from kasmd.permission.registry import MemoryRegistry
from kasmd.permission.tickets import LIFE, MAX_TICKET, REUSE, SKEW, Tickets
from kasmd.rights import NOTHING, READ, WRITE, Right

KEY, OTHER = bytes(range(32)), bytes(32)
NOW = 1_800_000_000.0
HEADER = {"alg": "HS256", "typ": "JWT"}


class Clock:
    """A wall clock that is set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tickets(clock: Clock) -> Tickets:
    return Tickets([KEY], "desktop", clock)


def coded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def claims(**changed: Any) -> dict[str, Any]:
    now = int(NOW)
    given = {"aud": "desktop", "sub": "ann", "sid": "s1", "rights": ["view"], "jti": "j",
             "iat": now, "nbf": now, "exp": now + 30, **changed}
    return {name: value for name, value in given.items() if value is not ...}


def forged(payload: Any, header: Any = None, key: bytes = KEY, algorithm: str = "sha256") -> str:
    """Make what only a key's holder can make."""
    header = HEADER if header is None else header
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode()
             for part in (header, payload)]
    text = ".".join(map(coded, parts))
    return f"{text}.{coded(hmac.digest(key, text.encode(), algorithm))}"


def refused(tickets: Tickets, text: str, why: str = "") -> None:
    with pytest.raises(LoginRefused, match=why or None):
        tickets.read(text)


def test_what_is_signed_is_read(tickets: Tickets) -> None:
    for rights in (NOTHING, READ, WRITE, Right.MANAGE, ~NOTHING):
        ticket = tickets.read(tickets.sign("Ann ☃", "s-1", rights))
        assert (ticket.name, ticket.session) == ("Ann ☃", "s-1")
        assert ticket.rights == rights | Right.ENTER
        assert ticket.principal == Principal("Ann ☃", "ticket", ticket.ident, ticket.rights)
    assert tickets.read(forged(claims())).rights == Right.ENTER | Right.VIEW


def test_the_longest_fits(tickets: Tickets) -> None:
    assert len(tickets.sign("☃" * 42, "s" * 128, ~NOTHING)) < MAX_TICKET / 2


def test_one_serves_for_a_while_and_for_nothing_else(tickets: Tickets, clock: Clock) -> None:
    first = tickets.sign("ann", "s", READ)
    clock.now += REUSE - 1
    assert tickets.sign("ann", "s", READ) == first
    others = [tickets.sign("bob", "s", READ), tickets.sign("ann", "t", READ),
              tickets.sign("ann", "s", WRITE)]
    clock.now += 1
    others.append(tickets.sign("ann", "s", READ))
    assert len({first, *others}) == 5
    assert len({tickets.read(each).ident for each in (first, *others)}) == 5


def test_what_was_read_once_ends_all_the_same(tickets: Tickets, clock: Clock) -> None:
    ticket = tickets.sign("ann", "s", READ)
    read = tickets.read(ticket)
    assert tickets.left(read) == LIFE
    clock.now += LIFE + SKEW - 1
    assert tickets.read(ticket) == read
    assert tickets.left(read) == 0
    clock.now += 1
    refused(tickets, ticket, "over")


@pytest.mark.parametrize("header", [
    {"alg": "none", "typ": "JWT"}, {"alg": "None", "typ": "JWT"}, {"alg": "nOnE", "typ": "JWT"},
    {"alg": "HS512", "typ": "JWT"}, {"alg": "RS256", "typ": "JWT"}, {"alg": "ES256", "typ": "JWT"},
    {"alg": "PS256", "typ": "JWT"}, {"alg": ["HS256"], "typ": "JWT"},
    {"alg": "hs256", "typ": "JWT"}, b"[" * 1400, b'{"a":' * 280,
    {"typ": "JWT"}, {"alg": "HS256"}, {"alg": "HS256", "typ": "at+jwt"},
    {**HEADER, "kid": "../../etc/passwd"}, {**HEADER, "kid": "' OR 1=1"},
    {**HEADER, "kid": "https://evil.example/"}, {**HEADER, "jku": "https://evil.example/jwks"},
    {**HEADER, "x5u": "https://evil.example/c"}, {**HEADER, "jwk": {"kty": "oct", "k": "AA"}},
    {**HEADER, "crit": ["exp"]}, {**HEADER, "b64": False, "crit": ["b64"]},
    {**HEADER, "zip": "DEF"},
    {"alg": "dir", "enc": "A256GCM", "zip": "DEF"}, [], 1, "HS256", None, b"{", b"\xff",
    b'{"alg":"none","alg":"HS256","typ":"JWT"}', b'{"alg":"HS256","typ":"JWT","typ":"JWT"}',
    b'{"alg":"HS256","typ":"JWT","kid":NaN}',
])
def test_headers(tickets: Tickets, header: Any) -> None:
    refused(tickets, forged(claims(), b"null" if header is None else header))


def test_an_unsigned_one(tickets: Tickets) -> None:
    for header in (HEADER, {"alg": "none"}):
        text = f"{coded(json.dumps(header).encode())}.{coded(json.dumps(claims()).encode())}"
        for end in ("", ".", ".AA", "." + "A" * 43):
            refused(tickets, text + end)


def test_other_keys_and_algorithms(tickets: Tickets) -> None:
    refused(tickets, forged(claims(), key=OTHER), "signed by somebody else")
    refused(tickets, forged(claims(), key=b""), "signed by somebody else")
    refused(tickets, forged(claims(), algorithm="sha512"))
    # RS to HS: what everybody knows of us is no key.
    refused(tickets, forged(claims(), key=hashlib.sha256(KEY).digest()), "somebody else")


@pytest.mark.parametrize("changed, why", [
    ({"exp": str(int(NOW) + 30)}, "claims"),
    ({"exp": NOW + 30.5}, "claims"),
    ({"exp": ...}, "claims"),
    ({"exp": None}, "claims"),
    ({"exp": True}, "claims"),
    ({"exp": 10**400}, "too long"),
    ({"exp": int(NOW) + LIFE + 1}, "too long"),
    ({"exp": int(NOW)}, "too long"),
    ({"exp": -1}, "too long"),
    ({"iat": ...}, "claims"),
    ({"iat": "now"}, "claims"),
    ({"nbf": ...}, "claims"),
    ({"nbf": int(NOW) + SKEW + 1}, "future"),
    ({"iat": int(NOW) + SKEW + 1, "exp": int(NOW) + SKEW + 2}, "future"),
    ({"aud": "agent"}, "another hop"),
    ({"aud": ["desktop"]}, "claims"),
    ({"aud": ...}, "claims"),
    ({"sub": ""}, "claims"),
    ({"sub": 1}, "claims"),
    ({"sub": "a\nb"}, "claims"),
    ({"sub": "x" * 129}, "claims"),
    ({"sid": ...}, "claims"),
    ({"jti": ...}, "claims"),
    ({"rights": "view"}, "claims"),
    ({"rights": [1]}, "claims"),
    ({"rights": ["root"]}, "rights"),
    ({"rights": ...}, "claims"),
    ({"iss": "x"}, "claims"),
    ({"admin": True}, "claims"),
])
def test_claims(tickets: Tickets, changed: dict[str, Any], why: str) -> None:
    refused(tickets, forged(claims(**changed)), why)


@pytest.mark.parametrize("payload", [
    b'{"exp":NaN}', b'{"exp":Infinity}', b"[]", b"null", b"1", b'"x"', b"", b"{", b"\xff",
    b"[" * 1400,
    json.dumps(claims()).encode()[:-1] + b',"sub":"root"}',
    json.dumps(claims(exp=...)).encode()[:-1] + b',"exp":1800000030,"exp":1800000030}',
    json.dumps(claims(sub="\ud800")).encode(),
    json.dumps(claims(exp=...)).encode()[:-1] + b',"exp":NaN}',
])
def test_payloads(tickets: Tickets, payload: bytes) -> None:
    refused(tickets, forged(payload))


def test_what_is_too_large(tickets: Tickets) -> None:
    refused(tickets, forged(claims(sub="x" * 1_000_000)), "no ticket")
    refused(tickets, "A" * 1_000_000, "no ticket")


def test_other_shapes(tickets: Tickets) -> None:
    good = tickets.sign("ann", "s", READ)
    header, payload, signature = good.split(".")
    for text in ("", ".", "..", good + ".", good + "." + payload,
                 f"{payload}.{payload}.{signature}", f"{header}.{payload}.{payload}.{signature}",
                 good + "=", " " + good, good + "\n", good + "A", good[:-1],
                 f"{header}.{payload}", good.replace(".", ". "), "é" + good):
        refused(tickets, text)


shaped = st.from_regex(r"[\w-]{1,99}\.[\w-]{1,99}\.[\w-]{43}", fullmatch=True)


@given(st.text(max_size=300) | shaped)
def test_only_refusals_come_out(text: str) -> None:
    refused(Tickets([KEY], "desktop", Clock()), text)


@given(st.integers(0, 200), st.integers(0, 255))
def test_no_bit_may_change(at: int, byte: int) -> None:
    tickets = Tickets([KEY], "desktop", Clock())
    good = tickets.sign("ann", "s", READ)
    at %= len(good)
    changed = good[:at] + chr(byte) + good[at + 1 :]
    if changed != good and at != len(good) - 1:  # The last character has bits that mean nothing.
        refused(tickets, changed)


def test_the_two_clocks(tickets: Tickets, clock: Clock) -> None:
    ticket = tickets.sign("ann", "s", READ)
    for moved, why in ((-SKEW, None), (0, None), (LIFE + SKEW - 1, None), (LIFE + SKEW, "over"),
                       (-SKEW - 1, "future"), (3600, "over"), (-3600, "future")):
        clock.now = NOW + moved
        if why is None:
            assert tickets.read(ticket).name == "ann"
        else:
            refused(tickets, ticket, f"{why}.*clocks")


def test_a_clock_that_jumps_harms_nobody_who_is_in(tickets: Tickets, clock: Clock) -> None:
    registry = MemoryRegistry({})
    grant = registry.admit(tickets.read(tickets.sign("ann", "s", READ)).principal, "desktop")
    clock.now += 3600
    registry.recompute()
    assert grant.holds(Right.VIEW)
    assert tickets.read(tickets.sign("ann", "s", READ)).name == "ann"


def test_a_ticket_s_rights_are_the_ceiling() -> None:
    registry = MemoryRegistry({"ann": ~NOTHING})
    grant = registry.admit(Principal("ann", "ticket", "j", Right.ENTER | READ), "desktop")
    assert {right for right in Right if grant.holds(right)} == {Right.ENTER, Right.VIEW}


def test_two_keys_while_one_takes_the_other_s_place(clock: Clock) -> None:
    old, new, both = (Tickets(keys, "desktop", clock) for keys in ([OTHER], [KEY], [KEY, OTHER]))
    assert both.read(old.sign("ann", "s", READ)) and new.read(both.sign("ann", "s", READ))
    refused(new, old.sign("ann", "s", READ), "somebody else")


def test_a_key_of_less_than_256_bits(clock: Clock) -> None:
    for keys in ([], [b""], [bytes(31)], [KEY, bytes(31)]):
        with pytest.raises(ValueError):
            Tickets(keys, "desktop", clock)


def test_two_hops_follow_their_file_of_keys(tmp_path: Path, clock: Clock) -> None:
    """A new key in three steps, as docs/operating.rst has them: nobody is refused on the way."""
    path, seconds = tmp_path / "key", iter(range(1000))
    (old,) = load_keys(str(path))
    here, there = (Tickets(KeyFile(str(path), lambda: float(next(seconds))), "desktop", clock)
                   for _ in range(2))
    before = here.sign("ann", "s", READ)
    for keys in ((old, KEY), (KEY, old), (KEY,)):
        path.write_text("".join(f"{key.hex()}\n" for key in keys))
        assert there.read(here.sign("ann", "s", READ)).name == "ann"
    refused(there, before, "somebody else")
    assert here == there != Tickets([KEY], "desktop", clock)
    assert hash(here) == hash(there)
