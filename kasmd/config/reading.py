"""Reads a YAML file, and says all that is wrong with it at once, each with its line.

``${NAME}`` in a value (not in a list) is the environment's, as in KasmVNC; a
name that is not set is an error.  A blank value is the default.
"""

from __future__ import annotations

import difflib
import re
from typing import AbstractSet as Set
from typing import Any, Callable, Iterable, Iterator, Mapping, TypeVar

from kasmd.config.kinds import Raw, Unsaid
from kasmd.config.schema import build, declarations, declared_as
from kasmd.config.tree import Items, Members, Node, Scalar, compose
from kasmd.errors import ConfigError

T = TypeVar("T")
#: What no single key can tell: the key to be named, and the text.
Contradictions = Iterable[tuple[str, str]]


class Reading:
    """One walk over a file: the values that were found and what is wrong.

    ``values`` is the dataclass that declares the keys; those in ``unsupported``
    are known, and refused with a text of their own.
    """

    def __init__(self, path: str, environ: Mapping[str, str], values: Any,
                 unsupported: Set[str] = frozenset()) -> None:
        self._path = path
        self._environ = environ
        self._values = values
        self._declared = dict(declarations(values))
        self._unsupported = unsupported
        self._unsupported_sections = _sections_of(unsupported)
        self._given: dict[str, Any] = {}
        self._lines: dict[str, int] = {}
        self._problems: list[tuple[int, str]] = []

    def read(self, limit: int) -> None:
        """Read the file, of at most ``limit`` bytes (ConfigError if it is no YAML)."""
        root = compose(self._path, _text(self._path, limit))
        if root is not None:
            self._section(root, "")

    def result(self, contradictions: Callable[[Any], Contradictions]) -> Any:
        """Give the values, or raise ConfigError with every problem in the file's order."""
        self._refuse()
        values = build(self._values, self._given)
        for key, text in contradictions(values):
            self._problem(self._line(key), f"{_named(key)}: {text}")
        self._refuse()
        return values

    def _refuse(self) -> None:
        if self._problems:
            raise ConfigError("\n".join(self._said(*each) for each in sorted(self._problems)))

    def _line(self, key: str) -> int:
        """Give the line of a key, or of what it would stand in."""
        while key and key not in self._lines:
            key = key[: max(key.rfind("."), key.rfind("["), 0)]
        return self._lines.get(key, 0)

    def _section(self, node: Node, name: str) -> None:
        """Read a mapping of keys; a blank one has none."""
        for key, value, line in self._members(node, name):
            if "[" in key[len(name) :]:
                self._problem(line, f"{_named(key)}: unknown key")
            else:
                self._key(key, value, line)

    def _members(self, node: Node, name: str) -> Iterator[tuple[str, Node, int]]:
        """Give the keys of a mapping in full, each with its value and its line."""
        line = node.line
        if _is_blank(node):
            return
        if not isinstance(node, Members):
            self._problem(line, f"{name or 'the file'}: must hold keys, each with its value")
            return
        seen: dict[str, int] = {}
        for key_node, value in node.value:
            line = key_node.line
            if not isinstance(key_node, Scalar):
                self._problem(line, f"{name or 'the file'}: a key must be a word")
                continue
            key = f"{name}.{key_node.value}" if name else key_node.value
            if key in seen:
                self._problem(line, f"{_named(key)}: is already in line {seen[key]}")
                continue
            seen[key] = line
            yield key, value, line

    def _key(self, key: str, node: Node, line: int) -> None:
        self._lines.setdefault(key, line)
        declared = self._declared.get(declared_as(key))
        if declared is not None and "by_name" in declared.metadata:
            self._by_name(key, node)
        elif declared is not None and "kind" in declared.metadata:
            self._option(key, node, line)
        elif declared is not None and "entries" in declared.metadata:
            self._entries(key, node, line)
        elif declared is not None or key in self._unsupported_sections:
            self._section(node, key)
        elif key in self._unsupported:
            text = "known to KasmVNC, not supported by this version of kasmd"
            self._problem(line, f"{key}: {text}")
        else:
            self._problem(line, f"{_named(key)}: unknown key{self._hint(key)}")

    def _entries(self, key: str, node: Node, line: int) -> None:
        """Read a list whose items hold keys."""
        if _is_blank(node):
            return
        if not isinstance(node, Items):
            self._problem(line, f"{key}: must be a list, each item with keys of its own")
            return
        self._given[key] = len(node.value)
        for index, item in enumerate(node.value):
            name = f"{key}[{index}]"
            self._lines[name] = item.line
            before = len(self._problems)
            self._section(item, name)
            if len(self._problems) == before:
                self._demand(name)

    def _demand(self, name: str) -> None:
        """See that an item has all that it must have."""
        for key, declared in self._declared.items():
            section, _, leaf = key.rpartition(".")
            if section == declared_as(name) and "required" in declared.metadata:
                if f"{name}.{leaf}" not in self._given:
                    self._problem(self._lines[name], f"{name}.{leaf}: must be given")

    def _by_name(self, key: str, node: Node) -> None:
        """Read a mapping whose keys are names of the operator's choice."""
        kind = self._declared[declared_as(key)].metadata["kind"]
        found: dict[str, object] = {}
        for full, value, line in self._members(node, key):
            name = full.removeprefix(f"{key}.")
            self._converted(full, kind, value, line, found, name)
        self._given[key] = found

    def _option(self, key: str, node: Node, line: int) -> None:
        if not _is_blank(node):
            kind = self._declared[declared_as(key)].metadata["kind"]
            self._converted(key, kind, node, line, self._given, key)

    def _converted(self, key: str, kind: Callable[[Raw], object], node: Node, line: int,
                   found: dict[str, Any], name: str) -> None:
        """Put a value into ``found`` by ``name``, or note what is wrong with it."""
        try:
            raw = self._raw(node)
        except ValueError as error:
            self._problem(line, f"{_named(key)}: {error}")
            return
        try:
            found[name] = kind(raw)
        except Unsaid as error:
            self._problem(line, f"{_named(key)}: {error}")
        except ValueError as error:
            self._problem(line, f"{_named(key)}: {_shown(raw)} {error}")

    def _raw(self, node: Node) -> Raw:
        if isinstance(node, Scalar):
            return re.sub(r"\$\{(\w+)\}", self._variable, node.value)
        if isinstance(node, Items):
            scalars = [item.value for item in node.value if isinstance(item, Scalar)]
            if len(scalars) == len(node.value):
                return scalars
            raise ValueError("must be a plain list")
        raise ValueError("must be a value, and holds keys")

    def _variable(self, match: re.Match[str]) -> str:
        if match[1] not in self._environ:
            raise ValueError(f"the environment has no {match[1]}")
        return self._environ[match[1]]

    def _hint(self, key: str) -> str:
        near = difflib.get_close_matches(declared_as(key), self._declared, n=1, cutoff=0.8)
        leaf = key.rpartition(".")[2]
        near += [
            name for name, declared in self._declared.items()
            if "kind" in declared.metadata and name.rpartition(".")[2] == leaf
        ]
        return f", did you mean {near[0]}?" if near else ""

    def _problem(self, line: int, text: str) -> None:
        self._problems.append((line, text))

    def _said(self, line: int, text: str) -> str:
        return f"{self._path}:{line}: {text}" if line else f"{self._path}: {text}"


def _sections_of(keys: Iterable[str]) -> frozenset[str]:
    return frozenset(key[: dot.start()] for key in keys for dot in re.finditer(r"\.", key))


def _text(path: str, limit: int) -> str:
    try:
        with open(path, "rb") as file:
            content = file.read(limit + 1)
        if len(content) > limit:
            raise ConfigError(f"{path}: is larger than {limit} bytes")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: is not UTF-8") from None


def _is_blank(node: Node) -> bool:
    return isinstance(node, Scalar) and node.blank


def _named(key: str) -> str:
    return key if re.fullmatch(r"[\w.\[\]-]{1,100}", key) else _shown(key)


def _shown(raw: object) -> str:
    shown = raw if isinstance(raw, str) and re.fullmatch(r"[\w.]+", raw) else ascii(raw)
    return shown if len(shown) <= 100 else f"{shown[:100]}..."
