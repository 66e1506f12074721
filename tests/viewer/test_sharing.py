"""One encoding serves every viewer that wants the same, within a bound."""

from kasmd.viewer.sharing import Encoded, Encodings


def test_equal_keys_are_made_once() -> None:
    encodings = Encodings()
    first = encodings.get("key", lambda: Encoded(b"made"))
    second = encodings.get("key", lambda: Encoded(b"again"))
    assert first is second
    assert (encodings.made, encodings.shared) == (1, 1)


def test_the_oldest_goes_when_there_are_too_many_bytes() -> None:
    encodings = Encodings(capacity=10)
    encodings.get("a", lambda: Encoded(b"123456"))
    encodings.get("b", lambda: Encoded(b"123456"))
    assert encodings.get("a", lambda: Encoded(b"anew")) == Encoded(b"anew")
    assert encodings.get("b", lambda: Encoded(b"anew")) == Encoded(b"123456")


def test_what_is_larger_than_the_bound_is_not_kept() -> None:
    encodings = Encodings(capacity=3)
    encodings.get("a", lambda: Encoded(b"1234"))
    assert encodings.get("a", lambda: Encoded(b"anew")) == Encoded(b"anew")
