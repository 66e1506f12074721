"""Rights by letter and by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.rights import (
    FEATURES,
    NOTHING,
    OWNER,
    READ,
    WRITE,
    Right,
    feature_names,
    letters_from_rights,
    rights_from_features,
    rights_from_letters,
)


@pytest.mark.parametrize("rights, letters", [
    (NOTHING, ""),
    (Right.ENTER | READ, "r"),
    (WRITE, "rw"),
    (OWNER, "o"),
    (WRITE | OWNER, "rwo"),
    (WRITE & ~Right.KEYBOARD, "r"),
    (WRITE & ~Right.VIEW, ""),
])
def test_letters(rights: Right, letters: str) -> None:
    assert letters_from_rights(rights) == letters


@given(st.text("rwox"))
def test_letters_come_back(letters: str) -> None:
    rights = rights_from_letters(letters)
    assert rights_from_letters(letters_from_rights(rights)) == rights


@given(st.sets(st.sampled_from(sorted(FEATURES))))
def test_features_come_back(names: set[str]) -> None:
    rights = rights_from_features(names)
    assert Right.ENTER in rights and set(feature_names(rights)) == names


@pytest.mark.parametrize("name", ["enter", "VIEW", "", "fly"])
def test_what_is_no_feature(name: str) -> None:
    with pytest.raises(ValueError, match="no feature"):
        rights_from_features([name])
