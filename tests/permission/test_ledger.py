"""Records that are on the disk before anybody hears of them."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any, Mapping, NamedTuple

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from kasmd.errors import AccountsError
from kasmd.permission.durable import SIZE_LIMIT
from kasmd.permission.ledger import Ledger
from tests.permission.disk import inline, now


class Ticket(NamedTuple):
    """A record: good until ``expires``."""

    holder: str
    expires: float


def load(value: Any) -> Ticket:
    return Ticket(str(value["holder"]), float(value["expires"]))


def dump(ticket: Ticket) -> Mapping[str, object]:
    return ticket._asdict()


class House:
    """A folder with a ledger of at most three tickets."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "tickets.json"
        self.clock = Clock()
        self.told = 0
        self.open()

    def open(self) -> Ledger[Ticket]:
        self.ledger = Ledger(str(self.path), load, dump, self.good, inline(), 3)
        self.ledger.when_changed(self.changed)
        return self.ledger

    def good(self, ticket: Ticket) -> bool:
        return self.clock.seconds() < ticket.expires

    def changed(self) -> None:
        self.told += 1

    @property
    def written(self) -> list[str]:
        """The idents in the file."""
        return list(json.loads(self.path.read_text()))


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_what_is_put_is_there_after_a_restart(house: House) -> None:
    assert not house.path.exists()
    now(house.ledger.put("a", Ticket("ann", 10.0)))
    now(house.ledger.put("b", Ticket("bob", 10.0)))
    now(house.ledger.put("a", Ticket("eve", 10.0)))
    assert house.told == 3
    assert stat.S_IMODE(house.path.stat().st_mode) == 0o600
    assert list(house.open().records()) == ["a", "b"]
    assert house.ledger.get("a") == Ticket("eve", 10.0)
    assert house.ledger.get("c") is None


def test_what_is_removed_is_gone_after_a_restart(house: House) -> None:
    now(house.ledger.put("a", Ticket("ann", 10.0)))
    now(house.ledger.put("b", Ticket("bob", 10.0)))
    assert now(house.ledger.remove("a"))
    assert house.told == 3
    assert not now(house.ledger.remove("a")) and house.told == 3
    assert list(house.open().records()) == ["b"]


def test_what_is_over_is_not_given_and_leaves_with_the_next_change(house: House) -> None:
    now(house.ledger.put("a", Ticket("ann", 10.0)))
    now(house.ledger.put("b", Ticket("bob", 20.0)))
    house.clock.advance(10)
    assert house.ledger.get("a") is None and list(house.ledger.records()) == ["b"]
    assert not now(house.ledger.remove("a")) and house.written == ["a", "b"]
    now(house.ledger.put("c", Ticket("eve", 20.0)))
    assert house.written == ["b", "c"]


def test_their_number_is_bounded_and_those_that_are_over_make_room(house: House) -> None:
    for ident in "abc":
        now(house.ledger.put(ident, Ticket(ident, 10.0)))
    now(house.ledger.put("c", Ticket("new", 20.0)))
    with pytest.raises(AccountsError, match="tickets.json: there are 3 already"):
        now(house.ledger.put("d", Ticket("d", 20.0)))
    assert house.ledger.get("d") is None and house.told == 4
    house.clock.advance(10)
    now(house.ledger.put("d", Ticket("d", 20.0)))
    assert house.written == ["c", "d"]


def test_prune_removes_what_it_is_told(house: House) -> None:
    for ident in "abc":
        now(house.ledger.put(ident, Ticket(ident, 10.0)))
    house.ledger.prune(lambda ticket: ticket.holder != "b")
    assert house.written == ["b"] and house.told == 4
    house.ledger.prune(lambda ticket: False)
    assert house.told == 4


def test_what_cannot_be_kept_has_not_happened(house: House) -> None:
    now(house.ledger.put("a", Ticket("ann", 10.0)))
    before = house.path.read_bytes()
    with pytest.raises(AccountsError, match="tickets.json: cannot be written"):
        now(house.ledger.put("b", Ticket("b" * SIZE_LIMIT, 10.0)))
    house.path.parent.rename(house.path.parent.with_name("away"))
    with pytest.raises(AccountsError, match="cannot be written"):
        now(house.ledger.remove("a"))
    assert house.told == 1 and list(house.ledger.records()) == ["a"]
    house.path.parent.with_name("away").rename(house.path.parent)
    assert house.path.read_bytes() == before


def test_what_is_pruned_is_gone_even_where_that_cannot_be_kept(house: House) -> None:
    now(house.ledger.put("a", Ticket("ann", 10.0)))
    house.path.parent.rename(house.path.parent.with_name("away"))
    with capturedLogs() as events:
        house.ledger.prune(lambda ticket: True)
    assert "cannot be written" in str(events[0]["error"])
    assert house.told == 2 and house.ledger.get("a") is None
    house.path.parent.with_name("away").rename(house.path.parent)
    now(house.ledger.put("b", Ticket("bob", 10.0)))
    assert house.written == ["b"]


@pytest.mark.parametrize("content", [
    b"{", b"[]", b'"a"', b'{"a": 1}', b'{"a": {"holder": "x"}}', b"\xff", b"[" * 100_000,
    b'{"a": {"holder": "x", "expires": "soon"}}',
])
def test_a_file_that_is_not_ours_is_refused(house: House, content: bytes) -> None:
    house.path.write_bytes(content)
    with pytest.raises(AccountsError, match="tickets.json: is not as kasmd wrote it"):
        house.open()


def test_what_is_no_file_is_refused(house: House) -> None:
    house.path.mkdir()
    with pytest.raises(AccountsError, match="tickets.json: cannot be read"):
        house.open()
