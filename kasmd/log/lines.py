"""Events to lines: KasmVNC's, or JSON.

KasmVNC 1.5.1 writes a space, local time, a level, a writer and the text; a line
of a request has its id behind that::

     2026-11-21 03:17:30,123 [INFO] websocket 7: ::1 ::1 ann "GET / HTTP/1.1" 200 9 id=3f-1
     2026-11-21 03:17:30,456 [PRIO] permission.checkers: 10.0.0.9 is locked out

An event may bring a `Record`, whose parts JSON gives one by one.  A failure's
traceback follows its line, each line of it behind the same head and a bar.
"""

from __future__ import annotations

import json
import time
from typing import Callable, Iterator, Mapping, NamedTuple, Optional, Protocol

from twisted.logger import LogEvent, Logger, LogLevel, formatEvent, globalLogPublisher
from twisted.python.failure import Failure

from kasmd.log.asking import now_asking
from kasmd.log.text import neutral

#: KasmVNC's numbers for the levels: what is above ``logging.level`` is not written.
ERROR, STATUS, INFO, DEBUG = 0, 10, 30, 100
_NUMBERS = {
    LogLevel.critical: ERROR,
    LogLevel.error: ERROR,
    LogLevel.warn: STATUS,
    LogLevel.info: INFO,
    LogLevel.debug: DEBUG,
}
#: A constant's container takes its time to give it.
_INFO = LogLevel.info
_KASMVNC = {ERROR: "PRIO", STATUS: "PRIO", INFO: "INFO", DEBUG: "DEBUG"}
_JSON = {ERROR: "error", STATUS: "status", INFO: "info", DEBUG: "debug"}
#: What Twisted calls the lines of its older log.
_RENAMED = {"log_legacy": "twisted"}
#: Lines of a traceback that are written.
_TRACEBACK_LIMIT = 100


class Record(Protocol):
    """Something that an event tells as a whole; its text is harmless already."""

    @property
    def writer(self) -> str:
        """Who writes it, in one or two words."""

    @property
    def fields(self) -> Mapping[str, object]:
        """Give its parts, as JSON has them in place of the text."""


def publish(record: Record, logger: Logger, request_id: str = "") -> None:
    """Write ``record``, at the level INFO.

    Not by Logger.info, which takes as long again to look for its level and its caller.
    """
    globalLogPublisher({
        "log_level": _INFO,
        "log_namespace": logger.namespace,
        "log_time": time.time(),
        "log_format": "{record}",
        "log_logger": logger,
        "log_source": None,
        "record": record,
        "request_id": request_id,
    })


class Told(NamedTuple):
    """An event, ready to be written in whatever format."""

    time: float
    level: int
    writer: str
    text: str
    record: Optional[Record]
    request_id: str
    traceback: tuple[str, ...]


Format = Callable[[Told], str]


def level_of(event: LogEvent) -> int:
    """Give KasmVNC's number for an event's level."""
    return _NUMBERS.get(event.get("log_level", _INFO), INFO)


def tell(event: LogEvent) -> Told:
    """Take from an event what is written of it; another process may have done so."""
    told = event.get("told")
    if isinstance(told, Told):
        return told
    record = event.get("record")
    if record is not None:
        writer, text = record.writer, str(record)
    else:
        writer = _writer(event.get("log_namespace") or "")
        text = neutral(formatEvent(event))
    request_id = event.get("request_id") or _asking_id()
    failure = event.get("log_failure")
    traceback = () if failure is None else _traceback(failure)
    return Told(event["log_time"], level_of(event), writer, text, record, request_id, traceback)


def _asking_id() -> str:
    asking = now_asking()
    return asking.request_id if asking is not None else ""


def _writer(namespace: str) -> str:
    """Give the module, without the package's name and the class's."""
    parts = _RENAMED.get(namespace, namespace).removeprefix("kasmd.").split(".")
    return ".".join(part for part in parts if not part[:1].isupper()) or "kasmd"


def _traceback(failure: object) -> tuple[str, ...]:
    if not isinstance(failure, Failure):
        return ()
    lines = failure.getTraceback().splitlines()
    return tuple(neutral(line) for line in lines[-_TRACEBACK_LIMIT:])


class Kasmvnc:
    """KasmVNC's lines, in local time."""

    def __init__(self) -> None:
        self._second = -1
        self._stamp = ""

    def __call__(self, told: Told) -> str:
        """Give one line, or with a traceback several, each with its end."""
        at, level, writer, text, _, request_id, traceback = told
        second = int(at)
        if second != self._second:
            self._stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))
            self._second = second
        milliseconds = int((at - second) * 1000)
        head = f" {self._stamp},{milliseconds:03d} [{_KASMVNC[level]}] {writer}:"
        mark = f" id={request_id}" if request_id else ""
        line = f"{head} {text}{mark}\n"
        return "".join([line, *[f"{head} | {more}\n" for more in traceback]]) if traceback else line


def as_json(told: Told) -> str:
    """Give one JSON object on one line, in ASCII, the time in UTC (RFC 3339)."""
    return json.dumps(dict(_members(told)), separators=(",", ":"), default=str) + "\n"


def _members(told: Told) -> Iterator[tuple[str, object]]:
    second = int(told.time)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
    yield "time", f"{stamp}.{int((told.time - second) * 1000):03d}Z"
    yield "level", _JSON[told.level]
    yield "writer", told.writer
    if told.request_id:
        yield "request", told.request_id
    if told.record is not None:
        yield from told.record.fields.items()
    else:
        yield "text", told.text
    if told.traceback:
        yield "traceback", told.traceback


#: By the word for it in the configuration.
FORMATS: Mapping[str, Callable[[], Format]] = {"kasmvnc": Kasmvnc, "json": lambda: as_json}
