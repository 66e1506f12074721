"""The checks of bodies, schema by schema."""

from __future__ import annotations

from typing import Any

import pytest

from kasmd.web.api.schemas import Schema, ref
from kasmd.web.api.validate import wrongs

NUMBER: Schema = {"type": "integer", "minimum": 1, "maximum": 3}


@pytest.mark.parametrize("schema, value, fields", [
    ({"type": "integer"}, True, [""]),
    ({"type": "integer"}, 1.0, []),
    ({"type": "integer"}, 1.5, [""]),
    ({"type": "integer"}, float("inf"), [""]),
    ({"type": "number"}, 10**400, []),
    ({"type": ["integer", "null"]}, None, []),
    (NUMBER, 0, [""]),
    (NUMBER, 4, [""]),
    (NUMBER, 3, []),
    ({"type": "string", "minLength": 1}, "", [""]),
    ({"type": "string", "maxLength": 2}, "abc", [""]),
    ({"type": "string"}, "\ud800", [""]),
    ({"type": "string", "pattern": "^a$"}, "b", [""]),
    ({"enum": ["body", "path"]}, "query", [""]),
    (ref("Clipboard"), {}, ["/text"]),
    (ref("Clipboard"), {"text": 1}, ["/text"]),
    (ref("Clipboard"), {"text": "", "a~/": 1}, ["/a~0~1"]),
    (ref("NewUser"), {"name": "a\n", "password": "p"}, ["/name"]),
    (ref("NewUser"), {"name": "a", "password": "p", "rights": {"view": None}}, ["/rights/view"]),
    (ref("UserPatch"), {"rights": {"view": None}}, []),
])
def test_wrongs(schema: Schema, value: Any, fields: list[str]) -> None:
    assert [wrong.field for wrong in wrongs(value, schema)] == fields


def test_lists_are_looked_into() -> None:
    schema = {"type": "array", "items": NUMBER}
    assert [wrong.field for wrong in wrongs([1, 9, "x"], schema)] == ["/1", "/2"]
