"""One encoding serves every viewer that wants the same, within a bound."""

from twisted.internet.defer import Deferred

from kasmd.viewer.crew import Crew
from kasmd.viewer.sharing import Encoded, Encodings
from kasmd.viewer.worker import InlineWorker


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


def test_what_is_made_elsewhere_is_kept_and_made_once() -> None:
    encodings, heard = Encodings(), list[object]()
    for _ in range(2):
        made = encodings.elsewhere("key", lambda: Encoded(b"made"), Crew([InlineWorker()]))
        if made is not None:
            made.addCallback(heard.append)
    assert heard == [Encoded(b"made")]
    assert encodings.get("key", lambda: Encoded(b"again")) == Encoded(b"made")
    assert (encodings.made, encodings.shared, encodings.awaited) == (1, 1, False)


def test_nothing_is_made_elsewhere_where_nobody_is_idle() -> None:
    assert Encodings().elsewhere("key", lambda: Encoded(b"made"), Crew()) is None
    assert Encodings().elsewhere("key", lambda: Encoded(b"made"), None) is None


def test_a_failure_elsewhere_reaches_all_and_is_not_kept() -> None:
    encodings, heard = Encodings(), list[object]()
    made: Deferred[Encoded] | None = encodings.elsewhere(
        "key", lambda: Encoded(b"x" * (1 // 0)), Crew([InlineWorker()])
    )
    assert made is not None
    made.addErrback(lambda failure: heard.append(failure.type))
    assert heard == [ZeroDivisionError]
    assert encodings.get("key", lambda: Encoded(b"anew")) == Encoded(b"anew")
