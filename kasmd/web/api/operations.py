"""What the API offers, as values: an operation is a route, and a part of the document."""

from __future__ import annotations

import json
from typing import Any, Callable, Collection, Coroutine, Mapping, NamedTuple, Optional, Union

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from kasmd.errors import AccountsBusy, AccountsError, PermissionDenied, ProtocolError
from kasmd.http.body import STREAM, Room
from kasmd.http.faults import FAULTS
from kasmd.http.headers import Origin
from kasmd.http.problems import Problem
from kasmd.http.query import Query
from kasmd.http.routes import Route, Template
from kasmd.http.same_site import check_same_site
from kasmd.http.server import Answer, Request, Response
from kasmd.rights import Right
from kasmd.web.api.problems import Refused, unfit
from kasmd.web.api.schemas import Schema
from kasmd.web.api.validate import Wrong, wrongs

PREFIX = "/api/v1"
#: Bytes of a body.
MAX_BODY = 1 << 20
JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
BYTES = "application/octet-stream"
_NO_STORE = (b"Cache-Control", b"no-store")
_log = Logger(namespace="kasmd.api")


class Call(NamedTuple):
    """One request, checked: what is in its path, its query and its body."""

    request: Request
    path: Mapping[str, str]
    query: Mapping[str, Any]
    body: Any


#: A coroutine comes to a `Response`; None has taken the request over.
Handled = Union[Optional[Response], Deferred[Any], Coroutine[Any, Any, Optional[Response]]]


class Operation(NamedTuple):
    """One thing that can be done; ``name`` is what it is called in programs too.

    ``path`` goes below PREFIX, its parameters in braces; ``body`` and ``answer``
    are schemas, ``kind`` is the answer's content type.
    """

    name: str
    method: str
    path: str
    summary: str
    needs: Right
    handle: Callable[[Call], Handled]
    body: Optional[Schema] = None
    answer: Optional[Schema] = None
    status: int = 200
    query: Mapping[str, Schema] = {}
    problems: Collection[int] = ()
    kind: str = JSON
    #: Whether the answer has an ETag, and a change honours If-Match.
    tagged: bool = False
    #: Whether the body is a file's, which ``handle`` reads as it comes.
    file: bool = False

    @property
    def room(self) -> Room:
        """How much of a body its route reads."""
        if self.file:
            return STREAM
        return MAX_BODY if self.body is not None else 0


def told(value: object, status: int = 200, *headers: tuple[bytes, bytes]) -> Response:
    """Answer with JSON."""
    body = json.dumps(value, allow_nan=False).encode("ascii") + b"\n"
    kind = (b"Content-Type", JSON.encode("ascii"))
    return Response(status, (kind, _NO_STORE, *headers), body)


def done() -> Response:
    """Say that a deed is done, and nothing more."""
    return Response(204, (_NO_STORE,))


def route(operation: Operation, allowed_origins: Collection[Origin]) -> Route:
    """Publish ``operation``."""
    template = Template((PREFIX + operation.path).encode("ascii"))

    def handle(request: Request) -> Answer:
        return maybeDeferred(answer, request).addErrback(_refuse)

    def answer(request: Request) -> Any:
        if operation.method != "GET":
            check_same_site(request, allowed_origins)
        call = Call(
            request,
            template.parameters(request.path),
            _query(request, operation.query),
            _body(request, operation.body, operation.method),
        )
        handled = operation.handle(call)
        return Deferred.fromCoroutine(handled) if isinstance(handled, Coroutine) else handled

    return Route(
        operation.method.encode("ascii"), template.path, operation.needs, handle,
        operation.room, _denied,
    )


def _denied() -> Problem:
    return Refused(403, "You may not do this.")


def _refuse(failure: Failure) -> None:
    """Say in JSON whatever failed on purpose; a mistake of ours goes through."""
    error = failure.value
    if isinstance(error, Refused):
        raise error
    if isinstance(error, Problem):
        raise Refused(error.status, error.detail or f"{error.title}.", error.headers) from None
    if isinstance(error, PermissionDenied):
        raise _denied() from None
    if isinstance(error, AccountsBusy):
        raise FAULTS["accounts-busy"].told_as(Refused) from None
    if isinstance(error, AccountsError):
        _log.error("{error}", error=error)
        raise Refused(500, "This cannot be kept; the log says why.") from None
    failure.raiseException()


def _query(request: Request, schemas: Mapping[str, Schema]) -> Mapping[str, Any]:
    try:
        query = request.query
    except ProtocolError as error:
        raise Refused(400, f"Not understood: {error}.") from None
    wrong = [Wrong(key[:64], "is not known here") for key in query.keys if key not in schemas]
    values: dict[str, Any] = {}
    for key, schema in schemas.items():
        if key in query.keys:
            values[key] = _read(query, key, schema)
            wrong += wrongs(values[key], schema, key)
    if wrong:
        raise unfit(wrong, "query")
    return values


def _read(query: Query, key: str, schema: Schema) -> object:
    """Give a value of the query as its schema means it; what is none stays a text."""
    text = query.text(key)
    if schema["type"] == "boolean":
        return {"true": True, "false": False}.get(text, text)
    digits = text.isascii() and text.isdigit() and len(text) <= 9
    return int(text) if schema["type"] == "integer" and digits else text


def _body(request: Request, schema: Optional[Schema], method: str) -> Any:
    if schema is None:
        return None
    kind = request.value(b"Content-Type").partition(b";")[0].strip().lower().decode("latin-1")
    if kind not in ((JSON, MERGE_PATCH) if method == "PATCH" else (JSON,)):
        raise Refused(415, f"The body must be {JSON}, and its Content-Type say so.")
    try:
        value = json.loads(request.body.decode("utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Refused(400, "The body is not JSON in UTF-8.") from None
    wrong = list(wrongs(value, schema))
    if wrong:
        raise unfit(wrong)
    return value


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no JSON")
