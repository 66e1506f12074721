"""A websocket's end, as the log has it."""

import json

from twisted.logger import LogLevel

from kasmd.edge.splice import Ended
from kasmd.edge.websocket import Left
from kasmd.log.lines import as_json, tell

ENDED = Ended("client", 1001, 'a "tab"\r\nclosed', 10, 2000, 1.26)


def test_a_line_says_who_left_and_why():
    left = Left("ann o", "desk", ENDED)
    assert str(left) == (
        'ann\\x20o left desk: client ended it with 1001 "a \\x22tab\\x22\\x0d\\x0aclosed"'
    )


def test_json_says_how_much_came_and_went():
    event = {"log_level": LogLevel.info, "log_time": 0.0, "record": Left("ann", "desk", ENDED)}
    said = json.loads(as_json(tell(event)))
    assert {name: said[name] for name in ("writer", "user", "session", "ended_by", "code")} == {
        "writer": "edge", "user": "ann", "session": "desk", "ended_by": "client", "code": 1001,
    }
    assert (said["received"], said["sent"], said["seconds"]) == (10, 2000, 1.3)
