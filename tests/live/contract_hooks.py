"""Loaded by schemathesis: what a document cannot say, and a note of each answer.

It cannot say which names there are, what time it is, or that 127 characters must
also be 127 bytes.  A request that is meant to be accepted gets that right here; one
that is meant to be refused stays as it is.  Nobody touches the accounts in use.
"""

from __future__ import annotations

import itertools
import json
import os
import time
from typing import Any

import schemathesis

from tests.live.web import get

#: Whom schemathesis logs in as, and whose the viewers and the log-ins are.
USER, GUEST = "owner", "writer"
KEPT = (USER, GUEST)
#: Environment: the daemon's port, and the file for the notes, a line of JSON for each answer.
PORT, NOTES = "KASMD_CONTRACT_PORT", "KASMD_CONTRACT_NOTES"
_DAY = 86400.0
_BYTES = 127
_numbers = itertools.count()


def is_right(case: Any) -> bool:
    """Tell whether a request is meant to be accepted."""
    return case.meta is None or not case.meta.generation.mode.is_negative


def existing(path: str, key: str) -> str:
    """Give the last name of a list of the API's; empty if there is none to be had."""
    names = [each[key] for each in get(int(os.environ[PORT]), f"/api/v1{path}", USER).json]
    return next((name for name in reversed(names) if name not in KEPT), "")


def correct(path: str, body: dict[str, Any]) -> None:
    """Make a body that is as the document has it as the API wants it, too."""
    if "name" in body:
        body["name"] = f"{next(_numbers)} {body['name']}"
    if "label" in body:
        body["label"] = f"{next(_numbers)} {body['label']}"
    if "account" in body:
        body["account"] = GUEST
    if "expires" in body:
        body["expires"] = max(body["expires"], time.time() + _DAY)
    if path == "/invitations":
        body["rights"]["manage"] = False
    for key in body.keys() & {"label", "name", "password"}:
        body[key] = body[key].encode()[:_BYTES].decode(errors="ignore")


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Correct what is meant to be accepted; leave the accounts in use alone."""
    path, place = case.operation.path, case.path_parameters or {}
    if is_right(case):
        if isinstance(case.body, dict):
            correct(path, case.body)
        if case.headers and "If-Match" in case.headers:
            case.headers["If-Match"] = "*"
        if path == "/files/{name}":
            place["name"] = f"{next(_numbers)}.txt"
        elif path == "/downloads" and case.query:
            case.query.pop("path", None)
        # In a story the name comes from an answer before.
        elif case.meta is not None and case.meta.phase.name != "stateful":
            for key in place:
                place[key] = existing(path.partition("/{")[0], key) or place[key]
    if place.get("name") in KEPT:
        place["name"] = "nobody"


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Note what came of it."""
    note = [case.operation.label, is_right(case), response.status_code]
    with open(os.environ[NOTES], "a", encoding="utf-8") as notes:
        notes.write(json.dumps(note) + "\n")
