"""Random requests, made from the served document, get answers that are in it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from kasmd.log import output
from kasmd.web.api.document import document
from kasmd.web.api.operations import MERGE_PATCH, Operation
from kasmd.web.api.validate import wrongs
from tests.web.api.site import Served, authorization
from tests.web.asking import ask

TEXT = st.text(max_size=20) | st.sampled_from(["reader", "writer", "true", "10"])
JUNK = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


def fitting(schema: Any, schemas: Any) -> st.SearchStrategy[Any]:
    """Give values that are about as ``schema`` has them."""
    if "$ref" in schema:
        return fitting(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    kind = schema["type"] if isinstance(schema["type"], str) else schema["type"][0]
    if kind == "object":
        inner = {key: fitting(each, schemas) for key, each in schema["properties"].items()}
        needed = {key: inner.pop(key) for key in schema["required"]}
        return st.fixed_dictionaries(needed, optional=inner)
    if kind == "string":
        return TEXT
    if kind == "boolean":
        return st.booleans()
    return st.integers(schema.get("minimum", 0), schema.get("maximum", 100))


class Tests(Served, TestCase):
    async def test_answers_are_in_the_document(self) -> None:
        self.addCleanup(output.set_level, output.level())
        self.document = json.loads(json.dumps(document(self.api.operations)))
        for operation in self.api.operations:
            if operation.name != "events":
                await deferToThread(self.try_one, operation)

    def try_one(self, operation: Operation) -> None:
        """Ask for one thing many times (in a thread)."""
        said = self.document["paths"][operation.path][operation.method.lower()]
        body: Any = st.none()
        if operation.body is not None:
            body = fitting(operation.body, self.document["components"]["schemas"]) | JUNK
        query = st.dictionaries(st.sampled_from([*operation.query, "x"]), TEXT, max_size=3)

        @seed(7)
        @settings(max_examples=30, deadline=None, database=None,
                  suppress_health_check=list(HealthCheck))
        @given(TEXT, query, body)
        def one(name: str, query: dict[str, str], body: Any) -> None:
            # The owner stays the owner, whatever is asked.
            if name == "own" or query.get("force") == "true":
                return
            self.check(operation, said, name, query, body)

        one()

    def check(self, operation: Operation, said: Any, name: str, query: dict[str, str],
              body: Any) -> None:
        """Ask once; the status, the type and the value must be as was said."""
        place = quote(name or "-", safe="")
        path = operation.path.replace("{name}", place).replace("{id}", place)
        tail = "&".join(f"{quote(key)}={quote(value)}" for key, value in query.items())
        content = json.dumps(body).encode() if operation.body is not None else None
        kind = MERGE_PATCH if operation.method == "PATCH" else "application/json"
        headers = {"Authorization": authorization("own"), "Content-Type": kind}
        answer = ask(self.port, operation.method, f"/api/v1{path}?{tail}", content, headers)
        self.assertLess(answer.status, 500, answer.body)
        documented = said["responses"][str(answer.status)].get("content")
        if documented is None:
            self.assertEqual(answer.body, b"")
            return
        kind = answer.headers["Content-Type"]
        self.assertIn(kind, documented)
        if kind.endswith("json"):
            self.assertEqual(list(wrongs(answer.json, documented[kind]["schema"])), [])
