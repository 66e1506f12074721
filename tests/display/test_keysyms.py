"""Keysyms and characters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.display.keysyms import (
    character_of,
    is_modifier,
    is_plain_key,
    keysym_of,
    same_keysyms,
)

printable = st.characters(exclude_categories=("Cc", "Cs"))


@pytest.mark.parametrize(
    ("keysym", "character"),
    [
        (0x41, "A"),
        (0xE4, "ä"),
        (0x20AC, "€"),
        (0x010020AC, "€"),
        (0x1B1, "ą"),  # aogonek
        (0x6C1, "а"),  # Cyrillic_a
        (0x6D1, "я"),  # Cyrillic_ya
        (0x6A4, "є"),  # Ukrainian_ie
        (0x7E1, "α"),  # Greek_alpha
        (0x7F2, "σ"),  # Greek_sigma
        (0x7F3, "ς"),  # Greek_finalsmallsigma
        (0x7D9, "Ω"),  # Greek_OMEGA
        (0xCE0, "א"),  # hebrew_aleph
        (0xDA1, "ก"),  # Thai_kokai
        (0x13BD, "œ"),  # oe
        (0x0101F600, "😀"),
        (0xFF0D, None),  # Return
        (0xFE51, None),  # dead_acute
        (0x0111FFFF, None),
    ],
)
def test_character_of(keysym: int, character: str) -> None:
    """From X11's own list of keysyms."""
    assert character_of(keysym) == character


@given(printable)
def test_every_character_has_a_keysym(character: str) -> None:
    """And it means that character again."""
    assert character_of(keysym_of(character)) == character


@given(st.integers(0, 0xFFFFFFFF))
def test_same_keysyms(keysym: int) -> None:
    """The first is the one that was asked for; all mean one character."""
    names = same_keysyms(keysym)
    assert names[0] == keysym
    assert len({character_of(name) for name in names}) == 1


def test_old_and_new_are_the_same() -> None:
    """In both directions."""
    assert 0x010003B1 in same_keysyms(0x7E1)
    assert 0x7E1 in same_keysyms(0x010003B1)
    assert 0x41 in same_keysyms(0x01000041)


def test_kinds_of_keys() -> None:
    """Shift is a modifier; F1 is plain; KP_7 and KP_Home depend on Num Lock; a is neither."""
    assert [is_modifier(keysym) for keysym in (0xFFE1, 0xFFBE, 0x61)] == [True, False, False]
    assert [is_plain_key(keysym) for keysym in (0xFFBE, 0xFFB7, 0xFF95, 0x61)] == [
        True, False, False, False,
    ]
