"""What C and Python make of the same password."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from kasmd.permission.kasmpasswd import PASSWORD_LIMIT
from kasmd.permission.sha256crypt import by_libcrypt, by_passlib, checksum

passwords = st.binary(max_size=PASSWORD_LIMIT).map(lambda data: data.replace(b"\0", b"0"))
salts = st.text("abcXYZ019./", max_size=16)


@settings(max_examples=30, deadline=None)
@given(passwords, salts, st.integers(1000, 2000))
def test_they_agree(password: bytes, salt: str, rounds: int) -> None:
    in_c = by_libcrypt()
    assert in_c is not None
    assert in_c(password, salt, rounds) == by_passlib(password, salt, rounds)


def test_c_is_used_where_it_can_be() -> None:
    assert checksum is not by_passlib
