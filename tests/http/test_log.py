"""The access log: one line, whatever the request held."""

from twisted.logger import LogPublisher, formatEvent, globalLogPublisher
from twisted.trial.unittest import TestCase

from kasmd.http.log import MAX_LOGGED, log_access, printable


def test_control_characters_are_escaped():
    assert printable("a\r\nb\x1b[31m\u2028é") == "a\\r\\nb\\x1b[31m\\u2028\\xe9"


def test_long_text_is_cut():
    assert len(printable("x" * 10000)) == MAX_LOGGED


class AccessTests(TestCase):
    def test_one_line_for_a_hostile_request(self):
        events = []
        assert isinstance(globalLogPublisher, LogPublisher)
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        log_access("10.0.0.1", "a\nb", b"GET", b"/{line}\x1b%0a", 404, 7, 0.0015)
        (line,) = [formatEvent(event) for event in events]
        self.assertEqual(line, '10.0.0.1 a\\nb "GET /{line}\\x1b%0a" 404 7 1.5 ms')
