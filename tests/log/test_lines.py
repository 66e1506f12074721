"""Events to KasmVNC's lines and to JSON."""

import json
import time

import pytest
from twisted.logger import Logger, LogLevel, formatEvent, globalLogPublisher
from twisted.python.failure import Failure

from kasmd.edge.asking import Upstream
from kasmd.http.log import Access
from kasmd.log.asking import asked_by
from kasmd.log.audit import Change, Source
from kasmd.log.lines import (
    DEBUG,
    ERROR,
    INFO,
    STATUS,
    Kasmvnc,
    as_json,
    level_of,
    publish,
    tell,
)

NOON = 1_700_000_000.25


def event(text="hello", **more):
    return {"log_level": LogLevel.info, "log_namespace": "kasmd.viewer.roster.Roster",
            "log_time": NOON, "log_format": "{text}", "text": text, **more}


def failed(text):
    try:
        raise ValueError(text)
    except ValueError:
        return Failure()


class Asker:
    request_id = "p-1"
    principal = None
    address = "10.0.0.1"


@pytest.fixture
def zone(monkeypatch):
    monkeypatch.setenv("TZ", "IST-5:30")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_line_of_kasmvnc_s(zone):
    line = " 2023-11-15 03:43:20,250 [INFO] viewer.roster: hello\n"
    assert Kasmvnc()(tell(event())) == line


def test_the_stamp_follows_the_second(zone):
    form = Kasmvnc()
    lines = [form(tell(event(log_time=NOON + more))) for more in (0, 0.5, 0.75, -1)]
    assert [line[18:25] for line in lines] == ["20,250 ", "20,750 ", "21,000 ", "19,250 "]


@pytest.mark.parametrize("level, number, word", [
    (LogLevel.critical, ERROR, "PRIO"), (LogLevel.error, ERROR, "PRIO"),
    (LogLevel.warn, STATUS, "PRIO"), (LogLevel.info, INFO, "INFO"),
    (LogLevel.debug, DEBUG, "DEBUG"),
])
def test_levels_are_kasmvnc_s(level, number, word):
    assert level_of(event(log_level=level)) == number
    assert f" [{word}] " in Kasmvnc()(tell(event(log_level=level)))


def test_json_has_the_time_in_utc():
    assert json.loads(as_json(tell(event()))) == {
        "time": "2023-11-14T22:13:20.250Z", "level": "info", "writer": "viewer.roster",
        "text": "hello",
    }


def test_what_is_done_for_a_request_bears_its_id():
    with asked_by(Asker()):
        told = tell(event())
    assert Kasmvnc()(told).endswith(": hello id=p-1\n")
    assert json.loads(as_json(told))["request"] == "p-1"
    assert tell(event()).request_id == ""


def test_no_event_makes_a_second_line():
    told = tell(event("a\r\n 2023-01-01 00:00:00,000 [INFO] audit: forged\x1b[2J"))
    for form in (Kasmvnc(), as_json):
        line = form(told)
        assert line.count("\n") == 1 and line.endswith("\n") and "\x1b" not in line


def test_a_traceback_follows_in_lines_that_forge_nothing():
    told = tell(event(log_failure=failed("a\n 2023 [PRIO] audit: forged")))
    first, *rest = Kasmvnc()(told).splitlines()
    assert first.endswith("roster: hello")
    assert rest and all("] viewer.roster: | " in line for line in rest)
    assert "forged" in json.loads(as_json(told))["traceback"][-1]


def test_a_record_gives_its_parts_to_json():
    change = Change("account", "bob", "rights", "r", "rw", Source("api", "ann", "10.0.0.1"))
    told = tell({"log_level": LogLevel.warn, "log_time": NOON, "record": change})
    assert told.text == (
        'account "bob": rights r -> rw, by "ann" from 10.0.0.1 through api'
    )
    assert json.loads(as_json(told)) == {
        "time": "2023-11-14T22:13:20.250Z", "level": "status", "writer": "audit",
        "kind": "account", "name": "bob", "change": "rights", "before": "r", "after": "rw",
        "way": "api", "by": "ann", "address": "10.0.0.1",
    }


def test_a_record_is_published_as_a_logger_s_event_is():
    said = []
    globalLogPublisher.addObserver(said.append)
    try:
        record = Change("account", "bob", "made", "", "", Source("file"))
        publish(record, Logger(namespace="kasmd.edge"), "p-2")
    finally:
        globalLogPublisher.removeObserver(said.append)
    event, = (event for event in said if event.get("record") is record)
    told = tell(event)
    assert (told.level, told.request_id, told.text) == (INFO, "p-2", str(record))
    assert (event["log_namespace"], formatEvent(event)) == ("kasmd.edge", str(record))


def test_an_access_line_of_kasmvnc_s(zone):
    access = Access(7, "127.0.0.1", "10.0.0.9", "ann", b"GET", b"/x", b"", b"HTTP/1.1", 200, 512, 1)
    told = tell({"log_level": LogLevel.info, "log_time": NOON, "record": access})
    assert Kasmvnc()(told) == (
        ' 2023-11-15 03:43:20,250 [INFO] websocket 7: 127.0.0.1 10.0.0.9 ann'
        ' "GET /x HTTP/1.1" 200 512\n'
    )


def test_an_access_line_says_where_an_edge_took_it(zone):
    access = Access(7, "127.0.0.1", "10.0.0.9", "ann", b"GET", b"/x", b"", b"HTTP/1.1", 200, 512, 1,
                    "desk", Upstream("::1", 6901))
    told = tell({"log_level": LogLevel.info, "log_time": NOON, "record": access})
    assert Kasmvnc()(told).endswith(' "GET /x HTTP/1.1" 200 512 desk http://[::1]:6901\n')
    said = json.loads(as_json(told))
    assert (said["session"], said["upstream"]) == ("desk", "http://[::1]:6901")
