"""What another process said is written as it would have been there."""

from __future__ import annotations

import json

import pytest
from twisted.logger import LogEvent, LogLevel, globalLogPublisher
from twisted.python.failure import Failure

from kasmd.http.log import Access
from kasmd.log.lines import Kasmvnc, as_json, tell
from kasmd.log.output import Observer
from kasmd.log.retold import as_message, retell

ACCESS = Access(7, "1.2.3.4", "1.2.3.4", "ann", b"GET", b"/x", b"", b"HTTP/1.1", 200, 9, 0.001)
NOW = 1_800_000_000.5


def told(event: LogEvent, process: int = 17) -> tuple[str, str]:
    """Give the lines that this process writes of another's event."""
    written: list[str] = []
    # At a level at which nothing but requests and changes is written of one's own.
    observers = [
        Observer(form, lambda level, line: written.append(line)) for form in (Kasmvnc(), as_json)
    ]
    for observer in observers:
        globalLogPublisher.addObserver(observer)
    try:
        retell(process, as_message(tell(event)))
    finally:
        for observer in observers:
            globalLogPublisher.removeObserver(observer)
    return written[0], written[1]


def test_a_request() -> None:
    event = {"log_time": NOW, "log_level": LogLevel.info, "record": ACCESS, "request_id": "a-1"}
    line, value = told(event)
    assert line == Kasmvnc()(tell(event))
    assert json.loads(value) == {**json.loads(as_json(tell(event))), "process": 17}


@pytest.mark.parametrize("level", [LogLevel.debug, LogLevel.info, LogLevel.warn, LogLevel.error])
def test_a_line(level: LogLevel) -> None:
    event = {"log_time": NOW, "log_level": level, "log_format": "{a} happened", "a": "it",
             "log_namespace": "kasmd.edge.splice"}
    line, value = told(event)
    assert line == Kasmvnc()(tell(event))
    assert json.loads(value) == {**json.loads(as_json(tell(event))), "process": 17}


def test_a_failure() -> None:
    try:
        raise RuntimeError("broken")
    except RuntimeError:
        failure = Failure()
    event = {"log_time": NOW, "log_level": LogLevel.critical, "log_format": "oh",
             "log_namespace": "kasmd.edge", "log_failure": failure}
    line, _ = told(event)
    assert line == Kasmvnc()(tell(event)) and "RuntimeError: broken" in line
