"""Lines of the log that one process writes for another."""

from __future__ import annotations

import json
from typing import Mapping, NamedTuple, Optional

from twisted.logger import LogLevel, globalLogPublisher

from kasmd.log import lines
from kasmd.log.lines import Told
from kasmd.log.output import ACCESS

_LEVELS = {
    lines.ERROR: LogLevel.error,
    lines.STATUS: LogLevel.warn,
    lines.INFO: LogLevel.info,
    lines.DEBUG: LogLevel.debug,
}


#: Made once: `json.dumps` would make one each time.
_encoded = json.JSONEncoder(default=str, separators=(",", ":")).encode


class Parts(NamedTuple):
    """The record of an event, in the other process."""

    writer: str
    fields: Mapping[str, object]


def as_message(told: Told) -> str:
    """Give an event as `retell` takes it."""
    fields = {"text": told.text} if told.record is None else told.record.fields
    return _encoded((told._replace(record=None), fields))


def retell(process: Optional[int], line: str) -> None:
    """Write what ``process`` (its id) said; it chose what is to be written."""
    event, fields = json.loads(line)
    told = Told(*event)
    record = Parts(told.writer, {**fields, "process": process})
    told = told._replace(record=record, traceback=tuple(told.traceback))
    globalLogPublisher({
        "log_level": _LEVELS.get(told.level, LogLevel.info),
        "log_namespace": ACCESS,
        "log_time": told.time,
        "log_format": "{told.text}",
        "told": told,
    })
