"""One encoding serves every viewer that wants the same, within a bound."""

from kasmd.viewer.sharing import Encodings


def test_equal_keys_are_made_once() -> None:
    encodings = Encodings()
    first = encodings.get("key", lambda: b"made")
    second = encodings.get("key", lambda: b"again")
    assert first is second
    assert (encodings.made, encodings.shared) == (1, 1)


def test_the_oldest_goes_when_there_are_too_many_bytes() -> None:
    encodings = Encodings(capacity=10)
    encodings.get("a", lambda: b"123456")
    encodings.get("b", lambda: b"123456")
    assert encodings.get("a", lambda: b"anew") == b"anew"
    assert encodings.get("b", lambda: b"anew") == b"123456"


def test_what_is_larger_than_the_bound_is_not_kept() -> None:
    encodings = Encodings(capacity=3)
    encodings.get("a", lambda: b"1234")
    assert encodings.get("a", lambda: b"anew") == b"anew"
