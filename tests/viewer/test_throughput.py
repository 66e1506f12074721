"""What a byte takes is told apart from what an update takes."""

from __future__ import annotations

import random

import pytest

from kasmd.viewer.throughput import Throughput


def taking(throughput: Throughput, overhead: float, a_byte: float, *sizes: int) -> None:
    for size in sizes:
        throughput.took(size, overhead + size * a_byte)


def test_nothing_is_known_of_a_few_bytes() -> None:
    throughput = Throughput()
    taking(throughput, 0.05, 1e-6, *[300] * 200)
    assert throughput.seconds_a_byte is None


@pytest.mark.parametrize("overhead", [0.0, 0.03, 0.05])
@pytest.mark.parametrize("a_byte", [4e-6, 1e-4])
def test_an_overhead_is_told_from_bytes_of_several_sizes(overhead: float, a_byte: float) -> None:
    throughput, chance = Throughput(), random.Random(4)
    taking(throughput, overhead, a_byte, *(chance.randint(1_000, 20_000) for _ in range(100)))
    assert throughput.seconds_a_byte == pytest.approx(a_byte, rel=0.2)


def test_of_one_size_it_cannot_be_told_and_the_bytes_are_blamed() -> None:
    throughput = Throughput()
    taking(throughput, 0.04, 4e-6, *[10_000] * 50)
    assert throughput.seconds_a_byte == pytest.approx(8e-6, rel=0.01)


def test_no_viewer_takes_long_for_himself() -> None:
    throughput = Throughput()
    taking(throughput, 1.0, 1e-9, *(1_000 * (1 + number % 9) for number in range(200)))
    assert throughput.seconds_a_byte is not None and throughput.seconds_a_byte > 1e-4


def test_a_link_that_seems_to_take_no_time_is_known_again_when_it_does() -> None:
    """Letters wait for a viewer's next picture, and what is large is shown at once."""
    throughput = Throughput()
    taking(throughput, 0.0, 1e-8, *range(1_000, 20_000, 1_000))
    for number in range(3_000):
        throughput.took(*((500, 0.016) if number % 2 else (50_000, 0.001)))
    assert throughput.seconds_a_byte is not None and throughput.seconds_a_byte < 1e-8
    taking(throughput, 0.0, 8e-6, *range(1_000, 61_000, 1_000))
    assert throughput.seconds_a_byte == pytest.approx(8e-6, rel=0.2)


def test_what_was_long_ago_does_not_count() -> None:
    throughput, chance = Throughput(), random.Random(4)
    for a_byte, count in ((1e-4, 300), (4e-6, 60), (1e-4, 30)):
        taking(throughput, 0.0, a_byte, *(chance.randint(1_000, 20_000) for _ in range(count)))
        assert throughput.seconds_a_byte == pytest.approx(a_byte, rel=0.05)


def test_one_that_is_unlike_the_others_changes_little() -> None:
    throughput, chance = Throughput(), random.Random(4)
    taking(throughput, 0.0, 4e-6, *(chance.randint(1_000, 20_000) for _ in range(100)))
    throughput.took(2_000, 3.0)
    assert throughput.seconds_a_byte is not None and throughput.seconds_a_byte < 8e-6
    taking(throughput, 0.0, 4e-6, *(chance.randint(1_000, 20_000) for _ in range(40)))
    assert throughput.seconds_a_byte == pytest.approx(4e-6, rel=0.3)
