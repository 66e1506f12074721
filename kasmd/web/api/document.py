"""The OpenAPI 3.1 document, made of the operations and the schemas."""

from __future__ import annotations

import re
from typing import Any, Iterable, Mapping, Sequence

import kasmd
from kasmd.rights import Right
from kasmd.web.api.operations import BYTES, JSON, MERGE_PATCH, PREFIX, Operation
from kasmd.web.api.schemas import SCHEMAS, Schema, ref

_STATUS = {
    200: "Done.", 201: "Made.", 204: "Done; there is nothing to say.",
    400: "Not understood.", 401: "Who are you?", 403: "You may not do this.",
    404: "There is no such thing.", 408: "The rest did not come in time.",
    409: "It would clash with what is there.",
    412: "It is not as If-Match has it.", 413: "The body is too large.",
    415: "The body is of another type.", 422: "Not as the schema has it; `errors` says where.",
    429: "Too many wrong passwords.", 500: "It cannot be kept, or a mistake of the server's.",
    503: "Not now.", 507: "The disk is full.",
}
_ALWAYS = (401, 403, 422, 429, 500, 503)
_ETAG: Schema = {"ETag": {"schema": {"type": "string"}, "description": "For If-Match."}}


def document(operations: Iterable[Operation]) -> Mapping[str, Any]:
    """Give the document as a value for JSON."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "kasmd",
            "version": kasmd.__version__,
            "summary": "Users, rights and whoever is connected, while they are connected.",
        },
        "servers": [{"url": PREFIX}],
        "security": [{"basic": []}, {"bearer": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic"},
                "bearer": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "__Host-kasmd"},
            },
        },
    }


def _operation(operation: Operation) -> Mapping[str, Any]:
    said: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.path.split("/")[1]],
        "summary": operation.summary,
        "description": f"Needs the right {_right(operation.needs)}.",
        "parameters": _parameters(operation),
        "responses": _responses(operation),
    }
    if operation.body is not None:
        kinds = (JSON, MERGE_PATCH) if operation.method == "PATCH" else (JSON,)
        content = {kind: {"schema": operation.body} for kind in kinds}
        said["requestBody"] = {"required": True, "content": content}
    elif operation.file:
        content = {BYTES: {"schema": {"type": "string", "format": "binary"}}}
        said["requestBody"] = {"required": False, "content": content}
    return said


def _right(right: Right) -> str:
    return f"`{str(right.name).lower()}`"


def _parameters(operation: Operation) -> Sequence[Schema]:
    found: list[Schema] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{([a-z_]+)\}", operation.path)
    ]
    for name, schema in operation.query.items():
        found.append({"name": name, "in": "query", "schema": schema})
    if 412 in operation.problems:
        found.append({"name": "If-Match", "in": "header", "schema": {"type": "string"},
                      "description": "The ETag of what is to be changed."})
    return found


def _responses(operation: Operation) -> Mapping[str, Any]:
    good: dict[str, Any] = {"description": _STATUS[operation.status]}
    if operation.answer is not None:
        good["content"] = {operation.kind: {"schema": operation.answer}}
    if operation.tagged and operation.answer is not None:
        good["headers"] = _ETAG
    problems = {*_ALWAYS, *operation.problems, 400}
    if operation.body is not None:
        problems |= {413, 415}
    return {
        str(operation.status): good,
        **{str(status): _problem(status) for status in sorted(problems)},
    }


def _problem(status: int) -> Mapping[str, Any]:
    content: dict[str, Any] = {"application/problem+json": {"schema": ref("Problem")}}
    if status in (400, 401, 413, 429, 503):
        # What is decided before the API is asked is a text for who does not accept JSON.
        content["text/plain"] = {"schema": {"type": "string"}}
    return {"description": _STATUS[status], "content": content}
