"""What sort of client this is: where KasmVNC's departs from the standard, by table.

A connection is Kasm's from the first evidence on: message 184, or an encoding that
only Kasm's client lists (`capabilities.speaks_kasm`).  The want of such values is
no evidence, so a connection never goes back.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from kasmd.rfb.limits import Limits
from kasmd.rfb.numbers import Encoding


class Dialect(Enum):
    """Who is on the other side."""

    STANDARD = auto()
    KASM = auto()


class PointerLayout(Enum):
    """The form of PointerEvent."""

    STANDARD = auto()  # 6 bytes, or 7 with the mark of ExtendedMouseButtons
    KASM = auto()  # 11 bytes


class ClipboardForm(Enum):
    """How clipboards travel."""

    CUT_TEXT = auto()  # messages 3 and 6, plain or extended
    BINARY = auto()  # message 180


class Rules(NamedTuple):
    """What holds for one dialect."""

    pointer: PointerLayout
    clipboard: ClipboardForm
    kasm_messages: bool  # server messages from 178 on, but for fences
    last_rect: bool  # every update must end in LastRect
    encodings: tuple[Encoding, ...]  # that the client decodes rightly


RULES = {
    Dialect.STANDARD: Rules(
        pointer=PointerLayout.STANDARD,
        clipboard=ClipboardForm.CUT_TEXT,
        kasm_messages=False,
        last_rect=False,
        encodings=(
            Encoding.TIGHT, Encoding.ZRLE, Encoding.ZLIB, Encoding.HEXTILE, Encoding.RAW,
        ),
    ),
    Dialect.KASM: Rules(
        pointer=PointerLayout.KASM,
        clipboard=ClipboardForm.BINARY,
        kasm_messages=True,
        last_rect=True,
        encodings=(Encoding.TIGHT,),
    ),
}


@dataclass(slots=True)
class Reading:
    """What the parsers of one connection need to know."""

    limits: Limits
    dialect: Dialect = Dialect.STANDARD
    #: The acknowledging rectangle -316 was sent.
    extended_mouse: bool = False
