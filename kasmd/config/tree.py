"""A YAML file as a tree of nodes that know their lines.

libyaml (PyYAML) reads a directory of thousands of sessions in no time, and knows YAML 1.1
alone, in which ``[::1]`` is none.  What it refuses is read by ruamel.yaml, which also says
better what is wrong.  The tree is made here, of the events of either: libraries go as deep
as the file does, and with libyaml the process ends there.
"""

from __future__ import annotations

from typing import Any, Iterator, NamedTuple, Optional, Union

import yaml
from ruamel.yaml import YAML
from ruamel.yaml import events as slow_kinds
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from yaml import events as fast_kinds

from kasmd.errors import ConfigError

#: How deep lists and keys may be in one another.
MAX_DEPTH = 50
#: None where PyYAML was built without libyaml.
_LIBYAML = getattr(yaml, "CSafeLoader", None)
_NULL = "tag:yaml.org,2002:null"
#: YAML 1.2, section 10.3.2.
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))


class Scalar(NamedTuple):
    """A value as it is written; ``blank`` tells that it is none."""

    line: int
    value: str
    blank: bool


class Items(NamedTuple):
    """A list."""

    line: int
    value: list[Node]


class Members(NamedTuple):
    """Keys with their values, as they come, the same one twice too."""

    line: int
    value: list[tuple[Node, Node]]


Node = Union[Scalar, Items, Members]


def compose(path: str, text: str) -> Optional[Node]:
    """Give the tree of ``text``, the content of ``path``; None where it is empty (ConfigError)."""
    try:
        if _LIBYAML is not None:
            return _Composer(path, yaml.parse(text, Loader=_LIBYAML), fast_kinds).document()
    except yaml.YAMLError:
        pass
    try:
        events = YAML(typ="rt", pure=True).parse(text)
        return _Composer(path, events, slow_kinds).document()
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}" if mark is not None else path
        raise ConfigError(f"{where}: {error.problem or error.context}") from None
    except YAMLError as error:
        raise ConfigError(f"{path}: {' '.join(str(error).split())}") from None


class _Composer:
    """Makes nodes of a parser's ``events``, whose classes are in ``kinds``."""

    def __init__(self, path: str, events: Iterator[Any], kinds: Any) -> None:
        self._path = path
        self._events = iter(events)
        self._kinds = kinds
        self._anchors: dict[str, Node] = {}

    def document(self) -> Optional[Node]:
        """Give the one document that there may be."""
        root: Optional[Node] = None
        begun = False
        for event in self._events:
            if isinstance(event, self._kinds.DocumentStartEvent):
                if begun:
                    raise self._wrong(event, "but found another document")
                begun = True
                root = self._node(next(self._events), 0)
        return root

    def _node(self, event: Any, depth: int) -> Node:
        if isinstance(event, self._kinds.AliasEvent):
            if event.anchor not in self._anchors:
                raise self._wrong(event, f"found undefined alias {event.anchor!a}")
            return self._anchors[event.anchor]
        if depth > MAX_DEPTH:
            raise self._wrong(event, "is nested too deeply")
        line = event.start_mark.line + 1
        node: Node
        if isinstance(event, self._kinds.ScalarEvent):
            plain = event.implicit[0] and event.value in _NULLS
            # ruamel.yaml marks where lines were folded.
            value = event.value.replace("\a", "") if event.style == ">" else event.value
            node = Scalar(line, value, plain or event.tag == _NULL)
        elif isinstance(event, self._kinds.SequenceStartEvent):
            node = Items(line, list(self._nodes(self._kinds.SequenceEndEvent, depth + 1)))
        else:
            nodes = self._nodes(self._kinds.MappingEndEvent, depth + 1)
            node = Members(line, list(zip(nodes, nodes)))
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _nodes(self, end: type, depth: int) -> Iterator[Node]:
        for event in self._events:
            if isinstance(event, end):
                return
            yield self._node(event, depth)

    def _wrong(self, event: Any, text: str) -> ConfigError:
        return ConfigError(f"{self._path}:{event.start_mark.line + 1}: {text}")
