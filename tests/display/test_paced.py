"""At once after a rest, then the newest now and then."""

from twisted.internet.task import Clock

from kasmd.display.paced import Paced


def test_the_newest_is_told_when_it_is_time() -> None:
    clock, told = Clock(), []
    paced = Paced(clock, 1.0, told.append)
    for number in range(10):
        paced(number)
    assert told == [0] and paced.waiting
    clock.advance(1)
    assert told == [0, 9] and not paced.waiting
    clock.advance(1)
    paced(10)
    assert told == [0, 9, 10]
    clock.advance(5)
    assert told == [0, 9, 10] and not clock.getDelayedCalls()


def test_the_end() -> None:
    clock, told = Clock(), []
    paced = Paced(clock, 1.0, told.append)
    paced(1)
    paced(2)
    paced.close()
    assert not paced.waiting and not clock.getDelayedCalls()
    clock.advance(9)
    assert told == [1]


def test_what_is_told_may_tell_again() -> None:
    clock, told = Clock(), []

    def tell(number: int) -> None:
        told.append(number)
        if number < 3:
            paced(number + 1)

    paced = Paced(clock, 1.0, tell)
    paced(1)
    clock.advance(1)
    clock.advance(1)
    assert told == [1, 2, 3]
