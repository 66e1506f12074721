"""The rights that a grant may hold, their names, and KasmVNC's letters r, w, o."""

from __future__ import annotations

from enum import Flag, auto
from typing import Iterable, Mapping


class Right(Flag):
    """One thing that a person may do; combine with ``|``.

    ``ENTER`` is held by every account that exists, so an account without
    letters in the password file may log in and connect, and see nothing.
    """

    ENTER = auto()
    VIEW = auto()
    KEYBOARD = auto()
    POINTER = auto()
    CLIPBOARD_IN = auto()
    CLIPBOARD_OUT = auto()
    RESIZE = auto()
    UPLOAD = auto()
    DOWNLOAD = auto()
    MANAGE = auto()


NOTHING = Right(0)
READ = Right.VIEW
WRITE = (
    READ
    | Right.KEYBOARD
    | Right.POINTER
    | Right.CLIPBOARD_IN
    | Right.CLIPBOARD_OUT
    | Right.RESIZE
    | Right.UPLOAD
    | Right.DOWNLOAD
)
OWNER = Right.MANAGE

_LETTERS = {"r": READ, "w": WRITE, "o": OWNER}

#: What one account may have and another not, by the name that people read and write.
FEATURES: Mapping[str, Right] = {
    str(right.name).lower(): right for right in Right if right is not Right.ENTER
}


def rights_from_letters(letters: str) -> Right:
    """Give the rights for KasmVNC's permission letters (any order).

    ``w`` implies ``r``; ``o`` implies neither; unknown letters are ignored,
    as KasmVNC's password file has it.  Every account holds ``ENTER``.
    """
    rights = Right.ENTER
    for letter in letters:
        rights |= _LETTERS.get(letter, NOTHING)
    return rights


def letters_from_rights(rights: Right) -> str:
    """Give the letters of which all rights are in ``rights``, in KasmVNC's order."""
    return "".join(letter for letter, needed in _LETTERS.items() if needed in rights)


def feature_names(rights: Right) -> list[str]:
    """Give the names of the features in ``rights``, in the order of `Right`."""
    return [name for name, right in FEATURES.items() if right in rights]


def rights_from_features(names: Iterable[str]) -> Right:
    """Give the rights with these names, and ``ENTER`` (ValueError names a wrong one)."""
    rights = Right.ENTER
    for name in names:
        if name not in FEATURES:
            raise ValueError(f"{name!a} is no feature; there are {', '.join(FEATURES)}")
        rights |= FEATURES[name]
    return rights
