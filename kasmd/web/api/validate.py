"""Checks a value against the part of JSON Schema that `kasmd.web.api.schemas` is written in.

Every ``pattern`` there is one of the whole text.
"""

from __future__ import annotations

import math
import re
from typing import Any, Callable, Iterator, Mapping, NamedTuple

from kasmd.web.api.schemas import SCHEMAS, Schema


class Wrong(NamedTuple):
    """One thing that is wrong; ``field`` is a JSON pointer (RFC 6901), empty for the whole."""

    field: str
    detail: str


def wrongs(value: object, schema: Schema, field: str = "") -> Iterator[Wrong]:
    """Give all that is wrong in ``value``, which is as `json.loads` makes it."""
    if "$ref" in schema:
        schema = SCHEMAS[schema["$ref"].rpartition("/")[2]]
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    fitting = [name for name in types if _TYPES[name](value)]
    if types and not fitting:
        yield Wrong(field, f"must be {' or '.join(types)}")
    elif "enum" in schema and value not in schema["enum"]:
        yield Wrong(field, f"must be one of {', '.join(schema['enum'])}")
    elif isinstance(value, str):
        yield from _of_text(value, schema, field)
    elif isinstance(value, dict):
        yield from _of_object(value, schema, field)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from wrongs(inner, schema["items"], f"{field}/{index}")
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield from _of_number(value, schema, field)


def _of_text(value: str, schema: Schema, field: str) -> Iterator[Wrong]:
    if len(value) < schema.get("minLength", 0):
        yield Wrong(field, "must not be empty")
    elif len(value) > schema.get("maxLength", math.inf):
        yield Wrong(field, f"must have at most {schema['maxLength']} characters")
    elif any("\ud800" <= character <= "\udfff" for character in value):
        yield Wrong(field, "must be Unicode, without surrogates")
    # Python's $, unlike the schema's, would let a line break follow.
    elif "pattern" in schema and re.fullmatch(schema["pattern"], value) is None:
        yield Wrong(field, "has a character that it must not have")


def _of_number(value: float, schema: Schema, field: str) -> Iterator[Wrong]:
    least, most = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    if not least <= value <= most:
        yield Wrong(field, f"must be from {least} to {most}")


def _of_object(value: Mapping[str, object], schema: Schema, field: str) -> Iterator[Wrong]:
    properties = schema["properties"]
    for name in schema.get("required", ()):
        if name not in value:
            yield Wrong(_inside(field, name), "is needed")
    for name, inner in value.items():
        if name in properties:
            yield from wrongs(inner, properties[name], _inside(field, name))
        else:
            known = ", ".join(properties)
            yield Wrong(_inside(field, name), f"is not known; there are {known}")


def _inside(field: str, name: str) -> str:
    return f"{field}/{name[:64].replace('~', '~0').replace('/', '~1')}"


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return isinstance(value, int) or math.isfinite(value)


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": _is_number,
    "integer": lambda value: _is_number(value) and value == int(value),
}
