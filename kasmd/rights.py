"""The rights that a grant may hold, and their projection on KasmVNC's r, w, o."""

from __future__ import annotations

from enum import Flag, auto


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


def rights_from_letters(letters: str) -> Right:
    """Give the rights for KasmVNC's permission letters (any order).

    ``w`` implies ``r``; ``o`` implies neither; unknown letters are ignored,
    as KasmVNC's password file has it.  Every account holds ``ENTER``.
    """
    rights = Right.ENTER
    for letter in letters:
        rights |= _LETTERS.get(letter, NOTHING)
    return rights
