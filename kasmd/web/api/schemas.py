"""What bodies and answers of /api/v1 look like: JSON Schema, written once.

The bodies of requests are checked against it (`kasmd.web.api.validate`), and the
OpenAPI document shows it.
"""

from __future__ import annotations

from typing import Any, Mapping

from kasmd.permission.invitations import MAX_GUESTS, MAX_USES
from kasmd.permission.kasmpasswd import FIELD_LIMIT
from kasmd.permission.tokens import LABEL_LIMIT
from kasmd.ranges import (
    BANDWIDTH,
    BLACKLIST_SECONDS,
    BLACKLIST_THRESHOLD,
    CLIPBOARD_BYTES,
    FRAME_RATE,
    LOG_LEVEL,
    STALLED_SECONDS,
    VIEWERS,
)
from kasmd.rights import FEATURES

Schema = Mapping[str, Any]

#: Characters of a text for the clipboard; a body has at most a MiB anyway.
MAX_TEXT = 1 << 20
#: Characters of a message to one viewer.
MAX_MESSAGE = 1000
#: The last second of the year 9999.
_END_OF_TIME = 253402300799
#: Characters that no name and no reason may have.
_ONE_LINE = r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$"


def ref(name: str) -> Schema:
    """Give a reference to one of SCHEMAS."""
    return {"$ref": f"#/components/schemas/{name}"}


def listed(name: str) -> Schema:
    """Give an array of one of SCHEMAS."""
    return {"type": "array", "items": ref(name)}


def _object(required: str, **properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


def _text(description: str, most: int = FIELD_LIMIT, least: int = 1, **more: Any) -> Schema:
    return {"type": "string", "minLength": least, "maxLength": most, **more,
            "description": description}


def _number(description: str, least: int, most: int) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most, "description": description}


def _bandwidth(description: str) -> Schema:
    return {**_number(description, *BANDWIDTH), "type": ["integer", "null"]}


def _seconds(description: str, least: int, most: int) -> Schema:
    return {"type": "number", "minimum": least, "maximum": most,
            "description": f"{description} Seconds."}


_TIME: Schema = {"type": "number", "description": "Seconds since 1970 in UTC."}
_SECONDS: Schema = {"type": "number", "description": "Seconds that have passed since."}
_BYTES: Schema = {"type": "integer", "minimum": 0, "description": "Bytes."}
_PIXELS: Schema = {"type": "integer", "minimum": 0, "description": "Pixels."}
_IDENT = _text("Names it in addresses; is no secret.", 64)
_SCORE: Schema = {"type": "number", "minimum": 0, "maximum": 10,
                  "description": "10 where nothing is held back, 0 where everything is."}
_NAME = _text(
    f"At most {FIELD_LIMIT} bytes of UTF-8, no colon, control character or line break.",
    pattern=r"^[^:\u0000-\u001f\u007f-\u009f\u2028\u2029]+$",
)
_PASSWORD = _text(
    f"At most {FIELD_LIMIT} bytes of UTF-8, no NUL. It is never given out.",
    pattern=r"^[^\u0000]+$", writeOnly=True,
)
_LABEL = _text(f"What it is for: one line of at most {LABEL_LIMIT} bytes.", LABEL_LIMIT,
               pattern=_ONE_LINE)
_EXPIRES = {**_TIME, "minimum": 0, "maximum": _END_OF_TIME,
            "description": "When it ends: seconds since 1970 in UTC, still to come."}
_USES: Schema = {"type": ["integer", "null"], "minimum": 1, "maximum": MAX_USES,
                 "description": "How often it can be opened in all; null for any number."}
_GUESTS = _number("How many guests it lets in at one time.", 1, MAX_GUESTS)
_GIVEN = ref("Rights")

#: One record of the audit, as the event stream and the log have it.
_CHANGE: dict[str, Schema] = {key: {"type": "string", "description": said} for key, said in (
    ("kind", "Of what changed: account, token, invitation, session, setting, file..."),
    ("name", "What it is called."),
    ("change", "made, removed, or what of it: rights, password..."),
    ("before", "What it was, if that may be told."),
    ("after", "What it is."),
    ("way", "api, kasmvncpasswd, file (by whatever else wrote it), or kasmd itself."),
    ("by", "Who did it."),
    ("address", "From where, if by a request."),
)}
_FEATURES: dict[str, Schema] = {name: {"type": "boolean"} for name in FEATURES}
_SETTINGS: dict[str, Schema] = {
    "log_level": _number(
        "KasmVNC's level: 0 errors, 10 status, 30 information, 100 everything.", *LOG_LEVEL),
    "desktop_name": _text("What the desktop is called: one line.", 127),
    "allow_resize": {"type": "boolean",
                     "description": "Whether those with the right may resize the desktop."},
    "max_frame_rate": _number("Pictures in a second, for each viewer.", *FRAME_RATE),
    "max_bandwidth": _bandwidth(
        "Kilobits in a second, for each viewer; null: what its link carries."),
    "viewers": _number("How many there may be; those who are here stay.", *VIEWERS),
    "stalled_viewer_seconds": _seconds(
        "How long a viewer may take nothing of what it is sent.", *STALLED_SECONDS),
    "clipboard_bytes": _number("The most that one copy may hold, either way.", *CLIPBOARD_BYTES),
    "blacklist_threshold": _number(
        "Wrong passwords that lock an address out; 0 for none.", *BLACKLIST_THRESHOLD),
    "blacklist_timeout": _seconds("How long it is locked out.", *BLACKLIST_SECONDS),
}
_CAP = _bandwidth("Kilobits in a second for this one; null: as the settings have it.")
_VIEWER = {"id": _IDENT, "name": {"type": "string"}, "peer": {"type": "string"},
           "since": _TIME, "rights": _GIVEN, "max_bandwidth": _CAP}

SCHEMAS: Mapping[str, Schema] = {
    "Rights": {**_object("", **_FEATURES), "description": "What is not named is not held."},
    "RightsPatch": {
        **_object("", **{name: {"type": ["boolean", "null"]} for name in FEATURES}),
        "description": "What is not named stays as it is; null is false.",
    },
    "User": _object(
        "name rights letters", name=_NAME, rights=_GIVEN,
        letters={"type": "string", "readOnly": True,
                 "description": "KasmVNC's: r, w, o, as far as they say it."},
    ),
    "NewUser": _object("name password", name=_NAME, password=_PASSWORD, rights=_GIVEN),
    "UserReplacement": {
        **_object("rights", password=_PASSWORD, rights=_GIVEN),
        "description": "Without a password the old one stays.",
    },
    "UserPatch": _object("", password=_PASSWORD, rights=ref("RightsPatch")),
    "Session": _object("id name peer since rights max_bandwidth", **_VIEWER),
    "SessionPatch": _object("", max_bandwidth=_CAP),
    "Invitation": _object(
        "id label maker rights created expires guests present uses used link",
        id=_IDENT, label=_LABEL, maker={"type": "string"}, rights=_GIVEN, created=_TIME,
        expires=_TIME, guests=_GUESTS, uses=_USES, link={"type": "string"},
        present={"type": "integer", "description": "Guests who hold a session now."},
        used={"type": "integer", "description": "How often it was opened."},
    ),
    "NewInvitation": {
        **_object("label rights expires", label=_LABEL, rights=_GIVEN, expires=_EXPIRES,
                  guests=_GUESTS, uses=_USES),
        "description": "Nobody manages without an account.",
    },
    "Token": _object(
        "id label account scope created expires last_used",
        id=_IDENT, label=_LABEL, account=_NAME, scope=_GIVEN, created=_TIME, expires=_TIME,
        last_used={**_TIME, "type": ["number", "null"]},
    ),
    "NewToken": _object(
        "label scope expires", label=_LABEL, scope=_GIVEN, expires=_EXPIRES,
        account={**_NAME, "description": "Whose rights it carries; without it, the asker's."},
    ),
    "MadeToken": _object(
        "token secret", token=ref("Token"),
        secret=_text("For the Authorization header: Bearer. It cannot be given again.", 256),
    ),
    "Login": _object("id name started used", id=_IDENT, name=_NAME, started=_SECONDS,
                     used=_SECONDS),
    "Statistics": _object(
        "id name cpu_recent cpu network_recent network", id=_IDENT, name={"type": "string"},
        cpu_recent=_SCORE, cpu=_SCORE, network_recent=_SCORE, network=_SCORE,
    ),
    "Screen": _object("id x y width height", id=_number("As viewers know it.", 0, 2 ** 32 - 1),
                      x=_PIXELS, y=_PIXELS, width=_PIXELS, height=_PIXELS),
    "Layout": _object("width height screens", width=_PIXELS, height=_PIXELS,
                      screens={"type": "array", "items": ref("Screen")}),
    "Clipboard": _object("text", text=_text("What pasting gives.", MAX_TEXT, 0)),
    "File": _object("name size", name={"type": "string"}, size=_BYTES),
    "Download": _object(
        "name folder size modified", name={"type": "string"}, folder={"type": "boolean"},
        size=_BYTES, modified=_TIME,
    ),
    "Settings": _object(" ".join(_SETTINGS), **_SETTINGS),
    "SettingsPatch": {**_object("", **_SETTINGS),
                      "description": "What is not named stays; all of it is done, or nothing."},
    "Message": _object("text", text=_text(
        "Shown on the viewer's page until it is put away; lines end in LF.", MAX_MESSAGE,
        pattern=r"^[^\u0000-\u0009\u000b-\u001f\u007f-\u009f]*$")),
    "Shown": _object("shown", shown={
        "type": "boolean",
        "description": "Whether it left for a page that shows it. No other client can, nor can"
                       " a page that takes nothing at the moment."}),
    "Change": _object(" ".join(_CHANGE), **_CHANGE),
    "Problem": {
        "type": "object",
        "description": "RFC 9457; errors name what in the request is wrong.",
        "required": ["status", "title", "detail"],
        "properties": {
            "status": {"type": "integer"},
            "title": {"type": "string"},
            "detail": {"type": "string"},
            "errors": {"type": "array", "items": _object(
                "in field detail",
                **{"in": {"enum": ["body", "path", "query"]}},
                field={"type": "string",
                       "description": "A JSON pointer (RFC 6901) in a body, else a name."},
                detail={"type": "string"},
            )},
        },
    },
}
