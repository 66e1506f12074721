"""Secrets: random, of one form, and kept as a hash only."""

from __future__ import annotations

import pytest

from kasmd.permission.secret import IDENT_LENGTH, digest, ident_of, is_secret, new_secret, same


def test_every_secret_is_another_of_one_form() -> None:
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert all(is_secret(secret) and len(secret) == 43 for secret in secrets)


@pytest.mark.parametrize("text", [
    "", "A" * 42, "A" * 44, "A" * 43 + "\n", "A" * 42 + "=", "A" * 42 + "+", "A" * 42 + "é",
    "A" * 42 + "\u0661", " " + "A" * 42, "A" * 1_000_000,
])
def test_nothing_else_is_one(text: str) -> None:
    assert not is_secret(text)


def test_what_is_kept_and_shown_is_a_hash() -> None:
    # SHA-256 of 43 letters A.
    kept = digest("A" * 43)
    assert kept == "0f007385b6f9d4b7eeb2748605afe1a984a0a3bfa3f014d09e2a784ce9e5cd1a"
    assert ident_of(kept) == kept[:IDENT_LENGTH]


def test_digests_are_compared_whole() -> None:
    kept = digest(new_secret())
    assert same(kept, str(kept))
    assert not same(kept, digest(new_secret()))
    assert not same(kept, ident_of(kept))
