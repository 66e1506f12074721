"""Sections and options of dataclasses, by full name."""

from __future__ import annotations

from dataclasses import dataclass

from kasmd.config.kinds import boolean, text
from kasmd.config.schema import build, option, options, section


@dataclass(frozen=True)
class Inner:
    colour: str = option("red", text)


@dataclass(frozen=True)
class Outer:
    loud: bool = option(False, boolean)
    inner: Inner = section(Inner)


def test_options() -> None:
    assert list(options(Outer)) == [("loud", boolean), ("inner.colour", text)]


def test_build() -> None:
    assert build(Outer, {}) == Outer() == Outer(False, Inner("red"))
    assert build(Outer, {"inner.colour": "blue"}) == Outer(False, Inner("blue"))
