"""How the classes of `kasmd.config.values` say what the file may hold."""

from __future__ import annotations

from dataclasses import field, fields
from typing import Any, Callable, Iterator, Mapping, TypeVar

from kasmd.config.kinds import Kind

T = TypeVar("T")


def option(default: T, kind: Kind[T]) -> T:
    """Declare a key: what holds where it is missing or blank, and what it may be."""
    declared: T = field(default=default, metadata={"kind": kind})
    return declared


def section(values: Callable[[], T]) -> T:
    """Declare a key that holds keys, which are the fields of ``values``."""
    declared: T = field(default_factory=values, metadata={"section": values})
    return declared


def options(values: Any, prefix: str = "") -> Iterator[tuple[str, Kind[Any]]]:
    """Give every key, in full, with what it may be."""
    for each in fields(values):
        name = prefix + each.name
        if "section" in each.metadata:
            yield from options(each.metadata["section"], f"{name}.")
        else:
            yield name, each.metadata["kind"]


def build(values: Callable[..., T], given: Mapping[str, object], prefix: str = "") -> T:
    """Make ``values`` of what was given by full name, and defaults for the rest."""
    arguments: dict[str, object] = {}
    for each in fields(values):  # type: ignore[arg-type]
        name = prefix + each.name
        if "section" in each.metadata:
            arguments[each.name] = build(each.metadata["section"], given, f"{name}.")
        elif name in given:
            arguments[each.name] = given[name]
    return values(**arguments)
