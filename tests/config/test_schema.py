"""Sections and options of dataclasses, by full name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping

from kasmd.config.kinds import boolean, text
from kasmd.config.schema import (
    build,
    by_name,
    declared_as,
    entries,
    option,
    options,
    required,
    section,
)


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


@dataclass(frozen=True, kw_only=True)
class Item:
    name: str = required(text)
    inner: Inner = section(Inner)


@dataclass(frozen=True)
class Lists:
    items: tuple[Item, ...] = entries(Item)
    others: Mapping[str, bool] = by_name(boolean)


def test_lists() -> None:
    assert [name for name, _ in options(Lists)] == ["items.name", "items.inner.colour", "others"]
    given = {"items": 2, "items[0].name": "a", "items[1].name": "b", "items[1].inner.colour": "x"}
    assert build(Lists, given).items == (Item(name="a"), Item(name="b", inner=Inner("x")))
    assert build(Lists, {}) == Lists((), {})


def test_declared_as() -> None:
    assert declared_as("a[0].b[12].c") == "a.b.c"
    assert declared_as("a.b") == "a.b"
