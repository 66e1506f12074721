"""Pacing: a link is filled, and no queue is built in it."""

from kasmd.viewer.pacing import FLOOR, Pacing


def stream(bytes_a_second: float, trip: float, update: int, seconds: float) -> tuple[int, float]:
    """Send as fast as pacing allows over a link; give bytes sent and the longest echo."""
    pacing = Pacing()
    now, link_free, sent, longest = 0.0, 0.0, 0, 0.0
    echoes: list[tuple[float, float]] = []
    while now < seconds:
        if pacing.may_send():
            pacing.sent(update, now)
            link_free = max(now, link_free) + update / bytes_a_second
            echoes.append((link_free + trip, now))
            sent += update
        else:
            now, left = echoes.pop(0)
            longest = max(longest, now - left)
            pacing.echoed(now)
    return sent, longest


def test_a_fast_link_is_filled() -> None:
    sent, _ = stream(bytes_a_second=12e6, trip=0.1, update=100_000, seconds=10)
    assert sent > 0.8 * 12e6 * 10


def test_a_thin_link_holds_little_more_than_the_floor() -> None:
    update = 20_000
    _, longest = stream(bytes_a_second=250_000, trip=0.1, update=update, seconds=20)
    assert longest < 0.1 + (FLOOR + 2 * update) / 250_000


def test_jitter_is_how_much_round_trips_differ() -> None:
    pacing = Pacing()
    for number in range(200):
        pacing.sent(1000, number)
        pacing.echoed(number + 0.1)
    assert pacing.jitter < 1e-9
    for number in range(200, 400):
        pacing.sent(1000, number)
        pacing.echoed(number + (0.1 if number % 2 else 0.14))
    assert 0.039 < pacing.jitter <= 0.0401


def test_nothing_under_way_at_first_and_after_every_echo() -> None:
    pacing = Pacing()
    assert pacing.may_send() and pacing.under_way == 0
    pacing.sent(1000, 1.0)
    assert pacing.under_way == 1000 and pacing.waiting_since(3.0) == 2.0
    pacing.echoed(1.5)
    assert pacing.under_way == 0 and pacing.waiting_since(3.0) == 0.0
    assert pacing.round_trip == 0.5


def test_an_echo_that_was_not_asked_for_changes_nothing() -> None:
    pacing = Pacing()
    pacing.echoed(1.0)
    assert pacing.rate == 0.0 and pacing.window == FLOOR


def test_old_rates_are_forgotten_and_the_least_trip_is_not() -> None:
    pacing = Pacing()
    pacing.sent(10_000_000, 0.0)
    pacing.echoed(0.1)
    pacing.sent(1000, 100.0)
    pacing.echoed(101.0)
    assert pacing.rate == 1000.0
    assert pacing.round_trip == 0.1
