"""KasmVNC's keys: each is either ours or refused by name."""

from __future__ import annotations

from kasmd.config.kasmvnc import UNSUPPORTED
from kasmd.config.schema import options
from kasmd.config.values import Configuration

OURS = {name for name, _ in options(Configuration)}


def test_no_key_is_both() -> None:
    assert not UNSUPPORTED & OURS


def test_no_key_is_a_section_of_another() -> None:
    every = UNSUPPORTED | OURS
    assert not [key for key in every for other in every if other.startswith(f"{key}.")]
