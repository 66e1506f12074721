"""How the classes of `kasmd.config.values` say what the file may hold."""

from __future__ import annotations

import re
from dataclasses import Field, field, fields
from typing import Any, Callable, Iterator, Mapping, TypeVar

from kasmd.config.kinds import Kind

T = TypeVar("T")


def option(default: T, kind: Kind[T]) -> T:
    """Declare a key: what holds where it is missing or blank, and what it may be."""
    declared: T = field(default=default, metadata={"kind": kind})
    return declared


def required(kind: Kind[T]) -> T:
    """Declare a key that must be there; only what is in a list may have one."""
    declared: T = field(metadata={"kind": kind, "required": True})
    return declared


def section(values: Callable[[], T]) -> T:
    """Declare a key that holds keys, which are the fields of ``values``."""
    declared: T = field(default_factory=values, metadata={"section": values})
    return declared


def entries(values: Callable[..., T]) -> tuple[T, ...]:
    """Declare a key that holds a list; each item holds keys, the fields of ``values``."""
    declared: tuple[T, ...] = field(default=(), metadata={"entries": values})
    return declared


def by_name(kind: Kind[T]) -> Mapping[str, T]:
    """Declare a key that holds keys of any names, each with a value of this kind."""
    declared: Mapping[str, T] = field(
        default_factory=dict, metadata={"kind": kind, "by_name": True}
    )
    return declared


def declared_as(name: str) -> str:
    """Give what declares a key: ``edge[2].name`` is an ``edge.name``."""
    return re.sub(r"\[[0-9]+\]", "", name)


def declarations(values: Any, prefix: str = "") -> Iterator[tuple[str, Field[Any]]]:
    """Give every key, in full, with its declaration; sections come before their keys."""
    for each in fields(values):
        name = prefix + each.name
        yield name, each
        inner = each.metadata.get("section") or each.metadata.get("entries")
        if inner is not None:
            yield from declarations(inner, f"{name}.")


def options(values: Any) -> Iterator[tuple[str, Kind[Any]]]:
    """Give every key that has a value, in full, with what it may be."""
    for name, each in declarations(values):
        if "kind" in each.metadata:
            yield name, each.metadata["kind"]


def build(values: Callable[..., T], given: Mapping[str, Any], prefix: str = "") -> T:
    """Make ``values`` of what was given by full name, and defaults for the rest.

    A list's name has the number of its items, which are named ``list[0]`` and so on.
    """
    arguments: dict[str, object] = {}
    for each in fields(values):  # type: ignore[arg-type]
        name = prefix + each.name
        if "section" in each.metadata:
            arguments[each.name] = build(each.metadata["section"], given, f"{name}.")
        elif "entries" in each.metadata:
            arguments[each.name] = tuple(
                build(each.metadata["entries"], given, f"{name}[{index}].")
                for index in range(given.get(name, 0))
            )
        elif name in given:
            arguments[each.name] = given[name]
    return values(**arguments)
