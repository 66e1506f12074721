"""The password file as text, and SHA-256 crypt."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.interfaces import Account
from kasmd.permission import kasmpasswd
from kasmd.permission.kasmpasswd import (
    DUMMY_SECRET,
    PASSWORD_LIMIT,
    Problem,
    hash_password,
    parse,
    render,
    verify,
)
from kasmd.rights import OWNER, READ, WRITE, Right

VECTOR = "$5$kasm$M.z5TLjdOq8hLv4c3HJaD5mKBkD6uIV8a1mkEVonCq/"

names = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"], exclude_characters=":"))
accounts = st.builds(
    Account,
    names.filter(lambda name: 0 < len(name.encode()) <= 127),
    st.text("abc$./0", max_size=60),
    st.sampled_from([Right.ENTER | r for r in (READ, WRITE, OWNER, READ | OWNER, WRITE | OWNER)]),
)
lines = st.text(st.characters(), max_size=40) | st.sampled_from(
    ["ann:x:r", "ann:y:w", "bob:z:wro", "a:b", "::", "", "\r", "ann:x:r\r", "# no", "a:b:c:d"]
)


def test_reading() -> None:
    text = "ann:h1:r\nbob:h2:wr\r\n\nno colon\nroot:h3:oxyz\neve:h4:\n:h:r\nann:h5:o\nd:e:f:r\n"
    file = parse(text)
    assert list(file.accounts.values()) == [
        Account("ann", "h1", Right.ENTER | READ),
        Account("bob", "h2", Right.ENTER | WRITE),
        Account("root", "h3", Right.ENTER | OWNER),
        Account("eve", "h4", Right.ENTER),
    ]
    assert file.problems == [
        Problem(4, "not name:secret:letters but 1 fields"),
        Problem(7, "the name is empty"),
        Problem(8, "'ann' is already in line 1, which counts"),
        Problem(9, "not name:secret:letters but 4 fields"),
    ]


def test_write_order_is_kasmvncs_and_nothing_is_lost() -> None:
    file = parse("# mine\nann:h:wzr\nbad\r\nbob:h:r")
    file = file.with_account(Account("bob", "new", OWNER | WRITE))
    file = file.with_account(Account("eve", "e", Right.ENTER))
    assert render(file) == "# mine\nann:h:wzr\nbad\r\nbob:new:rwo\neve:e:\n"


def test_a_hidden_second_line_does_not_come_to_life() -> None:
    assert render(parse("ann:a:r\nbob:b:r\nann:c:rw\n").without("ann")) == "bob:b:r\n"
    changed = parse("x:x:r\nann:a:r\nann:c:rw\n").with_account(Account("ann", "z", READ))
    assert render(changed) == "x:x:r\nann:z:r\n"


def test_problems_do_not_quote_secrets() -> None:
    file = parse(f"{VECTOR}\nann:{VECTOR}{'x' * 80}:r\nann\x07:{VECTOR}:r\na:{VECTOR}:r:\n")
    assert len(file.problems) == 4
    assert not any("$5$" in problem.text for problem in file.problems)


@given(st.lists(accounts, unique_by=lambda account: account.name))
def test_round_trip_of_accounts(wanted: list[Account]) -> None:
    file = kasmpasswd.PasswordFile()
    for account in wanted:
        file = file.with_account(account)
    again = parse(render(file))
    assert list(again.accounts.values()) == wanted and again.problems == []


@given(st.lists(lines).map("\n".join))
def test_any_text_is_kept_word_for_word(text: str) -> None:
    kept = text if text.endswith("\n") or not text else text + "\n"
    assert render(parse(text)) == kept


@given(st.lists(lines).map("\n".join), accounts)
def test_a_change_touches_one_name_only(text: str, account: Account) -> None:
    before = parse(text)
    after = parse(render(before.with_account(account)))
    assert after.accounts == {**before.accounts, account.name: account}
    gone = parse(render(before.without(account.name)))
    assert account.name not in gone.accounts
    assert {**gone.accounts, account.name: None}.keys() >= before.accounts.keys()


@given(st.binary())
def test_any_bytes_are_kept(content: bytes) -> None:
    text = content.decode("utf-8", "surrogateescape")
    rendered = render(parse(text)).encode("utf-8", "surrogateescape")
    assert rendered.rstrip(b"\n") == content.rstrip(b"\n")


def test_vector() -> None:
    assert hash_password("password") == VECTOR
    assert verify("password", VECTOR)
    assert not verify("Password", VECTOR)


@pytest.mark.parametrize("password", ["a", "p:w", "é€名", "x" * PASSWORD_LIMIT, " "])
def test_openssl_agrees(password: str) -> None:
    command = ["openssl", "passwd", "-5", "-salt", "kasm", "-stdin"]
    made = subprocess.run(command, input=password.encode(), capture_output=True, check=True)
    assert hash_password(password) == made.stdout.decode().strip()


def test_other_salts_and_rounds() -> None:
    made = subprocess.run(
        ["openssl", "passwd", "-5", "-salt", "rounds=1234$other", "secret"],
        capture_output=True,
        check=True,
    )
    assert verify("secret", made.stdout.decode().strip())


@pytest.mark.parametrize("password", ["", "a\0b", "x" * (PASSWORD_LIMIT + 1), "é" * 129])
def test_passwords_that_never_match(password: str) -> None:
    assert not verify(password, VECTOR)
    with pytest.raises(ValueError):
        hash_password(password)


def test_an_unpaired_surrogate_is_only_wrong() -> None:
    assert not verify("\ud800", VECTOR)
    with pytest.raises(ValueError):
        hash_password("\ud800")


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "!",
        "*",
        "$5$kasm$",
        "$5$kasm$short",
        "$6$kasm$" + "a" * 86,
        "$1$kasm$" + "a" * 22,
        "$5$rounds=1$kasm$" + "a" * 43,
        "$5$rounds=999999999$kasm$" + "a" * 43,
        "$5$rounds=x$kasm$" + "a" * 43,
        "$5$\udc80$" + "a" * 43,
        "password",
        DUMMY_SECRET,
    ],
)
def test_secrets_that_match_nothing(secret: str) -> None:
    assert not verify("password", secret)
    assert not verify("", secret)
