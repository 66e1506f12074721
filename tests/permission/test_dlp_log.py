"""What is written down of what people copy and type."""

from __future__ import annotations

from typing import Iterator

import pytest
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from kasmd.permission.dlp import Input, Output, Pause, Rules, Way
from kasmd.permission.dlp_log import KEYS_SECONDS, MAX_CONTENT, MAX_KEYS, Level, Witness


@pytest.fixture
def lines() -> Iterator[list[str]]:
    lines: list[str] = []

    def observe(event: LogEvent) -> None:
        lines.append(formatEvent(event).removeprefix("DLP: client 'ann': "))

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


def witness(level: Level, seconds: float = 0.0) -> Witness:
    return Witness(level, "ann", lambda: seconds)


def live(level: Level) -> None:
    """Copy, paste and type, some of it in vain."""
    rules = Rules(log_level=level, server_to_client=Way(size=4), kinds=frozenset())
    person = Input(rules, witness(level), lambda: 0.0)
    person.pasted({"text/plain": b"a b", "text/html": b"<b>"})
    out = Output(rules, witness(level), Pause(0, lambda: 0.0))
    out.copied({"text/plain": b"12345"})
    out.copied({"text/plain": b"1234"})
    Output(rules, witness(level), Pause(1, lambda: 0.0)).copied({"text/plain": b"1"})
    for keysym in (0x61, 0x20, 0x394):
        person.key(keysym, True)
        person.key(keysym, False)
    person.close()


def test_off(lines: list[str]) -> None:
    live(Level.OFF)
    assert lines == []


def test_info_tells_sizes_and_kinds(lines: list[str]) -> None:
    live(Level.INFO)
    assert lines == [
        "refused to receive text/html, not allowed",
        "received text/plain, 3 bytes",
        "refused to send text/plain, too large, 5 bytes",
        "sent text/plain, 4 bytes",
        "refused to send text/plain, too soon",
    ]


def test_verbose_tells_what_it_was(lines: list[str]) -> None:
    live(Level.VERBOSE)
    assert "received text/plain, 3 bytes: a%20b" in lines
    assert "sent text/plain, 4 bytes: 1234" in lines
    assert lines[-1] == "typed a%0020%0394"


def test_what_is_told_is_bounded(lines: list[str]) -> None:
    witness(Level.VERBOSE).transferred("sent", {"text/plain": b"x" * 5000})
    assert lines == [f"sent text/plain, 5000 bytes: {'x' * MAX_CONTENT}"]


def test_keys_are_told_by_the_line_and_by_the_hundred(lines: list[str]) -> None:
    typed = witness(Level.VERBOSE)
    for keysym in (0x61, 0xFF0D, *[0x62] * (MAX_KEYS + 1)):
        typed.typed(keysym)
    assert lines == ["typed a%FF0D", f"typed {'b' * MAX_KEYS}"]
    typed.close()
    typed.close()
    assert lines[2:] == ["typed b"]


def test_keys_are_told_after_a_while(lines: list[str]) -> None:
    seconds = [0.0]
    typed = Witness(Level.VERBOSE, "ann", lambda: seconds[0])
    typed.typed(0x61)
    seconds[0] = KEYS_SECONDS - 1
    typed.typed(0x62)
    assert lines == []
    seconds[0] = KEYS_SECONDS
    typed.typed(0x63)
    assert lines == ["typed ab"]


def test_a_name_forges_no_line(lines: list[str]) -> None:
    Witness(Level.INFO, "a\nb", lambda: 0.0).refused("send", "text/plain", "too large")
    assert lines == [r"DLP: client 'a\nb': refused to send text/plain, too large"]
